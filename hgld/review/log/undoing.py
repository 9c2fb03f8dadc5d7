"""Undo, redo, one old edit by itself, and jumps: which edits a switch turns off and on.

Each reviewer has a course of their own: `undo` takes back the last thing they did that still
counts, whatever others did since, and `redo` does it again until they do something else. What was
undone before they did something else stays in the log, and a jump leads back to it.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hgld.review.log.events import Event, Switch
from hgld.review.log.history import active_edits


class Toggle(NamedTuple):
    """What a switch would do; it becomes an event with a time and a reviewer."""

    event: Switch
    off: tuple[int, ...]
    on: tuple[int, ...]
    of: int = 0

    def signed(self, reviewer: str, decided_at: str, *, seen: int = 0, number: int = 0) -> Event:
        """Returns the event by which a reviewer makes the switch."""
        named = self._asdict() | {"reviewer": reviewer, "decided_at": decided_at}
        return Event(**named, seen=seen, number=number)


def undo(events: Iterable[Event], reviewer: str) -> Toggle | None:
    """Returns what takes back the last thing that a reviewer did and that still counts."""
    return Courses(events).undo(reviewer)


def redo(events: Iterable[Event], reviewer: str) -> Toggle | None:
    """Returns what does again what a reviewer has undone last: the reverse of that undo."""
    return Courses(events).redo(reviewer)


def revert(events: Sequence[Event], number: int) -> Toggle:
    """Returns what takes back one edit, or brings back one that was taken back.

    Raises:
        ValueError: no such edit.
    """
    _edit(events, number)
    if number in active_edits(events):
        return Toggle("revert", (number,), ())
    return Toggle("restore", (), (number,))


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
    stay = {
        event.number
        for event in events
        if reviewer not in {"", event.reviewer} and any(one.is_blind for one in event.changes)
    }
    off, on = now - then - stay, then - now - stay
    return Toggle("jump", tuple(sorted(off)), tuple(sorted(on))) if off or on else None


def dependents(events: Sequence[Event], number: int) -> list[Event]:
    """Returns the later edits that count and decide again on what an edit decides.

    They stay as they are when it is taken back.

    Args:
        events: of the whole log, in order.
        number: of the edit.

    Raises:
        ValueError: no such edit.
    """
    decided, active = _decided(_edit(events, number)), active_edits(events)
    later = (event for event in events if event.number > number and event.number in active)
    return [event for event in later if decided & _decided(event)]


class Courses:
    """What counts of a log, and how far each reviewer went back in it; it grows with the log."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        """Takes up events, in their order."""
        self._by_number: dict[int, Event] = {}
        self._active: set[int] = set()
        # Of each reviewer the switches that they did not undo: of an edit, whether it counts tells.
        self._switches: dict[str, set[int]] = defaultdict(set)
        # And the undos that can be done again. An edit may be there twice, where another reviewer
        # brought it back between.
        self._undone: dict[str, list[Event]] = defaultdict(list)
        for event in events:
            self.take(event)

    def undo(self, reviewer: str) -> Toggle | None:
        """Returns what takes back the last thing that a reviewer did and that still counts."""
        own = {each for each in self._active if self._by_number[each].reviewer == reviewer}
        for number in sorted(own | self._switches[reviewer], reverse=True):
            off, on = self._reverse(self._by_number[number])
            if off or on:
                return Toggle("undo", off, on, number)
        return None

    def redo(self, reviewer: str) -> Toggle | None:
        """Returns what does again what a reviewer has undone last: the reverse of that undo."""
        for taken_back in reversed(self._undone[reviewer]):
            off, on = self._reverse(taken_back)
            if off or on:
                return Toggle("redo", off, on, taken_back.of)
        return None

    def take(self, event: Event) -> None:
        """Goes on by an event."""
        self._by_number[event.number] = event
        self._active.difference_update(event.off)
        self._active.update((event.number,) if event.is_edit else event.on)
        switches, undone = self._switches[event.reviewer], self._undone[event.reviewer]
        match event.event:
            case "undo":
                undone.append(event)
                switches.discard(event.of)
            case "redo":
                places = [place for place, one in enumerate(undone) if one.of == event.of]
                if places:  # else it came too late: they did something else since
                    del undone[places[-1]]
                    if not self._by_number[event.of].is_edit:
                        switches.add(event.of)
            case _:
                undone.clear()
                if not event.is_edit:
                    switches.add(event.number)

    def _reverse(self, event: Event) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Returns what to turn off and on to take an event back, as far as it still counts."""
        off, on = ((event.number,), ()) if event.is_edit else (event.on, event.off)
        return (
            tuple(number for number in off if number in self._active),
            tuple(number for number in on if number not in self._active),
        )


def _edit(events: Iterable[Event], number: int) -> Event:
    for event in events:
        if event.number == number and event.is_edit:
            return event
    raise ValueError(f"there is no edit {number}; choose one of the history")


def _decided(event: Event) -> set[str]:
    """Returns the classes and categories that an edit decides on."""
    decided = {qid for each in event.changes if each.decides for qid in each.classes}
    return decided.union(event.categories)
