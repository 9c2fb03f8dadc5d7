from collections import Counter

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.pages.review.acting.asking import RefusedError
from hgld.pages.review.second.answering import BlindDesk
from hgld.pages.review.second.material import Reply, SecondMaterial
from hgld.pages.review.session import ReviewSession
from hgld.review.log.opened import OpenLog
from hgld.review.second_opinion import draw_sample
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.second.bob import answer_all, reply_to, sample_of
from tests.hgld.pages.review.second.reviewed import ANSWERS, CLASSES, KNOWN, decided
from tests.hgld.pages.review.served import done

SEEDS = "hgld.pages.review.second.answering.secrets"


def effects(session: ReviewSession, who: str = "bob") -> Counter[str]:
    with session.reading() as board:
        words = board.standing.opinions.get(who, {}).values()
        return Counter(word.change.effect for word in words)


def test_nobody_is_asked_before_they_say_who_they_are(desk: BlindDesk) -> None:
    nobody = desk.look("")
    assert (nobody.reviewer, nobody.others, nobody.current) == ("", (), None)
    with pytest.raises(RefusedError, match="who"):
        desk.start("", "ann", 5)


def test_others_are_offered_with_the_classes_they_have_decided(
    desk: BlindDesk, session: ReviewSession
) -> None:
    done(session, "eve", "ignore", "Q301", "Q302")
    view = desk.look("bob")
    assert [tuple(other) for other in view.others] == [("ann", 28), ("eve", 2)]
    assert (view.size, view.current, view.asked) == (28, None, 0)
    assert [tuple(other) for other in desk.look("ann").others] == [("eve", 2)]


def test_known_answers_that_one_was_not_asked_are_counted(
    desk: BlindDesk, session: ReviewSession
) -> None:
    assert desk.look("bob").known == len(KNOWN)
    desk.start("bob", "ann", 28)
    asked = answer_all(desk)
    done(session, "eve", "ignore", "Q301", "Q302")
    assert desk.look("bob").known == len({*KNOWN}.difference(asked))


