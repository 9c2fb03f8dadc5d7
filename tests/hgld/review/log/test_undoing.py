"""Undo, redo, single events and jumps: against a slow reading of the log, and case by case."""

import random
from collections import Counter
from collections.abc import Sequence
from typing import Literal

import pytest

from hgld.review.log.events import Event
from hgld.review.log.history import Standing, active_edits, standing_of
from hgld.review.log.undoing import (
    Branch,
    Courses,
    Dependent,
    Toggle,
    abandoned,
    bring_back,
    dependents,
    jump,
    redo,
    revert,
    take_back,
    undo,
)
from tests.hgld.review.log.acts import (
    WHEN,
    assigned,
    edited,
    numbered,
    picture,
    random_edit,
    said,
    switched,
)
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

    def waiting(self, who: str, line: int = 10**9) -> list[Event]:
        """The undos of a reviewer that can be done again, the last one first."""
        found: list[Event] = []
        over = Counter[int]()
        for event in reversed(self.events):
            if event.reviewer != who or event.number > line:
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

    def abandoned(self) -> Counter[tuple[str, int]]:
        """Reviewer and number of each edit that was left behind, and how often."""
        found = Counter[tuple[str, int]]()
        for event in self.events:
            if event.event in ("undo", "redo"):
                continue
            left = {one.of for one in self.waiting(event.reviewer, event.number - 1)}
            found.update(
                (event.reviewer, number)
                for number in left
                if self.of_number[number].is_edit and not self.counts(number, event.number)
            )
        return found


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
        if chance.random() < 0.1:  # a line that a crash left torn
            events[-1] = events[-1].numbered(events[-1].number + 1)
    return events


@pytest.mark.parametrize("seed", range(15))
def test_reviews_of_several_persons_stand_where_a_slow_reading_says(seed: int) -> None:
    events = program(seed, 45)
    assert {event.event for event in events} & {"undo", "redo", "revert", "restore", "jump"}
    branches = abandoned(events)
    left = Counter((one.reviewer, number) for one in branches for number in one.edits)
    assert left == Slowly(events).abandoned()
    for one in branches:
        assert set(one.edits) <= Slowly(events).active(one.tip)


def back_and_forth(events: list[Event], who: str, way: Literal["undo", "redo"]) -> bool:
    toggle = undo(events, who) if way == "undo" else redo(events, who)
    if toggle:
        take(events, toggle, who)
    return toggle is not None


@pytest.mark.parametrize("seed", range(3))
def test_courses_that_grow_with_the_log_say_what_the_whole_log_does(seed: int) -> None:
    events, growing = program(3000 + seed, 60), Courses()
    for place, event in enumerate(events, start=1):
        growing.take(event)
        for who in REVIEWERS:
            assert growing.undo(who) == undo(events[:place], who)
            assert growing.redo(who) == redo(events[:place], who)
        assert growing.abandoned == abandoned(events[:place])


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


@pytest.mark.parametrize("reviewers", [("ann",), REVIEWERS])
@pytest.mark.parametrize("seed", range(6))
def test_undo_goes_back_to_the_empty_log_and_redo_to_the_same_again(
    seed: int, reviewers: tuple[str, ...]
) -> None:
    check_back_and_forth(seed, reviewers)


def test_many_edits_are_undone_and_done_again_across_a_restart() -> None:
    events = [
        edited(assigned(f"Q{number % 50}", label=f"name {number}"), number=number)
        for number in range(1, 61)
    ]
    whole = picture(standing_of(events))
    for left in range(59, -1, -1):
        assert back_and_forth(events, "ann", "undo")
        assert standing_of(list(events)).active == set(range(1, left + 1))
    assert not back_and_forth(events, "ann", "undo")
    for _ in range(60):
        assert back_and_forth(events, "ann", "redo")
    assert not back_and_forth(events, "ann", "redo")
    assert picture(standing_of(events)) == whole


