"""What a file says merged with the log: what its reviewer changed, and where another did as well.

What was in force when the file was written is the base: who still says the same decides nothing,
whatever others decided since; who says something else decides, unless another came first, which
makes a conflict.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from hgld.errors import ConflictError
from hgld.review.exchange.rows import ClassStatement
from hgld.review.log.events import Change
from hgld.review.log.history import Decision
from hgld.review.log.texts import harmless

Prefer = Literal["mine", "theirs"]
"""Whose version counts in a conflict: the file's, or that of the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What a file adds to the log."""

    new: tuple[ClassStatement, ...]
    """In the order of the file."""
    unchanged: int
    """Classes of which it says nothing new."""
    settled: int
    """Conflicts in which the preferred version was taken."""

    def changes(self) -> tuple[Change, ...]:
        """Returns the same as an event has it."""
        return gathered(said.change for said in self.new)


def gathered(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Returns one change for all classes, or categories, of which the same is said; in order."""
    classes: dict[tuple[str | None, ...], dict[str, str]] = {}
    categories: dict[tuple[str | None, ...], dict[str, None]] = {}
    first: dict[tuple[str | None, ...], Change] = {}
    for change in changes:
        first.setdefault(change.content, change)
        classes.setdefault(change.content, {}).update(change.classes)
        categories.setdefault(change.content, {}).update(dict.fromkeys(change.categories))
    return tuple(
        replace(first[key], classes=classes[key], categories=tuple(categories[key]))
        for key in first
    )


def merge(
    said: Iterable[ClassStatement],
    now: Mapping[str, Decision],
    prefer: Prefer | None,
    what: str = "the sheet",
) -> Merged:
    """Tells what is new in a file from what the log had when it was written, or has got since.

    Args:
        said: what the file says.
        now: the decisions in force, by `class_qid`.
        prefer: whose version counts in a conflict; None: neither.
        what: the file, in words.

    Raises:
        ConflictError: both changed a class differently, and neither is preferred.
    """
    new: list[ClassStatement] = []
    conflicts: list[str] = []
    unchanged = 0
    for mine in said:
        theirs = now.get(mine.qid)
        if _says(mine.change, mine.base) or _says(mine.change, theirs):
            unchanged += 1
            continue
        if _content(theirs) != _content(mine.base):
            conflicts.append(_conflict(mine, theirs, what))
            if prefer != "mine":
                continue
        new.append(mine)
    if conflicts and prefer is None:
        rows = "1 class was" if len(conflicts) == 1 else f"{len(conflicts)} classes were"
        raise ConflictError(
            f"{rows} changed in {what} and, since its export, in the log; nothing was applied: "
            f"--mine takes the versions of {what}, --theirs those of the log, the rest is applied "
            f"with either",
            conflicts,
        )
    return Merged(new=tuple(new), unchanged=unchanged, settled=len(conflicts))


def _says(change: Change, decision: Decision | None) -> bool:
    """Says whether a change leaves a decision as it is."""
    if change.effect == "clear":
        return decision is None
    return _unbroken(change.content) == _content(decision)


def _content(decision: Decision | None) -> list[str | None] | None:
    return None if decision is None else _unbroken(decision.content)


def _unbroken(content: tuple[str | None, ...]) -> list[str | None]:
    """Returns a content without the ways in which a spreadsheet breaks lines."""
    return [text and "\n".join(re.split("\r\n|\r|\n", text)) for text in content]


def _conflict(mine: ClassStatement, theirs: Decision | None, what: str) -> str:
    """Returns all three versions of a class: at the export, in the file, and in the log now."""
    change, label = mine.change, mine.change.classes[mine.qid]
    said = _words(change.effect, change.hierarchical_label, change.natural_or_human_made)
    then = f"was {_version(mine.base)} at its export; {what} has"
    if not mine.is_of_log:
        then = f"{what}, which is of another log, has"
    start = f"{mine.qid} {label!r}: {then} {said}{_noted(change.note)}; the log"
    if theirs is None:
        return f"{start} has taken its decision back since"
    since = " since" if mine.is_of_log else ""
    return (
        f"{start} has {_version(theirs)}, of {theirs.reviewer!r} at "
        f"{harmless(theirs.decided_at)}{since}"
    )


def _version(decision: Decision | None) -> str:
    if decision is None:
        return "open"
    label, side = decision.hierarchical_label, decision.natural_or_human_made
    return f"{_words(decision.action, label, side)}{_noted(decision.note)}"


def _words(action: str, label: str | None, side: str | None) -> str:
    return f"assign {label!r} {side}" if action == "assign" else action


def _noted(note: str) -> str:
    return f", note {note!r}" if note else ""
