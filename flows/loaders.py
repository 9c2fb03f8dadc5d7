"""How each step of a build is made from its section of the settings.

Everything heavy is imported when a step is loaded, so that `hgld scrape` needs no torch.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from hgld.engine.config import from_mapping, row_settings
from hgld.engine.stage import Stage, StageReport
from hgld.engine.workspace import Damage, Workspace
from hgld.errors import DamagedError
from hgld.tables import IMAGE_FILES

_Config = TypeVar("_Config")

Section = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildStep:
    """One command of a build: the stages it runs, and how."""

    settings: object
    """An instance of the stage's settings dataclass."""
    stages: tuple[Stage, ...]
    run: Callable[[Workspace], list[StageReport]]
    optional: tuple[Stage, ...] = ()
    """Stages that it runs only where that is asked for."""
    stage_settings: Mapping[str, Section] = field(default_factory=dict)
    """By stage, its settings that change rows, where they are not simply those of the step."""
    extra: str = ""
    """The extra that it cannot run without, if any."""
    needs: tuple[str, ...] = ()
    """Later or optional steps whose output its settings make it read, in their order."""
    verify: Callable[[Workspace, bool], Iterable[Damage]] = lambda _workspace, _deep: ()
    """Checks what it keeps beside its stages' output; whether deeply, is the second argument."""
    more_settings: Mapping[str, object] = field(default_factory=dict)
    """Of its stages that have a section of their own, by its name, which is theirs."""
    found_settings: Mapping[str, Callable[[Workspace], Section]] = field(default_factory=dict)
    """By stage, what it takes for settings and nobody sets: it follows from what is built."""


def _step(
    config: _Config,
    run: Callable[[Workspace, _Config], StageReport],
    stage: Stage,
    *,
    extra: str = "",
    verify: Callable[[Workspace], Iterable[Damage]] = lambda _: (),
) -> BuildStep:
    return BuildStep(
        settings=config,
        stages=(stage,),
        run=lambda workspace: [run(workspace, config)],
        extra=extra,
        verify=lambda workspace, _: verify(workspace),
    )


def _mended(damages: Iterable[Damage], how: str) -> Iterator[Damage]:
    """Yields damages with what mends them."""
    return (Damage(path, f"{what}; {how}") for path, what in damages)


def _metadata(section: Section) -> BuildStep:
    from hgld.metadata.records import csv_damages
    from hgld.metadata.stage import STAGE, MetadataConfig, run_metadata

    config = from_mapping(MetadataConfig, section, where="[metadata]")
    return _step(
        config,
        run_metadata,
        STAGE,
        verify=lambda workspace: _mended(
            csv_damages(workspace), f"{workspace.command('metadata')} fetches it again"
        ),
    )


def _scrape(section: Section) -> BuildStep:
    from hgld.scrape.refresh import REFRESH_STAGE
    from hgld.scrape.stage import EVIDENCE_STAGE, STAGE, ScrapeConfig, run_scrape
    from hgld.scrape.verify import archive_findings

    config = from_mapping(ScrapeConfig, section, where="[scrape]")
    step = _step(
        config,
        run_scrape,
        STAGE,
        verify=lambda workspace: _mended(
            archive_findings(workspace),
            # Where the tables are up to date, nothing else looks at what they were made of.
            f"{workspace.command('scrape --force')} sets it aside and asks again",
        ),
    )
    return replace(step, stages=(STAGE, EVIDENCE_STAGE), optional=(REFRESH_STAGE,))


def _embed(section: Section) -> BuildStep:
    from hgld.labels.embedding.cache import cache_damages
    from hgld.labels.embedding.stage import STAGE, EmbedConfig, run_embed

    def verify(workspace: Workspace) -> Iterator[Damage]:
        again = "delete it: its vectors are made again when they are needed"
        yield from _mended(cache_damages(workspace), again)

    config = from_mapping(EmbedConfig, section, where="[embed]")
    return _step(config, run_embed, STAGE, extra="cluster", verify=verify)


def _cluster(section: Section) -> BuildStep:
    from hgld.labels.clustering.stage import ClusterConfig, cluster_stage, run_cluster

    config = from_mapping(ClusterConfig, section, where="[cluster]")
    return _step(config, run_cluster, cluster_stage(config), extra="cluster")


def _after_decided(
    stage: Stage, run: Callable[[Workspace], StageReport]
) -> Callable[[Workspace], list[StageReport]]:
    """Returns what reads the log and runs a stage of its decisions, if all else is there."""
    from hgld.review.decided import STAGE as DECIDED_STAGE
    from hgld.review.decided import run_decided

    def run_both(workspace: Workspace) -> list[StageReport]:
        for dataset in stage.inputs:
            if dataset.stage != DECIDED_STAGE.name:
                workspace.finished(dataset)
        return [run_decided(workspace), run(workspace)]

    return run_both


