from collections.abc import Sequence

import pytest

from hgld.labels.looks.voting import Name, SeenPictures, Unread, Vote, decide, tally

NAMES = [Name("church", "human-made"), Name("lake", "natural"), Name("park", "natural")]


def decided(
    votes: Sequence[Vote], share: float = 0.5, confidence: float = 0.5, **seen: object
) -> dict[str, object]:
    return decide(
        SeenPictures(votes=votes, **seen),  # type: ignore[arg-type] # as given
        NAMES,
        min_share=share,
        min_confidence=confidence,
    )


def test_the_majority_is_the_label_with_its_share_and_the_mean_confidence_of_its_pictures() -> None:
    votes = [Vote(1, 0.9), Vote(0, 0.99), Vote(1, 0.6), Vote(1, 0.75), Vote(2, 0.2)]
    assert decided(votes) == {
        "status": "ok",
        "hierarchical_label": "lake",
        "natural_or_human_made": "natural",
        "best_guess": "lake",
        "confidence": pytest.approx(0.75),  # (0.9 + 0.6 + 0.75) / 3
        "share": 0.6,
        "pictures": 5,
        "left_out": 0,
        "evidence": "lake: 3 of 5 pictures, confidence 0.75; then church: 1",
        "method": "zero_shot",
    }


def test_of_equally_many_votes_the_more_confident_win() -> None:
    votes = [Vote(0, 0.6), Vote(1, 0.9), Vote(0, 0.7), Vote(1, 0.5)]
    assert decided(votes)["hierarchical_label"] == "lake"  # 0.7 beats 0.65
    assert decided(votes)["share"] == 0.5


def test_of_equals_in_both_the_first_name_wins_whatever_the_order_of_the_pictures() -> None:
    votes = [Vote(2, 0.75), Vote(1, 0.75)]
    for order in (votes, votes[::-1]):
        assert decided(order)["hierarchical_label"] == "lake"


def test_more_votes_win_over_more_confidence() -> None:
    assert decided([Vote(0, 0.6), Vote(0, 0.6), Vote(1, 1.0)])["hierarchical_label"] == "church"


@pytest.mark.parametrize(
    ("share", "status"), [(2 / 3, "ok"), (0.66, "ok"), (0.67, "low_share"), (1.0, "low_share")]
)
def test_a_share_below_the_least_gives_no_label_and_one_at_it_does(
    share: float, status: str
) -> None:
    row = decided([Vote(0, 0.9), Vote(0, 0.9), Vote(1, 0.9)], share)
    assert row["status"] == status
    assert row["hierarchical_label"] == ("church" if status == "ok" else None)
    assert row["natural_or_human_made"] == ("human-made" if status == "ok" else None)
    assert row["share"] == pytest.approx(2 / 3)
    assert row["confidence"] == pytest.approx(0.9)


@pytest.mark.parametrize(("least", "status"), [(0.5, "ok"), (0.51, "low_confidence")])
def test_a_confidence_below_the_least_gives_no_label_and_one_at_it_does(
    least: float, status: str
) -> None:
    row = decided([Vote(0, 0.25), Vote(0, 0.75)], confidence=least)
    assert row["status"] == status
    assert row["confidence"] == 0.5


def test_damaged_pictures_have_no_vote_and_are_counted() -> None:
    row = decided([Vote(0, 0.9)], unread=[Unread("is cut short", is_changed=False)], bad=2)
    assert (row["status"], row["pictures"], row["left_out"]) == ("ok", 1, 3)
    assert row["share"] == 1
    assert "3 pictures left out" in str(row["evidence"])


def test_without_a_picture_there_is_no_label_and_the_row_says_why() -> None:
    row = decided([])
    assert row["status"] == "no_picture"
    assert row["confidence"] is row["share"] is row["hierarchical_label"] is None
    row = decided([], bad=1, absent=4)
    assert "4 pictures not in the build" in str(row["evidence"])
    assert (row["status"], row["left_out"]) == ("no_picture", 1)


def test_a_landmark_whose_pictures_changed_has_failed_and_one_with_a_vote_has_not() -> None:
    changed = [Unread("is gone", is_changed=True)]
    assert decided([], unread=changed)["status"] == "failed"
    assert decided([Vote(0, 0.9)], unread=changed)["status"] == "ok"
    broken = [Unread("cannot be decoded", is_changed=False)]
    assert decided([], unread=broken)["status"] == "no_picture"


def test_no_vote_has_no_tally() -> None:
    assert tally([]) == []
