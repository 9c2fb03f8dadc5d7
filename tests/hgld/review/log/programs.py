"""Reviews made up at random, and a slow reading of what undo and redo make of them."""

import random
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from hgld.review.log.events import Event
from hgld.review.log.history import active_edits, standing_of
from hgld.review.log.undoing import Toggle, jump, redo, revert, undo
from tests.hgld.review.log.acts import picture, random_edit, switched
from tests.hgld.review.log.test_history import plainly

REVIEWERS = ("ann", "bob", "zoë")


class Slowly:
    """What the log says, read off it from the end for each question; no state is kept."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = list(events)
        self.of_number = {event.number: event for event in events}

    def counts(self, number: int, line: int = 10**9) -> bool:
        """An edit counts as the last switch that names it says, or as it is new."""
        if number not in self.of_number or not self.of_number[number].is_edit or number > line:
            return False
        for event in reversed(self.events):
            if number < event.number <= line:
                if number in event.on:
                    return True
                if number in event.off:
                    return False
        return True

    def active(self, line: int = 10**9) -> set[int]:
        return {number for number in self.of_number if self.counts(number, line)}

    def changes(self, off: Sequence[int], on: Sequence[int]) -> tuple[list[int], list[int]]:
        """Those of which turning them off and on would change something."""
        return (
            [number for number in off if self.counts(number)],
            [number for number in on if self.of_number[number].is_edit and not self.counts(number)],
        )

    def is_undone(self, number: int) -> bool:
        about = [event.event for event in self.events if event.of == number]
        return bool(about) and about[-1] == "undo"

    def undo(self, who: str) -> tuple[int, list[int], list[int]] | None:
        for event in reversed(self.events):
            if event.reviewer != who or event.event in ("undo", "redo"):
                continue
            if event.is_edit:
                off, on = self.changes([event.number], [])
            elif self.is_undone(event.number):
                continue
            else:
                off, on = self.changes(event.on, event.off)
            if off or on:
                return event.number, off, on
        return None

    def waiting(self, who: str) -> list[Event]:
        """The undos of a reviewer that can be done again, the last one first."""
        found: list[Event] = []
        over = Counter[int]()
        for event in reversed(self.events):
            if event.reviewer != who:
                continue
            if event.event not in ("undo", "redo"):
                break
            if event.event == "redo":
                over[event.of] += 1
            elif over[event.of]:
                over[event.of] -= 1
            else:
                found.append(event)
        return found

    def redo(self, who: str) -> tuple[int, list[int], list[int]] | None:
        for event in self.waiting(who):
            off, on = self.changes(event.on, event.off)
            if off or on:
                return event.of, off, on
        return None


def told(toggle: Toggle | None) -> tuple[int, list[int], list[int]] | None:
    return (toggle.of, list(toggle.off), list(toggle.on)) if toggle else None


def take(events: list[Event], toggle: Toggle, who: str) -> None:
    events.append(switched(toggle, who, number=events[-1].number + 1))


def step(events: list[Event], chance: random.Random, who: str) -> None:
    """Appends what a reviewer does next, having checked what it should be."""
    slowly = Slowly(events)
    undone, again = undo(events, who), redo(events, who)
    assert told(undone) == slowly.undo(who)
    assert told(again) == slowly.redo(who)
    edits = [event.number for event in events if event.is_edit]
    next_number = events[-1].number + 1 if events else 1
    match chance.choice(["edit"] * 5 + ["undo"] * 6 + ["redo"] * 4 + ["revert"] * 2 + ["jump"]):
        case "undo" if undone:
            assert undone.event == "undo"
            take(events, undone, who)
        case "redo" if again:
            assert again.event == "redo"
            take(events, again, who)
        case "revert" if edits:
            number = chance.choice(edits)
            toggle = revert(events, number)
            assert toggle.event == ("revert" if slowly.counts(number) else "restore")
            take(events, toggle, who)
            assert active_edits(events) == slowly.active() ^ {number}
        case "jump" if edits:
            line = chance.randint(0, events[-1].number)
            toggle_or_none = jump(events, line)
            assert (toggle_or_none is None) == (slowly.active(line) == slowly.active())
            if toggle_or_none:
                take(events, toggle_or_none, who)
            assert active_edits(events) == slowly.active(line)
        case _:
            events.append(random_edit(chance, who).numbered(next_number))


def program(seed: int, steps: int, reviewers: Sequence[str] = REVIEWERS) -> list[Event]:
    """Returns the log of a random review; each step is checked."""
    chance, events = random.Random(seed), list[Event]()
    for _ in range(steps):
        step(events, chance, chance.choice(reviewers))
        active = Slowly(events).active()
        assert active_edits(events) == active
        assert picture(standing_of(events)) == plainly(events, active)
        if chance.random() < 0.1:  # nothing asks for numbers without a gap
            events[-1] = events[-1].numbered(events[-1].number + 1)
    return events


def back_and_forth(events: list[Event], who: str, way: Literal["undo", "redo"]) -> bool:
    toggle = undo(events, who) if way == "undo" else redo(events, who)
    if toggle:
        take(events, toggle, who)
    return toggle is not None


def check_back_and_forth(seed: int, reviewers: tuple[str, ...]) -> None:
    """Undoes all of a random review and does it again, twice."""
    chance, events = random.Random(seed), program(seed, 40, reviewers)
    passed, courses = [picture(standing_of(events))], list[str]()
    stuck = set[str]()
    while stuck != set(reviewers):
        who = chance.choice(reviewers)
        if not back_and_forth(events, who, "undo"):
            stuck.add(who)
            continue
        stuck.clear()  # what one takes back may bring back what another did
        courses.append(who)
        passed.append(picture(standing_of(events)))
    assert standing_of(events).active == set()
    assert standing_of(events).decisions() == {}
    for _ in range(2):  # there and back, twice
        for who, then in zip(reversed(courses), reversed(passed[:-1]), strict=True):
            assert back_and_forth(events, who, "redo")
            assert picture(standing_of(events)) == then
        for who, then in zip(courses, passed[1:], strict=True):
            assert back_and_forth(events, who, "undo")
            assert picture(standing_of(events)) == then
