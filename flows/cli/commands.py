"""The `hgld` command: one command a step, `build` for all of them, `status` for where they stand.

Exit status: 0 done, 1 error (one line says what to do), 2 wrong usage, 3 the build waits for a
review, 130 stopped from the keyboard, 143 or 129 by SIGTERM or SIGHUP.
"""

import itertools
import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from hgld.engine.status import build_status
from hgld.engine.workspace import Workspace
from hgld.errors import AwaitingReviewError, HgldError, InputError
from hgld.flows.cli.labelling import cluster_command, fill_command, propose_command
from hgld.flows.cli.options import (
    Debug,
    Force,
    PlainHelp,
    Root,
    Version,
    option_help,
    takes_settings,
)
from hgld.flows.cli.output import (
    print_benchmark,
    print_recipes,
    print_states,
    print_states_as_json,
)
from hgld.flows.cli.pages.browsing import browse_command
from hgld.flows.cli.pages.indexing import index_command
from hgld.flows.cli.pages.searching import search_command
from hgld.flows.cli.released import publish_command, pull_command, subset_command
from hgld.flows.cli.reviewing import ReviewRoot, review_command
from hgld.flows.cli.running import fetch_and_tell, run_and_tell, tell_estimate, tell_plan
from hgld.flows.cli.signals import ended_by_signals
from hgld.flows.steps import (
    ALL_STEPS,
    Sections,
    annotate_order,
    build_order,
    files_not_compared,
    is_signed,
    known_settings,
    load_step,
    verify_build,
    verify_signed,
)
from hgld.tables import IMAGE_FILES

_AWAITING_REVIEW = 3
_ACCEPTING = ("review.accept_proposals", "review.accept_above")
"""The settings with which a build goes on without a person."""
_IN_ORDER = "put that in order, or move it away, then rerun"
_LESS_MEMORY = "end other programs, or lower the step's sizes (`hgld COMMAND --help`), then rerun"

Recipes = Annotated[
    bool,
    typer.Option("--recipes", help=option_help("Lists the recipes and trains nothing.", "false")),
]

OnlyEstimate = Annotated[
    bool,
    typer.Option(
        "--estimate",
        help=option_help("Takes 20 steps and says what all would take; keeps nothing.", "false"),
    ),
]

_DATA = "Build the data set, step by step"
_LEARN = "Train and measure"
_WHOLE = "The whole build"
_USE = "Use the data set"
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
            case OSError(filename=str() | Path() as path, strerror=str() as why):
                text, status = f"error: cannot use {path}: {why}; {_IN_ORDER}", 1
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
    run_and_tell(root, "metadata", sections, force=force)


@app.command("scrape", cls=PlainHelp, rich_help_panel=_DATA)
@takes_settings("scrape")
def _scrape(root: Path, sections: Sections, force: Force = False) -> None:
    """Finds the classes of every landmark: Commons category, Wikidata item, instance of.

    Reads metadata/ or a CSV file, asks Commons and Wikidata, or reads their dumps, and then asks
    what the classes in scrape/ are called elsewhere; writes raw/ (every answer) and scrape/ (the
    tables, and changes.md after a refresh).
    """
    run_and_tell(root, "scrape", sections, force=force)


@app.command("embed", cls=PlainHelp, rich_help_panel=_DATA)
@takes_settings("embed")
def _embed(root: Path, sections: Sections, force: Force = False) -> None:
    """Encodes the label of every class.

    Reads scrape/; writes labels/.
    """
    run_and_tell(root, "embed", sections, force=force)


for _name, _command, _root in (
    ("cluster", cluster_command, Root),
    ("propose", propose_command, Root),
    ("review", review_command, ReviewRoot),
):
    _with_settings = takes_settings(_name, root=_root)(_command)
    app.command(_name, cls=PlainHelp, rich_help_panel=_DATA)(_with_settings)


