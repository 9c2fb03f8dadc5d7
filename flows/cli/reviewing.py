"""`hgld review`: the page, decisions out to a file and in again, how far it is, its taxonomy."""

import contextlib
import dataclasses
import json
import shlex
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hgld.engine.config import from_mapping
from hgld.engine.workspace import Workspace
from hgld.errors import ConflictError, InputError, how_to_install
from hgld.flows import steps
from hgld.flows.cli.options import StepCommand, flag, force, path_option, root_option, text_option
from hgld.flows.cli.output import run_and_tell
from hgld.flows.steps import Sections
from hgld.tables import CLUSTERS

if TYPE_CHECKING:
    from hgld.review.status import Replayed

_LOOPBACK = "127.0.0.1"
_TOLD = 3  # classes, and events, that a line names


@click.command(
    "review",
    cls=StepCommand,
    settings=("review",),
    root=root_option(
        "--labels", text="Folder of the build, or a list: what `hgld cluster --labels` wrote."
    ),
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    show_default="8765",
    help="Of the page; where it is taken, the next that is free. 0: any.",
)
@flag("--no-open", help="Leaves the browser closed.")
@click.option(
    "--host",
    default=_LOOPBACK,
    show_default=True,
    help="The address that the page is served on; one that others reach needs --token.",
)
@text_option("--token", help="The secret without which the page lets nobody in.")
@flag("--read-only", help="Shows the page and decides nothing.")
@path_option(
    "--known",
    default="what the taxonomy knows",
    help="Known answers that the second opinion hides in its queue: CSV with "
    "hierarchical_label and class_qid or label.",
)
@path_option(
    "--export",
    help="Writes what is decided, and ends: .csv is a sheet, a row a class, to fill in; .ttl "
    "SKOS in Turtle.",
)
@path_option(
    "--apply",
    help="Appends what was changed in a sheet since its export to the log first, as one event.",
)
@text_option("--reviewer", help="Who decided; the log keeps it.")
@click.option(
    "--mine/--theirs",
    default=None,
    show_default="neither: they are listed, and nothing is applied",
    help="With --apply, for classes changed in the sheet and, since its export, in the log: takes "
    "the sheet's versions, or keeps those of the log.",
)
@click.option(
    "--new",
    multiple=True,
    metavar="<str>, again for each",
    show_default="not set",
    help="With --apply: a new super-category that is meant, though it is a typo away from another.",
)
@flag(
    "--dry-run",
    help="With --apply: shows which super-categories would be new, vanish or change, and "
    "writes nothing.",
)
@flag("--status", help="Shows what is decided and open, and what a new scrape changed; and ends.")
@flag("--json", "is_json", help="With --status: all of it as JSON.")
@flag("--settle", help="Settles the taxonomy from the decisions so far.")
@force
def review(  # noqa: PLR0913 - an argument for each option
    root: Path,
    sections: Sections,
    *,
    port: int | None,
    no_open: bool,
    host: str,
    token: str,
    read_only: bool,
    known: Path | None,
    export: Path | None,
    apply: Path | None,
    reviewer: str,
    mine: bool | None,
    new: tuple[str, ...],
    dry_run: bool,
    status: bool,
    is_json: bool,
    settle: bool,
    force: bool,
) -> None:
    """Opens the page on which clusters become a taxonomy; or takes decisions out to a file and in.

    Without a task (--export, --apply, --status, --settle or an --accept) it opens the page, until
    Ctrl-C. Reads labels/, scrape/, a sheet and review/decisions.jsonl; writes such a file, or
    review/decisions.jsonl (with a copy beside it) and review/taxonomy/. Needs hgld[review].
    """
    tasks = {"--export": export, "--apply": apply, "--status": status, "--settle": settle}
    given = [name for name, value in tasks.items() if value]
    if len(given) > 1:
        raise InputError(
            f"{' and '.join(given)} exclude each other: first export a file, then apply it filled "
            f"in"
        )
    applying = {"--mine and --theirs": mine is not None, "--new": new, "--dry-run": dry_run}
    _refuse_without(applying, "--apply: name the file", is_there=apply is not None)
    _refuse_without({"--json": is_json}, "--status", is_there=status)
    page = {
        "--port": port is not None,
        "--no-open": no_open,
        "--host": host != _LOOPBACK,
        "--token": token,
        "--read-only": read_only,
        "--known": known,
    }
    accepts = bool(getattr(steps.review_step(sections).settings, "accepts", False))
    opens_page = not (given or force or accepts)
    _refuse_without(page, "the page, which opens where no task is given", is_there=opens_page)
    workspace = Workspace(root)
    if opens_page:
        workspace.require()
        from hgld.labels.proposing.stage import ProposeConfig
        from hgld.pages.review import PORT

        with _page_packages(workspace):
            from hgld.pages.review.serving.server import ServerConfig, serve_review
        config = ServerConfig(
            host=host,
            port=PORT if port is None else port,
            token=token,
            opens_browser=not no_open,
            read_only=read_only,
            reviewer=" ".join(reviewer.split()),
            known=known,
            propose=from_mapping(ProposeConfig, sections.get("propose", {}), where="[propose]"),
        )
        serve_review(workspace, config, click.echo)
    elif status:
        _tell_status(workspace, is_json=is_json)
    elif export is not None:
        _export(workspace, export)
    elif apply is not None:
        _apply(workspace, apply, sections, reviewer, mine=mine, new=new, dry_run=dry_run)
        if not dry_run:
            _settle(workspace, sections, force=force)
    else:
        _settle(workspace, sections, force=force)


def _refuse_without(options: Mapping[str, object], what: str, *, is_there: bool) -> None:
    """Refuses options that would do nothing.

    Raises:
        InputError: one is given without what it goes with.
    """
    for option in (name for name, is_given in options.items() if is_given and not is_there):
        raise InputError(f"{option} goes with {what}")