def _propose(section: Section) -> BuildStep:
    from hgld.labels.proposing.stage import STAGE, ProposeConfig, run_propose
    from hgld.review.decided import STAGE as DECIDED_STAGE

    config = from_mapping(ProposeConfig, section, where="[propose]")
    return BuildStep(
        settings=config,
        stages=(DECIDED_STAGE, STAGE),
        run=_after_decided(STAGE, lambda workspace: run_propose(workspace, config)),
        stage_settings={DECIDED_STAGE.name: {}},
        extra="cluster",
    )


def _review(section: Section) -> BuildStep:
    from hgld.labels.embedding.label_map import STAGE as MAP_STAGE
    from hgld.review.log.decisions import check_decisions
    from hgld.review.stage import STAGE, ReviewConfig, run_review

    config = from_mapping(ReviewConfig, section, where="[review]")
    step = _step(config, run_review, STAGE, verify=check_decisions)
    return replace(step, optional=(MAP_STAGE,), stage_settings={MAP_STAGE.name: {}})


def _parents(section: Section, scrape: Section) -> BuildStep:
    from hgld.scrape.config import ScrapeConfig
    from hgld.scrape.parents import STAGE, ParentsConfig, parents_settings, run_parents
    from hgld.scrape.verify import parents_findings

    config = from_mapping(ParentsConfig, section, where="[parents]")
    asking = from_mapping(ScrapeConfig, scrape, where="[scrape]")
    step = _step(
        config,
        lambda workspace, config: run_parents(workspace, config, asking),
        STAGE,
        verify=lambda workspace: _mended(
            parents_findings(workspace),
            f"{workspace.command('parents --force')} sets it aside and asks again",
        ),
    )
    found = {STAGE.name: lambda workspace: parents_settings(workspace, asking)}
    return replace(step, found_settings=found)


def _look(section: Section) -> BuildStep:
    from hgld.labels.looks.stage import LookConfig, look_stage, run_look

    config = from_mapping(LookConfig, section, where="[look]")
    return _step(config, run_look, look_stage(config), extra="cluster")


def _fill(section: Section) -> BuildStep:
    from hgld.labels.fills.stage import FillConfig, fill_stage, run_fill
    from hgld.review.decided import STAGE as DECIDED_STAGE

    config = from_mapping(FillConfig, section, where="[fill]")
    return BuildStep(
        settings=config,
        stages=(fill_stage(config),),
        optional=(DECIDED_STAGE,),
        run=_after_decided(fill_stage(config), lambda workspace: run_fill(workspace, config)),
        stage_settings={DECIDED_STAGE.name: {}},
        extra="cluster",
    )


def _annotate(section: Section, review: Section, release: Section) -> BuildStep:
    from hgld.annotations.release.config import ReleaseConfig
    from hgld.annotations.release.stage import STAGE as RELEASE_STAGE
    from hgld.annotations.release.stage import found_settings, run_release, sums_damages
    from hgld.annotations.stage import AnnotateConfig, annotate_stage, run_annotate
    from hgld.review.stage import ReviewConfig, settle_again

    config = from_mapping(AnnotateConfig, section, where="[annotate]")
    accepting = from_mapping(ReviewConfig, review, where="[review]")
    terms = from_mapping(ReleaseConfig, release, where="[release]")

    def run(workspace: Workspace) -> list[StageReport]:
        settle_again(workspace, accepting)
        return [run_annotate(workspace, config), run_release(workspace, terms)]

    pictures = ("images",) if config.pictures else ()
    return BuildStep(
        settings=config,
        stages=(annotate_stage(config), RELEASE_STAGE),
        run=run,
        needs=(*pictures, "parents", "fill") if config.fills else pictures,
        more_settings={RELEASE_STAGE.name: terms},
        found_settings={RELEASE_STAGE.name: found_settings},
        verify=lambda workspace, _: sums_damages(workspace),
    )


def _images(section: Section) -> BuildStep:
    from hgld.images.at_rest import damaged_pictures
    from hgld.images.bringing.fetch import list_damages
    from hgld.images.config import ImagesConfig
    from hgld.images.rows import side_damages
    from hgld.images.shards import run_shards, shards_stage
    from hgld.images.stage import images_stage, run_images

    config = from_mapping(ImagesConfig, section, where="[images]")
    splits = (config.split,) if config.split else tuple(IMAGE_FILES)

    def verify(workspace: Workspace, deep: bool) -> Iterator[Damage]:
        for split in splits:
            again = f"{workspace.command(f'images --split {split}')} fetches it again"
            yield from _mended(list_damages(workspace, split), again)
            yield from _mended(side_damages(workspace, split), f"delete it, then {again}")
            yield from _mended(damaged_pictures(workspace, split, deep=deep), again)

    def run(workspace: Workspace) -> list[StageReport]:
        reports = [run_images(workspace, config, split) for split in splits]
        if config.shards and not any(report.manifest.failed for report in reports):
            reports += [run_shards(workspace, split, config.shard_images) for split in splits]
        return reports

    return BuildStep(
        settings=config,
        stages=tuple(images_stage(split) for split in splits),
        optional=tuple(shards_stage(split) for split in splits),
        verify=verify,
        stage_settings={
            **{images_stage(split).name: config.row_values(split) for split in splits},
            **{
                shards_stage(split).name: {"images_per_shard": config.shard_images}
                for split in splits
            },
        },
        run=run,
    )


