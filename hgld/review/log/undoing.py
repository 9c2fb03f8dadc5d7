"""Undo, redo, one old event alone, and jumps: which edits a switch turns off and on.

Each reviewer has a course of their own: `undo` takes back the last thing they did that still
counts, whatever others did since, and `redo` does it again until they do something else. What was
undone before they did something else is an abandoned branch: it stays in the log, and a jump leads
back to it.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from hgld.review.log.events import Event, Switch, label_key
from hgld.review.log.history import active_edits


class Toggle(NamedTuple):
    """What a switch would do; it becomes an event with a time and a reviewer."""

    event: Switch
    off: tuple[int, ...]
    on: tuple[int, ...]
    of: int = 0


class Dependent(NamedTuple):
    """A later edit that bears on what taking an earlier one back would do."""

    number: int
    shared: tuple[str, ...]
    """class_qid of the classes that it decided again: they stay as it has them."""
    uses_name: str
    """The super-category that the earlier edit brought in and the later one uses; or nothing."""


class Branch(NamedTuple):
    """Edits that were undone before their reviewer did something else."""

    tip: int
    """The line to jump to, where they still counted."""
    edits: tuple[int, ...]
    reviewer: str


@dataclass(slots=True)
class _Course:
    done: list[int] = field(default_factory=list)
    undone: list[int] = field(default_factory=list)


def undo(events: Sequence[Event], reviewer: str) -> Toggle | None:
    """Returns what takes back the last thing that a reviewer did and that still counts."""
    active, by_number = active_edits(events), {event.number: event for event in events}
    for number in reversed(_courses(events)[reviewer].done):
        off, on = _reverse(by_number[number], active)
        if off or on:
            return Toggle("undo", off, on, number)
    return None


def redo(events: Sequence[Event], reviewer: str) -> Toggle | None:
    """Returns what does again what a reviewer has undone last."""
    active, by_number = active_edits(events), {event.number: event for event in events}
    for number in reversed(_courses(events)[reviewer].undone):
        event = by_number[number]
        off = () if event.is_edit else _of(event.off, active)
        on = _without((number,) if event.is_edit else event.on, active)
        if off or on:
            return Toggle("redo", off, on, number)
    return None


def revert(events: Sequence[Event], number: int) -> Toggle:
    """Returns what takes back one edit alone, or brings back one that was taken back.

    Raises:
        ValueError: no such edit.
    """
    if not any(event.number == number and event.is_edit for event in events):
        raise ValueError(f"there is no edit {number}; choose one of the history")
    if number in active_edits(events):
        return Toggle("revert", (number,), ())
    return Toggle("restore", (), (number,))


def jump(events: Sequence[Event], line: int) -> Toggle | None:
    """Returns what makes exactly those edits count that counted after a line; None: they do.

    Raises:
        ValueError: no such line.
    """
    last = events[-1].number if events else 0
    if not 0 <= line <= last:
        raise ValueError(f"the log has the lines 0 to {last}, got {line}")
    then, now = active_edits(events, line), active_edits(events)
    if then == now:
        return None
    return Toggle("jump", tuple(sorted(now - then)), tuple(sorted(then - now)))


def dependents(events: Sequence[Event], number: int) -> list[Dependent]:
    """Returns what depends on an edit: later ones that count, on its classes or with its names.

    Args:
        events: of the whole log, in order.
        number: of the edit.

    Raises:
        ValueError: no such edit.
    """
    edit = next((each for each in events if each.number == number and each.is_edit), None)
    if edit is None:
        raise ValueError(f"there is no edit {number}; choose one of the history")
    active = active_edits(events)
    decided = {qid for each in edit.changes if each.decides for qid in each.classes}
    names = _names(edit)
    for event in events:
        if event.number in active and event.number < number:
            names = {key: name for key, name in names.items() if key not in _names(event)}
    found = []
    for event in events:
        if event.number not in active or event.number <= number:
            continue
        again = {qid for each in event.changes if each.decides for qid in each.classes}
        used = next((name for key, name in names.items() if key in _names(event)), "")
        if (shared := decided & again) or used:
            found.append(Dependent(event.number, tuple(sorted(shared)), used))
    return found


def abandoned(events: Sequence[Event]) -> list[Branch]:
    """Returns the branches that undo and a new edit have left behind, the oldest first."""
    edits = {event.number for event in events if event.is_edit}
    undone: dict[str, list[int]] = defaultdict(list)
    tips: dict[str, int] = {}
    found = []
    for event in events:
        who = event.reviewer
        match event.event:
            case "undo":
                tips.setdefault(who, event.number - 1)
                undone[who].append(event.of)
            case "redo":
                undone[who].remove(event.of)
            case _:
                if left := edits.intersection(undone[who]):
                    found.append(Branch(tips[who], tuple(sorted(left)), who))
                undone[who].clear()
        if not undone[who]:
            tips.pop(who, None)
    return found


def _courses(events: Sequence[Event]) -> dict[str, _Course]:
    courses: dict[str, _Course] = defaultdict(_Course)
    for event in events:
        course = courses[event.reviewer]
        match event.event:
            case "undo":
                course.done.remove(event.of)
                course.undone.append(event.of)
            case "redo":
                course.undone.remove(event.of)
                course.done.append(event.of)
            case _:
                course.done.append(event.number)
                course.undone.clear()
    return courses


def _reverse(event: Event, active: set[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Returns what to turn off and on to take an event back, as far as it still counts."""
    if event.is_edit:
        return _of((event.number,), active), ()
    return _of(event.on, active), _without(event.off, active)


def _of(numbers: Sequence[int], active: set[int]) -> tuple[int, ...]:
    return tuple(number for number in numbers if number in active)


def _without(numbers: Sequence[int], active: set[int]) -> tuple[int, ...]:
    return tuple(number for number in numbers if number not in active)


def _names(event: Event) -> dict[str, str]:
    """Returns the super-categories that an edit assigns, by label_key."""
    named = (each.hierarchical_label for each in event.changes)
    return {label_key(name): name for name in named if name is not None}
