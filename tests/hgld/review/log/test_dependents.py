"""What later edits rest on an earlier one, when that is taken back."""

import pytest

from hgld.review.log.history import Standing, active_edits, standing_of
from hgld.review.log.undoing import (
    Dependent,
    dependents,
    revert,
)
from tests.hgld.review.log.acts import (
    assigned,
    edited,
    numbered,
    said,
)
from tests.hgld.review.log.programs import (
    program,
    take,
)


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
