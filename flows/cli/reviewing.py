"""`hgld review`: open the page, export and apply sheets, show progress, settle the taxonomy."""

import dataclasses
import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from hgld.engine.config import setting
from hgld.engine.workspace import Workspace
from hgld.errors import AwaitingReviewError, ConflictError, needing
from hgld.flows import steps
from hgld.flows.cli.options import ACCEPTING, Command, PageOptions, StepOptions, refuse_idle
from hgld.flows.cli.output import run_and_tell
from hgld.flows.pausing import resume_suspended
from hgld.flows.steps import Sections
from hgld.pages.review import PORT
from hgld.review.log.events import harmless
from hgld.tables import CLUSTERS

if TYPE_CHECKING:
    from hgld.review.status import Replayed, ReviewStatus

_TASKS = ("export", "apply", "status", "settle")
_TOLD = 3  # most classes or events that a line lists


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewOptions(PageOptions, StepOptions):
    """Options of `hgld review`."""

    port: int = setting(PORT, "Port of the page; if taken, the next free one. 0: any.")
    read_only: bool = setting(False, "Shows the page, but accepts no decisions.")
    export: Path | None = setting(
        None, "Writes the decisions to a file: .csv, a sheet to fill in; .ttl, SKOS in Turtle."
    )
    apply: Path | None = setting(
        None, "Appends the changes in a sheet since its export to the log, as one event."
    )
    reviewer: str = setting("", "Name of the reviewer, which the log keeps.")
    mine: bool = setting(
        False, "With --apply: if sheet and log both changed a class, keeps the sheet's version."
    )
    theirs: bool = setting(
        False, "With --apply: keeps the log's version; with neither, a conflict is an error."
    )
    new: tuple[str, ...] = setting(
        (), "With --apply: confirms a new super-category that looks like a typo."
    )
    dry_run: bool = setting(
        False, "With --apply: shows which super-categories would change, and writes nothing."
    )
    status: bool = setting(False, "Shows what is decided, open, and changed by a new scrape.")
    json: bool = setting(False, "With --status: prints it as JSON.")
    settle: bool = setting(False, "Settles the taxonomy from the decisions so far.")

    def __post_init__(self) -> None:
        """Refuses two tasks at once, and options of a task that was not given."""
        if len(given := [f"--{name}" for name in _TASKS if getattr(self, name)]) > 1:
            raise ValueError(f"{' and '.join(given)} exclude each other; give one")
        if self.mine and self.theirs:
            raise ValueError("--mine and --theirs exclude each other; give one")
        if self.apply is None:
            refuse_idle(self, "mine theirs new dry_run", "--apply: name the file")
        if not self.status:
            refuse_idle(self, "json", "--status")


@click.command("review", cls=Command, options=ReviewOptions, settings=("review",))
def review(options: ReviewOptions, sections: Sections) -> None:
    """Opens the page where clusters become a taxonomy, or exports and applies decisions.

    Without a task (--export, --apply, --status, --settle or --accept-*) it opens the page, until
    Ctrl-C; --labels names the output of `hgld cluster --labels`. Reads labels/, scrape/, a sheet
    and review/decisions.jsonl; writes a sheet, or review/decisions.jsonl (with a copy) and
    review/taxonomy/. Needs hgld[review].
    """
    workspace = Workspace(options.root)
    # An --accept-* setting in the settings file does not keep the page from opening.
    source = click.get_current_context().get_parameter_source
    typed = [name for name in ACCEPTING if source(name) is ParameterSource.COMMANDLINE]
    if not (options.force or typed or any(getattr(options, name) for name in _TASKS)):
        try:
            _open_page(workspace, options, sections)
        finally:
            resume_suspended(workspace)
        return
    page = "port open_ host token read_only"
    refuse_idle(options, page, "the page, which opens if no task is given")
    if options.status:
        _tell_status(workspace, is_json=options.json)
    elif options.export is not None:
        _export(workspace, options.export)
    else:
        if options.apply is not None:
            _apply(workspace, options.apply, options, sections)
        if not options.dry_run:
            _settle(workspace, options, sections)


review.params[0].opts.append("--labels")  # a list is reviewed like a build


def _open_page(workspace: Workspace, options: ReviewOptions, sections: Sections) -> None:
    workspace.require()
    sheet = "; or review in a spreadsheet with --export"
    with needing("review", workspace.command("review"), sheet):
        from hgld.pages.review.server import serve_review
        from hgld.pages.serving.security import Guard
    serve_review(
        workspace,
        Guard(
            host=options.host, port=options.port, access=options.token, read_only=options.read_only
        ),
        reviewer=options.reviewer,
        propose=steps.propose_step(sections).settings,
        opens_browser=options.open_,
        say=click.echo,
    )


