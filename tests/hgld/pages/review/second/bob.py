"""What a second reviewer does."""

from collections.abc import Callable

from hgld.pages.review.second.answering import BlindDesk
from hgld.pages.review.second.material import Reply
from hgld.pages.review.second.sampling import BlindSample, sample_in
from hgld.pages.review.session import ReviewSession
from tests.hgld.pages.review.second.reviewed import ANSWERS

Thinks = Callable[[str], str | None]
"""Q-id to a super-category; None: to ignore; `?`: cannot tell."""


def reply_to(qid: str, answer: str | None) -> Reply:
    """Returns an answer as the page sends it."""
    if answer is None:
        return Reply(qid=qid, kind="ignore")
    if answer == "?":
        return Reply(qid=qid, kind="unsure")
    return Reply(qid=qid, kind="name", label=answer)


def answer_all(
    desk: BlindDesk, thinks: Thinks = ANSWERS.__getitem__, most: int = 1000, who: str = "bob"
) -> list[str]:
    """Answers what is asked; returns the classes in their order."""
    asked = list[str]()
    while len(asked) < most and (current := desk.look(who).current) is not None:
        asked.append(current.class_qid)
        said = desk.answer(who, reply_to(current.class_qid, thinks(current.class_qid)))
        assert said.kind == "done"
    return asked


def sample_of(session: ReviewSession, place: int = -1) -> BlindSample:
    """Returns a sample of the log."""
    with session.reading() as board:
        return sample_in(board.standing.samples[place])
