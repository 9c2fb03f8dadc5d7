"""A sheet in again: merged with the log, and taken up as one event.

What was in force when the sheet was written is the base: a row that still says the same decides
nothing, whatever others decided since; a row that says something else decides, unless another
person came first, which is a conflict.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from hgld.engine.workspace import Workspace
from hgld.errors import ConflictError, InputError
from hgld.review.log.decisions import DecisionLog, append_event, log_lock, read_log
from hgld.review.log.events import Change, Event, harmless, label_key, reviewer_name
from hgld.review.log.history import Decision
from hgld.review.sheet import ClassStatement, SheetReader
from hgld.review.status import LandmarkCounts
from hgld.tables import PROPOSALS

Prefer = Literal["mine", "theirs"]
"""Whose version counts in a conflict: the sheet's, or that of the log."""
_Name = tuple[str | None, str | None]
"""A super-category and its side; of an ignored class neither."""


class Applied(NamedTuple):
    """What applying a file did, or would do."""

    appended: int
    """Decisions that are new, differ from the one in force, or take it back."""
    unchanged: int
    """Rows with a decision that are as they were exported, or say what is in force."""
    undecided: int
    """Classes that have no decision then, in the file or out of it."""
    settled: int = 0
    """Conflicts in which the preferred version was taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyChoices:
    """How a sheet is applied."""

    prefer: Prefer | None = None
    """Whose version counts in a conflict, the sheet's (mine) or that of the log (theirs); None
    applies nothing where there is one."""
    known: Collection[str] = ()
    """Names of the taxonomy that proposals are made of, beside those that are proposed."""
    meant: Collection[str] = ()
    """New names that are meant, though they are asked about."""


def apply_file(
    workspace: Workspace, path: Path, reviewer: str, choices: ApplyChoices | None = None
) -> Applied:
    """Appends a sheet's decisions to the log as one event: all of them, or none where one is wrong.

    A row with the action `assign` needs hierarchical_label and natural_or_human_made; one with
    `ignore` or `clear` needs nothing; one with a blank action is an assignment where
    hierarchical_label is filled in, and otherwise decides nothing: a decision in force stays, and
    one that the row showed must be taken back with `clear`. Rows may be missing or in another
    order.

    Args:
        workspace: a build whose `propose` has finished.
        path: a sheet that `export_file` wrote and somebody changed.
        reviewer: who decided.
        choices: how; None makes none.

    Returns:
        The counts.

    Raises:
        InputError: no reviewer, no such file, a row that decides nothing clear, names that are
            asked about, or a sheet of another log; the text names them.
        ConflictError: the sheet and the log changed a class differently since the export.
        DamagedError: the log is not as it was written.
        MissingInputError: no proposals.
    """
    try:
        reviewer = reviewer_name(reviewer)
    except ValueError as error:
        raise InputError(f"reviewer: {error}; nothing was applied") from error
    with log_lock(workspace):
        plan = _plan(workspace, read_log(workspace, mend=True), path, choices or ApplyChoices())
        if plan.new:
            append_event(workspace, _sheet_event(plan.new, path, reviewer))
    return plan.applied


def preview_file(
    workspace: Workspace, path: Path, choices: ApplyChoices | None = None
) -> tuple[Applied, list[str]]:
    """Returns what applying a sheet would do, and writes nothing.

    Args:
        workspace: a build whose `propose` has finished.
        path: as in `apply_file`.
        choices: as in `apply_file`.

    Returns:
        The counts, and a line for each super-category that would be new, vanish, or change.

    Raises:
        InputError, ConflictError, DamagedError, MissingInputError: as `apply_file` does.
    """
    plan = _plan(workspace, read_log(workspace), path, choices or ApplyChoices())
    counts = LandmarkCounts(workspace, plan.classes)
    was, will_be = _members(plan.before), _members(plan.after)
    return plan.applied, sorted(
        f"{harmless(f'{label}')} ({side}): {len(old)} -> {len(new)} classes, "
        f"{counts.count(old):,} -> {counts.count(new):,} landmarks"
        for label, side in was.keys() | will_be.keys()
        for old, new in [(was[label, side], will_be[label, side])]
        if old != new
    )


class _Plan(NamedTuple):
    applied: Applied
    new: Sequence[ClassStatement]
    classes: Sequence[Mapping[str, Any]]
    """Rows of PROPOSALS."""
    before: Mapping[str, _Name]
    """Of the decided classes of the build, by `class_qid`."""
    after: Mapping[str, _Name]
    """The same, once the sheet is applied."""


def _plan(workspace: Workspace, log: DecisionLog, path: Path, choices: ApplyChoices) -> _Plan:
    if path.suffix.lower() != ".csv":
        raise InputError(f"{path} cannot be applied: only a sheet (.csv) can")
    columns = ["class_qid", "class_label", "landmarks", "proposed_label", "runner_up"]
    classes = workspace.read(PROPOSALS, columns).to_pylist()
    labels = {row["class_qid"]: row["class_label"] for row in classes}
    proposed = {row[name] for row in classes for name in ("proposed_label", "runner_up")}
    known = [*choices.known, *sorted(filter(None, proposed))]
    said = SheetReader(labels, log, known).read(path, choices.meant)
    now = log.in_force()
    new, unchanged, settled = merge(said, now, choices.prefer)
    before = {qid: _name_of(one) for qid, one in now.items() if qid in labels}
    # What is new comes first: of two that clash, the error then names the sheet's first.
    changed = {one.qid: _name_of(one.change) for one in new if one.change.effect != "clear"}
    said_anew = {one.qid for one in new}
    after = changed | {qid: one for qid, one in before.items() if qid not in said_anew}
    try:
        _check_names(after, labels)
    except ValueError as error:
        raise InputError(f"{path}: {error}; nothing was applied") from error
    applied = Applied(len(new), unchanged, len(labels) - len(after), settled)
    return _Plan(applied, new, classes, before, after)


def merge(
    said: Iterable[ClassStatement], now: Mapping[str, Decision], prefer: Prefer | None
) -> tuple[list[ClassStatement], int, int]:
    """Finds what is new in a sheet, from what the log had when it was written, or has got since.

    Args:
        said: what the sheet says.
        now: the decisions in force, by `class_qid`.
        prefer: whose version counts in a conflict; None: neither.

    Returns:
        What is new, in the order of the sheet; how many rows say nothing new; and how many
        conflicts were settled.

    Raises:
        ConflictError: both changed a class differently, and neither is preferred.
    """
    new, unchanged, conflicts = list[ClassStatement](), 0, list[str]()
    for one in said:
        theirs = now.get(one.qid)
        if _content(one.change) in (_content(one.base), _content(theirs)):
            unchanged += 1
            continue
        if _content(theirs) != _content(one.base):
            conflicts.append(_conflict(one, theirs))
            if prefer != "mine":
                continue
        new.append(one)
    if conflicts and prefer is None:
        raise ConflictError(
            f"{len(conflicts)} of the classes changed in the sheet and, since its export, in the "
            f"log; nothing was applied: --mine takes the sheet's versions, --theirs those of the "
            f"log, and either applies the rest",
            conflicts,
        )
    return new, unchanged, len(conflicts)


def _content(said: Change | Decision | None) -> list[str | None] | None:
    """Returns what is said of a class, however a spreadsheet breaks lines; None: it is open."""
    if said is None or said.content[0] == "clear":
        return None
    return [one and re.sub("\r\n?", "\n", one) for one in said.content]


def _conflict(mine: ClassStatement, theirs: Decision | None) -> str:
    """Returns all three versions of a class: at the export, in the sheet, and in the log now."""
    by = f", by {theirs.reviewer!r} at {harmless(theirs.decided_at)}" if theirs else ""
    return (
        f"{mine.qid} {mine.change.classes[mine.qid]!r}: {_words(mine.base)} at the export, "
        f"{_words(mine.change)} in the sheet, {_words(theirs)} in the log{by}"
    )


def _words(said: Change | Decision | None) -> str:
    if said is None:
        return "open"
    action, label, side, note = said.content
    words = f"assign {label!r} {side}" if action == "assign" else f"{action}"
    return f"{words}, note {note!r}" if note else words


def _sheet_event(new: Sequence[ClassStatement], path: Path, reviewer: str) -> Event:
    """Returns the event of a sheet: one change for all classes of which the same is said."""
    changes: dict[tuple[str | None, ...], Change] = {}
    for one in (said.change for said in new):
        first = changes.setdefault(one.content, one)
        changes[one.content] = replace(first, classes={**first.classes, **one.classes})
    return Event(
        event="sheet",
        decided_at=datetime.now(UTC).isoformat(timespec="seconds"),
        reviewer=reviewer,
        why=path.name.encode("utf-8", "replace").decode(),  # a file may have any bytes as name
        seen=min(said.line for said in new),
        changes=tuple(changes.values()),
    )


def _name_of(said: Change | Decision) -> _Name:
    return said.hierarchical_label, said.natural_or_human_made


def _check_names(names: Mapping[str, _Name], labels: Mapping[str, str]) -> None:
    """Refuses a super-category that is spelt in two ways, or natural and human-made.

    Raises:
        ValueError: there is one; the text names a class of each.
    """
    used: dict[str, str] = {}
    for qid, (label, side) in names.items():
        if label is None:
            continue
        first = used.setdefault(label_key(label), qid)
        if names[first] != (label, side):
            words = (
                f"{one} ({harmless(labels[one])}) is {names[one][0]!r} {names[one][1]}"
                for one in (qid, first)
            )
            raise ValueError(f"{', and '.join(words)}; use one spelling and one side")


def _members(names: Mapping[str, _Name]) -> defaultdict[_Name, set[str]]:
    """Returns the classes of each super-category and side."""
    members = defaultdict[_Name, set[str]](set)
    for qid, name in names.items():
        if name[0] is not None:
            members[name].add(qid)
    return members
