"""Which edits switches leave on: against a slow reading of the log, and case by case."""

import pytest

from hgld.review.log.events import Event
from hgld.review.log.history import active_edits
from hgld.review.log.undoing import Courses, Toggle, revert
from tests.hgld.review.log import acts
from tests.hgld.review.log.acts import assigned, edited, numbered, redo, take, undo


@pytest.mark.parametrize("seed", range(20))
def test_reviews_of_several_persons_stand_where_a_slow_reading_says(seed: int) -> None:
    events, growing = acts.program(seed, 45), Courses()
    assert {event.event for event in events} & {"undo", "redo", "revert", "restore", "jump"}
    for place, event in enumerate(events, start=1):
        growing.take(event)  # as a page does
        for who in acts.REVIEWERS:
            assert growing.undo(who) == undo(events[:place], who)
            assert growing.redo(who) == redo(events[:place], who)


@pytest.mark.parametrize("reviewers", [("ann",), acts.REVIEWERS])
@pytest.mark.parametrize("seed", range(6))
def test_undo_goes_back_to_no_log_and_redo_returns(seed: int, reviewers: tuple[str, ...]) -> None:
    acts.check_back_and_forth(seed, reviewers)


def log_of_three() -> list[Event]:
    return numbered(
        edited(assigned("Q1")), edited(assigned("Q2"), who="bob"), edited(assigned("Q3"))
    )


def test_nothing_is_undone_where_there_is_nothing() -> None:
    assert undo([], "ann") is redo([], "ann") is None
    assert undo(log_of_three(), "eve") is None
    assert redo(log_of_three(), "ann") is None


def test_only_an_edit_is_taken_back() -> None:
    events = log_of_three()
    take(events, revert(events, 2), "ann")
    for number in (0, 4, 9):  # no line, a switch, none yet
        with pytest.raises(ValueError, match=str(number)):
            revert(events, number)


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
