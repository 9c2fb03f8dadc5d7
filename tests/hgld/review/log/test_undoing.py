"""Undo, redo, single events and jumps: against a slow reading of the log, and case by case."""

import pytest

from hgld.review.log.events import Event
from hgld.review.log.history import active_edits, standing_of
from hgld.review.log.undoing import Courses, Toggle, dependents, jump, redo, revert, undo
from tests.hgld.review.log.acts import CATEGORIES, assigned, edited, guessed, numbered, said
from tests.hgld.review.log.programs import REVIEWERS, check_back_and_forth, program, take


@pytest.mark.parametrize("seed", range(20))
def test_reviews_of_several_persons_stand_where_a_slow_reading_says(seed: int) -> None:
    events, growing = program(seed, 45), Courses()
    assert {event.event for event in events} & {"undo", "redo", "revert", "restore", "jump"}
    for place, event in enumerate(events, start=1):
        growing.take(event)  # as a page does
        for who in REVIEWERS:
            assert growing.undo(who) == undo(events[:place], who)
            assert growing.redo(who) == redo(events[:place], who)


@pytest.mark.parametrize("reviewers", [("ann",), REVIEWERS])
@pytest.mark.parametrize("seed", range(6))
def test_undo_goes_back_to_the_empty_log_and_redo_to_the_same_again(
    seed: int, reviewers: tuple[str, ...]
) -> None:
    check_back_and_forth(seed, reviewers)


def log_of_three() -> list[Event]:
    return numbered(
        edited(assigned("Q1")), edited(assigned("Q2"), who="bob"), edited(assigned("Q3"))
    )


def test_nothing_is_undone_where_there_is_nothing() -> None:
    assert undo([], "ann") is None
    assert redo([], "ann") is None
    assert jump([], 0) is None
    assert undo(log_of_three(), "eve") is None
    assert redo(log_of_three(), "ann") is None


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


def test_an_edit_from_the_middle_is_taken_back_alone() -> None:
    events = log_of_three()
    assert revert(events, 2) == Toggle("revert", (2,), (), 0)
    take(events, revert(events, 2), "ann")
    assert revert(events, 2) == Toggle("restore", (), (2,))
    assert standing_of(events).decisions().keys() == {"Q1", "Q3"}
    for number in (0, 4, 9):  # no line, a switch, none yet
        for ask in (revert, dependents):
            with pytest.raises(ValueError, match=str(number)):
                ask(events, number)
    for line in (-1, 5):
        with pytest.raises(ValueError, match=str(line)):
            jump(events, line)


def test_a_redo_that_comes_too_late_counts_and_is_on_no_course() -> None:
    """Its reviewer did something else since, in another window."""
    events = log_of_three()
    take(events, Toggle("undo", (3,), (), 3), "ann")  # 4
    late = redo(events, "ann")
    assert late == Toggle("redo", (), (3,), 3)
    events.append(edited(assigned("Q9"), number=5))
    take(events, late, "ann")  # 6
    assert active_edits(events) == {1, 2, 3, 5}
    assert undo(events, "ann") == Toggle("undo", (5,), (), 5)
    assert redo(events, "ann") is None


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


def test_what_decides_again_on_the_same_depends_on_an_edit() -> None:
    one, two, three, *_ = CATEGORIES
    events = numbered(
        edited(assigned("Q1", "Q2"), guessed(one, two)),
        edited(said("Q2", "Q9", effect="ignore")),
        edited(said("Q1", effect="doubt"), said("Q1", effect="comment", note="x")),
        edited(assigned("Q8"), guessed(three)),
        edited(said("Q7", effect="clear"), guessed(two, is_refused=True)),
    )
    assert [event.number for event in dependents(events, 1)] == [2, 5]
    assert dependents(events, 5) == []
    take(events, revert(events, 2), "ann")
    assert [event.number for event in dependents(events, 1)] == [5]
