from hgld.pages.review.session import ReviewSession


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
