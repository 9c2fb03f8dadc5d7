"""The `hgld` command: one command per step, `build` for all steps, `status` for their state.

Exit status: 0 done, 1 error (one line says what to do), 2 wrong usage, 3 the build waits for a
review, 130 stopped from the keyboard, 143 or 129 stopped by SIGTERM or SIGHUP.
"""

import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
from click.core import ParameterSource

from hgld import __version__
from hgld.engine.config import setting
from hgld.engine.workspace import Workspace
from hgld.errors import AwaitingReviewError, HgldError, IncompleteError, InputError, needing
from hgld.flows import build, steps
from hgld.flows.cli.checking import doctor, status, verify
from hgld.flows.cli.looking import browse, index, search
from hgld.flows.cli.options import (
    ACCEPTING,
    BuildOptions,
    Command,
    CommandGroup,
    ManyOptions,
    StepOptions,
    chosen_share,
    refuse_idle,
)
from hgld.flows.cli.output import print_results, run_and_tell, tell_reports
from hgld.flows.cli.released import publish, pull, subset
from hgld.flows.cli.reviewing import review
from hgld.flows.cli.signals import ended_by_signals
from hgld.flows.steps import Sections
from hgld.tables import IMAGE_FILES

_AWAITING_REVIEW = 3
_IN_ORDER = "fix or move it, then rerun"
_LESS_MEMORY = "end other programs, or reduce the step's sizes (`hgld COMMAND --help`), then rerun"

_TITLES = {
    "Build the data set, step by step": "metadata scrape embed cluster propose review annotate "
    "images parents look fill",
    "Train and measure": "train benchmark index agree export",
    "The whole build": "build demo",
    "Use the data set": "subset pull publish",
    "Look": "browse search verify status doctor",
}


def main() -> None:
    """Runs the command line; expected errors become one line and a non-zero exit status."""
    # Waiting threads yield instead of spinning: on two cores shared with other work, training on
    # two threads runs at 22 instead of 10 images/s. OpenMP reads this when torch loads.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # Tensors in pages of 2 MiB, where Linux has them: half of a step on frozen vectors went into
    # pages of 4 KiB, as memory is taken anew. torch reads this at the first tensor.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    try:
        with ended_by_signals():
            app()
    except (HgldError, OSError, MemoryError) as error:
        if logging.getLogger("hgld").isEnabledFor(logging.DEBUG):
            raise
        match error:
            case AwaitingReviewError():
                text, status = str(error), _AWAITING_REVIEW
            case OSError(filename=str() | Path() as path, strerror=str() as why):
                text, status = f"error: cannot use {path}: {why}; {_IN_ORDER}", 1
            case MemoryError():
                text, status = f"error: memory ran out ({error}); {_LESS_MEMORY}", 1
            case _:
                text, status = f"error: {error}", 1
        click.echo(" ".join(text.split()), err=True)
        sys.exit(status)