def _train(section: Section) -> BuildStep:
    from hgld.training.config import TrainConfig, train_stage
    from hgld.training.recipes.reading import over_recipe

    def run(workspace: Workspace, config: TrainConfig) -> StageReport:
        from hgld.training.run.loop import run_train

        return run_train(workspace, config)

    def verify(workspace: Workspace) -> Iterator[Damage]:
        if any(workspace.path("runs").glob("*/*.pt")):
            from hgld.training.run.checkpoint import best_weights_damages, checkpoint_damages

            goes_on = f"{workspace.command('train')} goes on from the one before it, if any"
            yield from _mended(checkpoint_damages(workspace), goes_on)
            yield from best_weights_damages(workspace)
        for file in sorted(workspace.path("runs").glob("*/*/index.json")):
            from hgld.training.index.folder import embedded_index_damages

            try:
                for path, what in embedded_index_damages(file.parent):
                    yield Damage(path.relative_to(workspace.root).as_posix(), what)
            except DamagedError as error:
                name = file.relative_to(workspace.root).as_posix()
                yield Damage(name, str(error).removeprefix(f"{file} "))

    config = from_mapping(TrainConfig, over_recipe(section), where="[train]")
    return _step(config, run, train_stage(config.name, config.labels), extra="train", verify=verify)


def _benchmark(section: Section, train: Section) -> BuildStep:
    from hgld.benchmarks.retrieval.config import (
        BenchmarkConfig,
        benchmark_stage,
        embeddings_folder,
    )
    from hgld.benchmarks.training.plan import planned_methods
    from hgld.training.config import train_stage

    asked = from_mapping(BenchmarkConfig, section, where="[benchmark]")
    runs = []
    if asked.methods:  # else what [train] says is of no account here
        shared = {**train, "recipe": asked.recipe} if asked.recipe else train
        runs = [one.config for one in planned_methods(shared, asked.methods, asked.seeds)]
    config = replace(asked, runs=tuple(dict.fromkeys([*asked.runs, *(run.name for run in runs)])))

    def run(workspace: Workspace) -> list[StageReport]:
        from hgld.benchmarks.retrieval.stage import run_methods

        return run_methods(workspace, config, runs)

    def verify(workspace: Workspace, _: bool) -> Iterator[Damage]:
        folder = workspace.path(embeddings_folder(config.data_set))
        if folder.is_dir():
            from hgld.training.index.embeddings import block_damages

            on = f" --data-set {config.data_set} --data FOLDER" if config.data_set else ""
            again = f"{workspace.command(f'benchmark{on} --force')} embeds its images again"
            for path, what in block_damages(folder):
                yield Damage(path.relative_to(workspace.root).as_posix(), f"{what}; {again}")

    trained = {train_stage(one.name, one.labels): one for one in runs}
    return BuildStep(
        settings=config,
        stages=(*trained, benchmark_stage(config.runs, config.data_set)),
        run=run,
        stage_settings={stage.name: row_settings(one) for stage, one in trained.items()},
        extra="train",
        verify=verify,
    )


def _agree(section: Section) -> BuildStep:
    from hgld.benchmarks.labels.agreement.config import AgreeConfig, agree_stage

    def run(workspace: Workspace, config: AgreeConfig) -> StageReport:
        from hgld.benchmarks.labels.agreement.stage import run_agree

        return run_agree(workspace, config)

    config = from_mapping(AgreeConfig, section, where="[agree]")
    return _step(config, run, agree_stage(config), extra="cluster")


def _export(section: Section) -> BuildStep:
    from hgld.training.model.exporting.config import ExportConfig

    def run(workspace: Workspace) -> list[StageReport]:
        from hgld.benchmarks.retrieval.exporting import run_export

        return run_export(workspace, config)

    config = from_mapping(ExportConfig, section, where="[export]")
    return BuildStep(
        settings=config,
        stages=config.stages,
        run=run,
        stage_settings={stage.name: {} for stage in config.stages},
        extra="train",
    )


LOADERS: dict[str, Callable[..., BuildStep]] = {
    "metadata": _metadata,
    "scrape": _scrape,
    "embed": _embed,
    "cluster": _cluster,
    "propose": _propose,
    "review": _review,
    "annotate": _annotate,
    "images": _images,
    "parents": _parents,
    "look": _look,
    "fill": _fill,
    "train": _train,
    "benchmark": _benchmark,
    "agree": _agree,
    "export": _export,
}
"""Step to what makes it of its section and those of `READS` and `STEP_OF`; refuses wrong ones."""

READS = {"annotate": ("review",), "parents": ("scrape",), "benchmark": ("train",)}
"""Step to the sections of other steps that it reads as well."""

STEP_OF = {"release": "annotate"}
"""Section to the step that reads it, where it is not that of a step."""
