"""The `hgld` command: one command a step, `build` for all of them, `status` for where they stand.

Exit status: 0 done, 1 error (one line says what to do), 2 wrong usage, 3 the build waits for a
review, 130 stopped from the keyboard.
"""

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from hgld.engine.stage import StageReport, stage_status
from hgld.engine.workspace import Workspace
from hgld.errors import AwaitingReviewError, HgldError, IncompleteError, InputError
from hgld.flows.cli.options import ROOT, AcceptProposals, BaseUrl, Config, Contact, Root, Version
from hgld.flows.steps import STEPS, Sections, known_settings, load_step, read_sections, run_step
from hgld.review.stage import apply_sheet, export_sheet

_AWAITING_REVIEW = 3
_INTERRUPTED = 130

app = typer.Typer(
    help="H-GLDv2, rebuilt: hierarchical labels for Google Landmarks v2.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def main() -> None:
    """Runs the command line; what goes wrong in the world is one line and a non-zero exit."""
    # Threads that wait give way instead of spinning: on two cores shared with other work, training
    # on two threads is twice as fast for it (22 instead of 10 images/s). Read when torch loads.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        app()
    except (HgldError, OSError, KeyboardInterrupt) as error:
        if logging.getLogger("hgld").isEnabledFor(logging.DEBUG):
            raise
        match error:
            case AwaitingReviewError():
                text, status = str(error), _AWAITING_REVIEW
            case KeyboardInterrupt():
                text, status = "stopped; run the same command to go on", _INTERRUPTED
            case _:
                text, status = f"error: {error}", 1
        typer.echo(" ".join(text.split()), err=True)
        sys.exit(status)


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and details.")] = False,
    version: Version = False,  # noqa: ARG001 - its callback does the work
) -> None:
    logging.basicConfig(
        format="%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr
    )
    for name in ("hgld",):
        logging.getLogger(name).setLevel(logging.DEBUG if debug else logging.INFO)


@app.command()
def metadata(root: Root = ROOT, config: Config = None, base_url: BaseUrl = None) -> None:
    """Read or download GLDv2's tables."""
    _run("metadata", root, config, {"base_url": base_url})


@app.command()
def scrape(  # noqa: PLR0913, PLR0917 - each is one option of the command
    root: Root = ROOT,
    config: Config = None,
    categories: Annotated[
        Path | None, typer.Option(help="CSV with landmark_id and category; default: the metadata.")
    ] = None,
    commons: Annotated[str | None, typer.Option(help="MediaWiki, up to /w/.")] = None,
    sparql: Annotated[str | None, typer.Option(help="SPARQL endpoint.")] = None,
    contact: Contact = None,
    replay: Annotated[
        bool | None, typer.Option("--replay", help="Use the raw archive only, no network.")
    ] = None,
    dumps: Annotated[
        Path | None, typer.Option(help="Folder of Wikimedia's dump files to read; no network.")
    ] = None,
    retry: Annotated[
        str | None, typer.Option(help="failed: try the failed rows again, and nothing else.")
    ] = None,
    refresh: Annotated[
        bool | None, typer.Option("--refresh", help="Fetch again, and write what changed.")
    ] = None,
    follow_moves: Annotated[
        bool | None,
        typer.Option("--follow-moves", help="Ask Commons' log for each category that is gone."),
    ] = None,
) -> None:
    """Find the classes of every landmark: Commons category, Wikidata item, instance of."""
    overrides = {
        "categories": categories,
        "commons": commons,
        "sparql": sparql,
        "contact": contact,
        "replay": replay,
        "dumps": dumps,
        "retry": retry,
        "refresh": refresh,
        "follow_moves": follow_moves,
    }
    _run("scrape", root, config, overrides)


@app.command()
def embed(
    root: Root = ROOT,
    config: Config = None,
    encoder: Annotated[
        str | None, typer.Option(help="open_clip, or minilm: offline, needs hgld[offline].")
    ] = None,
    model: Annotated[str | None, typer.Option(help="open_clip model name.")] = None,
    weights: Annotated[str | None, typer.Option(help="open_clip tag, or a local file.")] = None,
) -> None:
    """Encode the label of every class."""
    _run("embed", root, config, {"encoder": encoder, "model": model, "weights": weights})


@app.command()
def cluster(
    root: Root = ROOT,
    config: Config = None,
    clusters: Annotated[int | None, typer.Option(help="Number of clusters, K.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of K-Means.")] = None,
) -> None:
    """Group the classes with K-Means and propose a super-category for each group."""
    _run("cluster", root, config, {"clusters": clusters, "seed": seed})


