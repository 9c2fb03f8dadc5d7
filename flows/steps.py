"""The steps of a build, each made from its settings (`hgld.flows.build` runs them).

A step is one command of a build. Heavy modules are imported only when a step is made or run, so
that `hgld scrape` needs no torch. The docstring of a step is also the help of a command that only
runs that step. Each function raises the errors of `from_mapping`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hgld.engine.config import from_mapping
from hgld.engine.stage import Share, Stage, StageReport
from hgld.engine.workspace import Damage, Workspace
from hgld.errors import DamagedError
from hgld.tables import EMBEDDINGS, IMAGE_FILES

if TYPE_CHECKING:
    from hgld.scrape.config import ScrapeConfig

_Config = TypeVar("_Config")

ASKS = "sets it aside and fetches it again"

Section = dict[str, object]
Sections = dict[str, Section]
"""Name of a section of the settings file to its settings."""

Verify = Callable[[Workspace, bool, int], Iterable[Damage]]
"""Checks the files of a step other than its stages' output; the arguments after the workspace are
`deep` and `actors` of `damaged_pictures`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildStep:
    """The stages that one command of a build runs, and how."""

    name: str
    settings: Any
    """An instance of the step's settings dataclass."""
    stages: tuple[Stage, ...]
    run: Callable[[Workspace], list[StageReport]]
    optional: tuple[Stage, ...] = ()
    """Stages that it runs only on request."""
    extra: str = ""
    """The extra that it needs, if any."""
    needs: tuple[str, ...] = ()
    """Later or optional steps whose output it reads with these settings, in order."""
    verify: Verify = lambda *_: ()
    stage_settings: Mapping[str, Any] = field(default_factory=dict)
    """Stage to its settings, if they are not those of the step: a settings dataclass, or a mapping
    of the settings that change rows."""
    found_settings: Mapping[str, Callable[[Workspace], Section]] = field(default_factory=dict)
    """Stage to a function for the settings that it derives from the build itself."""


def _single(
    name: str,
    config: _Config,
    stage: Stage,
    run: Callable[[Workspace, _Config], StageReport],
    **more: Any,  # noqa: ANN401 - of BuildStep
) -> BuildStep:
    """Returns a step of one stage."""

    def run_it(workspace: Workspace) -> list[StageReport]:
        return [run(workspace, config)]

    return BuildStep(name=name, settings=config, stages=(stage,), run=run_it, **more)


def _read(cls: type[_Config], sections: Sections, name: str) -> _Config:
    return from_mapping(cls, sections.get(name, {}), where=f"[{name}]")


def _mended(find: Callable[[Workspace], Iterable[Damage]], command: str, does: str) -> Verify:
    """Returns a check that adds the command which repairs each damage."""
    return lambda workspace, *_: (
        Damage(path, f"{what}; {workspace.command(command)} {does}")
        for path, what in find(workspace)
    )


def _damage(workspace: Workspace, path: Path, what: str) -> Damage:
    return Damage(path.relative_to(workspace.root).as_posix(), what)


def metadata_step(sections: Sections) -> BuildStep:
    """Fetches and checks GLDv2's tables.

    Reads GLDv2's CSV files; writes metadata/.
    """
    from hgld.metadata.files import csv_damages
    from hgld.metadata.stage import STAGE, MetadataConfig, run_metadata

    verify = _mended(csv_damages, "metadata", "fetches it again")
    config = _read(MetadataConfig, sections, "metadata")
    return _single("metadata", config, STAGE, run_metadata, verify=verify)


def scrape_step(sections: Sections) -> BuildStep:
    """Finds the classes of every landmark, and where it is."""
    from hgld.http.config import HttpConfig
    from hgld.scrape.places import FACTS_STAGE
    from hgld.scrape.refresh import REFRESH_STAGE
    from hgld.scrape.stage import EVIDENCE_STAGE, STAGE, run_scrape
    from hgld.scrape.verify import archive_findings

    stages = (STAGE, EVIDENCE_STAGE, FACTS_STAGE)
    names = [stage.name for stage in stages]
    # If the tables are up to date, nothing else checks the archive.
    verify = _mended(lambda build: archive_findings(build, *names), "scrape --force", ASKS)
    http, config = _read(HttpConfig, sections, "http"), _asking(sections)
    step = _single("scrape", config, STAGE, run_scrape, verify=verify, optional=(REFRESH_STAGE,))
    return replace(step, stages=stages, stage_settings={"http": http})


