"""The `hgld` command: one command a step, `build` for all of them, `status` for where they stand.

Exit status: 0 done, 1 error (one line says what to do), 2 wrong usage, 3 the build waits for a
review, 130 stopped from the keyboard, 143 or 129 by SIGTERM or SIGHUP.
"""

import logging
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from hgld.engine.config import from_mapping
from hgld.engine.stage import StageReport
from hgld.engine.status import build_status
from hgld.engine.workspace import Workspace
from hgld.errors import AwaitingReviewError, ConflictError, HgldError, IncompleteError, InputError
from hgld.flows.cli.options import Debug, Force, PlainHelp, Version, option_help, takes_settings
from hgld.flows.cli.output import print_rows, print_states, print_states_as_json
from hgld.flows.cli.signals import ended_by_signals
from hgld.flows.steps import (
    ALL_STEPS,
    Sections,
    build_order,
    known_settings,
    load_step,
    run_step,
    verify_build,
)
from hgld.labels.clustering.config import ClusterConfig
from hgld.review.decisions import read_decisions
from hgld.review.merge import Prefer
from hgld.review.stage import apply_sheet, export_sheet
from hgld.tables import CLUSTERS, IMAGE_FILES

_AWAITING_REVIEW = 3
_LESS_MEMORY = "end other programs, or lower the step's sizes (`hgld COMMAND --help`), then rerun"

_DATA = "Build the data set, step by step"
_LEARN = "Train and measure"
_WHOLE = "The whole build"
_LOOK = "Look"