def check_jumps(seed: int, reviewers: tuple[str, ...]) -> int:
    """Jumps back to each branch that a random review left behind; returns how many those are."""
    events = program(1000 + seed, 45, reviewers)
    branches = abandoned(events)
    for branch in branches:
        then = picture(standing_of(events, branch.tip))
        assert set(branch.edits) <= active_edits(events, branch.tip)
        if toggle := jump(events, branch.tip):
            take(events, toggle, "bob")
        assert picture(standing_of(events)) == then
    return len(branches)


@pytest.mark.parametrize("seed", range(15))
def test_a_jump_leads_back_to_each_abandoned_branch(seed: int) -> None:
    assert check_jumps(seed, ("ann",) if seed % 2 else REVIEWERS)


# By hand ------------------------------------------------------------------------------------------


def log_of_three() -> list[Event]:
    return numbered(
        edited(assigned("Q1")), edited(assigned("Q2"), who="bob"), edited(assigned("Q3"))
    )


def test_nothing_is_undone_where_there_is_nothing() -> None:
    assert undo([], "ann") is None
    assert redo([], "ann") is None
    assert jump([], 0) is None
    assert abandoned([]) == []
    assert undo(log_of_three(), "eve") is None
    assert redo(log_of_three(), "ann") is None


def test_each_reviewer_takes_back_their_own_last_edit() -> None:
    events = log_of_three()
    assert undo(events, "bob") == Toggle("undo", (2,), (), 2)
    assert undo(events, "ann") == Toggle("undo", (3,), (), 3)
    take(events, Toggle("undo", (3,), (), 3), "ann")
    assert undo(events, "ann") == Toggle("undo", (1,), (), 1)
    assert redo(events, "bob") is None
    assert redo(events, "ann") == Toggle("redo", (), (3,), 3)


def test_an_edit_after_an_undo_leaves_a_branch() -> None:
    events = log_of_three()
    take(events, Toggle("undo", (3,), (), 3), "ann")  # 4
    take(events, Toggle("undo", (1,), (), 1), "ann")  # 5
    events.append(edited(assigned("Q4"), who="bob", number=6))
    assert abandoned(events) == []
    events.append(edited(assigned("Q1", label="lake"), number=7))
    assert abandoned(events) == [Branch(3, (1, 3), "ann")]
    assert redo(events, "ann") is None
    assert jump(events, 3) == Toggle("jump", (6, 7), (1, 3))
    with pytest.raises(ValueError, match="8"):
        jump(events, 8)
    with pytest.raises(ValueError, match="-1"):
        jump(events, -1)


def test_what_never_counted_together_is_two_branches() -> None:
    events = log_of_three()
    take(events, Toggle("jump", (1,), ()), "ann")  # 4
    take(events, Toggle("undo", (3,), (1,), 4), "ann")  # 5: by hand, and back with 1 goes 3
    take(events, Toggle("undo", (1,), (), 1), "ann")  # 6: it counted since line 5
    take(events, Toggle("undo", (2,), (), 2), "bob")  # 7
    events.append(edited(assigned("Q4"), number=8))
    assert abandoned(events) == [Branch(5, (1,), "ann")]
    events = log_of_three()
    take(events, Toggle("revert", (1,), ()), "bob")  # 4
    take(events, Toggle("undo", (3,), (), 3), "ann")  # 5
    take(events, Toggle("restore", (), (1,)), "bob")  # 6
    take(events, Toggle("undo", (1,), (), 1), "ann")  # 7
    events.append(edited(assigned("Q4"), number=8))
    assert abandoned(events) == [Branch(4, (3,), "ann"), Branch(6, (1,), "ann")]


def test_what_counts_again_since_just_before_an_undo_is_of_the_same_branch() -> None:
    events = log_of_three()
    take(events, Toggle("revert", (1,), ()), "bob")  # 4
    take(events, Toggle("restore", (), (1,)), "bob")  # 5
    take(events, Toggle("undo", (3,), (), 3), "ann")  # 6
    take(events, Toggle("undo", (1,), (), 1), "ann")  # 7
    events.append(edited(assigned("Q4"), number=8))
    assert abandoned(events) == [Branch(5, (1, 3), "ann")]


