"""Undo, redo, single events and jumps: against a slow reading of the log, and case by case."""

from collections import Counter
from typing import Literal

import pytest

from hgld.review.log.events import Event
from hgld.review.log.history import active_edits, standing_of
from hgld.review.log.undoing import (
    Branch,
    Courses,
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
    said,
)
from tests.hgld.review.log.programs import (
    REVIEWERS,
    Slowly,
    back_and_forth,
    check_back_and_forth,
    check_jumps,
    program,
    take,
)


@pytest.mark.parametrize("seed", range(15))
def test_reviews_of_several_persons_stand_where_a_slow_reading_says(seed: int) -> None:
    events = program(seed, 45)
    assert {event.event for event in events} & {"undo", "redo", "revert", "restore", "jump"}
    branches = abandoned(events)
    left = Counter((one.reviewer, number) for one in branches for number in one.edits)
    assert left == Slowly(events).abandoned()
    for one in branches:
        assert set(one.edits) <= Slowly(events).active(one.tip)


@pytest.mark.parametrize("seed", range(3))
def test_courses_that_grow_with_the_log_say_what_the_whole_log_does(seed: int) -> None:
    events, growing = program(3000 + seed, 60), Courses()
    for place, event in enumerate(events, start=1):
        growing.take(event)
        for who in REVIEWERS:
            assert growing.undo(who) == undo(events[:place], who)
            assert growing.redo(who) == redo(events[:place], who)
        assert growing.abandoned == abandoned(events[:place])


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


@pytest.mark.parametrize("seed", range(15))
def test_a_jump_leads_back_to_each_abandoned_branch(seed: int) -> None:
    assert check_jumps(seed, ("ann",) if seed % 2 else REVIEWERS)


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
