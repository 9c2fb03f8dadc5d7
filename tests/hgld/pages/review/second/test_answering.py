from collections import Counter

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.pages.review.acting.asking import RefusedError
from hgld.pages.review.second.answering import BlindDesk
from hgld.pages.review.second.material import Reply, SecondMaterial
from hgld.pages.review.session import ReviewSession
from hgld.review.log.decisions import OpenLog
from hgld.review.log.events import Change, Event
from hgld.review.second_opinion import draw_sample
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.second.bob import answer_all, reply_to, sample_of
from tests.hgld.pages.review.second.reviewed import ANSWERS, CLASSES, KNOWN, WHEN, decided
from tests.hgld.pages.review.served import decided as decisions
from tests.hgld.pages.review.served import done


def effects(session: ReviewSession, who: str = "bob") -> Counter[str]:
    with session.reading() as board:
        words = board.standing.opinions.get(who, {}).values()
        return Counter(word.change.effect for word in words)


def test_others_are_offered_with_the_classes_they_have_decided(
    desk: BlindDesk, build: Workspace
) -> None:
    OpenLog(build).append(decided(None, ["Q301", "Q302"], "eve"))  # in another process
    view = desk.look("bob")
    assert [tuple(other) for other in view.others] == [("ann", 28), ("eve", 2)]
    assert (view.size, view.current, view.asked, view.known) == (28, None, 0, len(KNOWN))
    assert [tuple(other) for other in desk.look("ann").others] == [("eve", 2)]
    nobody = desk.look("")
    assert (nobody.reviewer, nobody.others, nobody.current) == ("", (), None)
    with pytest.raises(RefusedError, match="who"):
        desk.start("", "ann", 5)
    desk.start("bob", "ann", 28)
    asked = answer_all(desk)
    assert desk.look("bob").known == len({*KNOWN}.difference(asked))


