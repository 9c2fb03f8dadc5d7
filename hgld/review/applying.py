"""Apply a filled-in sheet: merge it with the log and append what is new as one event.

This is a three-way merge. The base is the decision in force when the sheet was exported. A row that
still matches its base decides nothing, even if someone else decided since. A changed row decides,
unless the log changed that class differently since the export: that is a conflict.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
"""Which version wins a conflict: mine is the sheet's, theirs is the log's."""
_Name = tuple[str | None, str | None]
"""A super-category and its side; both None for an ignored class."""


class Applied(NamedTuple):
    """What applying a file did, or would do."""

    appended: int
    """Decisions that are new, differ from the one in force, or take it back."""
    unchanged: int
    """Rows with a decision that match their export or the decision in force."""
    undecided: int
    """Classes of the build without a decision afterwards, whether or not the sheet lists them."""
    settled: int = 0
    """Conflicts resolved by `prefer`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyChoices:
    """How a sheet is applied."""

    prefer: Prefer | None = None
    """Which version wins a conflict: the sheet's (mine) or the log's (theirs). With None, any
    conflict means that nothing is applied."""
    known: Mapping[str, str | None] = field(default_factory=dict)
    """Names of the taxonomy behind the proposals, and their sides; the proposed names are always
    known."""
    meant: Collection[str] = ()
    """New names that are intended, although they look like typos."""


def apply_file(
    workspace: Workspace, path: Path, reviewer: str, choices: ApplyChoices | None = None
) -> Applied:
    """Appends a sheet's decisions to the log as one event; one wrong row means none is applied.

    A row with the action `assign` needs hierarchical_label, and natural_or_human_made if that name
    is new. One with `ignore` or `clear` needs nothing. A blank action means `assign` if
    hierarchical_label is filled in; otherwise the row decides nothing. Blanking a decision that the
    row showed is an error: use `clear` to take it back. Rows may be missing or reordered.

    Args:
        workspace: a build whose `propose` has finished.
        path: an edited sheet that `export_file` wrote.
        reviewer: who decided.
        choices: None uses the defaults.

    Raises:
        InputError: no reviewer, no such file, an ambiguous row, names that look like typos, or a
            sheet of another log; the text names them.
        ConflictError: the sheet and the log changed a class differently since the export.
        DamagedError: the log does not match its checksums or its copy.
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
    """Returns what applying a sheet would do, without writing anything.

    Args:
        workspace: a build whose `propose` has finished.
        path: as in `apply_file`.
        choices: as in `apply_file`.

    Returns:
        The counts, and a line for each super-category that would appear, vanish or change.

    Raises:
        InputError, ConflictError, DamagedError, MissingInputError: see `apply_file`.
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
    """class_qid to name, for the decided classes of the build."""
    after: Mapping[str, _Name]
    """The same after the sheet is applied."""


def _plan(workspace: Workspace, log: DecisionLog, path: Path, choices: ApplyChoices) -> _Plan:
    if path.suffix.lower() != ".csv":
        raise InputError(f"{path} cannot be applied: only a sheet (.csv) can")
    columns = ["class_qid", "class_label", "landmarks", "proposed_label", "runner_up"]
    classes = workspace.read(PROPOSALS, [*columns, "proposed_natural_or_human_made"]).to_pylist()
    labels = {row["class_qid"]: row["class_label"] for row in classes}
    proposed = dict.fromkeys(row["runner_up"] for row in classes)
    proposed |= {row["proposed_label"]: row["proposed_natural_or_human_made"] for row in classes}
    known = {name: side for name, side in {**proposed, **choices.known}.items() if name}
    said = SheetReader(labels, log, known).read(path, choices.meant)
    now = log.in_force()
    new, unchanged, settled = merge(said, now, choices.prefer)
    before = {qid: _name_of(one) for qid, one in now.items() if qid in labels}
    # New names come first, so that the error for a clash names the sheet's class first.
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
    """Finds the rows of a sheet that change something, compared with their base and the log now.

    Args:
        said: the statements of the sheet.
        now: the decisions in force, by `class_qid`.
        prefer: which version wins a conflict; None refuses conflicts.

    Returns:
        The statements to append, in the order of the sheet; the number of rows that change nothing;
        and the number of conflicts resolved.

    Raises:
        ConflictError: sheet and log changed a class differently, and `prefer` is None.
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
            f"log; nothing was applied: --mine keeps the sheet's versions, --theirs the log's; "
            f"both apply the other rows",
            conflicts,
        )
    return new, unchanged, len(conflicts)


def _content(said: Change | Decision | None) -> list[str | None] | None:
    """Returns a decision with normalized line breaks, or None if the class is open."""
    if said is None or said.content[0] == "clear":
        return None
    return [one and re.sub("\r\n?", "\n", one) for one in said.content]


def _conflict(mine: ClassStatement, theirs: Decision | None) -> str:
    """Describes the three versions of a class: at the export, in the sheet, and in the log now."""
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
    """Returns the event of a sheet: classes with the same decision share one change."""
    changes: dict[tuple[str | None, ...], Change] = {}
    for one in (said.change for said in new):
        first = changes.setdefault(one.content, one)
        changes[one.content] = replace(first, classes={**first.classes, **one.classes})
    return Event(
        event="sheet",
        decided_at=datetime.now(UTC).isoformat(timespec="seconds"),
        reviewer=reviewer,
        why=path.name.encode("utf-8", "replace").decode(),  # a file name may be any bytes
        seen=min(said.line for said in new),
        changes=tuple(changes.values()),
    )


def _name_of(said: Change | Decision) -> _Name:
    return said.hierarchical_label, said.natural_or_human_made


def _check_names(names: Mapping[str, _Name], labels: Mapping[str, str]) -> None:
    """Checks that each super-category has one spelling and one side.

    Raises:
        ValueError: one has two; the text names a class of each.
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