def _export(workspace: Workspace, path: Path) -> None:
    from hgld.review.exporting import export_file

    count = export_file(workspace, path)
    if path.suffix.lower() != ".csv":
        click.echo(f"wrote {path}: {count:,} classes")
        return
    # Always with --root, so that it can be copied as it is.
    words = ["review", "--root", str(workspace.root), "--apply", str(path), "--reviewer", "NAME"]
    click.echo(f"wrote {path}; fill it in, then: hgld {shlex.join(words)}")


def _apply(workspace: Workspace, path: Path, options: ReviewOptions, sections: Sections) -> None:
    """Applies a sheet, or shows what that would do; prints each conflict on a line."""
    from hgld.labels.taxonomy.rows import SHIPPED, load_taxonomy_tables
    from hgld.review.applying import ApplyChoices, apply_file, preview_file

    folder = steps.propose_step(sections).settings.taxonomy or SHIPPED
    names = load_taxonomy_tables(folder).supercategories
    choices = ApplyChoices(
        prefer="mine" if options.mine else "theirs" if options.theirs else None,
        known={one.hierarchical_label: one.natural_or_human_made for one in names},
        meant=options.new,
    )
    changes: list[str] = []
    try:
        if options.dry_run:
            applied, changes = preview_file(workspace, path, choices)
        else:
            with workspace.lock():
                applied = apply_file(workspace, path, options.reviewer, choices)
    except ConflictError as error:
        for conflict in error.conflicts:
            click.echo(conflict, err=True)
        raise
    for change in changes:
        click.echo(change)
    click.echo(
        f"{'would be ' * options.dry_run}added to the log: {applied.appended:,} decisions; "
        f"unchanged: {applied.unchanged:,}; conflicts settled: {applied.settled:,}; classes still "
        f"undecided: {applied.undecided:,}{'; nothing was written' * options.dry_run}"
    )


def _settle(workspace: Workspace, options: ReviewOptions, sections: Sections) -> None:
    # The new decisions improve the proposals for the open classes.
    if workspace.manifest(CLUSTERS.stage):
        run_and_tell(workspace.root, steps.propose_step(sections))
    try:
        run_and_tell(workspace.root, steps.review_step(sections), force=options.force)
    except AwaitingReviewError:
        if options.apply is None:  # a sheet is applied, whatever it leaves open
            raise
    else:
        resume_suspended(workspace, is_settled=True)


def _tell_status(workspace: Workspace, *, is_json: bool) -> None:
    """Prints the progress of the review, and the effects of a new scrape.

    Raises:
        MissingInputError: no proposals.
        DamagedError: the log or a table is damaged.
    """
    from hgld.review.status import review_status

    status = review_status(workspace)
    if is_json:
        found = {"root": str(workspace.root)} | dataclasses.asdict(status)
        click.echo(json.dumps(found, indent=2))
        return
    for name, line in _status_lines(status).items():
        click.echo(f"{name:<10} {harmless(line) or 'none'}")


def _status_lines(status: "ReviewStatus") -> dict[str, str]:
    from hgld.review.status import share_of

    now = status.progress
    settled = now.landmarks - now.landmarks_open
    lines = {
        "clusters": f"{now.clusters - now.clusters_open:,} of {now.clusters:,} done",
        "classes": f"{now.classes - now.classes_open:,} of {now.classes:,} decided",
        "landmarks": f"{settled:,} of {now.landmarks:,} settled, {share_of(settled, now.landmarks)}"
        f": all their classes are decided",
        "log": f"{status.lines:,} events, {status.edits:,} active edits",
        "reviewers": ", ".join(f"{who} {count:,}" for who, count in status.reviewers.items()),
        "new": _some([f"{qid} {label!r}" for qid, label in status.new.items()], "classes"),
    }
    for state in ("applied", "gone", "changed"):
        edits = [_edit(one) for one in status.replayed if one.state == state]
        lines[state] = f"{len(edits):,} edits" if state == "applied" else _some(edits, "edits")
    return lines


def _edit(one: "Replayed") -> str:
    changed = [f"{qid} {was!r} is now {now!r}" for qid, (was, now) in one.changed.items()]
    gone = [f"{qid} {label!r} is gone" for qid, label in one.gone.items()]
    return f"line {one.number} ({one.event}, {one.reviewer}), {_some([*changed, *gone], 'classes')}"


def _some(items: list[str], what: str) -> str:
    """Returns the number of items, and the first few."""
    more = f", and {len(items) - _TOLD:,} more (--json)" if len(items) > _TOLD else ""
    return f"{len(items):,} {what}{': ' * bool(items)}{', '.join(items[:_TOLD])}{more}"
