"""The steps of a build: what each is made of its settings (`hgld.flows.build` runs them).

A step is one command of a build. What is heavy is imported when a step is made, or run, so that
`hgld scrape` needs no torch.
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
Sections = dict[str, Section]
"""Name of a section of the settings file to its settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildStep:
    """The stages that one command of a build runs, and how."""

    name: str
    settings: object
    """An instance of the step's settings dataclass."""
    stages: tuple[Stage, ...]
    run: Callable[[Workspace], list[StageReport]]
    optional: tuple[Stage, ...] = ()
    """Stages that it runs only where that is asked for."""
    extra: str = ""
    """The extra that it cannot run without, if any."""
    needs: tuple[str, ...] = ()
    """Later or optional steps whose output its settings make it read, in their order."""
    verify: Callable[[Workspace, bool], Iterable[Damage]] = lambda _workspace, _deep: ()
    """Checks what it keeps beside its stages' output; whether deeply, is the second argument."""
    stage_settings: Mapping[str, Section] = field(default_factory=dict)
    """By stage, its settings that change rows, where they are not simply those of the step."""
    more_settings: Mapping[str, object] = field(default_factory=dict)
    """Of its stages that have a section of their own, by its name, which is theirs."""
    found_settings: Mapping[str, Callable[[Workspace], Section]] = field(default_factory=dict)
    """By stage, what it takes for settings and nobody sets: it follows from what is built."""


def _single(
    name: str,
    config: _Config,
    stage: Stage,
    run: Callable[[Workspace, _Config], StageReport],
    *,
    extra: str = "",
    verify: Callable[[Workspace], Iterable[Damage]] = lambda _: (),
) -> BuildStep:
    """Returns a step of one stage."""
    return BuildStep(
        name=name,
        settings=config,
        stages=(stage,),
        run=lambda workspace: [run(workspace, config)],
        extra=extra,
        verify=lambda workspace, _: verify(workspace),
    )


def _read(cls: type[_Config], sections: Sections, name: str) -> _Config:
    return from_mapping(cls, sections.get(name, {}), where=f"[{name}]")


def _mended(damages: Iterable[Damage], how: str) -> Iterator[Damage]:
    """Yields damages with what mends them."""
    return (Damage(path, f"{what}; {how}") for path, what in damages)


def metadata_step(sections: Sections) -> BuildStep:
    """Returns the step that fetches GLDv2's tables; raises what `from_mapping` does, as all do."""
    from hgld.metadata.files import csv_damages
    from hgld.metadata.stage import STAGE, MetadataConfig, run_metadata

    def verify(workspace: Workspace) -> Iterator[Damage]:
        again = f"{workspace.command('metadata')} fetches it again"
        return _mended(csv_damages(workspace), again)

    config = _read(MetadataConfig, sections, "metadata")
    return _single("metadata", config, STAGE, run_metadata, verify=verify)


def scrape_step(sections: Sections) -> BuildStep:
    """Returns the step that finds the classes of every landmark."""
    from hgld.scrape.refresh import REFRESH_STAGE
    from hgld.scrape.stage import EVIDENCE_STAGE, STAGE, ScrapeConfig, run_scrape
    from hgld.scrape.verify import archive_findings

    def verify(workspace: Workspace) -> Iterator[Damage]:
        # Where the tables are up to date, nothing else looks at what they were made of.
        again = f"{workspace.command('scrape --force')} sets it aside and asks again"
        return _mended(archive_findings(workspace, STAGE.name, EVIDENCE_STAGE.name), again)

    config = _read(ScrapeConfig, sections, "scrape")
    step = _single("scrape", config, STAGE, run_scrape, verify=verify)
    return replace(step, stages=(STAGE, EVIDENCE_STAGE), optional=(REFRESH_STAGE,))


def embed_step(sections: Sections) -> BuildStep:
    """Returns the step that encodes the label of every class."""
    from hgld.labels.embedding.cache import cache_damages
    from hgld.labels.embedding.stage import STAGE, EmbedConfig, run_embed

    def verify(workspace: Workspace) -> Iterator[Damage]:
        again = "delete it: its vectors are made again when they are needed"
        return _mended(cache_damages(workspace), again)

    config = _read(EmbedConfig, sections, "embed")
    return _single("embed", config, STAGE, run_embed, extra="cluster", verify=verify)