@app.command("annotate", cls=PlainHelp, rich_help_panel=_DATA)
@takes_settings("annotate", *_ACCEPTING, "release")
def _annotate(root: Path, sections: Sections, force: Force = False) -> None:
    """Writes the annotations: parquet, CSV in the published format, and what makes them a release.

    Reads metadata/, scrape/ and review/, and the release before; writes annotations/. Stops where a
    review is due; where proposals are accepted instead, settles the taxonomy first.
    """
    for name in annotate_order(sections):
        run_and_tell(root, name, sections, force=force and name == "annotate")


@app.command("images", cls=PlainHelp, rich_help_panel=_DATA)
@takes_settings("images")
def _images(
    root: Path,
    sections: Sections,
    tars: Annotated[
        int | None,
        typer.Option(help=option_help("How many tars of the split that --split names.", "all")),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help=option_help("Says how much there is to fetch, no more.", "false")
        ),
    ] = False,
    force: Force = False,
) -> None:
    """Downloads the images, or some of them.

    Reads GLDv2's tar files, or the addresses in train.csv; writes images/.
    """
    section = sections.setdefault("images", {})
    split = section.get("split", "")
    if split not in {"", *IMAGE_FILES}:
        raise InputError(f"--split must be train, index or test, got {split!r}")
    if tars is not None:
        if not split:
            raise InputError("--tars needs --split: each split has its own number of tar files")
        section[f"{split}_tars"] = tars
    if dry_run:
        tell_plan(root, sections)
    else:
        fetch_and_tell(root, sections, force=force)


@app.command("parents", cls=PlainHelp, rich_help_panel=_DATA)
@takes_settings("parents", "scrape.contact", "scrape.dumps", "scrape.replay")
def _parents(root: Path, sections: Sections, force: Force = False) -> None:
    """Looks up what the categories are in of landmarks that no class gives a label, for hgld fill.

    Reads scrape/, and asks Commons or reads its dumps, as [scrape] says; writes raw/ (every answer)
    and scrape/parents/.
    """
    run_and_tell(root, "parents", sections, force=force)


@app.command("look", cls=PlainHelp, rich_help_panel=_DATA)
@takes_settings("look")
def _look(root: Path, sections: Sections, force: Force = False) -> None:
    """Has the pictures of landmarks that no class gives a label vote for one, for hgld fill.

    Reads metadata/, scrape/, review/ and images/; writes labels/picture_votes/. Needs
    hgld[cluster].
    """
    run_and_tell(root, "look", sections, force=force)


app.command("fill", cls=PlainHelp, rich_help_panel=_DATA)(takes_settings("fill")(fill_command))


@app.command("train", cls=PlainHelp, rich_help_panel=_LEARN)
@takes_settings("train")
def _train(
    root: Path,
    sections: Sections,
    recipes: Recipes = False,
    estimate: OnlyEstimate = False,
    force: Force = False,
) -> None:
    """Trains a model on the annotated images: HAPPIER, or one of its rivals.

    Reads annotations/ and images/; writes runs/. Needs hgld[train].
    """
    if recipes:
        print_recipes()
    elif estimate:
        tell_estimate(root, sections)
    else:
        run_and_tell(root, "train", sections, force=force)


