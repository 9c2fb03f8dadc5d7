"""The `hgld` command: one command a step, `build` for all of them, `status` for where they stand.

Exit status: 0 done, 1 error (one line says what to do), 2 wrong usage, 3 the build waits for a
review, 130 stopped from the keyboard, 143 or 129 by SIGTERM or SIGHUP.
"""

import logging
import os
import sys
from pathlib import Path

import click

from hgld import __version__
from hgld.engine.config import from_mapping
from hgld.engine.status import build_status
from hgld.engine.workspace import Workspace
from hgld.errors import AwaitingReviewError, HgldError, InputError
from hgld.flows import steps
from hgld.flows.build import (
    ALL_STEPS,
    annotate_steps,
    build_steps,
    files_not_compared,
    known_settings,
    load_step,
    verify_build,
)
from hgld.flows.cli.looking import browse, index, search
from hgld.flows.cli.options import CommandGroup, StepCommand, flag, force, path_option, text_option
from hgld.flows.cli.output import (
    fetch_and_tell,
    print_benchmark,
    print_recipes,
    print_states,
    print_states_as_json,
    quiet_stage_log,
    run_and_tell,
    tell_estimate,
    tell_plan,
    tell_reports,
)
from hgld.flows.cli.released import publish, pull, subset
from hgld.flows.cli.reviewing import review
from hgld.flows.cli.signals import ended_by_signals
from hgld.flows.steps import Sections
from hgld.tables import IMAGE_FILES

_AWAITING_REVIEW = 3
_ACCEPTING = ("review.accept_proposals", "review.accept_above")
"""The settings with which a build goes on without a person."""
_IN_ORDER = "put that in order, or move it away, then rerun"
_LESS_MEMORY = "end other programs, or lower the step's sizes (`hgld COMMAND --help`), then rerun"

DATA = "Build the data set, step by step"
LEARN = "Train and measure"
WHOLE = "The whole build"
USE = "Use the data set"
LOOK = "Look"


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
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@flag("--debug", help="Shows tracebacks and details.")
@click.version_option(__version__, prog_name="hgld", message="%(prog)s %(version)s")
def app(debug: bool) -> None:
    """H-GLDv2, rebuilt: hierarchical labels for Google Landmarks v2."""
    logging.basicConfig(
        format="%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr
    )
    logging.getLogger("hgld").setLevel(logging.DEBUG if debug else logging.INFO)


@app.step("metadata", DATA, "metadata")
@force
def _metadata(root: Path, sections: Sections, force: bool) -> None:
    """Fetches GLDv2's tables and checks them.

    Reads GLDv2's CSV files; writes metadata/.
    """
    run_and_tell(root, steps.metadata_step(sections), force=force)


@app.step("scrape", DATA, "scrape")
@force
def _scrape(root: Path, sections: Sections, force: bool) -> None:
    """Finds the classes of every landmark: Commons category, Wikidata item, instance of.

    Reads metadata/ or a CSV file, asks Commons and Wikidata, and then asks what the classes in
    scrape/ are called elsewhere; writes raw/ (every answer) and scrape/ (the tables, and changes.md
    after a refresh).
    """
    run_and_tell(root, steps.scrape_step(sections), force=force)


@app.step("embed", DATA, "embed")
@force
def _embed(root: Path, sections: Sections, force: bool) -> None:
    """Encodes the label of every class.

    Reads scrape/; writes labels/.
    """
    run_and_tell(root, steps.embed_step(sections), force=force)


