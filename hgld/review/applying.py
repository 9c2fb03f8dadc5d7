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


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
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
    return plan.applied, [
        f"{harmless(label)} ({side}): {len(old)} -> {len(new)} classes, "
        f"{counts.count(old):,} -> {counts.count(new):,} landmarks"
        for label, side in sorted(was.keys() | will_be.keys())
        for old, new in [(was.get((label, side), set()), will_be.get((label, side), set()))]
        if old != new
    ]


class _Plan(NamedTuple):
    applied: Applied
    new: Sequence[ClassStatement]
    classes: Sequence[Mapping[str, Any]]
    """Rows of PROPOSALS."""
    before: Mapping[str, Decision]
    """Decisions on the classes of the build, by `class_qid`."""
    after: Mapping[str, Decision]
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
    before = {qid: one for qid, one in now.items() if qid in labels}
    # What is new comes first: of two that clash, the error then names the sheet's first.
    changed = {one.qid: decision for one in new if (decision := _decision(one)) is not None}
    kept = {qid: one for qid, one in before.items() if qid not in {one.qid for one in new}}
    after = {**changed, **kept}
    try:
        _check_names(after.values())
    except ValueError as error:
        raise InputError(f"{path}: {error}; nothing was applied") from error
    applied = Applied(
        appended=len(new),
        unchanged=unchanged,
        undecided=len(labels) - len(after),
        settled=settled,
    )
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
    for mine in said:
        theirs = now.get(mine.qid)
        if _says(mine.change, mine.base) or _says(mine.change, theirs):
            unchanged += 1
            continue
        if _content(theirs) != _content(mine.base):
            conflicts.append(_conflict(mine, theirs))
            if prefer != "mine":
                continue
        new.append(mine)
    if conflicts and prefer is None:
        raise ConflictError(
            f"{len(conflicts)} of the classes changed in the sheet and, since its export, in the "
            f"log; nothing was applied: --mine takes the sheet's versions, --theirs those of the "
            f"log, and either applies the rest",
            conflicts,
        )
    return new, unchanged, len(conflicts)


def _says(change: Change, decision: Decision | None) -> bool:
    """Says whether a change leaves a decision as it is."""
    if change.effect == "clear":
        return decision is None
    return [one and _unbroken(one) for one in change.content] == _content(decision)


def _content(decision: Decision | None) -> list[str | None] | None:
    return None if decision is None else [one and _unbroken(one) for one in decision.content]


def _unbroken(text: str) -> str:
    """Returns a text without the ways in which a spreadsheet breaks lines."""
    return re.sub("\r\n?", "\n", text)


def _conflict(mine: ClassStatement, theirs: Decision | None) -> str:
    """Returns all three versions of a class: at the export, in the sheet, and in the log now."""
    change = mine.change
    label = change.classes[mine.qid]
    start = (
        f"{mine.qid} {label!r}: was {_version(mine.base)} at the export; the sheet has "
        f"{_words(change.content)}; the log"
    )
    if theirs is None:
        return f"{start} has taken the decision back since"
    when = harmless(theirs.decided_at)
    return f"{start} has {_version(theirs)}, by {theirs.reviewer!r} at {when}"


def _version(decision: Decision | None) -> str:
    return "open" if decision is None else _words(decision.content)


def _words(content: Sequence[str | None]) -> str:
    action, label, side, note = content
    words = f"assign {label!r} {side}" if action == "assign" else action
    return f"{words}, note {note!r}" if note else f"{words}"


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


def _decision(said: ClassStatement) -> Decision | None:
    """Returns the decision of a row, as the row spells it; None: it takes one back."""
    change = said.change
    if change.effect == "clear":
        return None
    return Decision(
        decided_at="",
        reviewer="",
        class_qid=said.qid,
        class_label=change.classes[said.qid],
        action="assign" if change.effect == "assign" else "ignore",
        hierarchical_label=change.hierarchical_label,
        natural_or_human_made=change.natural_or_human_made,
        note=change.note,
    )


def _check_names(decisions: Iterable[Decision]) -> None:
    """Refuses a super-category that is spelt in two ways, or natural and human-made.

    Raises:
        ValueError: there is one; the text names a class of each.
    """
    used: dict[str, Decision] = {}
    for one in decisions:
        if one.hierarchical_label is None:
            continue
        first = used.setdefault(label_key(one.hierarchical_label), one)
        if first.content[1:3] != one.content[1:3]:
            raise ValueError(
                f"{one.class_qid} ({harmless(one.class_label)}) is {one.hierarchical_label!r} "
                f"{one.natural_or_human_made}, and {first.class_qid} "
                f"({harmless(first.class_label)}) is {first.hierarchical_label!r} "
                f"{first.natural_or_human_made}; use one spelling and one side"
            )


def _members(decisions: Mapping[str, Decision]) -> dict[tuple[str, str], set[str]]:
    """Returns the classes of each super-category and side."""
    members: dict[tuple[str, str], set[str]] = defaultdict(set)
    for qid, one in decisions.items():
        if one.hierarchical_label is not None:
            members[one.hierarchical_label, one.natural_or_human_made or ""].add(qid)
    return members