class _InPairs(PlainHelp):
    """A command whose `--embeddings` takes two words."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - of click
        """Puts the option before the second word too: typer has no lists of pairs."""
        words, option = args[:2], "--embeddings"
        for before, word in zip(args, args[2:], strict=False):
            is_second = before == option and not word.startswith("-")
            words += [option, word] if is_second else [word]
        return super().parse_args(ctx, words)


@app.command("benchmark", cls=_InPairs, rich_help_panel=_LEARN)
@takes_settings("benchmark")
def _benchmark(root: Path, sections: Sections, force: Force = False) -> None:
    """Compares retrieval before and after training, and writes the report.

    Reads annotations/, images/ and runs/; writes benchmarks/ (report.html, and results.json, .csv
    and .tex), on a data set benchmarks/<data set>/. Of embeddings alone it reads annotations/ and
    these. Needs hgld[train].
    """
    run_and_tell(root, "benchmark", sections, force=force)
    print_benchmark(root, sections.get("benchmark", {}).get("data_set"))


app.command("index", cls=PlainHelp, rich_help_panel=_LEARN)(index_command)


@app.command("agree", cls=PlainHelp, rich_help_panel=_LEARN)
@takes_settings("agree")
def _agree(root: Path, sections: Sections, force: Force = False) -> None:
    """Compares the labels of a build, or of a release, with official ones, and writes a page.

    Reads annotations/, scrape/, review/ and the official CSV files; writes benchmarks/agreement/
    (report.html, results.json, and official rows that look wrong). Needs hgld[cluster].
    """
    run_and_tell(root, "agree", sections, force=force)


@app.command("export", cls=PlainHelp, rich_help_panel=_LEARN)
@takes_settings("export")
def _export(root: Path, sections: Sections, force: Force = False) -> None:
    """Writes the model of a run for other programs, and a card that says what it is.

    Reads runs/, and what is known of the run in annotations/ and benchmarks/; writes runs/
    (model.onnx, once it gives what torch does, and README.md). Needs hgld[train,export].
    """
    run_and_tell(root, "export", sections, force=force)


@app.command("build", cls=PlainHelp, rich_help_panel=_WHOLE)
@takes_settings("scrape.contact", *_ACCEPTING, "annotate.fills")
def _build(root: Path, sections: Sections) -> None:
    """Runs every step, each only as far as it is not done; stops where a review is due.

    Reads what the steps read, with their settings in hgld.toml; writes the folder of the build.
    """
    order = build_order(sections)
    for name in order:  # refuse a wrong setting before the first request
        load_step(name, sections)
    for name in order:
        run_and_tell(root, name, sections)


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


app.command("subset", cls=PlainHelp, rich_help_panel=_USE)(subset_command)
app.command("pull", cls=PlainHelp, rich_help_panel=_USE)(pull_command)
app.command("publish", cls=PlainHelp, rich_help_panel=_USE)(takes_settings()(publish_command))
app.command("browse", cls=PlainHelp, rich_help_panel=_LOOK)(browse_command)
app.command("search", cls=PlainHelp, rich_help_panel=_LOOK)(search_command)


@app.command("verify", cls=PlainHelp, rich_help_panel=_LOOK)
@takes_settings()
def _verify(
    root: Path,
    sections: Sections,
    deep: Annotated[
        bool,
        typer.Option("--deep", help=option_help("Also reads and decodes every picture.", "false")),
    ] = False,
    public_key: Annotated[
        str | None,
        typer.Option(
            help=option_help(
                "Checks that the release is signed with this key of minisign, or file of one.",
                "not set",
            )
        ),
    ] = None,
) -> None:
    """Compares every file with what was written, a line for each that differs; then exit status 1.

    Reads the folder of a build, or of a release that has SHA256SUMS; writes nothing.
    """
    checked = found = 0
    workspace = Workspace(root)
    signed = verify_signed(workspace, public_key) if public_key is not None else ()
    for damage in itertools.chain(signed, verify_build(workspace, sections, deep=deep)):
        checked += 1
        if damage.what:
            found += 1
            typer.echo(f"{root / damage.path} {damage.what}")
    if found:
        raise typer.Exit(1)
    unseen = is_signed(workspace) and public_key is None
    more = "; the signature is looked at with --public-key" if unseen else ""
    typer.echo(f"{checked:,} files are as they were written{more}")
    if others := files_not_compared(workspace):
        typer.echo(f"not compared with anything: {', '.join(others)}")


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
        stages += [(stage, known_settings(workspace, step, stage)) for stage in (*due, *has_run)]
    states = build_status(workspace, stages)
    if is_json:
        places = [stage.result_path(workspace) for stage, _ in stages]
        print_states_as_json(root, zip(states, places, strict=True))
    else:
        print_states(states)
