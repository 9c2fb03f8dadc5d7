"""What is decided, written to a file: a sheet to fill in, the events, or SKOS."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hgld.engine.files import atomic_file, write_text
from hgld.engine.workspace import Workspace
from hgld.errors import InputError, MissingInputError
from hgld.review.exchange.examples import category_link, example_landmarks
from hgld.review.exchange.rows import position_of
from hgld.review.exchange.sheet import FILLED_IN, POSITION, write_sheet
from hgld.review.exchange.skos import is_wikidata, skos_text
from hgld.review.log.decisions import read_log
from hgld.review.log.history import Decision
from hgld.review.status import new_classes
from hgld.tables import LABELS, PROPOSALS, qid_number


def export_file(workspace: Workspace, path: Path) -> int:
    """Writes what is decided, by the file's suffix.

    Args:
        workspace: a build whose `propose` has finished.
        path: `.csv` for a sheet, `.jsonl` for the events of the log, `.ttl` for SKOS in Turtle;
            must not exist.

    Returns:
        The number of rows, events or classes.

    Raises:
        InputError: the file exists, or has another suffix.
        DamagedError: the log is not as it was written.
        MissingInputError: no proposals.
    """
    return _EXPORTS[suffix_of(path)](workspace, path)


def suffix_of(path: Path) -> str:
    """Returns the suffix of a file of decisions.

    Raises:
        InputError: it is none of those.
    """
    if (suffix := path.suffix.lower()) in _EXPORTS:
        return suffix
    raise InputError(
        f"{path} must end in .csv (a sheet), .jsonl (the events of the log) or .ttl (SKOS), got "
        f"{path.suffix or 'no suffix'!r}"
    )


def export_sheet(workspace: Workspace, path: Path) -> int:
    """Writes the sheet: CSV, a row for each class, by cluster and descending landmarks.

    A class that has a decision shows it. Each row says how far the log went, so that applying it
    finds what was changed in it, and what in the log meanwhile. Cells that a spreadsheet would run
    as a formula get an apostrophe before them, which `apply_sheet` takes off again.

    Args:
        workspace: a build whose `propose` has finished.
        path: where to; must not exist.

    Returns:
        The number of rows.

    Raises:
        InputError: the file exists.
        DamagedError: the log is not as it was written.
        MissingInputError: no proposals.
    """
    _refuse_existing(workspace, path)
    rows, log = workspace.read(PROPOSALS).to_pylist(), read_log(workspace)
    rows.sort(key=lambda row: (row["cluster_id"], -row["landmarks"], qid_number(row["class_qid"])))
    decisions, new = log.in_force(), new_classes(workspace, rows, log)
    examples, position = example_landmarks(workspace), position_of(log)
    for row in rows:
        qid = row["class_qid"]
        decision = decisions.get(qid)
        row.update(_links(qid, examples.get(qid, ())))
        row.update({"status": _status(row, decision, new), POSITION: position})
        if decision is not None:
            row.update(zip(FILLED_IN, decision.content, strict=True))
    write_sheet(path, rows)
    return len(rows)


def export_events(workspace: Workspace, path: Path) -> int:
    """Writes the log as it is, a line an event; returns their number.

    Raises:
        InputError: the file exists.
        DamagedError: the log is not as it was written.
    """
    _refuse_existing(workspace, path)
    log = read_log(workspace)
    with atomic_file(path) as temporary:
        temporary.write_bytes(log.found.data)
    return len(log.events)


def export_skos(workspace: Workspace, path: Path) -> int:
    """Writes the decisions in force as SKOS in Turtle; returns their number.

    Classes that no scrape knows any more are in it.

    Raises:
        InputError: the file exists.
        DamagedError: the log is not as it was written.
    """
    _refuse_existing(workspace, path)
    log = read_log(workspace)
    decisions = log.in_force()
    write_text(path, skos_text(decisions.values(), _languages(workspace), position_of(log)))
    return len(decisions)


_EXPORTS: dict[str, Callable[[Workspace, Path], int]] = {
    ".csv": export_sheet,
    ".jsonl": export_events,
    ".ttl": export_skos,
}


def _refuse_existing(workspace: Workspace, path: Path) -> None:
    if path.exists():
        raise InputError(
            f"{path} exists and may hold decisions; apply it with "
            f"{workspace.command(f'review --apply {shlex.quote(str(path))} --reviewer NAME')}, or "
            f"export to another file"
        )


def _status(row: Mapping[str, Any], decision: Decision | None, new: Mapping[str, str]) -> str:
    """Returns what a reviewer should know first of a class."""
    if decision is None:
        return "new" if row["class_qid"] in new else "open"
    return "decided" if decision.class_label == row["class_label"] else "changed label"


def _links(qid: str, examples: Sequence[str]) -> dict[str, str | None]:
    return {
        "wikidata": f"https://www.wikidata.org/wiki/{qid}" if is_wikidata(qid) else None,
        "example_landmarks": " | ".join(examples) or None,
        "example_link": category_link(examples[0]) if examples else None,
    }


def _languages(workspace: Workspace) -> dict[str, str | None]:
    try:
        rows = workspace.read(LABELS, ["class_qid", "label_language"]).to_pylist()
    except MissingInputError:
        return {}
    return {row["class_qid"]: row["label_language"] for row in rows}