def test_what_was_undone_and_brought_back_is_no_branch() -> None:
    events = log_of_three()
    take(events, Toggle("undo", (3,), (), 3), "ann")
    take(events, Toggle("restore", (), (3,)), "bob")
    assert redo(events, "ann") is None  # it counts
    events.append(edited(assigned("Q4"), number=6))
    assert abandoned(events) == []


def test_an_edit_that_another_reverted_is_passed_over_and_undone_once_it_is_back() -> None:
    events = log_of_three()
    take(events, revert(events, 3), "bob")  # 4
    assert undo(events, "ann") == Toggle("undo", (1,), (), 1)
    take(events, revert(events, 3), "zoë")  # 5
    assert undo(events, "ann") == Toggle("undo", (3,), (), 3)


def test_an_undone_edit_that_another_restored_can_be_undone_again() -> None:
    events = log_of_three()
    take(events, Toggle("undo", (3,), (), 3), "ann")
    take(events, Toggle("restore", (), (3,)), "bob")
    assert undo(events, "ann") == Toggle("undo", (3,), (), 3)
    take(events, Toggle("undo", (3,), (), 3), "ann")
    assert redo(events, "ann") == Toggle("redo", (), (3,), 3)
    assert undo(events, "bob") == Toggle("undo", (2,), (), 2)  # his restoring counts no more


def test_a_jump_is_undone_and_done_again_as_one_and_leaves_what_others_did_since() -> None:
    events = log_of_three()
    take(events, Toggle("jump", (2, 3), ()), "ann")  # 4
    assert active_edits(events) == {1}
    events.append(edited(assigned("Q5"), who="bob", number=5))
    take(events, revert(events, 2), "bob")  # 6
    taken_back = undo(events, "ann")
    assert taken_back == Toggle("undo", (), (3,), 4)
    take(events, taken_back, "ann")  # 7
    assert active_edits(events) == {1, 2, 3, 5}
    # Exactly that undo is reversed: bob had brought 2 back himself.
    again = redo(events, "ann")
    assert again == Toggle("redo", (3,), (), 4)
    take(events, again, "ann")  # 8
    assert active_edits(events) == {1, 2, 5}


def test_what_was_undone_is_done_again_after_anothers_jump() -> None:
    events = log_of_three()
    take(events, Toggle("undo", (3,), (), 3), "ann")  # 4
    take(events, Toggle("jump", (1, 2), ()), "bob")  # 5
    assert undo(events, "ann") is None
    assert redo(events, "ann") == Toggle("redo", (), (3,), 3)
    take(events, Toggle("jump", (), (1, 2, 3)), "bob")  # 6
    assert redo(events, "ann") is None
    assert undo(events, "ann") == Toggle("undo", (3,), (), 3)


def test_an_edit_from_the_middle_is_taken_back_alone() -> None:
    events = log_of_three()
    assert revert(events, 2) == Toggle("revert", (2,), ())
    take(events, revert(events, 2), "ann")
    assert revert(events, 2) == Toggle("restore", (), (2,))
    assert standing_of(events).decisions().keys() == {"Q1", "Q3"}
    for number in (0, 4, 9):  # no line, a switch, none yet
        for ask in (revert, dependents):
            with pytest.raises(ValueError, match=str(number)):
                ask(events, number)


@pytest.mark.parametrize("of", [0, 2, 4, 9])
@pytest.mark.parametrize("kind", ["undo", "redo"])
def test_an_undo_of_what_is_not_ones_own_switches_and_is_on_no_course(
    kind: Literal["undo", "redo"], of: int
) -> None:
    """Of a log that was written by hand: no line, another's, itself, a later one."""
    events = log_of_three()
    by_hand = Event(event=kind, decided_at=WHEN, reviewer="ann", off=(3, 99), on=(77, 4), of=of)
    events.append(by_hand.numbered(4))
    events.append(by_hand.numbered(5))
    assert active_edits(events) == {1, 2}
    assert undo(events, "ann") == Toggle("undo", (1,), (), 1)
    assert redo(events, "ann") is None
    assert abandoned(events) == []
    events.append(edited(assigned("Q9"), number=6))
    assert abandoned(events) == []
    assert jump(events, 3) == Toggle("jump", (6,), (3,))


