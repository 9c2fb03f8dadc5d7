"""`hgld review`: decisions out to a file and in again, how far a review is, and its taxonomy."""

import shlex
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated

import typer

from hgld.engine.workspace import DEFAULT_ROOT, Workspace
from hgld.errors import ConflictError, InputError
from hgld.flows.cli.options import Force, option_help
from hgld.flows.cli.pages.review_page import LOOPBACK, open_review
from hgld.flows.cli.review_status import tell_review_status
from hgld.flows.cli.running import run_and_tell
from hgld.flows.steps import Sections, load_step
from hgld.review.exchange import (
    Applied,
    ApplyChoices,
    Prefer,
    apply_file,
    export_file,
    preview_file,
    suffix_of,
)
from hgld.tables import CLUSTERS

ReviewRoot = Annotated[
    Path,
    typer.Option(
        "--root",
        "--labels",
        show_default=False,
        help=option_help(
            "Folder that holds the build, or a list: what `hgld cluster --labels` wrote.",
            str(DEFAULT_ROOT),
        ),
    ),
]


def review_command(  # noqa: PLR0913, PLR0917 - an argument for each option
    root: Path,
    sections: Sections,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help=option_help(
                "Of the page; where it is taken, the next that is free. 0: any.", "8765"
            ),
        ),
    ] = None,
    no_open: Annotated[
        bool,
        typer.Option("--no-open", help=option_help("Leaves the browser closed.", "false")),
    ] = False,
    host: Annotated[
        str,
        typer.Option(
            help=option_help(
                "The address that the page is served on; one that others reach needs --token.",
                LOOPBACK,
            )
        ),
    ] = LOOPBACK,
    token: Annotated[
        str,
        typer.Option(
            help=option_help("The secret without which the page lets nobody in.", "not set")
        ),
    ] = "",
    read_only: Annotated[
        bool,
        typer.Option(
            "--read-only", help=option_help("Shows the page and decides nothing.", "false")
        ),
    ] = False,
    known: Annotated[
        Path | None,
        typer.Option(
            help=option_help(
                "Known answers that the second opinion hides in its queue: CSV with "
                "hierarchical_label and class_qid or label.",
                "what the taxonomy knows",
            )
        ),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(
            help=option_help(
                "Writes what is decided, and ends: .csv is a sheet, a row a class, to fill in; "
                ".ttl SKOS in Turtle.",
                "not set",
            )
        ),
    ] = None,
    apply: Annotated[
        Path | None,
        typer.Option(
            help=option_help(
                "Appends what was changed in a sheet since its export to the log first, as one "
                "event.",
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
                "With --apply, for classes changed in the sheet and, since its export, in the log: "
                "takes the sheet's versions, or keeps those of the log.",
                "neither: they are listed, and nothing is applied",
            ),
        ),
    ] = None,
    new: Annotated[
        list[str] | None,
        typer.Option(
            metavar="<str>, again for each",
            help=option_help(
                "With --apply: a new super-category that is meant, though it is a typo away from "
                "another.",
                "not set",
            ),
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help=option_help(
                "With --apply: shows which super-categories would be new, vanish or change, and "
                "writes nothing.",
                "false",
            ),
        ),
    ] = False,
    status: Annotated[
        bool,
        typer.Option(
            "--status",
            help=option_help(
                "Shows what is decided and open, and what a new scrape changed; and ends.", "false"
            ),
        ),
    ] = False,
    is_json: Annotated[
        bool, typer.Option("--json", help=option_help("With --status: all of it as JSON.", "false"))
    ] = False,
    settle: Annotated[
        bool,
        typer.Option(
            "--settle",
            help=option_help("Settles the taxonomy from the decisions so far.", "false"),
        ),
    ] = False,
    force: Force = False,
) -> None:
    """Opens the page on which clusters become a taxonomy; or takes decisions out to a file and in.

    Without a task (--export, --apply, --status, --settle or an --accept) it opens the page, until
    Ctrl-C. Reads labels/, scrape/, such a file and review/decisions.jsonl; writes such a file, or
    review/decisions.jsonl (with a copy beside it) and review/taxonomy/. Needs hgld[review].
    """
    tasks = {"--export": export, "--apply": apply, "--status": status, "--settle": settle}
    _one_of(tasks)
    applying = {"--mine and --theirs": mine is not None, "--new": new, "--dry-run": dry_run}
    _refuse_without(applying, "--apply: name the file", is_there=apply is not None)
    _refuse_without({"--json": is_json}, "--status", is_there=status)
    page = {
        "--port": port is not None,
        "--no-open": no_open,
        "--host": host != LOOPBACK,
        "--token": token,
        "--read-only": read_only,
        "--known": known,
    }
    opens_page = not (any(tasks.values()) or force or _accepts(sections))
    _refuse_without(page, "the page, which opens where no task is given", is_there=opens_page)
    workspace = Workspace(root)
    if opens_page:
        open_review(
            workspace,
            port=port,
            open_browser=not no_open,
            host=host,
            token=token,
            read_only=read_only,
            reviewer=" ".join(reviewer.split()),
            known=known,
            propose=sections.get("propose", {}),
        )
    elif status:
        tell_review_status(workspace, is_json=is_json)
    elif export is not None:
        _export(workspace, export)
    elif apply is not None:
        prefer: Prefer | None = None if mine is None else "mine" if mine else "theirs"
        choices = ApplyChoices(prefer=prefer, known=_taxonomy_names(sections), meant=new or ())
        if dry_run:
            _preview(workspace, apply, choices)
        else:
            _apply(workspace, apply, reviewer, choices)
            _settle(workspace, sections, force=force)
    else:
        _settle(workspace, sections, force=force)


