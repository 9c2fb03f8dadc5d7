from collections.abc import Sequence

import pytest

from hgld.labels.looks.clip import Unread, Vote
from hgld.labels.looks.landmarks import Landmark
from hgld.labels.looks.stage import told_votes

CHANGED, BROKEN = Unread("is gone", is_changed=True), Unread("cut short", is_changed=False)


def told(looked: Sequence[Vote | Unread], bad: int = 0, absent: int = 0) -> dict[str, object]:
    landmark = Landmark(split="train", landmark_id=7, pictures=[], bad=bad, absent=absent)
    return told_votes(landmark, looked, ["church", "lake", "park"])


def test_most_votes_win_with_their_share_and_the_mean_confidence_of_their_pictures() -> None:
    votes = [Vote(1, 0.9), Vote(0, 0.99), Vote(1, 0.6), Vote(1, 0.75), Vote(2, 0.2)]
    assert told(votes) == {
        "split": "train",
        "landmark_id": 7,
        "status": "ok",
        "best_guess": "lake",
        "confidence": pytest.approx(0.75),  # (0.9 + 0.6 + 0.75) / 3
        "share": 0.6,
        "pictures": 5,
        "left_out": 0,
        "evidence": "lake: 3 of 5 pictures, confidence 0.75; then church: 1",
    }


@pytest.mark.parametrize(
    ("votes", "front"),
    [
        ([Vote(0, 0.6), Vote(1, 0.9), Vote(0, 0.7), Vote(1, 0.5)], "lake"),  # 0.7 beats 0.65
        ([Vote(2, 0.75), Vote(1, 0.75)], "lake"),
        ([Vote(1, 0.75), Vote(2, 0.75)], "lake"),
        ([Vote(0, 0.6), Vote(0, 0.6), Vote(1, 1.0)], "church"),
    ],
)
def test_of_equally_many_the_more_confident_win_and_then_the_first_name(
    votes: list[Vote], front: str
) -> None:
    assert told(votes)["best_guess"] == front


@pytest.mark.parametrize(
    ("looked", "bad", "status", "left_out"),
    [
        ([Vote(0, 0.9), BROKEN], 2, "ok", 3),
        ([Vote(0, 0.9), CHANGED], 0, "ok", 1),
        ([], 1, "no_picture", 1),
        ([BROKEN], 0, "no_picture", 1),
        ([CHANGED, BROKEN], 0, "failed", 2),
    ],
)
def test_damaged_pictures_have_no_vote_and_are_counted_and_changed_ones_alone_have_failed(
    looked: list[Vote | Unread], bad: int, status: str, left_out: int
) -> None:
    row = told(looked, bad, absent=4)
    assert (row["status"], row["left_out"]) == (status, left_out)
    assert f"{left_out} left out" in str(row["evidence"])
    assert row.get("share") == (1 if status == "ok" else None)
