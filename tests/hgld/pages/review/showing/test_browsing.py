import json

from hgld.pages.review.session import ReviewSession
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


def test_the_list_for_typing_ahead_has_each_class_with_its_answer_and_group(
    session: ReviewSession,
) -> None:
    done(session, "ann", "assign", LAKE, label="span")
    labels = {row["q"]: row for row in json.loads(session.browsing.labels())}
    assert len(labels) == 16
    assert labels[LAKE] == {"q": LAKE, "l": "lake", "n": 8, "g": "c1", "a": "span"}
