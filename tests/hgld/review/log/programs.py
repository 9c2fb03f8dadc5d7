"""Reviews made up at random, and slow readings of what their edits and switches come to."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from hgld.review.log.events import Change, Event
from hgld.review.log.history import Decision, active_edits, standing_of
from hgld.review.log.undoing import Toggle, jump, redo, revert, undo
from tests.hgld.review.log.acts import NAMES, QIDS, ignored, picture, random_edit, switched

REVIEWERS = ("ann", "bob", "zoë")


class Plainly:
    """What edits come to, read off them class by class and name by name."""

    def __init__(self, events: Sequence[Event], active: set[int]) -> None:
        counting = [event for event in events if event.number in active]
        self.said = [(event, change) for event in counting for change in event.changes]

    def of(self, qid: str, *effects: str) -> list[tuple[Event, Change]]:
        """All that was said of a class to some effect."""
        return [one for one in self.said if qid in one[1].classes and one[1].effect in effects]

    def last(self, *effects: str) -> dict[str, tuple[Event, Change]]:
        """The last that was said of each class to some effect."""
        return {qid: found[-1] for qid in QIDS if (found := self.of(qid, *effects))}

    def uses(self, name: str) -> list[int]:
        """Places where a super-category is assigned."""
        used = [one.effect == "assign" and is_name(one, name) for _, one in self.said]
        return [place for place, is_used in enumerate(used) if is_used]

    def spelt(self, name: str) -> Change | None:
        uses = self.uses(name)
        return self.said[uses[-1]][1] if uses else None

    def now(self, name: str) -> str:
        """A name as it is after its renamings, followed one by one."""
        for _ in NAMES:
            gone = [
                place
                for place, (_, one) in enumerate(self.said)
                if key_of(one.renamed_from) == key_of(name) and not is_name(one, name)
            ]
            if not gone or max(self.uses(name), default=-1) > gone[-1]:
                break
            name = str(self.said[gone[-1]][1].hierarchical_label)
        found = self.spelt(name)
        return str(found.hierarchical_label) if found else name

    def guesses(self, category: str) -> list[tuple[str, str, str, int]]:
        """What stands of a category: read from the end, so that what comes later counts."""
        accepted: list[tuple[str, str, str, int]] = []
        refused: dict[str, tuple[str, str, str, int]] = {}
        seen, is_filled = set[str](), False
        for event, change in reversed(self.said):
            if category not in change.categories:
                continue
            name = self.now(change.hierarchical_label or "")
            side = (self.spelt(name) or change).natural_or_human_made or ""
            if change.effect == "fill":
                if not is_filled and key_of(name) not in seen:
                    accepted.append(("accept", name, side, event.number))
                is_filled = True  # what was accepted before another one counts no more
            elif key_of(name) not in seen:
                refused[key_of(name)] = ("refuse", name, side, event.number)
            seen.add(key_of(name))
        return accepted + [refused[key] for key in sorted(refused)]

    def decisions(self) -> dict[str, Decision]:
        found = {}
        for qid, (event, change) in self.last("assign", "ignore", "clear").items():
            label, name = change.classes[qid], self.spelt(change.hierarchical_label or "")
            if change.effect != "clear":
                by = ignored(qid, event.reviewer)
                found[qid] = replace(by, class_label=label, note=change.note)
            if change.effect == "assign" and name:
                found[qid] = replace(
                    found[qid],
                    action="assign",
                    hierarchical_label=name.hierarchical_label,
                    natural_or_human_made=name.natural_or_human_made,
                )
        return found


def key_of(name: str | None) -> str:
    return (name or "").strip().lower()


def is_name(change: Change, name: str) -> bool:
    return key_of(change.hierarchical_label) == key_of(name)


def plainly(events: Sequence[Event], active: set[int]) -> dict[str, object]:
    """Returns what `picture` should show."""
    plain = Plainly(events, active)
    ruled, grouped = plain.last("assign", "ignore", "clear"), plain.last("group")
    doubted = plain.last("doubt", "trust")
    remarks = {qid: plain.of(qid, "comment") for qid in QIDS}
    guessed = {category for _, change in plain.said for category in change.categories}
    return {
        "active": sorted(active),
        "decisions": plain.decisions(),
        "rulings": {qid: event.number for qid, (event, _) in ruled.items()},
        "groups": {qid: one.group for qid, (_, one) in grouped.items() if one.group is not None},
        "comments": {
            qid: [(event.number, one.note) for event, one in words]
            for qid, words in remarks.items()
            if words
        },
        "doubts": {qid: by.number for qid, (by, one) in doubted.items() if one.effect == "doubt"},
        "names": {name: plain.now(name) for name in NAMES},
        "guesses": {category: plain.guesses(category) for category in guessed},
    }


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

    def reverse(self, way: Literal["undo", "redo"], event: Event, of: int) -> Toggle | None:
        """What takes an event back; None: that would change nothing."""
        off, on = ((event.number,), ()) if event.is_edit else (event.on, event.off)
        off = tuple(number for number in off if self.counts(number))
        on = tuple(number for number in on if not self.counts(number))
        return Toggle(way, off, on, of) if off or on else None

    def is_undone(self, number: int) -> bool:
        about = [event.event for event in self.events if event.of == number]
        return bool(about) and about[-1] == "undo"

    def undo(self, who: str) -> Toggle | None:
        own = [one for one in self.events if one.reviewer == who]
        for event in reversed([one for one in own if one.event not in ("undo", "redo")]):
            is_over = not event.is_edit and self.is_undone(event.number)
            if not is_over and (found := self.reverse("undo", event, event.number)):
                return found
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

    def redo(self, who: str) -> Toggle | None:
        found = (self.reverse("redo", event, event.of) for event in self.waiting(who))
        return next(filter(None, found), None)


def take(events: list[Event], toggle: Toggle, who: str) -> None:
    events.append(switched(toggle, who, number=events[-1].number + 1))


def step(events: list[Event], chance: random.Random, who: str) -> None:
    """Appends what a reviewer does next, having checked what it should be."""
    slowly = Slowly(events)
    undone, again = undo(events, who), redo(events, who)
    assert undone == slowly.undo(who)
    assert again == slowly.redo(who)
    match chance.choice(["edit"] * 5 + ["undo"] * 6 + ["redo"] * 4 + ["revert"] * 2 + ["jump"]):
        case "undo" if undone:
            take(events, undone, who)
        case "redo" if again:
            take(events, again, who)
        case "revert":
            number = chance.choice([event.number for event in events if event.is_edit])
            toggle = revert(events, number)
            assert toggle.event == ("revert" if slowly.counts(number) else "restore")
            take(events, toggle, who)
            assert active_edits(events) == slowly.active() ^ {number}
        case "jump":
            line = chance.randint(0, events[-1].number)
            toggle_or_none = jump(events, line)
            assert (toggle_or_none is None) == (slowly.active(line) == slowly.active())
            if toggle_or_none:
                take(events, toggle_or_none, who)
            assert active_edits(events) == slowly.active(line)
        case _:
            events.append(random_edit(chance, who).numbered(events[-1].number + 1))


def program(seed: int, steps: int, reviewers: Sequence[str] = REVIEWERS) -> list[Event]:
    """Returns the log of a random review; each step is checked, and the past at the end."""
    chance, events = random.Random(seed), list[Event]()
    for number in range(1, 16):
        events.append(random_edit(chance, chance.choice(reviewers)).numbered(number))
    for _ in range(steps):
        step(events, chance, chance.choice(reviewers))
        active = Slowly(events).active()
        assert active_edits(events) == active
        assert picture(standing_of(events)) == plainly(events, active)
        if chance.random() < 0.1:  # nothing asks for numbers without a gap
            events[-1] = events[-1].numbered(events[-1].number + 1)
    for event in events[5::20]:
        active = Slowly(events).active(event.number)
        assert picture(standing_of(events, event.number)) == plainly(events, active)
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
