from hgld.pages.review.session import ReviewSession
from hgld.review.status import review_status
from tests.hgld.pages.review.served import done, look, view_of

WATERFALL, TALL = "Q34038", "Q1131316"


def test_progress_counts_settled_landmarks_as_status_does_and_tells_what_is_left(
    session: ReviewSession,
) -> None:
    # Landmark 1 is a waterfall and a tall waterfall.
    steps = ((("accept", WATERFALL), 8), (("accept", TALL), 9 + 4), (("clear", WATERFALL), 4))
    for (action, qid), settled in steps:
        done(session, "ann", action, qid)
        progress, status = look(session, "ann").progress, review_status(session.workspace).progress
        assert progress.settled == status.landmarks - status.landmarks_open == settled
        assert progress.landmarks == status.landmarks == 67
    for member in view_of(session, "c0").members:
        if member.state == "open":
            done(session, "ann", "accept", member.class_qid)
    progress = look(session, "ann").progress
    assert (progress.groups_done, progress.groups) == (1, 4)
    done(session, "ann", "accept", all="1", g="")
    progress = look(session, "ann").progress
    assert (progress.settled, progress.groups_done, progress.groups_to_90) == (67, 4, None)