def cluster_step(sections: Sections) -> BuildStep:
    """Returns the step that groups the classes."""
    from hgld.labels.clustering.stage import STAGE, ClusterConfig, run_cluster

    config = _read(ClusterConfig, sections, "cluster")
    return _single("cluster", config, STAGE, run_cluster, extra="cluster")


def propose_step(sections: Sections) -> BuildStep:
    """Returns the step that proposes a super-category for each class."""
    from hgld.labels.proposing.stage import STAGE, ProposeConfig, run_propose
    from hgld.review.stage import DECIDED_STAGE

    config = _read(ProposeConfig, sections, "propose")
    return BuildStep(
        name="propose",
        settings=config,
        stages=(DECIDED_STAGE, STAGE),
        run=_after_decided(STAGE, lambda workspace: run_propose(workspace, config)),
        stage_settings={DECIDED_STAGE.name: {}},
        extra="cluster",
    )


def _after_decided(
    stage: Stage, run: Callable[[Workspace], StageReport]
) -> Callable[[Workspace], list[StageReport]]:
    """Returns what reads the log and runs a stage of its decisions, if all else is there."""
    from hgld.review.stage import DECIDED_STAGE, run_decided

    def run_both(workspace: Workspace) -> list[StageReport]:
        for dataset in stage.inputs:
            if dataset.stage != DECIDED_STAGE.name:
                workspace.finished(dataset)
        return [run_decided(workspace), run(workspace)]

    return run_both


def review_step(sections: Sections) -> BuildStep:
    """Returns the step that settles the taxonomy of the decisions."""
    from hgld.labels.embedding.label_map import STAGE as MAP_STAGE
    from hgld.review.log.decisions import check_decisions
    from hgld.review.stage import STAGE, ReviewConfig, run_review

    config = _read(ReviewConfig, sections, "review")
    step = _single("review", config, STAGE, run_review, verify=check_decisions)
    return replace(step, optional=(MAP_STAGE,), stage_settings={MAP_STAGE.name: {}})


def parents_step(sections: Sections) -> BuildStep:
    """Returns the step that looks up what the categories without a label are in."""
    from hgld.scrape.config import ScrapeConfig
    from hgld.scrape.parents import STAGE, ParentsConfig, parents_settings, run_parents
    from hgld.scrape.verify import archive_findings

    def verify(workspace: Workspace, _: bool) -> Iterator[Damage]:
        again = f"{workspace.command('parents --force')} sets it aside and asks again"
        return _mended(archive_findings(workspace, STAGE.name), again)

    config = _read(ParentsConfig, sections, "parents")
    asking = _read(ScrapeConfig, sections, "scrape")
    return BuildStep(
        name="parents",
        settings=config,
        stages=(STAGE,),
        run=lambda workspace: [run_parents(workspace, config, asking)],
        verify=verify,
        found_settings={STAGE.name: lambda workspace: parents_settings(workspace, asking)},
    )


def look_step(sections: Sections) -> BuildStep:
    """Returns the step that has pictures vote for a label."""
    from hgld.labels.looks.stage import LookConfig, look_stage, run_look

    config = _read(LookConfig, sections, "look")
    return _single("look", config, look_stage(config), run_look, extra="cluster")


def fill_step(sections: Sections) -> BuildStep:
    """Returns the step that labels landmarks which no class gives a label."""
    from hgld.labels.fills.stage import FillConfig, fill_stage, run_fill
    from hgld.review.stage import DECIDED_STAGE

    config = _read(FillConfig, sections, "fill")
    return BuildStep(
        name="fill",
        settings=config,
        stages=(fill_stage(config),),
        optional=(DECIDED_STAGE,),
        run=_after_decided(fill_stage(config), lambda workspace: run_fill(workspace, config)),
        stage_settings={DECIDED_STAGE.name: {}},
        extra="cluster",
    )