def test_a_jump_of_numbers_that_are_no_edits_can_be_undone() -> None:
    events = log_of_three()
    events.append(
        Event(event="jump", decided_at=WHEN, reviewer="ann", number=4, off=(1, 99), on=(2, 88, 88))
    )
    assert undo(events, "ann") == Toggle("undo", (2,), (1,), 4)


# Dependents ---------------------------------------------------------------------------------------


def test_what_depends_on_an_edit_decides_its_classes_again_or_uses_its_name() -> None:
    events = numbered(
        edited(assigned("Q1", "Q2", "Q3", label="lake")),
        edited(said("Q2", "Q3", "Q9", effect="ignore")),
        edited(assigned("Q7", label=" LAKE")),
        edited(said("Q1", effect="doubt"), said("Q1", effect="comment", note="x")),
        edited(assigned("Q8", label="church")),
        edited(assigned("Q4", label="lake"), said("Q3", effect="clear"), event="import"),
    )
    assert dependents(events, 1) == [
        Dependent(2, ("Q2", "Q3"), ""),
        Dependent(3, (), "lake"),
        Dependent(6, ("Q3",), "lake"),
    ]
    assert dependents(events, 3) == []  # the name was there before
    assert dependents(events, 6) == []
    take(events, revert(events, 2), "ann")
    assert [one.number for one in dependents(events, 1)] == [3, 6]
    take(events, revert(events, 1), "ann")  # then the name came with the next that uses it
    assert dependents(events, 3) == [Dependent(6, (), " LAKE")]


def test_an_ignored_class_uses_no_name() -> None:
    """A decision of an earlier version may name one all the same."""
    events = numbered(
        edited(assigned("Q1", label="lake")),
        edited(said("Q2", effect="ignore", hierarchical_label="lake")),
    )
    assert dependents(events, 1) == []


def last_words(standing: Standing) -> dict[str, int]:
    """Returns the edit that spoke last of each class, and of each category."""
    ruled = {qid: one.event.number for qid, one in standing.rulings.items()}
    return ruled | {one: words[-1].event.number for one, words in standing.fills.items() if words}


@pytest.mark.parametrize("seed", range(6))
def test_shared_classes_stay_as_they_are_when_an_edit_is_taken_back(seed: int) -> None:
    events = program(2000 + seed, 30)
    before = last_words(standing_of(events))
    for number in sorted(active_edits(events)):
        shared = {qid for one in dependents(events, number) for qid in one.shared}
        tried = list(events)
        take(tried, revert(events, number), "ann")
        after = last_words(standing_of(tried))
        assert {qid: after.get(qid) for qid in shared} == {qid: before[qid] for qid in shared}
        changed = {qid for qid, ruling in before.items() if after.get(qid) != ruling}
        assert changed == {qid for qid, ruling in before.items() if ruling == number}
        assert not changed & shared


def test_who_says_which_of_the_two_gets_nothing_where_it_is_so() -> None:
    events = numbered(edited(assigned("Q1", label="lake")))
    assert bring_back(events, 1) is None
    assert take_back(events, 1) == Toggle("revert", (1,), ())
    take(events, Toggle("revert", (1,), ()), "ann")
    assert take_back(events, 1) is None
    assert bring_back(events, 1) == Toggle("restore", (), (1,))
    for ask in (take_back, bring_back):
        with pytest.raises(ValueError, match="9"):
            ask(events, 9)


def test_a_jump_by_somebody_leaves_what_others_said_blind() -> None:
    events = numbered(
        edited(assigned("Q1", label="lake")),
        edited(said("Q1", effect="known"), event="sample", who="bob"),
        edited(said("Q1", effect="unsure"), event="opinion", who="bob"),
        edited(said("Q1", effect="unsure"), event="opinion", who="ann"),
    )
    assert jump(events, 0) == Toggle("jump", (1, 2, 3, 4), ())
    assert jump(events, 0, "ann") == Toggle("jump", (1, 4), ())
    assert jump(events, 1, "zoë") is None