def _settle(workspace: Workspace, sections: Sections, *, force: bool) -> None:
    """Makes the taxonomy of the decisions so far."""
    # What was decided makes the open classes' proposals better ones.
    if workspace.manifest(CLUSTERS.stage):
        run_and_tell(workspace.root, "propose", sections)
    run_and_tell(workspace.root, "review", sections, force=force)


def _refuse_without(options: Mapping[str, object], what: str, *, is_there: bool) -> None:
    """Refuses options that would do nothing.

    Raises:
        InputError: one is given without what it goes with.
    """
    for option in (name for name, is_given in options.items() if is_given and not is_there):
        raise InputError(f"{option} goes with {what}")


def _accepts(sections: Sections) -> bool:
    return bool(getattr(load_step("review", sections).settings, "accepts", False))


def _one_of(options: Mapping[str, object]) -> None:
    """Refuses options of which each is a thing to do.

    Raises:
        InputError: more than one is given.
    """
    given = [name for name, value in options.items() if value]
    if len(given) > 1:
        raise InputError(
            f"{' and '.join(given)} exclude each other: first export a file, then apply it filled "
            f"in"
        )


def _taxonomy_names(sections: Sections) -> list[str]:
    """Returns the super-categories of the taxonomy that proposals are made of."""
    from hgld.labels.taxonomy.rows import SHIPPED, load_taxonomy_tables

    folder = getattr(load_step("propose", sections).settings, "taxonomy", None)
    tables = load_taxonomy_tables(folder or SHIPPED)
    return [one.hierarchical_label for one in tables.supercategories]


def _export(workspace: Workspace, path: Path) -> None:
    count = export_file(workspace, path)
    if suffix_of(path) != ".csv":
        typer.echo(f"wrote {path}: {count:,} classes")
        return
    # With the folder always, so that it is typed as it stands here.
    words = ["review", "--root", str(workspace.root), "--apply", str(path), "--reviewer", "NAME"]
    typer.echo(f"wrote {path}; fill it in, then: hgld {shlex.join(words)}")


def _apply(workspace: Workspace, path: Path, reviewer: str, choices: ApplyChoices) -> None:
    """Applies a file and prints what came of it: each conflict, where there are any, in a line."""
    try:
        with workspace.lock():
            applied = apply_file(workspace, path, reviewer, choices)
    except ConflictError as error:
        _tell_conflicts(error.conflicts)
        raise
    added = _counted(applied.appended, "decision", "decisions")
    typer.echo(f"{added} added to the log, {_left_words(applied, choices)}")


def _preview(workspace: Workspace, path: Path, choices: ApplyChoices) -> None:
    """Prints what applying a file would do."""
    try:
        applied, changes = preview_file(workspace, path, choices)
    except ConflictError as error:
        _tell_conflicts(error.conflicts)
        raise
    for change in changes:
        typer.echo(change)
    added = _counted(applied.appended, "decision", "decisions")
    typer.echo(
        f"would add {added} to the log, {_left_words(applied, choices)}; nothing was written"
    )


def _left_words(applied: Applied, choices: ApplyChoices) -> str:
    """Returns what became of the lines of a file that add nothing."""
    settled = _counted(applied.settled, "conflict", "conflicts")
    parts = [
        _counted(applied.unchanged, "as it was", "as they were"),
        f"{settled} settled by --{choices.prefer}" if applied.settled else "",
        f"{_counted(applied.undecided, 'class', 'classes')} undecided",
    ]
    return ", ".join(filter(None, parts))


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _tell_conflicts(conflicts: Collection[str]) -> None:
    for conflict in conflicts:
        typer.echo(conflict, err=True)