def annotate_step(sections: Sections) -> BuildStep:
    """Returns the step that writes the annotations and makes them a release."""
    from hgld.annotations.release.facts import ReleaseConfig
    from hgld.annotations.release.stage import STAGE as RELEASE_STAGE
    from hgld.annotations.release.stage import found_settings, run_release, sums_damages
    from hgld.annotations.stage import AnnotateConfig, annotate_stage, run_annotate
    from hgld.review.stage import ReviewConfig, settle_again

    config = _read(AnnotateConfig, sections, "annotate")
    accepting = _read(ReviewConfig, sections, "review")
    terms = _read(ReleaseConfig, sections, "release")

    def run(workspace: Workspace) -> list[StageReport]:
        settle_again(workspace, accepting)
        return [run_annotate(workspace, config), run_release(workspace, terms)]

    pictures = ("images",) if config.pictures else ()
    return BuildStep(
        name="annotate",
        settings=config,
        stages=(annotate_stage(config), RELEASE_STAGE),
        run=run,
        needs=(*pictures, "parents", "fill") if config.fills else pictures,
        more_settings={RELEASE_STAGE.name: terms},
        found_settings={RELEASE_STAGE.name: found_settings},
        verify=lambda workspace, _: sums_damages(workspace),
    )


def images_step(sections: Sections) -> BuildStep:
    """Returns the step that fetches the pictures."""
    from hgld.images.bucket import list_damages
    from hgld.images.config import ImagesConfig
    from hgld.images.records import damaged_pictures
    from hgld.images.shards import run_shards, shards_stage
    from hgld.images.stage import images_stage, run_images

    config = _read(ImagesConfig, sections, "images")
    splits = (config.split,) if config.split else tuple(IMAGE_FILES)

    def verify(workspace: Workspace, deep: bool) -> Iterator[Damage]:
        for split in splits:
            again = f"{workspace.command(f'images --split {split}')} fetches it again"
            yield from _mended(list_damages(workspace, split), again)
            yield from _mended(damaged_pictures(workspace, split, deep=deep), again)

    def run(workspace: Workspace) -> list[StageReport]:
        reports = [run_images(workspace, config, split) for split in splits]
        if config.shards and not any(report.manifest.failed for report in reports):
            reports += [run_shards(workspace, split, config.shard_images) for split in splits]
        return reports

    per_shard: Section = {"images_per_shard": config.shard_images}
    return BuildStep(
        name="images",
        settings=config,
        stages=tuple(images_stage(split) for split in splits),
        optional=tuple(shards_stage(split) for split in splits),
        run=run,
        verify=verify,
        stage_settings={
            **{images_stage(split).name: config.row_values(split) for split in splits},
            **{shards_stage(split).name: per_shard for split in splits},
        },
    )


def train_step(sections: Sections) -> BuildStep:
    """Returns the step that trains a model."""
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

    section = over_recipe(sections.get("train", {}))
    config = from_mapping(TrainConfig, section, where="[train]")
    stage = train_stage(config.name, config.labels)
    return _single("train", config, stage, run, extra="train", verify=verify)


def benchmark_step(sections: Sections) -> BuildStep:
    """Returns the step that measures models against one another."""
    from hgld.benchmarks.retrieval.config import (
        BenchmarkConfig,
        benchmark_stage,
        embeddings_folder,
    )
    from hgld.benchmarks.training.plan import planned_methods
    from hgld.training.config import train_stage

    asked = _read(BenchmarkConfig, sections, "benchmark")
    runs = []
    if asked.methods:  # else what [train] says is of no account here
        train = sections.get("train", {})
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
        name="benchmark",
        settings=config,
        stages=(*trained, benchmark_stage(config.runs, config.data_set)),
        run=run,
        stage_settings={stage.name: row_settings(one) for stage, one in trained.items()},
        extra="train",
        verify=verify,
    )


def agree_step(sections: Sections) -> BuildStep:
    """Returns the step that compares the labels with official ones."""
    from hgld.benchmarks.labels.agreement.config import AgreeConfig, agree_stage

    def run(workspace: Workspace, config: AgreeConfig) -> StageReport:
        from hgld.benchmarks.labels.agreement.stage import run_agree

        return run_agree(workspace, config)

    config = _read(AgreeConfig, sections, "agree")
    return _single("agree", config, agree_stage(config), run, extra="cluster")


def export_step(sections: Sections) -> BuildStep:
    """Returns the step that writes a model for other programs."""
    from hgld.training.model.exporting.config import ExportConfig

    def run(workspace: Workspace) -> list[StageReport]:
        from hgld.benchmarks.retrieval.exporting import run_export

        return run_export(workspace, config)

    config = _read(ExportConfig, sections, "export")
    return BuildStep(
        name="export",
        settings=config,
        stages=config.stages,
        run=run,
        stage_settings={stage.name: {} for stage in config.stages},
        extra="train",
    )