@app.step("cluster", DATA, "cluster")
@path_option(
    "--labels",
    help="A list instead of a build: CSV with the column label, and perhaps qids (with | "
    "between them) and count. Also embeds and proposes.",
)
@path_option("--out", help="With --labels: the folder to write.")
@click.option(
    "--encoder",
    metavar="<open_clip|minilm>",
    default="",
    show_default="minilm, if it is installed",
    help="With --labels: what turns them into vectors.",
)
@force
def _cluster(
    root: Path,
    sections: Sections,
    labels: Path | None,
    out: Path | None,
    encoder: str,
    force: bool,
) -> None:
    """Groups the classes with K-Means; on a bare list proposes as well.

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

        quiet_stage_log()
        reports, result = cluster_list(labels, out, sections)
        tell_reports(reports)
        click.echo(f"proposals    {result}")
    else:
        run_and_tell(root, steps.cluster_step(sections), force=force)


@app.step("propose", DATA, "propose")
@force
def _propose(root: Path, sections: Sections, force: bool) -> None:
    """Proposes a super-category for each class, with the evidence, from what is decided so far.

    Reads labels/, scrape/ and review/decisions.jsonl; writes review/decided/,
    review/fill_decisions/, labels/proposals/ and labels/cluster_proposals/. Needs hgld[cluster].
    """
    run_and_tell(root, steps.propose_step(sections), force=force)


app.add(review, DATA)


@app.step("annotate", DATA, "annotate", *_ACCEPTING, "release")
@force
def _annotate(root: Path, sections: Sections, force: bool) -> None:
    """Writes the annotations: parquet, CSV in the published format, and what makes them a release.

    Reads metadata/, scrape/ and review/, and the release before; writes annotations/. Stops where a
    review is due; where proposals are accepted instead, settles the taxonomy first.
    """
    for step in annotate_steps(sections):
        run_and_tell(root, step, force=force and step.name == "annotate")


@app.step("images", DATA, "images")
@click.option(
    "--tars", type=int, show_default="all", help="How many tars of the split that --split names."
)
@flag("--dry-run", help="Says how much there is to fetch, no more.")
@force
def _images(root: Path, sections: Sections, tars: int | None, dry_run: bool, force: bool) -> None:
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


@app.step("parents", DATA, "parents", "scrape.contact", "scrape.replay")
@force
def _parents(root: Path, sections: Sections, force: bool) -> None:
    """Looks up what the categories are in of landmarks that no class gives a label, for hgld fill.

    Reads scrape/, and asks Commons as [scrape] says; writes raw/ (every answer) and
    scrape/parents/.
    """
    run_and_tell(root, steps.parents_step(sections), force=force)


@app.step("look", DATA, "look")
@force
def _look(root: Path, sections: Sections, force: bool) -> None:
    """Has the pictures of landmarks that no class gives a label vote for one, for hgld fill.

    Reads metadata/, scrape/, review/ and images/; writes labels/picture_votes/. Needs
    hgld[cluster].
    """
    run_and_tell(root, steps.look_step(sections), force=force)


@app.step("fill", DATA, "fill")
@path_option(
    "--labelled",
    help="Two lists instead of a build: CSV with category, hierarchical_label and "
    "natural_or_human_made (blank: known to have none), to learn from.",
)
@path_option("--categories", help="With --labelled: CSV with category, to label.")
@path_option("--out", help="With --labelled: the folder to write.")
@force
def _fill(
    root: Path,
    sections: Sections,
    labelled: Path | None,
    categories: Path | None,
    out: Path | None,
    force: bool,
) -> None:
    """Labels landmarks that no class gives a label by their names, parents and pictures.

    Reads metadata/, scrape/, review/ and labels/; writes labels/fills/ and labels/fill_checks/.
    With --labelled, reads those files and writes fills.parquet. Needs hgld[cluster].
    """
    if labelled is None and categories is None and out is None:
        run_and_tell(root, steps.fill_step(sections), force=force)
        return
    if labelled is None or categories is None or out is None:
        raise InputError(
            "--labelled, --categories and --out go together: what to learn from, what to label, "
            "and the folder to write"
        )
    from hgld.flows.fill_list import fill_list
    from hgld.labels.fills.stage import FillConfig

    config = from_mapping(FillConfig, sections.get("fill", {}), where="[fill]")
    click.echo(f"fills        {fill_list(labelled, categories, out, config)}")


@app.step("train", LEARN, "train")
@flag("--recipes", help="Lists the recipes and trains nothing.")
@flag("--estimate", help="Takes 20 steps and says what all would take; keeps nothing.")
@force
def _train(root: Path, sections: Sections, recipes: bool, estimate: bool, force: bool) -> None:
    """Trains a model on the annotated images: HAPPIER, or one of its rivals.

    Reads annotations/ and images/; writes runs/. Needs hgld[train].
    """
    if recipes:
        print_recipes()
    elif estimate:
        tell_estimate(root, sections)
    else:
        run_and_tell(root, steps.train_step(sections), force=force)


class _InPairs(StepCommand):
    """A command whose `--embeddings` takes two words."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Puts the option before the second word too: a setting is a flat list."""
        words, option = args[:2], "--embeddings"
        for before, word in zip(args, args[2:], strict=False):
            is_second = before == option and not word.startswith("-")
            words += [option, word] if is_second else [word]
        return super().parse_args(ctx, words)