def _asking(sections: Sections) -> "ScrapeConfig":
    """Reads the settings of the scrape, of which some may stand in [http]."""
    from hgld.scrape.config import ScrapeConfig

    both = {**sections.get("http", {}), **sections.get("scrape", {})}
    return _read(ScrapeConfig, {"scrape": both}, "scrape")


def embed_step(sections: Sections) -> BuildStep:
    """Encodes the label of every class.

    Reads scrape/; writes labels/.
    """
    from hgld.labels.embedding.cache import cache_damages
    from hgld.labels.embedding.stage import STAGE, EmbedConfig, run_embed

    def verify(workspace: Workspace, *_: object) -> Iterator[Damage]:
        for path, what in cache_damages(workspace):
            yield Damage(path, f"{what}; delete it: its vectors are recomputed when needed")

    config = _read(EmbedConfig, sections, "embed")
    return _single("embed", config, STAGE, run_embed, extra="cluster", verify=verify)


def cluster_step(sections: Sections) -> BuildStep:
    """Groups the classes."""
    from hgld.labels.clustering.stage import STAGE, ClusterConfig, run_cluster

    config = _read(ClusterConfig, sections, "cluster")
    return _single("cluster", config, STAGE, run_cluster, extra="cluster")


def propose_step(sections: Sections) -> BuildStep:
    """Proposes a super-category for each class, with evidence, from the decisions so far.

    Reads labels/, scrape/ and review/decisions.jsonl; writes review/decided/,
    review/fill_decisions/, labels/proposals/ and labels/cluster_proposals/. Needs hgld[cluster].
    """
    from hgld.labels.embedding.stage import EmbedConfig
    from hgld.labels.proposing.stage import STAGE, ProposeConfig, run_propose
    from hgld.review.stage import DECIDED_STAGE

    # Of the taxonomy whose words were encoded.
    config = ProposeConfig(taxonomy=_read(EmbedConfig, sections, "embed").taxonomy)
    step = _after_decided("propose", config, STAGE, run_propose)
    return replace(step, stages=(DECIDED_STAGE, STAGE))


def _after_decided(
    name: str, config: _Config, stage: Stage, run: Callable[[Workspace, _Config], StageReport]
) -> BuildStep:
    """Returns a step that first runs `decided`, once its other inputs exist."""
    from hgld.review.stage import DECIDED_STAGE, run_decided

    def run_both(workspace: Workspace) -> list[StageReport]:
        for dataset in stage.inputs:
            if dataset.stage != DECIDED_STAGE.name:
                workspace.finished(dataset)
        return [run_decided(workspace), run(workspace, config)]

    listed: dict[str, Section] = {DECIDED_STAGE.name: {}}
    step = _single(name, config, stage, run, extra="cluster", stage_settings=listed)
    return replace(step, run=run_both)


def review_step(sections: Sections) -> BuildStep:
    """Makes the taxonomy from the decisions."""
    from hgld.review.log.decisions import check_decisions
    from hgld.review.stage import STAGE, ReviewConfig, run_review

    def verify(workspace: Workspace, *_: object) -> Iterable[Damage]:
        return check_decisions(workspace)

    config = _read(ReviewConfig, sections, "review")
    return _single("review", config, STAGE, run_review, verify=verify)


def parents_step(sections: Sections) -> BuildStep:
    """Looks up the parent categories of landmarks without a label from a class, for hgld fill.

    Reads scrape/ and queries Commons with the settings in [scrape]; writes raw/ (every answer) and
    scrape/parents/.
    """
    from hgld.scrape.parents import STAGE, parents_settings, run_parents
    from hgld.scrape.verify import archive_findings

    asking = _asking(sections)
    return _single(
        "parents",
        asking,
        STAGE,
        run_parents,
        verify=_mended(lambda build: archive_findings(build, STAGE.name), "parents --force", ASKS),
        stage_settings={STAGE.name: {}},
        found_settings={STAGE.name: lambda workspace: parents_settings(workspace, asking)},
    )


