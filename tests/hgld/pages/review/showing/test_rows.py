from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.flows.label_list import cluster_list
from hgld.labels.embedding import stage as embed
from hgld.pages.review.session import ReviewSession
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.served import decided, done, look, view_of
from tests.worlds.builders import TrigramEncoder
from tests.worlds.review.lists import write_small_review
from tests.worlds.taxonomies import write_taxonomy


def test_a_decided_class_says_who_decided_and_stands_after_the_open_ones(
    session: ReviewSession,
) -> None:
    first = view_of(session, "c1").members
    assert [one.class_label for one in first] == ["lake", "mountain lake", "salt lake", "tarn"]
    assert first[0].wikidata_url == "https://www.wikidata.org/wiki/Q23397"
    assert [one.name for one in first[0].examples] == [f"Site Noël {n}" for n in (27, 28, 29)]
    done(session, "ann", "assign", "Q23397", label="span", why="a bridge, really")
    lake = view_of(session, "c1").members[-1]
    assert (lake.class_label, lake.state, lake.tier) == ("lake", "assigned", "decided")
    assert lake.reviewer == "ann"
    assert "a bridge, really" in lake.evidence
    answer = lake.answer
    assert (answer.hierarchical_label, answer.natural_or_human_made) == ("span", "human-made")
    assert (answer.action, answer.confidence) == ("accept", 1.0)


def test_a_group_tells_its_counts_its_answer_and_what_it_settles(session: ReviewSession) -> None:
    view = view_of(session, "c1")
    row = view.row
    assert (row.classes, row.open, row.landmarks, row.matching) == (4, 4, 19, 4)
    assert row.answer.hierarchical_label == "mere / tarn"
    assert row.share == pytest.approx(11 / 19)
    by_hand = sum(one.landmarks * (1 - one.answer.confidence) for one in view.members)
    assert row.settles == pytest.approx(by_hand)
    done(session, "ann", "assign", "Q23397", label="mere / tarn")
    row = view_of(session, "c1").row
    assert (row.open, row.share) == (3, 1.0)
    assert row.settles < by_hand


def test_likely_names_what_is_near_and_what_fits_badly_are_told_the_best_first(
    session: ReviewSession,
) -> None:
    view = view_of(session, "c1")
    assert [choice.key for choice in view.choices] == ["1", "2", "3"]
    weights = [choice.weight for choice in view.choices]
    assert weights == sorted(weights, reverse=True)
    names = {choice.hierarchical_label for choice in view.choices}
    assert names == {"mere / tarn", "cascade", "span"}
    assert view.near is not None
    for near in (view.near.groups, view.near.classes):
        similarity = [one.similarity for one in near]
        assert similarity == sorted(similarity, reverse=True)
        assert "c1" not in [one.group for one in near]
    assert len(view.near.classes) == 12
    assert [one.class_label for one in view.members if one.is_outlier] == ["lake"]


def test_more_members_than_rows_are_counted(session: ReviewSession) -> None:
    view = look(session, "ann", "c1", rows=2).view
    assert view is not None
    assert (len(view.members), view.matching) == (2, 4)


def test_the_groups_before_and_after_follow_the_list(session: ReviewSession) -> None:
    order = [group.group for group in look(session, "ann").groups]
    views = [view_of(session, group) for group in order]
    assert [view.next_group for view in views] == [*order[1:], ""]
    assert [view.previous_group for view in views] == ["", *order[:-1]]


def test_a_list_of_two_classes_is_a_review(tmp_path: Path, opener: Opener) -> None:
    classes = [("Q23397", "lake", 1, 0), ("Q15324", "cascade", 1, 0)]
    session = opener(write_small_review(tmp_path / "build", classes))
    near = view_of(session, "c0").near
    assert near is not None
    assert (near.groups, near.classes) == ((), ())
    done(session, "ann", "accept", all="1")
    assert look(session, "ann").progress.groups_done == 1


def test_a_bare_list_of_labels_is_reviewed_without_links_and_landmarks(
    tmp_path: Path, opener: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embed, "load_encoder", lambda _: TrigramEncoder())
    path = tmp_path / "list.csv"
    labels = ("waterfall", "tall waterfall", "lake", "salt lake", "tarn", "bridge")
    path.write_text("label,count\n" + "".join(f"{label},3\n" for label in labels))
    taxonomy = str(write_taxonomy(tmp_path / "taxonomy"))
    sections: dict[str, dict[str, object]] = {
        "embed": {"taxonomy": taxonomy},
        "cluster": {"clusters": 2},
        "propose": {"taxonomy": taxonomy},
    }
    cluster_list(path, tmp_path / "build", sections)
    session = opener(Workspace(tmp_path / "build"))
    view = look(session, "ann").view
    assert view is not None
    assert {(one.wikidata_url, one.examples) for one in view.members} == {("", ())}
    assert look(session, "ann").progress.landmarks == 18
    done(session, "ann", "accept", all="1", g=view.row.group)
    assert look(session, "ann").progress.settled == view.row.landmarks
    assert len(decided(session)) == len(view.members)
    assert session.browsing.search("zz").landmarks == ()
