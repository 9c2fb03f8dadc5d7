from collections import Counter

import pytest

from hgld.engine.workspace import Workspace
from hgld.pages.review.requests import RefusedError
from hgld.pages.review.second.answering import BlindDesk
from hgld.pages.review.second.material import Reply, SecondMaterial
from hgld.pages.review.session import ReviewSession
from hgld.review.second_opinion import draw_sample
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.second.bob import answer_all, reply_to, sample_of
from tests.hgld.pages.review.second.reviewed import ANSWERS, CLASSES, KNOWN
from tests.hgld.pages.review.served import decided as decisions
from tests.hgld.pages.review.served import done


def effects(session: ReviewSession) -> Counter[str]:
    with session.reading() as board:
        words = board.standing.opinions.get("bob", {}).values()
        return Counter(word.change.effect for word in words)


@pytest.mark.usefixtures("fixed_seed")
def test_what_the_seed_draws_is_asked_in_its_order_each_once_and_decides_nothing(
    desk: BlindDesk, session: ReviewSession
) -> None:
    before = decisions(session)
    desk.start("bob", "ann", 20)
    seed = session.events[-1].changes[0].note
    sample = sample_of(session)
    drawn = [qid for qid in sample.queue if qid not in sample.hidden]
    landmarks = {qid: count for qid, _, count, _ in CLASSES}
    assert drawn == draw_sample(ANSWERS, landmarks, 20, seed=seed)
    assert len(sample.hidden) == 1
    assert sample.hidden <= {*KNOWN}
    asked = answer_all(desk, lambda qid: "?" if qid in KNOWN else "mere / tarn")
    assert asked == list(sample.queue)
    skipped = sum(qid in KNOWN for qid in asked)
    over = desk.look("bob")
    assert (over.current, over.asked, over.unsure) == (None, 21, skipped)
    assert effects(session) == {"opinion": 21 - skipped, "unsure": skipped}
    assert decisions(session) == before
    # What is drawn then waits for nothing, and is of other classes.
    desk.start("bob", "ann", 30 - len(asked))
    assert sorted([*asked, *answer_all(desk)]) == sorted(ANSWERS)
    assert desk.look("bob").others == ()


def test_a_restart_or_another_process_goes_on_at_the_same_class(
    desk: BlindDesk, build: Workspace, opener: Opener, session: ReviewSession
) -> None:
    desk.start("bob", "ann", 20)
    first = answer_all(desk, most=7)
    again = BlindDesk(SecondMaterial(opener(build)))
    assert again.look("bob") == desk.look("bob")
    first += answer_all(again, most=3)
    assert [*first, *answer_all(desk)] == list(sample_of(session).queue)


def test_what_cannot_be_drawn_or_answered_writes_nothing(
    desk: BlindDesk, session: ReviewSession
) -> None:
    done(session, "bob", "assign", "Q301", label="dam")
    for who, of_reviewer, size, word in (
        ("bob", "ann", 31, "31"),
        ("bob", "ann", 0, "got 0"),
        ("bob", "eve", 5, "eve"),
        ("bob", "bob", 5, "bob"),
        ("", "ann", 5, "who"),
    ):
        with pytest.raises(RefusedError, match=word):
            desk.start(who, of_reviewer, size)
    assert session.line == len(session.events) == 6
    desk.start("bob", "ann", 20)
    with pytest.raises(RefusedError, match="ann"):  # the first is not answered
        desk.start("bob", "ann", 10)
    (first,) = answer_all(desk, most=1)
    assert desk.answer("bob", reply_to(first, "dam")).kind == "nothing"
    one = desk.look("bob").current
    assert one is not None
    with pytest.raises(RefusedError, match="first"):
        desk.answer("bob", Reply(qid=one.class_qid, kind="first"))
    assert session.line == 8


def test_undo_takes_back_answers_then_the_draw_and_nothing_else(
    desk: BlindDesk, session: ReviewSession
) -> None:
    desk.start("bob", "ann", 5)
    answer_all(desk, most=1)
    assert [desk.undo("bob").kind, desk.redo("bob").kind] == ["done", "done"]
    assert desk.look("bob").place == 2
    done(session, "bob", "ignore", "Q301")  # whatever was done since
    assert [desk.undo("bob").kind for _ in range(3)] == ["done", "done", "nothing"]
    assert desk.look("bob").asked == effects(session).total() == 0
    assert desk.redo("bob").kind == "nothing"
    assert decisions(session)["Q301"] == "ignored"
