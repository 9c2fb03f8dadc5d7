"""What the edits that count come to."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from hgld.review.log.events import Change, Event
from hgld.review.log.history import Decision, Standing, active_edits, standing_of
from hgld.review.log.undoing import redo, undo
from tests.hgld.review.log.acts import (
    CATEGORIES,
    NAMES,
    QIDS,
    WHEN,
    assigned,
    edited,
    numbered,
    picture,
    random_edit,
    random_switch,
    said,
    switched,
)


def test_an_empty_log_says_nothing() -> None:
    assert standing_of([]) == Standing()
    assert Standing().decisions() == {}
    assert Standing().decision("Q1") is None
    assert Standing().current_name("Tower") == "Tower"


def test_the_last_edit_on_a_class_is_in_force_with_who_made_it_and_its_label_then() -> None:
    events = numbered(
        edited(assigned("Q1", "Q2"), who="ann"),
        edited(Change(classes={"Q1": "as it is called now"}, effect="ignore", note="n"), who="bob"),
    )
    found = standing_of(events).decisions()
    assert found["Q1"] == Decision(
        decided_at=WHEN,
        reviewer="bob",
        class_qid="Q1",
        class_label="as it is called now",
        action="ignore",
        note="n",
    )
    assert (found["Q2"].reviewer, found["Q2"].hierarchical_label) == ("ann", "church")
    assert standing_of(events, 1).decisions()["Q1"].action == "assign"
    assert standing_of(events, 0).decisions() == {}


def opinion(qid: str, label: str | None, who: str) -> Event:
    change = Change(
        classes={qid: "x"},
        effect="opinion",
        hierarchical_label=label,
        natural_or_human_made=label and "natural",
    )
    return edited(change, who=who, event="opinion")


def test_a_second_opinion_decides_nothing_and_the_last_of_a_reviewer_counts() -> None:
    unsure = edited(said("Q2", effect="unsure"), who="bob", event="opinion")
    events = numbered(
        edited(assigned("Q1")),
        opinion("Q1", "lake", "bob"),
        opinion("Q1", None, "bob"),
        opinion("Q1", "fort", "zoë"),
        unsure,
    )
    standing = standing_of(events)
    assert list(standing.decisions()) == ["Q1"]
    assert standing.decisions()["Q1"].reviewer == "ann"
    assert list(standing.names) == ["church"]
    answers = {
        who: {qid: (word.change.effect, word.change.hierarchical_label) for qid, word in of.items()}
        for who, of in standing.opinions.items()
    }
    assert answers == {
        "bob": {"Q1": ("opinion", None), "Q2": ("unsure", None)},
        "zoë": {"Q1": ("opinion", "fort")},
    }
    assert (dict(standing.groups), dict(standing.comments), standing.doubts) == ({}, {}, {})


def test_a_sample_and_opinions_are_undone_and_done_again_like_any_edit() -> None:
    drawn = Change(classes={"Q1": "x"}, effect="sample", of_reviewer="ann", note="5")
    events = numbered(
        edited(drawn, said("Q1", effect="known"), who="bob", event="sample"),
        opinion("Q1", "lake", "bob"),
    )
    assert [word.change for word in standing_of(events).samples] == [drawn]
    for line, way in enumerate((undo, undo, redo, redo), start=3):
        toggle = way(events, "bob")
        assert toggle
        events.append(switched(toggle, "bob", line))
    assert dict(standing_of(events, 3).opinions) == {}
    assert [standing_of(events, line).samples == [] for line in (3, 4, 5, 6)] == [
        *(False, True, False, False)
    ]
    assert standing_of(events) == standing_of(events, 2)


def test_a_circle_of_names_ends() -> None:
    standing = Standing(renamed={"a": "b", "b": "a"})
    assert standing.current_name("a") in {"a", "b"}


@pytest.mark.parametrize("numbers", [(99,), (2,), (3,), (4,)])
def test_a_switch_of_what_is_no_earlier_edit_means_nothing(numbers: tuple[int, ...]) -> None:
    """As in a log that was written by hand: itself, a later one, another switch, no line."""
    by_hand = Event(event="jump", decided_at=WHEN, reviewer="eve", on=numbers, of=1)
    events = numbered(edited(assigned("Q1")), by_hand, by_hand, edited(assigned("Q2")))
    assert active_edits(events) == standing_of(events).active == {1, 4}
    assert active_edits(events, 3) == standing_of(events, 3).active == {1}
    assert standing_of(events, 3).decisions().keys() == {"Q1"}


@dataclass
class Plainly:
    """What edits come to, read off them class by class and name by name."""

    counting: Sequence[Event]

    def changes(self) -> list[tuple[Event, Change]]:
        return [(event, change) for event in self.counting for change in event.changes]

    def of(self, qid: str, *effects: str) -> list[tuple[Event, Change]]:
        """All that was said of a class to some effect."""
        return [one for one in self.changes() if qid in one[1].classes and one[1].effect in effects]

    def uses(self, name: str) -> list[int]:
        """Places where a super-category is assigned."""
        return [
            place
            for place, (_, change) in enumerate(self.changes())
            if change.effect == "assign" and alike(change.hierarchical_label or "", name)
        ]

    def spelt(self, name: str) -> Change | None:
        uses = self.uses(name)
        return self.changes()[uses[-1]][1] if uses else None

    def now(self, name: str) -> str:
        """A name as it is after its renamings, followed one by one."""
        for _ in NAMES:
            gone = [
                place
                for place, (_, change) in enumerate(self.changes())
                if alike(change.renamed_from, name)
                and not alike(change.hierarchical_label or "", name)
            ]
            if not gone or max(self.uses(name), default=-1) > gone[-1]:
                break
            name = str(self.changes()[gone[-1]][1].hierarchical_label)
        found = self.spelt(name)
        return str(found.hierarchical_label) if found else name

    def guesses(self, category: str) -> list[tuple[str, str, str, int]]:
        """What stands of a category: read from the end, so that what comes later counts."""
        accepted: list[tuple[str, str, str, int]] = []
        refused: dict[str, tuple[str, str, str, int]] = {}
        seen, is_filled = set[str](), False
        for event, change in reversed(self.changes()):
            if category not in change.categories:
                continue
            name = self.now(change.hierarchical_label or "")
            spelt = self.spelt(name)
            side = (spelt or change).natural_or_human_made or ""
            key = name.strip().lower()
            if change.effect == "fill":
                if not is_filled and key not in seen:
                    accepted.append(("accept", name, side, event.number))
                is_filled = True  # what was accepted before another one counts no more
            elif change.effect == "refuse" and key not in seen:
                refused[key] = ("refuse", name, side, event.number)
            seen.add(key)
        return accepted + [refused[key] for key in sorted(refused)]

    def decision(self, qid: str) -> Decision | None:
        event, change = self.of(qid, "assign", "ignore", "clear")[-1]
        if change.effect == "clear":
            return None
        name = self.spelt(change.hierarchical_label or "") if change.effect == "assign" else None
        return Decision(
            decided_at=event.decided_at,
            reviewer=event.reviewer,
            class_qid=qid,
            class_label=change.classes[qid],
            action="assign" if change.effect == "assign" else "ignore",
            hierarchical_label=name.hierarchical_label if name else None,
            natural_or_human_made=name.natural_or_human_made if name else None,
            note=change.note,
        )


def alike(one: str, other: str) -> bool:
    return one.strip().lower() == other.strip().lower()


def plainly(events: Sequence[Event], active: set[int]) -> dict[str, object]:
    """Returns what `picture` should show."""
    plain = Plainly([event for event in events if event.number in active])
    ruled = {qid: one[-1] for qid in QIDS if (one := plain.of(qid, "assign", "ignore", "clear"))}
    groups = {qid: one[-1][1].group for qid in QIDS if (one := plain.of(qid, "group"))}
    doubts = {qid: one[-1] for qid in QIDS if (one := plain.of(qid, "doubt", "trust"))}
    remarks = {
        qid: [(event.number, change.note) for event, change in plain.of(qid, "comment")]
        for qid in QIDS
    }
    return {
        "active": sorted(active),
        "decisions": {qid: found for qid in ruled if (found := plain.decision(qid))},
        "rulings": {qid: event.number for qid, (event, _) in ruled.items()},
        "groups": {qid: group for qid, group in groups.items() if group is not None},
        "comments": {qid: words for qid, words in remarks.items() if words},
        "doubts": {
            qid: event.number for qid, (event, change) in doubts.items() if change.effect == "doubt"
        },
        "names": {name: plain.now(name) for name in NAMES},
        "guesses": {
            category: plain.guesses(category)
            for category in CATEGORIES
            if any(category in change.categories for _, change in plain.changes())
        },
    }


def check_random_edits(seed: int) -> None:
    """Compares what edits and switches come to with a plain reading of them."""
    chance, events = random.Random(seed), list[Event]()
    growing = Standing()
    for number in range(1, 41):
        edit = random_edit(chance, chance.choice(["ann", "bob"])).numbered(number)
        events.append(edit)
        growing.count(edit)  # as a page does, which does not replay for each
    assert picture(standing_of(events)) == plainly(events, set(range(1, 41))) == picture(growing)
    for number in range(41, 81):
        event = random_switch(chance, events, chance.choice(["ann", "bob"]))
        events.append((event or random_edit(chance, "ann")).numbered(number))
    for line in (10, 45, 80):
        found = picture(standing_of(events, line))
        assert found == plainly(events[:line], active_edits(events[:line]))


@pytest.mark.parametrize("seed", range(15))
def test_random_edits_come_to_what_is_read_off_them_plainly(seed: int) -> None:
    check_random_edits(seed)