@contextlib.contextmanager
def _page_packages(workspace: Workspace) -> Iterator[None]:
    """Says how to install a package of the page that is missing.

    Raises:
        InputError: one is.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise InputError(
            f"{workspace.command('review')} needs the package {error.name!r}: "
            f"{how_to_install('review')}; or review in a spreadsheet with --export"
        ) from error


def _settle(workspace: Workspace, sections: Sections, *, force: bool) -> None:
    """Makes the taxonomy of the decisions so far."""
    # What was decided makes the open classes' proposals better ones.
    if workspace.manifest(CLUSTERS.stage):
        run_and_tell(workspace.root, steps.propose_step(sections))
    run_and_tell(workspace.root, steps.review_step(sections), force=force)


def _export(workspace: Workspace, path: Path) -> None:
    from hgld.review.exporting import export_file

    count = export_file(workspace, path)
    if path.suffix.lower() != ".csv":
        click.echo(f"wrote {path}: {count:,} classes")
        return
    # With the folder always, so that it is typed as it stands here.
    words = ["review", "--root", str(workspace.root), "--apply", str(path), "--reviewer", "NAME"]
    click.echo(f"wrote {path}; fill it in, then: hgld {shlex.join(words)}")


def _apply(  # noqa: PLR0913 - an argument for each option
    workspace: Workspace,
    path: Path,
    sections: Sections,
    reviewer: str,
    *,
    mine: bool | None,
    new: Collection[str],
    dry_run: bool,
) -> None:
    """Applies a sheet, or says what applying it would do; each conflict is a line."""
    from hgld.review.applying import ApplyChoices, apply_file, preview_file

    choices = ApplyChoices(
        prefer=None if mine is None else "mine" if mine else "theirs",
        known=_taxonomy_names(sections),
        meant=new,
    )
    changes: list[str] = []
    try:
        if dry_run:
            applied, changes = preview_file(workspace, path, choices)
        else:
            with workspace.lock():
                applied = apply_file(workspace, path, reviewer, choices)
    except ConflictError as error:
        for conflict in error.conflicts:
            click.echo(conflict, err=True)
        raise
    for change in changes:
        click.echo(change)
    settled = _counted(applied.settled, "conflict", "conflicts")
    parts = [
        _counted(applied.unchanged, "as it was", "as they were"),
        f"{settled} settled by --{choices.prefer}" if applied.settled else "",
        f"{_counted(applied.undecided, 'class', 'classes')} undecided",
    ]
    left, added = (
        ", ".join(filter(None, parts)),
        _counted(applied.appended, "decision", "decisions"),
    )
    click.echo(
        f"would add {added} to the log, {left}; nothing was written"
        if dry_run
        else f"{added} added to the log, {left}"
    )


def _taxonomy_names(sections: Sections) -> list[str]:
    """Returns the super-categories of the taxonomy that proposals are made of."""
    from hgld.labels.taxonomy.rows import SHIPPED, load_taxonomy_tables

    folder = getattr(steps.propose_step(sections).settings, "taxonomy", None)
    tables = load_taxonomy_tables(folder or SHIPPED)
    return [one.hierarchical_label for one in tables.supercategories]


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _tell_status(workspace: Workspace, *, is_json: bool) -> None:
    """Prints how far the review is, what a new scrape changed, and what a second reviewer said.

    Raises:
        MissingInputError: no proposals.
        DamagedError: the log, or a table, is not as it was written.
    """
    from hgld.review.log.events import harmless
    from hgld.review.status import review_status, share_of

    status = review_status(workspace)
    if is_json:
        found = {"root": str(workspace.root)} | dataclasses.asdict(status)
        click.echo(json.dumps(found, indent=2))
        return
    now = status.progress
    settled = now.landmarks - now.landmarks_open
    lines = {
        "clusters": f"{now.clusters - now.clusters_open:,} of {now.clusters:,} done",
        "classes": f"{now.classes - now.classes_open:,} of {now.classes:,} decided",
        "landmarks": f"{settled:,} of {now.landmarks:,} settled, {share_of(settled, now.landmarks)}"
        f": all their classes are decided",
        "log": f"{status.lines:,} events, {status.edits:,} edits count",
        "reviewers": ", ".join(f"{who} {count:,}" for who, count in status.reviewers.items()),
        "new": "",
    }
    if status.new:
        named = _some([f"{qid} {label!r}" for qid, label in status.new.items()], ", ")
        lines["new"] = f"{len(status.new):,} classes since the last review: {named}"
    for state in ("applied", "gone", "changed"):
        edits = [one for one in status.replayed if one.state == state]
        lines[state] = f"{len(edits):,} edits"
        if state != "applied" and edits:
            lines[state] += f": {_some([_edit(one) for one in edits], '; ')}"
    for name, line in lines.items():
        click.echo(f"{name:<10} {harmless(line) or 'none'}")
    if status.second_opinions:  # else the page's packages may not be there
        from hgld.pages.review.second.summary import second_opinion_text

        for line in second_opinion_text(workspace).split("\n"):
            click.echo(harmless(line))


def _edit(one: "Replayed") -> str:
    changed = [f"{qid} {was!r} is now {now!r}" for qid, (was, now) in one.changed.items()]
    gone = [f"{qid} {label!r} is gone" for qid, label in one.gone.items()]
    return f"line {one.number} ({one.event}, {one.reviewer}): {_some([*changed, *gone], ', ')}"


def _some(items: list[str], between: str) -> str:
    more = f"{between}and {len(items) - _TOLD:,} more (--json)" if len(items) > _TOLD else ""
    return between.join(items[:_TOLD]) + more
