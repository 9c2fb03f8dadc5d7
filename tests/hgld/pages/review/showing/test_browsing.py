import json
import threading

import pytest

from hgld.errors import MissingInputError
from hgld.pages.review.acting.asking import RefusedError
from hgld.pages.review.session import ReviewSession
from hgld.tables import LABEL_MAP
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.served import done

LAKE = "Q23397"


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


def test_the_map_is_made_at_the_first_look_but_for_who_may_only_look(
    session: ReviewSession, opener: Opener
) -> None:
    def places(session: ReviewSession) -> dict[str, tuple[float, float]]:
        before = set(threading.enumerate())
        told = json.loads(session.browsing.points())["points"]
        for thread in set(threading.enumerate()) - before:
            thread.join()
        return {point[0]: (point[2], point[3]) for point in told}

    assert places(opener(session.workspace, read_only=True))
    with pytest.raises(MissingInputError):
        session.workspace.read(LABEL_MAP)
    first = places(session)
    kept = {row["class_qid"]: row for row in session.workspace.read(LABEL_MAP).to_pylist()}
    now = places(session)
    assert now.keys() == kept.keys() == first.keys()
    assert all(
        now[qid] == pytest.approx((row["x"], row["y"]), abs=1e-3) for qid, row in kept.items()
    )


def test_the_list_for_typing_ahead_has_each_class_with_its_answer_and_group(
    session: ReviewSession,
) -> None:
    done(session, "ann", "assign", LAKE, label="span")
    labels = {row["q"]: row for row in json.loads(session.browsing.labels())}
    assert len(labels) == 16
    assert labels[LAKE] == {"q": LAKE, "l": "lake", "n": 8, "g": "c1", "a": "span"}
