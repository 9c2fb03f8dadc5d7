"""Events of the tests of the log, reviews made up at random, and a slow reading of them."""

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from hgld.engine.workspace import Workspace
from hgld.review.log.chain import Chain
from hgld.review.log.decisions import OpenLog, append_decisions, append_event, read_log
from hgld.review.log.events import EDITS, Change, Edit, Effect, Event
from hgld.review.log.history import Decision, Standing, active_edits, standing_of
from hgld.review.log.undoing import Courses, Toggle, revert
from hgld.review.stage import run_review
from tests.worlds.builders import write_proposals
from tests.worlds.review.sheets import CLASSES, PROPOSE

WHEN = "2026-11-26T09:00:00+00:00"
QIDS = [f"Q{number}" for number in range(1, 9)]
NAMES = ["church", "Church", "castle / fort", "lake", "ocean area "]
CATEGORIES = [f"http://commons.wikimedia.org/wiki/Category:Kirche_{one}" for one in "ABCDÜ"]
SIDE = {"church": "human-made", "Church": "natural", "castle / fort": "human-made"}

EFFECTS: list[Effect] = [
    *("assign", "assign", "assign", "ignore", "ignore", "clear", "group", "comment", "doubt"),
    *("trust", "fill", "fill", "refuse"),
]


def sealed(contents: Iterable[Mapping[str, object]]) -> bytes:
    """Returns a log of lines with these contents."""
    return b"".join(map(Chain().extend, contents))


def undo(events: Iterable[Event], who: str) -> Toggle | None:
    return Courses(events).undo(who)


def redo(events: Iterable[Event], who: str) -> Toggle | None:
    return Courses(events).redo(who)


def jump(events: Sequence[Event], line: int) -> Toggle | None:
    """Returns to what counted after a line, which only other programs do."""
    then, now = active_edits(events, line), active_edits(events)
    return Toggle("jump", tuple(now - then), tuple(then - now)) if then != now else None


def labelled(*qids: str) -> dict[str, str]:
    return {qid: f"label of {qid}" for qid in qids}


def assigned(*qids: str, label: str = "church", side: str = "", renamed_from: str = "") -> Change:
    return Change(
        classes=labelled(*qids),
        effect="assign",
        hierarchical_label=label,
        natural_or_human_made=side or SIDE.get(label, "natural"),
        renamed_from=renamed_from,
    )


def said(*qids: str, effect: Effect, note: str = "", group: str | None = None) -> Change:
    return Change(classes=labelled(*qids), effect=effect, note=note, group=group)


def guessed(*categories: str, label: str = "church", is_refused: bool = False) -> Change:
    return Change(
        classes={},
        effect="refuse" if is_refused else "fill",
        categories=categories,
        hierarchical_label=label,
        natural_or_human_made=SIDE.get(label, "natural"),
    )


def edited(*changes: Change, who: str = "ann", number: int = 0, event: Edit = "assign") -> Event:
    return Event(event=event, decided_at=WHEN, reviewer=who, number=number, changes=changes)


def switched(toggle: Toggle, who: str = "ann", number: int = 0) -> Event:
    return toggle.signed(who, WHEN).numbered(number)


def numbered(*events: Event) -> list[Event]:
    return [event.numbered(number) for number, event in enumerate(events, start=1)]


def ignored(qid: str, who: str = "eve") -> Decision:
    return Decision(
        decided_at=WHEN, reviewer=who, class_qid=qid, class_label=f"label of {qid}", action="ignore"
    )