@app.step("benchmark", LEARN, "benchmark", cls=_InPairs)
@force
def _benchmark(root: Path, sections: Sections, force: bool) -> None:
    """Compares retrieval before and after training, and writes the report.

    Reads annotations/, images/ and runs/; writes benchmarks/ (report.html, and results.json, .csv
    and .tex), on a data set benchmarks/<data set>/. Of embeddings alone it reads annotations/ and
    these. Needs hgld[train].
    """
    run_and_tell(root, steps.benchmark_step(sections), force=force)
    print_benchmark(root, sections.get("benchmark", {}).get("data_set"))


app.add(index, LEARN)


@app.step("agree", LEARN, "agree")
@force
def _agree(root: Path, sections: Sections, force: bool) -> None:
    """Compares the labels of a build, or of a release, with official ones, and writes a page.

    Reads annotations/, scrape/, review/ and the official CSV files; writes benchmarks/agreement/
    (report.html, results.json, and official rows that look wrong). Needs hgld[cluster].
    """
    run_and_tell(root, steps.agree_step(sections), force=force)


@app.step("export", LEARN, "export")
@force
def _export(root: Path, sections: Sections, force: bool) -> None:
    """Writes the model of a run for other programs, and a card that says what it is.

    Reads runs/, and what is known of the run in annotations/ and benchmarks/; writes runs/
    (model.onnx, once it gives what torch does, and README.md). Needs hgld[train,export].
    """
    run_and_tell(root, steps.export_step(sections), force=force)


@app.step("build", WHOLE, "scrape.contact", *_ACCEPTING, "annotate.fills")
def _build(root: Path, sections: Sections) -> None:
    """Runs every step, each only as far as it is not done; stops where a review is due.

    Reads what the steps read, with their settings in hgld.toml; writes the folder of the build.
    """
    for step in build_steps(sections):
        run_and_tell(root, step)


@click.command("demo")
@path_option("--root", default="demo-build, or demo-live with --live", help="Folder for the build.")
@flag("--live", help="Scrapes Wikimedia itself.")
@text_option("--contact", help="With --live: how Wikimedia reaches you.")
def _demo(root: Path | None, live: bool, contact: str) -> None:
    """Runs the whole pipeline on the embedded landmarks, offline, as a Prefect flow.

    Reads nothing, or Commons and Wikidata; writes a build of its own. Needs hgld[all].
    """
    from hgld.flows.demo import run_demo

    # Two folders, since the embedded answers must not stand in for those of Wikimedia itself.
    run_demo(root or Path("demo-live" if live else "demo-build"), live=live, contact=contact)


app.add(_demo, WHOLE)
for _command in (subset, pull, publish):
    app.add(_command, USE)
for _command in (browse, search):
    app.add(_command, LOOK)


@app.step("verify", LOOK)
@flag("--deep", help="Also reads and decodes every picture.")
def _verify(root: Path, sections: Sections, deep: bool) -> None:
    """Compares every file with what was written, a line for each that differs; then exit status 1.

    Reads the folder of a build, or of a release that has SHA256SUMS; writes nothing.
    """
    checked = found = 0
    workspace = Workspace(root)
    for damage in verify_build(workspace, sections, deep=deep):
        checked += 1
        if damage.what:
            found += 1
            click.echo(f"{root / damage.path} {damage.what}")
    if found:
        raise click.exceptions.Exit(1)
    click.echo(f"{checked:,} files are as they were written")
    if others := files_not_compared(workspace):
        click.echo(f"not compared with anything: {', '.join(others)}")


@app.step("status", LOOK)
@flag("--json", "is_json", help="Prints it as JSON.")
def _status(root: Path, sections: Sections, is_json: bool) -> None:
    """Shows each stage: done, stale (and why), rows, problems.

    Reads the folder of a build; writes nothing.
    """
    workspace = Workspace(root)
    workspace.require()
    stages, order = [], {step.name: step for step in build_steps(sections)}
    others = (load_step(name, sections) for name in ALL_STEPS if name not in order)
    for step in (*order.values(), *others):
        due = step.stages if step.name in order else ()
        unasked = (one for one in (*step.stages, *step.optional) if one not in due)
        has_run = [one for one in unasked if workspace.manifest_path(one.name).exists()]
        stages += [(stage, known_settings(workspace, step, stage)) for stage in (*due, *has_run)]
    states = build_status(workspace, stages)
    if is_json:
        places = [stage.result_path(workspace) for stage, _ in stages]
        print_states_as_json(root, zip(states, places, strict=True))
    else:
        print_states(states)
