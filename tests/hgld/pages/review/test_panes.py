import pytest

from hgld.pages.review.session import ReviewSession
from tests.hgld.pages.review.served import done, look, view_of


def test_a_group_has_unsure_classes_first_then_sure_ones_and_settled_ones_last(
    session: ReviewSession,
) -> None:
    view = view_of(session, "c1")
    assert [one.class_label for one in view.rows] == ["lake", "mountain lake", "salt lake", "tarn"]
    lake = view.rows[0]
    assert lake.wikidata_url == "https://www.wikidata.org/wiki/Q23397"
    assert [one.name for one in lake.examples] == [f"Site Noël {n}" for n in (27, 28, 29)]
    row = view.row
    assert (row.classes, row.open, row.landmarks) == (4, 4, 19)
    assert row.answer.hierarchical_label == "mere / tarn"
    assert row.share == pytest.approx(11 / 19)
    done(session, "ann", "name", "Q23397", label="mere / tarn", why="a lake, really")
    done(session, "ann", "doubt", "Q200005", why="a pond?")
    view = view_of(session, "c1")
    assert (view.row.open, view.row.share) == (3, 1.0)
    unsure, *_, lake = view.rows
    assert (unsure.class_label, unsure.is_sure) == ("tarn", False)
    assert (lake.class_label, lake.state, lake.confidence) == ("lake", "assigned", 1.0)
    for words in ("ann", "a lake, really"):
        assert words in lake.evidence
    assert lake.answer.natural_or_human_made == "natural"


def test_all_that_match_stand_together_as_a_group_of_their_own(session: ReviewSession) -> None:
    desk = look(session, "ann", "*", "lake")
    view, first = desk.view, desk.groups[0]
    assert view is not None
    assert (first.group, first.classes) == ("*", len(view.rows))
    assert {"lake", "tarn"} <= {one.class_label for one in view.rows}
    assert all(one.group for one in view.rows)
    assert "*" not in [row.group for row in look(session, "ann").groups]