def random_edit(chance: random.Random, who: str) -> Event:
    """Returns an edit of any kind, with one to three changes."""

    def change() -> Change:
        qids = chance.sample(QIDS, chance.randint(1, 4))
        effect: Effect = chance.choice(EFFECTS)
        match effect:
            case "assign":
                old = chance.choice(NAMES) if chance.random() < 0.3 else ""
                return assigned(*qids, label=chance.choice(NAMES), renamed_from=old)
            case "group":
                return said(*qids, effect=effect, group=chance.choice(["g", "h", None]))
            case "fill" | "refuse":
                named = chance.sample(CATEGORIES, chance.randint(1, 3))
                return guessed(*named, label=chance.choice(NAMES), is_refused=effect == "refuse")
            case _:
                return said(*qids, effect=effect, note=chance.choice(["née “x”", "a\nb"]))

    changes = [change() for _ in range(chance.randint(1, 3))]
    event = edited(*changes, who=who, event=chance.choice(EDITS))
    return replace(event, why=chance.choice(["", "why ü"]))


def random_switch(chance: random.Random, events: list[Event], who: str) -> Event | None:
    """Returns an undo, redo, revert, restore or jump, where there is something to take back."""
    edits = [event.number for event in events if event.is_edit]
    match chance.choice(["undo"] * 4 + ["redo"] * 3 + ["revert", "jump"]):
        case "undo":
            toggle = undo(events, who)
        case "redo":
            toggle = redo(events, who)
        case "revert":
            toggle = revert(events, chance.choice(edits)) if edits else None
        case _:
            toggle = jump(events, chance.randint(0, len(events)))
    return switched(toggle, who) if toggle else None


def take_back(workspace: Workspace, who: str) -> None:
    """Appends what takes back the last thing that a reviewer did."""
    toggle = undo(read_log(workspace).events, who)
    assert toggle is not None
    append_event(workspace, switched(toggle, who))


def act(workspace: Workspace, chance: random.Random, steps: int) -> list[Event]:
    """Fills a log with edits, bulk edits, switches and decision lines of three reviewers."""
    log = OpenLog(workspace)
    for step in range(steps):
        who = chance.choice(["ann", "bob", "zoë"])
        if step % 7 == 3:
            append_decisions(workspace, [ignored(chance.choice(QIDS), who)])
            log.sync()
            continue
        event = random_switch(chance, log.events, who) if chance.random() < 0.4 else None
        log.append(event or random_edit(chance, who))
    return log.events


def write_acted(workspace: Workspace) -> Workspace:
    """Writes a build of four classes that was reviewed by edits of all kinds and switches."""
    write_proposals(workspace, CLASSES)
    act(workspace, random.Random(5), 25)
    run_review(workspace, PROPOSE)
    return workspace


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
        assert standing_of(events) == standing_of([one for one in events if one.number in active])
        if chance.random() < 0.1:  # nothing asks for numbers without a gap
            events[-1] = events[-1].numbered(events[-1].number + 1)
    for event in events[5::20]:
        assert standing_of(events, event.number).active == Slowly(events).active(event.number)
    return events


def back_and_forth(events: list[Event], who: str, way: Literal["undo", "redo"]) -> bool:
    toggle = undo(events, who) if way == "undo" else redo(events, who)
    if toggle:
        take(events, toggle, who)
    return toggle is not None


def check_back_and_forth(seed: int, reviewers: tuple[str, ...]) -> None:
    """Undoes all of a random review and does it again, twice."""
    chance, events = random.Random(seed), program(seed, 40, reviewers)
    passed, courses = [standing_of(events)], list[str]()
    stuck = set[str]()
    while stuck != set(reviewers):
        who = chance.choice(reviewers)
        if not back_and_forth(events, who, "undo"):
            stuck.add(who)
            continue
        stuck.clear()  # what one takes back may bring back what another did
        courses.append(who)
        passed.append(standing_of(events))
    assert standing_of(events) == Standing()
    for _ in range(2):  # there and back, twice
        for who, then in zip(reversed(courses), reversed(passed[:-1]), strict=True):
            assert back_and_forth(events, who, "redo")
            assert standing_of(events) == then
        for who, then in zip(courses, passed[1:], strict=True):
            assert back_and_forth(events, who, "undo")
            assert standing_of(events) == then
