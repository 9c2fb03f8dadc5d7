import json
import threading

import pytest

from hgld.errors import MissingInputError
from hgld.pages.review.acting.asking import RefusedError
from hgld.pages.review.session import ReviewSession
from hgld.tables import LABEL_MAP
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.served import done

LAKE, SCRIPT = "Q23397", "Q200010"


def test_search_finds_labels_q_ids_and_landmarks_without_case_and_accents(
    session: ReviewSession,
) -> None:
    found = session.browsing.search("LAKE")
    assert [one.class_label for one in found.classes] == ["lake", "mountain lake", "salt lake"]
    assert session.browsing.search("q9259").classes[0].class_label == "heritage site"
    by_name = session.browsing.search("site noel 36").landmarks
    assert [(one.landmark.name, one.class_label) for one in by_name] == [
        ("Site Noël 36", "mountain lake")
    ]
    nothing = session.browsing.search("zz\nzz")
    assert (nothing.classes, nothing.landmarks) == ((), ())


def test_similar_classes_come_from_all_groups_by_their_cosine(session: ReviewSession) -> None:
    near = session.browsing.similar([LAKE], 0.3)
    assert near.rows[0].member.class_label == "salt lake"
    scores = [row.similarity for row in near.rows]
    assert scores == sorted(scores, reverse=True)
    assert min(scores) >= 0.3
    assert LAKE not in [row.member.class_qid for row in near.rows]
    assert len(session.browsing.similar([LAKE], 0.0).rows) > len(near.rows)
    with pytest.raises(RefusedError, match="class"):
        session.browsing.similar(["Q1"], 0.5)


def places(session: ReviewSession) -> dict[str, tuple[float, float]]:
    """Returns where the map has each class, once nothing makes a better one any more."""
    before = set(threading.enumerate())
    points = {one[0]: (one[2], one[3]) for one in json.loads(session.browsing.points())["points"]}
    for thread in set(threading.enumerate()) - before:
        thread.join()
    return points


def test_the_map_is_made_at_the_first_look_and_kept_for_the_next(session: ReviewSession) -> None:
    first = places(session)
    assert len(first) == len(set(first.values())) == 16
    assert all(0 <= number <= 1 for point in first.values() for number in point)
    kept = {row["class_qid"]: row for row in session.workspace.read(LABEL_MAP).to_pylist()}
    now = places(session)
    assert now.keys() == kept.keys() == first.keys()
    for qid, place in now.items():
        assert place == pytest.approx((kept[qid]["x"], kept[qid]["y"]), abs=1e-3)


def test_no_map_is_made_of_a_review_that_is_only_shown_or_that_another_program_writes_to(
    session: ReviewSession, opener: Opener
) -> None:
    assert places(opener(session.workspace, read_only=True))
    with session.workspace.lock():
        assert places(session)
    with pytest.raises(MissingInputError):
        session.workspace.read(LABEL_MAP)


def test_the_map_and_the_list_for_typing_ahead_have_each_class_with_its_answer_and_group(
    session: ReviewSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hgld.pages.review.showing.browsing.run_map", lambda _: None)
    done(session, "ann", "assign", LAKE, label="span")
    told = json.loads(session.browsing.points())
    points = {point[0]: point for point in told["points"]}
    _, label, _, _, name, is_open, landmarks, group = points[LAKE]
    assert (label, told["names"][name], told["sides"][name]) == ("lake", "span", "human-made")
    assert (is_open, landmarks, told["groups"][group]) == (0, 8, "c1")
    assert points[SCRIPT][4] == -1
    labels = {row["q"]: row for row in json.loads(session.browsing.labels())}
    assert labels[LAKE] == {"q": LAKE, "l": "lake", "n": 8, "g": "c1", "a": "span"}