def test_the_queue_is_what_the_seed_draws_with_one_in_twenty_known(
    desk: BlindDesk, session: ReviewSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One that does not draw all known classes among the twenty, when none is left to hide.
    monkeypatch.setattr(f"{SEEDS}.token_hex", lambda size: "a" * 2 * size)
    assert desk.start("bob", "ann", 20).text == "Drawn: 21 classes."
    event = session.events[-1]
    seed = event.changes[0].note
    assert len(seed) == 32
    assert (event.event, event.reviewer, event.why) == ("sample", "bob", "")
    sample = sample_of(session)
    landmarks = {qid: count for qid, _, count, _ in CLASSES}
    with session.reading() as board:
        ours = dict(zip(board.classes.qids, board.classes.landmarks.tolist(), strict=True))
    assert ours == landmarks
    drawn = [qid for qid in sample.queue if qid not in sample.hidden]
    assert drawn == draw_sample(ANSWERS, landmarks, 20, seed=seed)
    assert len(sample.hidden) == 1
    assert sample.hidden <= {*KNOWN}


def test_each_draw_has_a_seed_of_its_own(desk: BlindDesk, session: ReviewSession) -> None:
    desk.start("bob", "ann", 5)
    desk.start("zoë", "ann", 5)
    with session.reading() as board:
        assert len({word.change.note for word in board.standing.samples}) == 2


@pytest.mark.usefixtures("fixed_seed")
def test_classes_are_asked_in_the_order_of_the_queue_and_each_once(
    desk: BlindDesk, session: ReviewSession
) -> None:
    desk.start("bob", "ann", 20)
    view = desk.look("bob")
    assert view.current is not None
    assert (view.place, view.asked, view.of_reviewer) == (1, 21, "ann")
    assert answer_all(desk, lambda qid: "?" if qid in KNOWN else ANSWERS[qid]) == list(
        sample_of(session).queue
    )
    over = desk.look("bob")
    skipped = sum(qid in KNOWN for qid in sample_of(session).queue)
    assert skipped
    assert (over.current, over.asked, over.unsure) == (None, 21, skipped)
    assert effects(session) == {"opinion": 21 - skipped, "unsure": skipped}
    assert [tuple(other) for other in over.others] == [("ann", 9)]
    with pytest.raises(RefusedError, match="draw"):
        desk.answer("bob", reply_to("Q301", None))


def test_a_class_is_shown_with_its_landmarks_and_nothing_that_was_decided(
    desk: BlindDesk,
) -> None:
    desk.start("bob", "ann", 20)
    one = desk.look("bob").current
    assert one is not None
    label, landmarks = {qid: (label, count) for qid, label, count, _ in CLASSES}[one.class_qid]
    assert (one.class_label, one.landmarks) == (label, landmarks)
    assert one.wikidata_url == f"https://www.wikidata.org/wiki/{one.class_qid}"
    assert len(one.examples) == min(landmarks, 6)
    assert [name.hierarchical_label for name in desk.look("bob").names] == [
        *("cascade", "dam", "mere / tarn", "span")
    ]


def test_answers_decide_nothing(desk: BlindDesk, session: ReviewSession) -> None:
    with session.reading() as board:
        before, settled = board.standing.decisions(), board.decided.tolist()
    desk.start("bob", "ann", 20)
    answer_all(desk, lambda _: "mere / tarn")
    with session.reading() as board:
        assert (board.standing.decisions(), board.decided.tolist()) == (before, settled)


def test_a_restart_goes_on_at_the_same_class(
    desk: BlindDesk, build: Workspace, opener: Opener, session: ReviewSession
) -> None:
    desk.start("bob", "ann", 20)
    first = answer_all(desk, most=7)
    again = BlindDesk(SecondMaterial(opener(build)))
    assert again.look("bob") == desk.look("bob")
    assert [*first, *answer_all(again)] == list(sample_of(session).queue)


def test_another_process_sees_the_answers_and_goes_on(
    desk: BlindDesk, build: Workspace, opener: Opener
) -> None:
    other = BlindDesk(SecondMaterial(opener(build)))
    desk.start("bob", "ann", 20)
    answer_all(other, most=3)
    assert desk.look("bob").place == 4


def test_an_answer_to_a_class_that_is_not_asked_is_left_out(
    desk: BlindDesk, session: ReviewSession
) -> None:
    desk.start("bob", "ann", 20)
    (first,) = answer_all(desk, most=1)
    line = session.line
    said = desk.answer("bob", reply_to(first, "dam"))
    assert (said.kind, session.line) == ("nothing", line)


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


def test_u_takes_back_answers_then_the_draw_and_u_again_does_them_again(
    desk: BlindDesk, session: ReviewSession
) -> None:
    desk.start("bob", "ann", 5)
    first, second = answer_all(desk, most=2)
    for place in (2, 1):
        assert desk.undo("bob").kind == "done"
        assert desk.look("bob").place == place
    assert desk.undo("bob").kind == "done"
    assert desk.look("bob").asked == 0
    assert desk.undo("bob").kind == "nothing"
    for _ in range(3):
        assert desk.redo("bob").kind == "done"
    assert desk.redo("bob").kind == "nothing"
    assert desk.look("bob").place == 3
    with session.reading() as board:
        assert list(board.standing.opinions["bob"]) == [first, second]


def test_u_takes_an_answer_back_whatever_was_done_since_and_nothing_else(
    desk: BlindDesk, session: ReviewSession
) -> None:
    desk.start("bob", "ann", 5)
    answer_all(desk, most=1)
    done(session, "bob", "ignore", "Q301")
    assert desk.undo("bob").kind == "done"
    assert (desk.look("bob").place, effects(session).total()) == (1, 0)
    assert desk.redo("bob").kind == "nothing"
    with session.reading() as board:
        assert board.standing.decisions()["Q301"].reviewer == "bob"


def test_an_answer_is_undone_in_the_review_too(desk: BlindDesk, session: ReviewSession) -> None:
    desk.start("bob", "ann", 5)
    answer_all(desk, most=1)
    assert session.undo("bob").kind == "done"
    assert desk.look("bob").place == 1


def test_a_new_name_needs_a_side_and_is_offered_from_then_on(desk: BlindDesk) -> None:
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
    assert [name.hierarchical_label for name in view.names] == [
        *("cascade", "dam", "mere / tarn", "spam", "span")
    ]
    assert view.current is not None
    again = Reply(qid=view.current.class_qid, kind="name", label="Spam", side="natural")
    assert desk.answer("bob", again).kind == "done"
    desk.start("eve", "ann", 5)
    assert len(desk.look("eve").names) == 4


def test_an_answer_of_no_kind_is_refused(desk: BlindDesk) -> None:
    desk.start("bob", "ann", 5)
    one = desk.look("bob").current
    assert one is not None
    with pytest.raises(RefusedError, match="first"):
        desk.answer("bob", Reply(qid=one.class_qid, kind="first"))


def test_classes_that_left_the_build_are_passed_over(
    build: Workspace, desk: BlindDesk, opener: Opener, session: ReviewSession
) -> None:
    desk.start("bob", "ann", 5)
    sample = list(sample_of(session).queue)
    log = OpenLog(build)
    event = log.events[-1]
    gone = {"Q999999": "gone", **event.changes[0].classes}
    change = type(event.changes[0])(classes=gone, effect="sample", of_reviewer="ann", note="s")
    log.append(
        type(event)(
            event="sample",
            decided_at="2026-01-01T00:00:00+00:00",
            reviewer="eve",
            changes=(change,),
        )
    )
    later = BlindDesk(SecondMaterial(opener(build)))
    assert later.look("eve").place == 2
    assert answer_all(later, who="eve") == sample


def test_a_review_shown_read_only_takes_no_answer(build: Workspace, opener: Opener) -> None:
    desk = BlindDesk(SecondMaterial(opener(build, read_only=True)))
    assert [other.reviewer for other in desk.look("bob").others] == ["ann"]
    with pytest.raises(InputError, match="read-only"):
        desk.start("bob", "ann", 5)


def test_decisions_of_others_added_meanwhile_are_known(build: Workspace, desk: BlindDesk) -> None:
    OpenLog(build).append(decided(None, ["Q301"], "eve"))
    assert [other.reviewer for other in desk.look("bob").others] == ["ann", "eve"]