@click.group(
    cls=CommandGroup,
    titles=_TITLES,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
@click.option("--debug", is_flag=True, help="Shows tracebacks and details.")
@click.version_option(__version__, prog_name="hgld", message="%(prog)s %(version)s")
def app(debug: bool) -> None:
    """H-GLDv2, rebuilt: hierarchical labels for Google Landmarks v2."""
    logging.basicConfig(
        format="%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr
    )
    logging.getLogger("hgld").setLevel(logging.DEBUG if debug else logging.INFO)
    if not debug:  # the summary of each stage is already printed on stdout
        logging.getLogger("hgld.engine.stage").setLevel(logging.WARNING)


def _step(
    name: str, *settings: str, options: type = StepOptions, cls: type[Command] = Command
) -> Callable[[Callable[..., None]], click.Command]:
    """Decorator that adds a command on a build, with these of its settings."""
    return app.command(name, cls=cls, settings=settings, options=options)


def _add_plain(name: str, *settings: str) -> None:
    """Adds a command that only runs a step."""

    def run(options: StepOptions, sections: Sections) -> None:
        run_and_tell(options.root, build.load_step(name, sections), force=options.force)

    run.__doc__ = build.help_of(name)
    _step(name, *settings)(run)


for _name in ("metadata", "embed", "agree"):
    _add_plain(_name, _name)
_add_plain("propose", "embed.taxonomy")
_add_plain("parents", "scrape.contact", "scrape.replay")
for _command in (review, index, subset, pull, publish, browse, search, doctor, verify, status):
    app.add_command(_command)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapeOptions(StepOptions):
    """Options of `hgld scrape`."""

    estimate: bool = setting(
        False, "Only prints how many requests there are to send, how long they take, and bytes."
    )


@_step("scrape", "scrape", options=ScrapeOptions)
def _scrape(options: ScrapeOptions, sections: Sections) -> None:
    """Finds the classes of every landmark: Commons category, Wikidata item, instance-of.

    Reads metadata/ or a CSV file, and queries Commons and Wikidata, also for other names of the
    classes and for where the landmarks are; writes raw/ (every answer) and scrape/ (the tables, and
    changes.md after a refresh).
    """
    step = steps.scrape_step(sections)
    if not options.estimate:
        run_and_tell(options.root, step, force=options.force)
        return
    from hgld.scrape.estimate import estimate_scrape

    for one in estimate_scrape(Workspace(options.root), step.settings):
        megabytes = f"{one.bytes / 1e6:,.1f} MB"
        click.echo(
            f"{one.address}: about {one.requests:,} requests, {one.minutes:,} min, {megabytes}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOptions(StepOptions):
    """Options of `hgld cluster`."""

    labels: Path | None = setting(
        None,
        "CSV list to cluster instead of a build: label, and optionally qids (with |) and count or "
        "items_seen.",
    )
    out: Path | None = setting(None, "With --labels: the folder to write.")
    encoder: str = setting(
        "", "With --labels: the encoder, open_clip or minilm; default minilm, if installed."
    )

    def __post_init__(self) -> None:
        """Refuses options for a list without a list."""
        if (self.labels is None) != (self.out is None):
            raise ValueError("--labels and --out need each other: the list and the output folder")
        if self.encoder and self.labels is None:
            raise ValueError("--encoder needs --labels; for a build, use `hgld embed --encoder`")


@_step("cluster", "cluster", options=ClusterOptions)
def _cluster(options: ClusterOptions, sections: Sections) -> None:
    """Groups the classes with K-Means; for a bare list, it also proposes super-categories.

    Reads labels/; writes labels/clusters/, labels/centres/ and labels/cluster_changes/. With
    --labels, reads that file and writes clusters.parquet. Needs hgld[cluster].
    """
    if options.labels is not None and options.out is not None:
        from hgld.flows.label_list import cluster_list

        if options.encoder:
            sections.setdefault("embed", {})["encoder"] = options.encoder
        reports, result = cluster_list(options.labels, options.out, sections)
        tell_reports(reports)
        click.echo(f"proposals    {result}")
    else:
        run_and_tell(options.root, steps.cluster_step(sections), force=options.force)


@_step("annotate", "annotate", *ACCEPTING, "hierarchy", "release")
def _annotate(options: StepOptions, sections: Sections) -> None:
    """Writes the annotations as a release: parquet, CSV in the published format, and cards.

    Reads metadata/, scrape/, review/ and the previous release; writes annotations/. Stops if a
    review is due; if the settings accept proposals, it updates the taxonomy first.
    """
    for step in build.annotate_steps(sections):
        run_and_tell(options.root, step, force=options.force and step.name == "annotate")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagesOptions(StepOptions):
    """Options of `hgld images`."""

    tars: int | None = setting(None, "With --split: how many of its tars to fetch; default all.")
    dry_run: bool = setting(False, "Only prints how much there is to fetch.")


@_step("images", "images", "scrape.contact", options=ImagesOptions)
def _images(options: ImagesOptions, sections: Sections) -> None:
    """Downloads the images, or some of them.

    Reads GLDv2's tar files, or the URLs in train.csv; writes images/.
    """
    from hgld.images.bucket import free_bytes
    from hgld.images.records import what_failed
    from hgld.images.stage import plan_images

    section = sections.setdefault("images", {})
    if options.tars is not None:
        if section.get("split") not in IMAGE_FILES:
            raise InputError("--tars needs --split: each split has its own number of tar files")
        section[f"{section['split']}_tars"] = options.tars
    step, workspace = steps.images_step(sections), Workspace(options.root)
    given = click.get_current_context().get_parameter_source("scrape.contact")
    if given is ParameterSource.COMMANDLINE and step.settings.from_ != "urls":
        raise InputError("--contact only works with --from urls")
    if options.dry_run:
        for split in (step.settings.split,) if step.settings.split else IMAGE_FILES:
            click.echo(plan_images(workspace, step.settings, split))
        click.echo(f"{free_bytes(workspace) / 1e9:.3g} GB free for {workspace.path('images')}")
        return
    try:
        run_and_tell(options.root, step, force=options.force)
    except IncompleteError as error:
        failed = (what_failed(workspace, split) for split in IMAGE_FILES)
        lines = [f"not done: {line}" for line in failed if line]
        raise IncompleteError("; ".join([str(error), *lines])) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class FillOptions(StepOptions):
    """Options of `hgld fill`."""

    labelled: Path | None = setting(
        None, "CSV to learn from: category, hierarchical_label, natural_or_human_made (or blank)."
    )
    categories: Path | None = setting(None, "With --labelled: CSV with the column category.")
    out: Path | None = setting(None, "With --labelled: the folder to write.")

    def __post_init__(self) -> None:
        """Refuses some of the three options without the others."""
        if len({one is None for one in (self.labelled, self.categories, self.out)}) > 1:
            raise ValueError("--labelled, --categories and --out need each other; give all three")


@_step("fill", "fill", options=FillOptions)
def _fill(options: FillOptions, sections: Sections) -> None:
    """Labels landmarks without a label from a class, by their names, parents and pictures.

    Reads metadata/, scrape/, review/ and labels/; writes labels/fills/ and labels/fill_checks/.
    With --labelled, reads those files and writes fills.parquet. Needs hgld[cluster].
    """
    if options.labelled and options.categories and options.out:
        from hgld.flows.fill_list import fill_list

        precision = steps.fill_step(sections).settings.precision
        filled = fill_list(options.labelled, options.categories, options.out, precision)
        click.echo(f"fills        {filled}")
    else:
        run_and_tell(options.root, steps.fill_step(sections), force=options.force)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions(StepOptions):
    """Options of `hgld train`."""

    recipes: bool = setting(False, "Only lists the recipes.")


@_step("train", "train", options=TrainOptions)
def _train(options: TrainOptions, sections: Sections) -> None:
    """Trains a model on the annotated images: HAPPIER, or one of its rivals.

    Reads annotations/ and images/; writes runs/. Needs hgld[train].
    """
    if options.recipes:
        from hgld.training.recipes import recipes

        for recipe in recipes():
            click.echo(f"{recipe.name}: {recipe.title}.\n  source: {recipe.source}")
            click.echo(f"  cost: {recipe.cost}\n")
        click.echo("Train with `hgld train --recipe NAME`; other settings override the recipe's.")
        return
    run_and_tell(options.root, steps.train_step(sections), force=options.force)


class _InPairs(Command):
    """A command whose `--embeddings` and `--explain` take two words."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Repeats the option before the second word, because a setting is a flat list."""
        words = args[:2]
        for before, word in zip(args, args[2:], strict=False):
            is_second = before in {"--embeddings", "--explain"} and not word.startswith("-")
            words += [before, word] if is_second else [word]
        return super().parse_args(ctx, words)


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkOptions(StepOptions):
    """Options of `hgld benchmark`."""

    explain: tuple[str, ...] = setting(
        (),
        "Only says why two figures differ: two folders with results, or two files or folders of "
        "embeddings.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LookOptions(ManyOptions, StepOptions):
    """Options of `hgld look`."""


@_step("look", "look", "annotate.train", options=LookOptions)
def _look(options: LookOptions, sections: Sections) -> None:
    """Lets pictures vote on the label of landmarks without one from a class, for hgld fill.

    Reads metadata/, scrape/, review/ and images/; writes labels/picture_votes/. Needs
    hgld[cluster].
    """
    share = chosen_share(options)
    step = steps.look_step(sections, share, options.ray)
    reports = build.run_step(options.root, step, force=options.force, share=share)
    tell_reports(reports)


@_step("benchmark", "benchmark", options=BenchmarkOptions, cls=_InPairs)
def _benchmark(options: BenchmarkOptions, sections: Sections) -> None:
    """Compares retrieval with and without training, and writes the report.

    Reads annotations/, images/ and runs/, or with --embeddings only annotations/ and those; writes
    benchmarks/ (report.html, results.csv and .tex, setting.json), benchmarks/<data set>/ or, of a
    named comparison, comparisons/<name>/ there. Needs hgld[train].
    """
    if options.explain:
        from rich.console import Console

        from hgld.benchmarks.retrieval.facts import explain

        first, *others = map(Path, options.explain)
        if len(others) != 1:
            raise InputError("--explain must name two: results or embeddings, and others")
        Console().print(explain(first, *others))
        return
    step = steps.benchmark_step(sections)
    run_and_tell(options.root, step, force=options.force)
    print_results(Workspace(options.root), step)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions(StepOptions):
    """Options of `hgld export`."""

    mteb: Path | None = setting(
        None, "Writes queries, index and relevance to this folder instead, as a task of MTEB."
    )
    shared_levels: int = setting(
        1, "With --mteb: fewest levels that a relevant image shares with the query."
    )


@_step("export", "export", options=ExportOptions)
def _export(options: ExportOptions, sections: Sections) -> None:
    """Exports the model of a run for other programs, with a model card.

    Reads runs/, annotations/ and benchmarks/; writes runs/ (README.md, and model.onnx if its
    outputs match torch's). With --mteb, reads annotations/ and images/; writes that folder. Needs
    hgld[train,export].
    """
    if options.mteb is None:
        refuse_idle(options, "shared_levels", "--mteb")
        run_and_tell(options.root, steps.export_step(sections), force=options.force)
        return
    with needing("train", "`hgld export --mteb`"):
        from hgld.benchmarks.retrieval.mteb_task import export_mteb
    workspace = Workspace(options.root)
    workspace.require()
    grades = export_mteb(workspace, options.mteb, shared_levels_from=options.shared_levels)
    click.echo(f"{options.mteb}: {grades:,} grades; mteb_task.py is the task")


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeBuildOptions(BuildOptions):
    """Options of `hgld build`."""

    categories: Path | None = setting(
        None,
        "CSV list to build from instead of GLDv2: category (of Commons, or a Q-id), image (the "
        "path of one's own picture; without it, some are fetched from Commons) and optionally "
        "split. The build goes on without it.",
    )


@_step("build", "scrape.contact", *ACCEPTING, "annotate.fills", options=WholeBuildOptions)
def _build(options: WholeBuildOptions, sections: Sections) -> None:
    """Runs every step that is not up to date; stops if a review is due.

    Reads the inputs of the steps and their settings in hgld.toml, or with --categories that file
    and its pictures; writes the folder of the build.
    """
    if options.categories is not None:
        from hgld.flows.picture_list import use_list

        config = options.config or options.root / "hgld.toml"
        for line in use_list(Workspace(options.root), options.categories, config, sections):
            click.echo(line)
    for step in build.build_steps(sections):
        run_and_tell(options.root, step)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """Options of `hgld demo`."""

    root: Path | None = setting(
        None, "Folder for the build; default demo-build, or demo-live with --live."
    )
    live: bool = setting(False, "Scrapes Wikimedia itself.")
    contact: str = setting("", "With --live: how Wikimedia can reach you.")


@app.command("demo", cls=Command, options=DemoOptions)
def _demo(options: DemoOptions) -> None:
    """Runs the whole pipeline on the embedded landmarks, offline.

    Reads nothing, or with --live Commons and Wikidata; writes its own build. Needs hgld[all].
    """
    from hgld.flows.demo import run_demo

    if not options.live:
        refuse_idle(options, "contact", "--live")
    # Two folders, because embedded answers must not mix with those of Wikimedia.
    root = options.root or Path("demo-live" if options.live else "demo-build")
    run_demo(root, live=options.live, contact=options.contact)
