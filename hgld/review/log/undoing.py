"""Undo, redo and revert: which edits a switch turns off and on.

Each reviewer has their own undo history: `undo` reverses their last action that is still active,
whatever others did since, and `redo` repeats it until they do something else. Undone edits stay in
the log.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hgld.review.log.events import Event, Switch
from hgld.review.log.history import active_edits


class Toggle(NamedTuple):
    """The effect of a switch; a time and a reviewer turn it into an event."""

    event: Switch
    off: tuple[int, ...]
    on: tuple[int, ...]
    of: int = 0

    def signed(self, reviewer: str, decided_at: str, *, seen: int = 0) -> Event:
        """Returns the switch as an event of a reviewer."""
        named = self._asdict() | {"reviewer": reviewer, "decided_at": decided_at}
        return Event(**named, seen=seen)


def revert(events: Sequence[Event], number: int) -> Toggle:
    """Returns the switch that turns one edit off, or on again.

    Raises:
        ValueError: no such edit.
    """
    if not any(event.number == number and event.is_edit for event in events):
        raise ValueError(f"there is no edit {number}; choose one from the history")
    if number in active_edits(events):
        return Toggle("revert", (number,), ())
    return Toggle("restore", (), (number,))


class Courses:
    """The active edits of a log and each reviewer's undo history, updated event by event."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        """Takes events, in order."""
        self._by_number: dict[int, Event] = {}
        self._active: set[int] = set()
        # Reviewer to the switches that they have not undone; for edits, see `_active`.
        self._switches: dict[str, set[int]] = defaultdict(set)
        # Reviewer to the undos that they can redo. An edit can be there twice, if another reviewer
        # restored it in between.
        self._undone: dict[str, list[Event]] = defaultdict(list)
        for event in events:
            self.take(event)

    def undo(self, reviewer: str) -> Toggle | None:
        """Returns the switch that undoes a reviewer's last active action; None: there is none."""
        own = {each for each in self._active if self._by_number[each].reviewer == reviewer}
        for number in sorted(own | self._switches[reviewer], reverse=True):
            off, on = self._reverse(self._by_number[number])
            if off or on:
                return Toggle("undo", off, on, number)
        return None

    def redo(self, reviewer: str) -> Toggle | None:
        """Returns the switch that reverses a reviewer's last undo; None: there is none."""
        for taken_back in reversed(self._undone[reviewer]):
            off, on = self._reverse(taken_back)
            if off or on:
                return Toggle("redo", off, on, taken_back.of)
        return None

    def take(self, event: Event) -> None:
        """Adds an event."""
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
                if places:  # otherwise they did something else since
                    del undone[places[-1]]
                    if not self._by_number[event.of].is_edit:
                        switches.add(event.of)
            case _:
                undone.clear()
                if not event.is_edit:
                    switches.add(event.number)

    def _reverse(self, event: Event) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Returns the edits to turn off and on to reverse an event, without those already so."""
        off, on = ((event.number,), ()) if event.is_edit else (event.on, event.off)
        return (
            tuple(number for number in off if number in self._active),
            tuple(number for number in on if number not in self._active),
        )