def look_step(sections: Sections, share: Share | None = None, actors: int = 0) -> BuildStep:
    """Lets pictures vote on the label of landmarks without one from a class, for hgld fill.

    Reads metadata/, scrape/, review/ and images/; writes labels/picture_votes/. Needs
    hgld[cluster].
    """
    from hgld.annotations.stage import AnnotateConfig
    from hgld.labels.looks.stage import LookConfig, look_stage, run_look

    config = _read(LookConfig, sections, "look")
    train = _read(AnnotateConfig, sections, "annotate").train  # the pictures that get a label
    run = partial(run_look, train=train, share=share, actors=actors)
    stage = look_stage(config)
    found = {stage.name: lambda _: {"train": train}}
    return _single("look", config, stage, run, extra="cluster", found_settings=found)


def fill_step(sections: Sections) -> BuildStep:
    """Labels landmarks without a label from a class."""
    from hgld.labels.fills.stage import FillConfig, fill_stage, run_fill
    from hgld.review.stage import DECIDED_STAGE

    config = _read(FillConfig, sections, "fill")
    step = _after_decided("fill", config, fill_stage(config), run_fill)
    return replace(step, optional=(DECIDED_STAGE,))


def annotate_step(sections: Sections) -> BuildStep:
    """Writes the annotations as a release."""
    from hgld.annotations.levels import STAGE as HIERARCHY_STAGE
    from hgld.annotations.levels import HierarchyConfig, run_hierarchy
    from hgld.annotations.release.facts import ReleaseConfig
    from hgld.annotations.release.stage import STAGE as RELEASE_STAGE
    from hgld.annotations.release.stage import found_settings, run_release, sums_damages
    from hgld.annotations.stage import AnnotateConfig, annotate_stage, run_annotate
    from hgld.review.stage import ReviewConfig, settle_again

    config = _read(AnnotateConfig, sections, "annotate")
    accepting = _read(ReviewConfig, sections, "review")
    own = _read(HierarchyConfig, sections, "hierarchy")
    terms = _read(ReleaseConfig, sections, "release")

    def run(workspace: Workspace) -> list[StageReport]:
        settle_again(workspace, accepting)
        return [
            run_annotate(workspace, config),
            run_hierarchy(workspace, own),
            run_release(workspace, terms),
        ]

    pictures = ("images",) if config.pictures else ()
    return BuildStep(
        name="annotate",
        settings=config,
        extra="cluster" if EMBEDDINGS in own.stage.inputs else "",
        stages=(annotate_stage(config), own.stage, RELEASE_STAGE),
        run=run,
        needs=(*pictures, "parents", "fill") if config.fills else pictures,
        stage_settings={HIERARCHY_STAGE.name: own, RELEASE_STAGE.name: terms},
        found_settings={RELEASE_STAGE.name: found_settings},
        verify=lambda workspace, *_: sums_damages(workspace),
    )


