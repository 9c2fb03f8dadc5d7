import pytest

from hgld.pages.review.session import ReviewSession
from tests.hgld.pages.review.served import done, view_of


def test_a_group_tells_its_classes_and_a_decided_one_stands_last_with_who_decided(
    session: ReviewSession,
) -> None:
    view = view_of(session, "c1")
    first = view.members
    assert [one.class_label for one in first] == ["lake", "mountain lake", "salt lake", "tarn"]
    assert first[0].wikidata_url == "https://www.wikidata.org/wiki/Q23397"
    assert [one.name for one in first[0].examples] == [f"Site Noël {n}" for n in (27, 28, 29)]
    row = view.row
    assert (row.classes, row.open, row.landmarks, row.matching) == (4, 4, 19, 4)
    assert row.answer.hierarchical_label == "mere / tarn"
    assert row.share == pytest.approx(11 / 19)
    by_hand = sum(one.landmarks * (1 - one.answer.confidence) for one in first)
    assert row.settles == pytest.approx(by_hand)
    done(session, "ann", "assign", "Q23397", label="mere / tarn", why="a lake, really")
    view = view_of(session, "c1")
    assert (view.row.open, view.row.share) == (3, 1.0)
    assert view.row.settles < by_hand
    lake = view.members[-1]
    assert (lake.class_label, lake.state, lake.reviewer) == ("lake", "assigned", "ann")
    assert "a lake, really" in lake.evidence
    assert (lake.answer.natural_or_human_made, lake.answer.confidence) == ("natural", 1.0)