@app.command()
def review(
    root: Root = ROOT,
    config: Config = None,
    export: Annotated[
        Path | None, typer.Option(help="Write a sheet (CSV) with one row a class, to fill in.")
    ] = None,
    apply: Annotated[
        Path | None, typer.Option(help="Append a filled sheet's decisions to the log.")
    ] = None,
    reviewer: Annotated[str, typer.Option(help="Who decided; the log keeps it.")] = "",
    accept_proposals: AcceptProposals = None,
) -> None:
    """Export a sheet, apply a filled one, or settle the taxonomy from the decisions so far."""
    workspace = Workspace(root)
    if export is not None:
        export_sheet(workspace, export)
        typer.echo(f"wrote {export}; fill it in, then: hgld review --root {root} --apply {export}")
        return
    if apply is not None:
        with workspace.lock():
            applied = apply_sheet(workspace, apply, reviewer)
        typer.echo(
            f"{applied.appended} decisions added to the log, {applied.unchanged} as they were, "
            f"{applied.undecided} classes undecided"
        )
    _run("review", root, config, {"accept_proposals": accept_proposals})


@app.command()
def annotate(root: Root = ROOT, config: Config = None) -> None:
    """Write the annotations: parquet, and CSV in the published format."""
    _run("annotate", root, config, {})


@app.command()
def images(
    root: Root = ROOT,
    config: Config = None,
    split: Annotated[str | None, typer.Option(help="train, index or test; default: all.")] = None,
    base_url: BaseUrl = None,
    tars: Annotated[int | None, typer.Option(help="How many tar files of the split.")] = None,
) -> None:
    """Download the images."""
    if split is not None and split not in {"train", "index", "test"}:
        raise InputError(f"--split must be train, index or test, got {split!r}")
    if tars is not None and split is None:
        raise InputError("--tars needs --split: each split has its own number of tar files")
    _run("images", root, config, {"split": split, "base_url": base_url, f"{split}_tars": tars})


@app.command()
def train(
    root: Root = ROOT,
    config: Config = None,
    epochs: Annotated[int | None, typer.Option(help="How often each landmark is seen.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda.")] = None,
) -> None:
    """Train HAPPIER on the annotated images."""
    _run("train", root, config, {"epochs": epochs, "device": device})


@app.command()
def benchmark(
    root: Root = ROOT,
    config: Config = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda.")] = None,
) -> None:
    """Compare retrieval before and after training, and write the report."""
    _run("benchmark", root, config, {"device": device})


@app.command()
def build(
    root: Root = ROOT,
    config: Config = None,
    contact: Contact = None,
    accept_proposals: AcceptProposals = None,
) -> None:
    """Run every step, each only as far as it is not done; stop where a review is due."""
    sections = read_sections(root, config)
    _override(sections, "scrape", {"contact": contact})
    _override(sections, "review", {"accept_proposals": accept_proposals})
    for name in STEPS:  # refuse a wrong setting before the first request
        load_step(name, sections)
    for name in STEPS:
        _report(run_step(root, name, sections))


@app.command()
def status(root: Root = ROOT, config: Config = None) -> None:
    """Show each stage: done, stale (and why), rows, problems."""
    sections = read_sections(root, config)
    workspace = Workspace(root)
    table = Table("stage", "state", "rows", "problems", "why")
    for name in STEPS:
        step = load_step(name, sections)
        has_run = [one for one in step.optional if workspace.manifest_path(one.name).exists()]
        for stage in (*step.stages, *has_run):
            row = stage_status(workspace, stage, known_settings(step, sections.get(name, {})))
            table.add_row(row.stage, row.state, f"{row.rows:,}", f"{row.problems:,}", row.reason)
    Console().print(table)


@app.command()
def demo(
    root: Annotated[
        Path | None, typer.Option(help="Workspace; default: demo-build, with --live demo-live.")
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Scrape Wikimedia itself.")] = False,
    contact: Annotated[str, typer.Option(help="How Wikimedia reaches you; with --live.")] = "",
) -> None:
    """Run the whole pipeline on the embedded landmarks, offline, as a Prefect flow."""
    from hgld.flows.demo import run_demo

    # Two folders, since the embedded answers must not stand in for those of Wikimedia itself.
    run_demo(root or Path("demo-live" if live else "demo-build"), live=live, contact=contact)


def _run(name: str, root: Path, config: Path | None, overrides: Mapping[str, object]) -> None:
    sections = read_sections(root, config)
    _override(sections, name, overrides)
    _report(run_step(root, name, sections))


def _override(sections: Sections, name: str, overrides: Mapping[str, object]) -> None:
    given = {key: value for key, value in overrides.items() if value is not None}
    sections.setdefault(name, {}).update(given)


def _report(reports: list[StageReport]) -> None:
    for report in reports:
        done = report.manifest
        verb = "up to date" if report.skipped else "done"
        typer.echo(f"{done.stage}: {verb}, {done.rows:,} rows, {done.problems:,} problems")
    failed = [report.manifest for report in reports if report.manifest.failed]
    if failed:
        rows = sum(manifest.failed for manifest in failed)
        raise IncompleteError(
            f"{failed[0].stage}: {rows} rows failed and nothing else was lost; the column `error` "
            f"says why, and the same command tries them again"
        )