def test_the_queue_is_what_a_seed_of_its_own_draws_with_one_in_twenty_known(
    desk: BlindDesk, session: ReviewSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    for who in ("carl", "zoë"):
        desk.start(who, "ann", 5)
    with session.reading() as board:
        assert len({word.change.note for word in board.standing.samples}) == 2
    # One that does not draw all known classes among the twenty, when none is left to hide.
    seeds = "hgld.pages.review.second.answering.secrets.token_hex"
    monkeypatch.setattr(seeds, lambda size: "a" * 2 * size)
    desk.start("bob", "ann", 20)
    event = session.events[-1]
    seed = event.changes[0].note
    assert len(seed) == 32
    assert (event.event, event.reviewer) == ("sample", "bob")
    sample = sample_of(session)
    drawn = [qid for qid in sample.queue if qid not in sample.hidden]
    landmarks = {qid: count for qid, _, count, _ in CLASSES}
    assert drawn == draw_sample(ANSWERS, landmarks, 20, seed=seed)
    assert len(sample.hidden) == 1
    assert sample.hidden <= {*KNOWN}


@pytest.mark.usefixtures("fixed_seed")
def test_classes_are_asked_in_the_order_of_the_queue_each_once_and_decide_nothing(
    desk: BlindDesk, session: ReviewSession
) -> None:
    before = decisions(session)
    desk.start("bob", "ann", 20)
    view = desk.look("bob")
    assert view.current is not None
    assert (view.place, view.asked, view.of_reviewer) == (1, 21, "ann")
    asked = answer_all(desk, lambda qid: "?" if qid in KNOWN else "mere / tarn")
    assert asked == list(sample_of(session).queue)
    over = desk.look("bob")
    skipped = sum(qid in KNOWN for qid in asked)
    assert skipped
    assert (over.current, over.asked, over.unsure) == (None, 21, skipped)
    assert effects(session) == {"opinion": 21 - skipped, "unsure": skipped}
    assert [tuple(other) for other in over.others] == [("ann", 9)]
    assert decisions(session) == before
    with pytest.raises(RefusedError, match="draw"):
        desk.answer("bob", reply_to("Q301", None))


def test_a_class_is_shown_with_its_landmarks_and_nothing_that_was_decided(desk: BlindDesk) -> None:
    desk.start("bob", "ann", 20)
    one = desk.look("bob").current
    assert one is not None
    label, landmarks = {qid: (label, count) for qid, label, count, _ in CLASSES}[one.class_qid]
    assert (one.class_label, one.landmarks) == (label, landmarks)
    assert one.wikidata_url == f"https://www.wikidata.org/wiki/{one.class_qid}"
    assert len(one.examples) == min(landmarks, 6)
    names = [name.hierarchical_label for name in desk.look("bob").names]
    assert names == ["cascade", "dam", "mere / tarn", "span"]


def test_a_restart_or_another_process_goes_on_at_the_same_class(
    desk: BlindDesk, build: Workspace, opener: Opener, session: ReviewSession
) -> None:
    desk.start("bob", "ann", 20)
    first = answer_all(desk, most=7)
    again = BlindDesk(SecondMaterial(opener(build)))
    assert again.look("bob") == desk.look("bob")
    first += answer_all(again, most=3)
    assert desk.look("bob").place == 11
    assert [*first, *answer_all(desk)] == list(sample_of(session).queue)


def test_an_answer_to_a_class_that_is_not_asked_or_of_no_kind_writes_nothing(
    desk: BlindDesk, session: ReviewSession
) -> None:
    desk.start("bob", "ann", 20)
    (first,) = answer_all(desk, most=1)
    line = session.line
    assert desk.answer("bob", reply_to(first, "dam")).kind == "nothing"
    one = desk.look("bob").current
    assert one is not None
    with pytest.raises(RefusedError, match="first"):
        desk.answer("bob", Reply(qid=one.class_qid, kind="first"))
    assert session.line == line


def test_a_draw_that_cannot_be_is_refused(desk: BlindDesk, session: ReviewSession) -> None:
    done(session, "bob", "accept", "Q301")
    line = session.line
    for of_reviewer, size, word in (
        ("ann", 31, "31"),
        ("ann", 0, "got 0"),
        ("eve", 5, "eve"),
        ("bob", 5, "bob"),
        ("", 5, "nobody"),
    ):
        with pytest.raises(RefusedError, match=word):
            desk.start("bob", of_reviewer, size)
    assert session.line == line


def test_a_second_draw_waits_for_the_first_and_asks_of_other_classes(
    desk: BlindDesk, session: ReviewSession
) -> None:
    desk.start("bob", "ann", 10)
    with pytest.raises(RefusedError, match="ann"):
        desk.start("bob", "ann", 10)
    first = answer_all(desk)
    desk.start("bob", "ann", 30 - len(first))
    assert sorted([*first, *answer_all(desk)]) == sorted(ANSWERS)
    assert desk.look("bob").others == ()
    assert len(sample_of(session, 0).queue) == len(first)


def test_undo_takes_back_answers_then_the_draw_and_redo_does_them_again(
    desk: BlindDesk, session: ReviewSession
) -> None:
    desk.start("bob", "ann", 5)
    first, second = answer_all(desk, most=2)
    assert session.undo("bob").kind == "done"  # in the review, which does the same
    assert desk.look("bob").place == 2
    assert desk.undo("bob").kind == "done"
    assert desk.look("bob").place == 1
    assert desk.undo("bob").kind == "done"
    assert desk.look("bob").asked == 0
    assert desk.undo("bob").kind == "nothing"
    for _ in range(3):
        assert desk.redo("bob").kind == "done"
    assert desk.redo("bob").kind == "nothing"
    assert desk.look("bob").place == 3
    with session.reading() as board:
        assert list(board.standing.opinions["bob"]) == [first, second]


def test_undo_takes_an_answer_back_whatever_was_done_since_and_nothing_else(
    desk: BlindDesk, session: ReviewSession
) -> None:
    desk.start("bob", "ann", 5)
    answer_all(desk, most=1)
    done(session, "bob", "ignore", "Q301")
    assert desk.undo("bob").kind == "done"
    assert (desk.look("bob").place, effects(session).total()) == (1, 0)
    assert desk.redo("bob").kind == "nothing"
    assert decisions(session)["Q301"] == "ignored"


def test_a_new_name_needs_a_side_and_is_offered_to_who_gave_it_only(desk: BlindDesk) -> None:
    desk.start("bob", "ann", 5)
    one = desk.look("bob").current
    assert one is not None
    with pytest.raises(RefusedError, match="human-made"):
        desk.answer("bob", Reply(qid=one.class_qid, kind="name", label="weir"))
    with pytest.raises(RefusedError, match="span") as refused:
        desk.answer("bob", Reply(qid=one.class_qid, kind="name", label="spam", side="natural"))
    assert (refused.value.suggestion, refused.value.may_insist) == ("span", True)
    sure = Reply(qid=one.class_qid, kind="name", label="spam", side="natural", is_sure=True)
    assert desk.answer("bob", sure).kind == "done"
    view = desk.look("bob")
    assert "spam" in {name.hierarchical_label for name in view.names}
    assert view.current is not None
    again = Reply(qid=view.current.class_qid, kind="name", label="Spam", side="natural")
    assert desk.answer("bob", again).kind == "done"
    desk.start("eve", "ann", 5)
    assert "spam" not in {name.hierarchical_label for name in desk.look("eve").names}


def test_classes_that_left_the_build_are_passed_over(
    build: Workspace, desk: BlindDesk, session: ReviewSession
) -> None:
    desk.start("bob", "ann", 5)
    queue = sample_of(session).queue
    gone = {"Q999999": "gone", **queue}
    change = Change(classes=gone, effect="sample", of_reviewer="ann", note="s")
    sample = Event(event="sample", decided_at=WHEN, reviewer="eve", changes=(change,))
    OpenLog(build).append(sample)
    assert desk.look("eve").place == 2
    assert answer_all(desk, who="eve") == list(queue)


def test_a_review_shown_read_only_takes_no_answer(build: Workspace, opener: Opener) -> None:
    desk = BlindDesk(SecondMaterial(opener(build, read_only=True)))
    assert [other.reviewer for other in desk.look("bob").others] == ["ann"]
    with pytest.raises(InputError, match="read-only"):
        desk.start("bob", "ann", 5)
