"""Undo, redo, one old event alone, and jumps: which edits a switch turns off and on.

Each reviewer has a course of their own: `undo` takes back the last thing they did that still
counts, whatever others did since, and `redo` does it again until they do something else. What was
undone before they did something else is an abandoned branch: it stays in the log, and a jump leads
back to it.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from hgld.review.log.events import Effect, Event, Switch, label_key
from hgld.review.log.history import active_edits


class Toggle(NamedTuple):
    """What a switch would do; it becomes an event with a time and a reviewer."""

    event: Switch
    off: tuple[int, ...]
    on: tuple[int, ...]
    of: int = 0

    def signed(self, reviewer: str, decided_at: str, *, seen: int = 0, number: int = 0) -> Event:
        """Returns the event by which a reviewer makes the switch."""
        return Event(
            event=self.event,
            decided_at=decided_at,
            reviewer=reviewer,
            seen=seen,
            number=number,
            off=self.off,
            on=self.on,
            of=self.of,
        )


class Dependent(NamedTuple):
    """A later edit that bears on what taking an earlier one back would do."""

    number: int
    shared: tuple[str, ...]
    """What it decided again, classes by class_qid and categories: they stay as it has them."""
    uses_name: str
    """The super-category that the earlier edit brought in and the later one uses; or nothing."""


class Branch(NamedTuple):
    """Edits that were undone before their reviewer did something else."""

    tip: int
    """The line to jump to, where they still counted."""
    edits: tuple[int, ...]
    reviewer: str


class _Undone(NamedTuple):
    """An undo whose reviewer did nothing else since."""

    event: Event
    tip: int
    """A line where what was undone still counted, and what was undone before it: where it can."""


@dataclass(slots=True)
class _Course:
    """What a reviewer did, and took back."""

    switches: set[int] = field(default_factory=set)
    """Those that were not undone. Whether an edit was is told by whether it counts."""
    undone: list[_Undone] = field(default_factory=list)
    """What can be done again; one edit may be here twice, where another brought it back between."""


def undo(events: Iterable[Event], reviewer: str) -> Toggle | None:
    """Returns what takes back the last thing that a reviewer did and that still counts."""
    return Courses(events).undo(reviewer)


def redo(events: Iterable[Event], reviewer: str) -> Toggle | None:
    """Returns what does again what a reviewer has undone last: the reverse of that undo."""
    return Courses(events).redo(reviewer)


def revert(events: Sequence[Event], number: int) -> Toggle:
    """Returns what takes back one edit alone, or brings back one that was taken back.

    Raises:
        ValueError: no such edit.
    """
    return take_back(events, number) or Toggle("restore", (), (number,))


def take_back(events: Sequence[Event], number: int) -> Toggle | None:
    """Returns what takes back one edit alone; None: it counts no more.

    Raises:
        ValueError: no such edit.
    """
    return Toggle("revert", (number,), ()) if _counts(events, number) else None


def bring_back(events: Sequence[Event], number: int) -> Toggle | None:
    """Returns what brings back one edit alone; None: it counts.

    Raises:
        ValueError: no such edit.
    """
    return None if _counts(events, number) else Toggle("restore", (), (number,))


def _counts(events: Sequence[Event], number: int) -> bool:
    if not any(event.number == number and event.is_edit for event in events):
        raise ValueError(f"there is no edit {number}; choose one of the history")
    return number in active_edits(events)


def jump(events: Sequence[Event], line: int, reviewer: str = "") -> Toggle | None:
    """Returns what makes exactly those edits count that counted after a line; None: they do.

    Args:
        events: of the whole log.
        line: where to go.
        reviewer: who goes there; samples and blind opinions of others stay as they are. Empty:
            nothing does.

    Raises:
        ValueError: no such line.
    """
    last = events[-1].number if events else 0
    if not 0 <= line <= last:
        raise ValueError(f"the log has the lines 0 to {last}, got {line}")
    then, now = active_edits(events, line), active_edits(events)
    stay = {each.number for each in events if reviewer and _is_anothers_blind(each, reviewer)}
    off, on = now - then - stay, then - now - stay
    return Toggle("jump", tuple(sorted(off)), tuple(sorted(on))) if off or on else None


def _is_anothers_blind(event: Event, reviewer: str) -> bool:
    return event.reviewer != reviewer and any(change.is_blind for change in event.changes)


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
    decided = _decided(edit)
    names = _names(edit)
    for event in events:
        if event.number in active and event.number < number:
            for key in _names(event):
                names.pop(key, None)
    found = []
    for event in events:
        if event.number not in active or event.number <= number:
            continue
        theirs = _names(event, also="fill")
        used = next((name for key, name in names.items() if key in theirs), "")
        if (shared := decided & _decided(event)) or used:
            found.append(Dependent(event.number, tuple(sorted(shared)), used))
    return found


def abandoned(events: Iterable[Event]) -> list[Branch]:
    """Returns the branches that undo and a new edit have left behind, the oldest first.

    Mostly one for each such edit. What was undone at one stretch but never counted together, since
    somebody switched it meanwhile, is several.
    """
    return Courses(events).abandoned


class Courses:
    """What counts of a log, and how far each reviewer went back in it; it grows with the log."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        """Takes up events, in their order."""
        self.abandoned: list[Branch] = []
        """As of `abandoned`."""
        self._by_number: dict[int, Event] = {}
        # Number of an edit that counts, to the line since which it does.
        self._active: dict[int, int] = {}
        self._courses: dict[str, _Course] = defaultdict(_Course)
        for event in events:
            self.take(event)

    def undo(self, reviewer: str) -> Toggle | None:
        """Returns what takes back the last thing that a reviewer did and that still counts."""
        own = {each for each in self._active if self._by_number[each].reviewer == reviewer}
        switches = self._courses[reviewer].switches
        for number in sorted(own | switches, reverse=True):
            off, on = self._reverse(self._by_number[number])
            if off or on:
                return Toggle("undo", off, on, number)
        return None

    def redo(self, reviewer: str) -> Toggle | None:
        """Returns what does again what a reviewer has undone last: the reverse of that undo."""
        for taken_back, _ in reversed(self._courses[reviewer].undone):
            off, on = self._reverse(taken_back)
            if off or on:
                return Toggle("redo", off, on, taken_back.of)
        return None

    def take(self, event: Event) -> None:
        """Goes on by an event."""
        self._by_number[event.number] = event
        since = self._active.get(event.of, 0)
        for number in event.off:
            self._active.pop(number, None)
        for number in (event.number,) if event.is_edit else filter(self._is_edit, event.on):
            self._active.setdefault(number, event.number)
        course = self._courses[event.reviewer]
        match event.event:
            case "undo":
                self._undo(course, event, since)
            case "redo":
                self._redo(course, event)
            case _:
                self._leave(course, event.reviewer)
                if not event.is_edit:
                    course.switches.add(event.number)

    def _reverse(self, event: Event) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Returns what to turn off and on to take an event back, as far as it still counts."""
        off, on = ((event.number,), ()) if event.is_edit else (event.on, event.off)
        return (
            tuple(number for number in off if number in self._active),
            tuple(number for number in on if number not in self._active and self._is_edit(number)),
        )

    def _undo(self, course: _Course, event: Event, since: int) -> None:
        of = self._by_number.get(event.of)
        # Of a log that was written by hand: what it switches counts, and is on nobody's course.
        if of is None or of.reviewer != event.reviewer or of.event in {"undo", "redo"}:
            return
        tip = course.undone[-1].tip if course.undone else event.number - 1
        course.undone.append(_Undone(event, tip if since <= tip else event.number - 1))
        course.switches.discard(event.of)

    def _redo(self, course: _Course, event: Event) -> None:
        for place in reversed(range(len(course.undone))):
            if course.undone[place].event.of == event.of:
                del course.undone[place]
                if not self._is_edit(event.of):
                    course.switches.add(event.of)
                return

    def _leave(self, course: _Course, reviewer: str) -> None:
        """Ends what can be done again."""
        edits: dict[int, list[int]] = defaultdict(list)
        for number, tip in {each.event.of: each.tip for each in course.undone}.items():
            if self._is_edit(number) and number not in self._active:
                edits[tip].append(number)
        self.abandoned += [
            Branch(tip, tuple(sorted(edits[tip])), reviewer) for tip in sorted(edits)
        ]
        course.undone.clear()

    def _is_edit(self, number: int) -> bool:
        return number in self._by_number and self._by_number[number].is_edit


def _decided(event: Event) -> set[str]:
    """Returns the classes and categories that an edit decides on."""
    decided = {qid for each in event.changes if each.decides for qid in each.classes}
    return decided.union(event.categories)


def _names(event: Event, also: Effect = "assign") -> dict[str, str]:
    """Returns the super-categories that an edit assigns, or says to another effect, by label_key.

    A fill uses a name, which classes bring in.
    """
    effects = {"assign", also}
    named = (each.hierarchical_label for each in event.changes if each.effect in effects)
    return {label_key(name): name for name in named if name is not None}