def images_step(sections: Sections) -> BuildStep:
    """Fetches the pictures."""
    from hgld.images.bucket import list_damages
    from hgld.images.config import ImagesConfig
    from hgld.images.records import damaged_pictures
    from hgld.images.shards import IMAGES_PER_SHARD, run_shards, shards_stage
    from hgld.images.stage import images_stage, run_images

    config = _read(ImagesConfig, sections, "images")
    splits = (config.split,) if config.split else tuple(IMAGE_FILES)

    def verify(workspace: Workspace, deep: bool, actors: int) -> Iterator[Damage]:
        for split in splits:
            again = f"{workspace.command(f'images --split {split}')} fetches it again"
            pictures = damaged_pictures(workspace, split, deep=deep, actors=actors)
            for path, what in (*list_damages(workspace, split), *pictures):
                yield Damage(path, f"{what}; {again}")

    def run(workspace: Workspace) -> list[StageReport]:
        contact = _asking(sections).contact
        reports = [run_images(workspace, config, split, contact=contact) for split in splits]
        if config.shards and not any(report.manifest.failed for report in reports):
            reports += [run_shards(workspace, split) for split in splits]
        return reports

    per_shard = {"images_per_shard": IMAGES_PER_SHARD}
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
    """Trains a model."""
    from hgld.training.config import TrainConfig
    from hgld.training.recipes import over_recipe

    def run(workspace: Workspace, config: TrainConfig) -> StageReport:
        from hgld.training.run.stage import run_train

        return run_train(workspace, config)

    def verify(workspace: Workspace, *_: object) -> Iterator[Damage]:
        if any(workspace.path("runs").glob("*/*.pt")):
            from hgld.training.run.checkpoint import checkpoint_damages

            yield from checkpoint_damages(workspace)
        if (folder := workspace.path("runs/_vectors")).is_dir():
            from hgld.training.index.embeddings import block_damages

            for path, what in block_damages(folder):
                yield _damage(workspace, path, f"{what}; a run on it embeds its images again")
        for file in sorted(workspace.path("runs").glob("*/*/stages/index.json")):
            from hgld.training.index.folder import embedded_index_damages

            try:
                found = [*embedded_index_damages(file.parents[1])]
            except DamagedError as error:
                found = [(file, str(error).removeprefix(f"{file} "))]
            yield from (_damage(workspace, path, what) for path, what in found)

    section = over_recipe(sections.get("train", {}))
    config = from_mapping(TrainConfig, section, where="[train]")
    return _single("train", config, config.stage, run, extra="train", verify=verify)


def benchmark_step(sections: Sections) -> BuildStep:
    """Compares models."""
    from hgld.benchmarks.retrieval.config import BenchmarkConfig, benchmark_stage, planned_runs

    asked = _read(BenchmarkConfig, sections, "benchmark")
    runs = []
    if asked.methods:  # otherwise [train] does not matter
        train = sections.get("train", {})
        shared = {**train, "recipe": asked.recipe} if asked.recipe else train
        runs = list(planned_runs(shared, asked.methods, asked.seeds))
    config = replace(asked, runs=tuple(dict.fromkeys([*asked.runs, *(run.name for run in runs)])))

    def run(workspace: Workspace) -> list[StageReport]:
        from hgld.benchmarks.retrieval.stage import run_methods

        return run_methods(workspace, config, runs)

    def verify(workspace: Workspace, *_: object) -> Iterator[Damage]:
        from hgld.benchmarks.retrieval.config import embeddings_folder

        folder = workspace.path(embeddings_folder(config))
        if folder.is_dir():
            from hgld.training.index.embeddings import block_damages

            on = f" --data-set {config.data_set} --data FOLDER" if config.data_set else ""
            again = f"{workspace.command(f'benchmark{on} --force')} embeds its images again"
            for path, what in block_damages(folder):
                yield _damage(workspace, path, f"{what}; {again}")

    trained = {one.stage: one for one in runs}
    return BuildStep(
        name="benchmark",
        settings=config,
        stages=(*trained, *map(benchmark_stage, config.by_hierarchy)),
        run=run,
        stage_settings={stage.name: one for stage, one in trained.items()}
        | {benchmark_stage(one).name: one for one in config.by_hierarchy},
        extra="train",
        verify=verify,
    )


def agree_step(sections: Sections) -> BuildStep:
    """Compares the labels of a build or release with official ones, and writes a report.

    Reads annotations/, scrape/, review/ and the official CSV files; writes benchmarks/agreement/
    (report.html, results.json, and official rows that look wrong). Needs hgld[cluster].
    """
    from hgld.benchmarks.labels.agreement import AgreeConfig, agree_stage, run_agree

    config = _read(AgreeConfig, sections, "agree")
    return _single("agree", config, agree_stage(config), run_agree, extra="cluster")


def export_step(sections: Sections) -> BuildStep:
    """Exports the model of a run for other programs, with a model card.

    Reads runs/, annotations/ and benchmarks/; writes runs/ (README.md, and model.onnx if its
    outputs match torch's). Needs hgld[train,export].
    """
    from hgld.training.config import ExportConfig

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