app = typer.Typer(
    help="H-GLDv2, rebuilt: hierarchical labels for Google Landmarks v2.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Runs the command line; what goes wrong in the world is one line and a non-zero exit."""
    # Threads that wait give way instead of spinning: on two cores shared with other work, training
    # on two threads is twice as fast for it (22 instead of 10 images/s). Read when torch loads.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        with ended_by_signals():
            app()
    except (HgldError, OSError, MemoryError) as error:
        if logging.getLogger("hgld").isEnabledFor(logging.DEBUG):
            raise
        match error:
            case AwaitingReviewError():
                text, status = str(error), _AWAITING_REVIEW
            case MemoryError():
                text, status = f"error: memory ran out ({error}); {_LESS_MEMORY}", 1
            case _:
                text, status = f"error: {error}", 1
        typer.echo(" ".join(text.split()), err=True)
        sys.exit(status)


@app.callback()
def _options(
    debug: Debug = False,
    version: Version = False,  # noqa: ARG001 - its callback does the work
) -> None:
    logging.basicConfig(
        format="%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr
    )
    logging.getLogger("hgld").setLevel(logging.DEBUG if debug else logging.INFO)


@app.command("metadata", cls=PlainHelp, rich_help_panel=_DATA)
@takes_settings("metadata")
def _metadata(root: Path, sections: Sections, force: Force = False) -> None:
    """Fetches GLDv2's tables and checks them.

    Reads GLDv2's CSV files; writes metadata/.
    """
    _run(root, "metadata", sections, force=force)


@app.command("scrape", cls=PlainHelp, rich_help_panel=_DATA)
@takes_settings("scrape")
def _scrape(root: Path, sections: Sections, force: Force = False) -> None:
    """Finds the classes of every landmark: Commons category, Wikidata item, instance of.

    Reads metadata/ or a CSV file, asks Commons and Wikidata, or reads their dumps, and then asks
    what the classes in scrape/ are called elsewhere; writes raw/ (every answer) and scrape/ (the
    tables, and changes.md after a refresh).
    """
    _run(root, "scrape", sections, force=force)


@app.command("embed", cls=PlainHelp, rich_help_panel=_DATA)
@takes_settings("embed")
def _embed(root: Path, sections: Sections, force: Force = False) -> None:
    """Encodes the label of every class.

    Reads scrape/; writes labels/.
    """
    _run(root, "embed", sections, force=force)


@app.command("cluster", cls=PlainHelp, rich_help_panel=_DATA)
@takes_settings("cluster")
def _cluster(  # noqa: PLR0913, PLR0917 - an argument for each option
    root: Path,
    sections: Sections,
    labels: Annotated[
        Path | None,
        typer.Option(
            help=option_help(
                "A list instead of a build: CSV with the column label, and perhaps qids (with | "
                "between them) and count. Also embeds and proposes.",
                "not set",
            )
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help=option_help("With --labels: the folder to write.", "not set")),
    ] = None,
    encoder: Annotated[
        str,
        typer.Option(
            metavar="<open_clip|minilm>",
            help=option_help(
                "With --labels: what turns them into vectors.", "minilm, if it is installed"
            ),
        ),
    ] = "",
    scan: Annotated[
        str,
        typer.Option(
            metavar="N,N,...",
            help=option_help(
                "Compares these numbers of clusters, writes labels/scan/, and ends.", "not set"
            ),
        ),
    ] = "",
    force: Force = False,
) -> None:
    """Groups the classes with K-Means, or another method; on a bare list proposes as well.

    Reads labels/; writes labels/clusters/, labels/centres/ and labels/cluster_changes/. With
    --labels, reads that file and writes clusters.parquet. Needs hgld[cluster].
    """
    if (labels is None) != (out is None):
        raise InputError("--labels and --out go together: the list, and the folder to write")
    if encoder and labels is None:
        raise InputError("--encoder goes with --labels; of a build, hgld embed --encoder encodes")
    if labels is not None and out is not None:
        if encoder:
            sections.setdefault("embed", {})["encoder"] = encoder
        from hgld.flows.label_list import cluster_list

        _tell_once()
        reports, result = cluster_list(labels, out, sections)
        _tell(reports)
        typer.echo(f"proposals    {result}")
    elif scan:
        _scan(Workspace(root), scan, sections)
    else:
        _run(root, "cluster", sections, force=force)


def _scan(workspace: Workspace, numbers: str, sections: Sections) -> None:
    """Compares numbers of clusters, and prints the table that it writes."""
    from hgld.labels.clustering.scan import scan_clusters, write_scan

    try:
        counts = [int(number) for number in numbers.split(",")]
    except ValueError as error:
        raise InputError(f"--scan must be numbers such as 20,40,78,150, got {numbers!r}") from error
    config = from_mapping(ClusterConfig, sections.get("cluster", {}), where="[cluster]")
    labels = {
        qid: one.hierarchical_label
        for qid, one in read_decisions(workspace).items()
        if one.hierarchical_label is not None
    }
    rows = scan_clusters(workspace, config, counts, labels)
    print_rows(rows)
    for path in write_scan(rows, workspace.path("labels/scan")):
        typer.echo(f"wrote {path}")


@app.command("propose", cls=PlainHelp, rich_help_panel=_DATA)
@takes_settings("propose")
def _propose(root: Path, sections: Sections, force: Force = False) -> None:
    """Proposes a super-category for each class, with the evidence, from what is decided so far.

    Reads labels/, scrape/ and review/decisions.jsonl; writes review/decided/, labels/proposals/ and
    labels/cluster_proposals/. Needs hgld[cluster].
    """
    _run(root, "propose", sections, force=force)


@app.command("review", cls=PlainHelp, rich_help_panel=_DATA)
@takes_settings("review")
def _review(  # noqa: PLR0913, PLR0917 - an argument for each option
    root: Path,
    sections: Sections,
    export: Annotated[
        Path | None,
        typer.Option(
            help=option_help(
                "Writes a sheet (CSV), a row a class, to fill in; and ends.", "not set"
            )
        ),
    ] = None,
    apply: Annotated[
        Path | None,
        typer.Option(
            help=option_help(
                "Appends what was changed in a filled sheet since its export to the log first.",
                "not set",
            )
        ),
    ] = None,
    reviewer: Annotated[
        str, typer.Option(help=option_help("Who decided; the log keeps it.", "not set"))
    ] = "",
    mine: Annotated[
        bool | None,
        typer.Option(
            "--mine/--theirs",
            help=option_help(
                "With --apply, for rows changed in the sheet and, since its export, in the log: "
                "takes the sheet's versions, or keeps those of the log.",
                "neither: they are listed, and nothing is applied",
            ),
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Exports a sheet, applies a filled one, or settles the taxonomy from the decisions so far.

    Reads labels/clusters/, a filled sheet and review/decisions.jsonl; writes a sheet, or
    review/decisions.jsonl (with a copy beside it) and review/taxonomy/.
    """
    if export is not None and apply is not None:
        raise InputError(
            "--export and --apply exclude each other: first export a sheet, then apply it filled in"
        )
    if mine is not None and apply is None:
        raise InputError("--mine and --theirs settle conflicts of a sheet: name it with --apply")
    workspace = Workspace(root)
    if export is not None:
        export_sheet(workspace, export)
        # With the folder always, so that it is typed as it stands here.
        words = ["review", "--root", str(root), "--apply", str(export), "--reviewer", "NAME"]
        typer.echo(f"wrote {export}; fill it in, then: hgld {shlex.join(words)}")
        return
    if apply is not None:
        _apply(workspace, apply, reviewer, mine)
    # What was decided makes the open classes' proposals better ones.
    if workspace.manifest(CLUSTERS.stage):
        _run(root, "propose", sections)
    _run(root, "review", sections, force=force)


def _apply(workspace: Workspace, sheet: Path, reviewer: str, mine: bool | None) -> None:
    """Applies a sheet and prints what came of it: each conflict, where there are any, in a line."""
    prefer: Prefer | None = None if mine is None else "mine" if mine else "theirs"
    try:
        with workspace.lock():
            applied = apply_sheet(workspace, sheet, reviewer, prefer=prefer)
    except ConflictError as error:
        for conflict in error.conflicts:
            typer.echo(conflict, err=True)
        raise
    settled = f"{applied.settled} conflicts settled by --{prefer}, " if applied.settled else ""
    typer.echo(
        f"{applied.appended} decisions added to the log, {applied.unchanged} as they were, "
        f"{settled}{applied.undecided} classes undecided"
    )


@app.command("annotate", cls=PlainHelp, rich_help_panel=_DATA)
@takes_settings("annotate")
def _annotate(root: Path, sections: Sections, force: Force = False) -> None:
    """Writes the annotations: parquet, and CSV in the published format.

    Reads metadata/, scrape/ and review/; writes annotations/.
    """
    _run(root, "annotate", sections, force=force)


@app.command("images", cls=PlainHelp, rich_help_panel=_DATA)
@takes_settings("images")
def _images(
    root: Path,
    sections: Sections,
    tars: Annotated[
        int | None,
        typer.Option(help=option_help("How many tars of the split that --split names.", "all")),
    ] = None,
    force: Force = False,
) -> None:
    """Downloads the images.

    Reads GLDv2's tar files; writes images/.
    """
    section = sections.setdefault("images", {})
    split = section.get("split", "")
    if split not in {"", *IMAGE_FILES}:
        raise InputError(f"--split must be train, index or test, got {split!r}")
    if tars is not None:
        if not split:
            raise InputError("--tars needs --split: each split has its own number of tar files")
        section[f"{split}_tars"] = tars
    _run(root, "images", sections, force=force)


@app.command("fill", cls=PlainHelp, rich_help_panel=_DATA)
@takes_settings("fill")
def _fill(root: Path, sections: Sections, force: Force = False) -> None:
    """Labels landmarks that no class gives a label by their pictures; annotate --fills takes them.

    Reads metadata/, scrape/, review/ and images/; writes labels/fills/. Needs hgld[cluster].
    """
    _run(root, "fill", sections, force=force)


@app.command("train", cls=PlainHelp, rich_help_panel=_LEARN)
@takes_settings("train")
def _train(root: Path, sections: Sections, force: Force = False) -> None:
    """Trains HAPPIER on the annotated images.

    Reads annotations/ and images/; writes runs/. Needs hgld[train].
    """
    _run(root, "train", sections, force=force)


@app.command("benchmark", cls=PlainHelp, rich_help_panel=_LEARN)
@takes_settings("benchmark")
def _benchmark(root: Path, sections: Sections, force: Force = False) -> None:
    """Compares retrieval before and after training, and writes the report.

    Reads annotations/, images/ and runs/; writes benchmarks/ (report.html and results.json). Needs
    hgld[train].
    """
    _run(root, "benchmark", sections, force=force)


@app.command("agree", cls=PlainHelp, rich_help_panel=_LEARN)
@takes_settings("agree")
def _agree(root: Path, sections: Sections, force: Force = False) -> None:
    """Compares the labels of a build, or of a release, with official ones, and writes a page.

    Reads annotations/, scrape/, review/ and the official CSV files; writes benchmarks/agreement/
    (report.html, results.json, and official rows that look wrong). Needs hgld[cluster].
    """
    _run(root, "agree", sections, force=force)


@app.command("build", cls=PlainHelp, rich_help_panel=_WHOLE)
@takes_settings("scrape.contact", "review.accept_proposals", "annotate.fills")
def _build(root: Path, sections: Sections) -> None:
    """Runs every step, each only as far as it is not done; stops where a review is due.

    Reads what the steps read, with their settings in hgld.toml; writes the folder of the build.
    """
    order = build_order(sections)
    for name in order:  # refuse a wrong setting before the first request
        load_step(name, sections)
    for name in order:
        _run(root, name, sections)


@app.command("demo", cls=PlainHelp, rich_help_panel=_WHOLE)
def _demo(
    root: Annotated[
        Path | None,
        typer.Option(
            help=option_help("Folder for the build.", "demo-build, or demo-live with --live")
        ),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help=option_help("Scrapes Wikimedia itself.", "false"))
    ] = False,
    contact: Annotated[
        str, typer.Option(help=option_help("With --live: how Wikimedia reaches you.", "not set"))
    ] = "",
) -> None:
    """Runs the whole pipeline on the embedded landmarks, offline, as a Prefect flow.

    Reads nothing, or Commons and Wikidata; writes a build of its own. Needs hgld[all].
    """
    from hgld.flows.demo import run_demo

    # Two folders, since the embedded answers must not stand in for those of Wikimedia itself.
    run_demo(root or Path("demo-live" if live else "demo-build"), live=live, contact=contact)


@app.command("verify", cls=PlainHelp, rich_help_panel=_LOOK)
@takes_settings()
def _verify(
    root: Path,
    sections: Sections,
    deep: Annotated[
        bool,
        typer.Option("--deep", help=option_help("Also reads and decodes every picture.", "false")),
    ] = False,
) -> None:
    """Compares every file with what was written, a line for each that differs; then exit status 1.

    Reads the folder of a build, or of a release that has SHA256SUMS; writes nothing.
    """
    checked = found = 0
    for damage in verify_build(Workspace(root), sections, deep=deep):
        checked += 1
        if damage.what:
            found += 1
            typer.echo(f"{root / damage.path} {damage.what}")
    if found:
        raise typer.Exit(1)
    typer.echo(f"{checked:,} files are as they were written")


@app.command("status", cls=PlainHelp, rich_help_panel=_LOOK)
@takes_settings()
def _status(
    root: Path,
    sections: Sections,
    is_json: Annotated[
        bool, typer.Option("--json", help=option_help("Prints it as JSON.", "false"))
    ] = False,
) -> None:
    """Shows each stage: done, stale (and why), rows, problems.

    Reads the folder of a build; writes nothing.
    """
    workspace = Workspace(root)
    workspace.require()
    stages, order = [], build_order(sections)
    for name in (*order, *(name for name in ALL_STEPS if name not in order)):
        step = load_step(name, sections)
        due = step.stages if name in order else ()
        unasked = (one for one in (*step.stages, *step.optional) if one not in due)
        has_run = [one for one in unasked if workspace.manifest_path(one.name).exists()]
        stages += [
            (stage, known_settings(step, stage, workspace.manifest(stage.name)))
            for stage in (*due, *has_run)
        ]
    states = build_status(workspace, stages)
    if is_json:
        places = [stage.result_path(workspace) for stage, _ in stages]
        print_states_as_json(root, zip(states, places, strict=True))
    else:
        print_states(states)


def _run(root: Path, name: str, sections: Sections, *, force: bool = False) -> None:
    """Runs a step and prints what came of it."""
    _tell_once()
    _tell(run_step(root, name, sections, force=force))


def _tell_once() -> None:
    """Keeps the line of a stage that has ended out of the log: it is printed here, on stdout."""
    engine = logging.getLogger("hgld.engine.stage")
    if not engine.isEnabledFor(logging.DEBUG):
        engine.setLevel(logging.WARNING)


def _tell(reports: Sequence[StageReport]) -> None:
    """Prints what stages did, and fails where rows failed."""
    for report in reports:
        typer.echo(report.words())
    failed = [report.manifest for report in reports if report.manifest.failed]
    if failed:
        rows = sum(manifest.failed for manifest in failed)
        raise IncompleteError(
            f"{failed[0].stage}: {rows} rows failed and nothing else was lost; the column `error` "
            f"says why, and the same command tries them again"
        )
