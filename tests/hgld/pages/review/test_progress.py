from hgld.pages.review.session import ReviewSession
from hgld.review.status import review_status
from tests.hgld.pages.review.served import done, look, view_of

WATERFALL, TALL = "Q34038", "Q1131316"


def test_progress_counts_settled_landmarks_as_status_does_and_the_groups_that_are_done(
    session: ReviewSession,
) -> None:
    # Landmark 1 is a waterfall and a tall waterfall.
    steps = (
        (("accept_row", WATERFALL), 8),
        (("accept_row", TALL), 9 + 4),
        (("clear", WATERFALL), 4),
    )
    for (action, qid), settled in steps:
        done(session, "ann", action, qid)
        progress, status = look(session, "ann").progress, review_status(session.workspace).progress
        assert progress.settled == status.landmarks - status.landmarks_open == settled
        assert progress.landmarks == status.landmarks == 67
    for member in view_of(session, "c0").rows:
        if member.state == "open":
            done(session, "ann", "accept_row", member.class_qid)
    progress = look(session, "ann").progress
    assert (progress.groups_done, progress.groups) == (1, 4)
    everything = look(session, "ann", "*", facets=["is:open"]).view
    assert everything is not None
    done(session, "ann", "accept_row", *(one.class_qid for one in everything.rows))
    progress = look(session, "ann").progress
    assert (progress.settled, progress.groups_done, progress.settled_share) == (67, 4, "100%")
