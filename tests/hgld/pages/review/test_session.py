import pytest

from hgld.pages.review.requests import RefusedError
from hgld.pages.review.session import ReviewSession
from hgld.pages.review.views import Question
from hgld.pages.review.wording import event_words
from hgld.review.log.decisions import DECISIONS_FILE, read_log
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.served import asked, decided, done, look, state, view_of

WATERFALL, TALL, HORSETAIL, WEIR = "Q34038", "Q1131316", "Q200001", "Q200002"
LAKE, TARN, SITE, SCRIPT = "Q23397", "Q200005", "Q9259", "Q200010"


def test_accept_is_one_event_with_what_the_page_showed_and_the_classes_by_q_id(
    session: ReviewSession,
) -> None:
    qids = (WATERFALL, TALL, SCRIPT)
    outcome = done(session, "ann", "accept_row", *qids, g="c0", seen="0", scored="0")
    assert all(words in outcome.text for words in ("3 classes", "15 landmarks"))
    (event,) = read_log(session.workspace).events
    assert (event.event, event.reviewer, event.seen, event.number) == ("accept", "ann", 0, 1)
    assert event.decided_at.endswith("+00:00")
    assert {tuple(one.classes.items()): one.content[:3] for one in event.changes} == {
        ((WATERFALL, "waterfall"), (TALL, "tall waterfall")): ("assign", "cascade", "natural"),
        ((SCRIPT, "<script>alert('x')</script> & \"quoted\""),): ("ignore", None, None),
    }


def test_one_key_accepts_what_was_marked_as_sure_and_what_is_sure_of_the_rows_without_room(
    session: ReviewSession,
) -> None:
    view = view_of(session, "c2")
    sure = [one.class_qid for one in view.rows if one.is_sure]
    assert 0 < len(sure) == view.sure < len(view.rows)
    done(session, "ann", "accept", *sure[:1], g="c2")
    assert set(decided(session)) == {sure[0]}
    session.undo("ann")
    done(session, "ann", "accept", *sure[:1], g="c2", rows="1", beyond="1")
    assert set(decided(session)) == set(sure)


def test_what_an_action_would_do_is_told_first_and_agreed_to_as_it_was_told(
    session: ReviewSession,
) -> None:
    done(session, "ann", "name", LAKE, TARN, label="span")
    wanted = {"label": "span", "side": "natural", "asks": "1", "seen": "1"}
    question = session.act("ann", asked("side", **wanted))
    assert isinstance(question, Question)
    assert (question.classes, session.line) == (2, 1)
    agreed = {"label": "span", "side": "natural", "agreed": question.fingerprint, "seen": "1"}
    done(session, "bob", "name", SITE, label="span")
    other = session.act("ann", asked("side", **agreed))
    assert isinstance(other, Question)
    assert (other.classes, session.line) == (3, 2)
    done(session, "ann", "side", **{**agreed, "agreed": other.fingerprint, "seen": "2"})


def test_what_was_done_stands_in_another_session_and_is_undone_and_redone_there(
    session: ReviewSession, opener: Opener
) -> None:
    done(session, "ann", "name", LAKE, label="mere / tarn")
    done(session, "ann", "ignore", SITE)
    done(session, "ann", "doubt", TARN, why="perhaps a pond")
    done(session, "ann", "comment", TARN, why="see Q5")
    again = opener(session.workspace)
    assert state(again) == state(session)
    tarn = next(one for one in view_of(again, "c1").rows if one.class_qid == TARN)
    assert tarn.doubt is not None
    assert (tarn.doubt.reviewer, tarn.doubt.text) == ("ann", "perhaps a pond")
    assert [(one.reviewer, one.text) for one in tarn.comments] == [("ann", "see Q5")]
    events = session.events[:4]
    for event in reversed(events):
        assert look(again, "ann").undo == event
        again.undo("ann")
    assert (decided(again), look(again, "ann").undo) == ({}, None)
    assert again.undo("ann").kind == "nothing"
    third = opener(session.workspace)
    for event in events:
        assert look(third, "ann").redo == event
        third.redo("ann")
    assert third.redo("ann").kind == "nothing"
    assert state(third) == state(again)
    assert decided(third) == {LAKE: "mere / tarn", SITE: "ignored"}


def test_the_history_tells_each_event_in_words_and_one_alone_is_taken_back(
    session: ReviewSession,
) -> None:
    done(session, "ann", "name", LAKE, label="span", why="it has one")
    done(session, "bob", "accept_row", WATERFALL, TALL)
    session.undo("bob")
    done(session, "ann", "ignore", LAKE)
    page = session.history()
    assert [(event.number, event.reviewer) for event in page.events] == [
        *((4, "ann"), (3, "bob"), (2, "bob"), (1, "ann"))
    ]
    assert page.active == {1, 4}
    for event, words in zip(page.events, ("lake", "2", "2 classes", "span"), strict=True):
        assert words in event_words(event)
    assert page.events[-1].why == "it has one"
    assert [one.number for one in session.history(before=4, reviewer="bob").events] == [3, 2]
    session.revert("ann", 4)
    assert decided(session) == {LAKE: "span"}
    session.revert("ann", 2)
    assert decided(session).keys() == {LAKE, WATERFALL, TALL}
    with pytest.raises(RefusedError, match="99"):
        session.revert("ann", 99)


def test_groups_are_put_together_split_off_and_put_back(
    session: ReviewSession, opener: Opener
) -> None:
    assert look(session, "ann").groups[0].group == "c0"
    done(session, "ann", "split", HORSETAIL, WEIR, g="c0")
    split = state(session)[WEIR][2]
    assert split.startswith("g-")
    order = [group.group for group in look(session, "ann").groups]
    assert order.index(split) == order.index("c0") + 1
    done(session, "ann", "merge", g=split, into="c1")
    assert {state(session)[qid][2] for qid in (HORSETAIL, WEIR, LAKE)} == {"c1"}
    assert split not in [group.group for group in look(session, "ann").groups]
    session.undo("ann")
    assert state(opener(session.workspace)) == state(session)
    done(session, "ann", "ungroup", HORSETAIL, WEIR, g=split)
    assert state(session)[WEIR][2] == "c0"
    assert decided(session) == {}


def test_what_is_so_already_appends_nothing(session: ReviewSession) -> None:
    done(session, "ann", "ignore", SITE)
    assert done(session, "bob", "ignore", SITE).kind == "nothing"
    assert done(session, "bob", "accept_row", SITE).kind == "nothing"
    assert done(session, "bob", "clear", LAKE).kind == "nothing"
    assert done(session, "bob", "ungroup", LAKE, g="c1").kind == "nothing"
    assert session.line == 1


def test_what_cannot_be_done_is_refused_by_its_name_and_writes_nothing(
    session: ReviewSession,
) -> None:
    for action, fields, word in (
        ("ignore", {}, "class"),
        ("accept_row", {"qid": "Q1"}, "Q1"),
        ("merge", {"g": "c0", "into": "c77"}, "c77"),
        ("split", {"qid": ["Q12280", "Q200006", "Q200007", "Q200008"], "g": "c2"}, "group"),
        ("comment", {"qid": LAKE, "why": " "}, "comment"),
        ("name", {"qid": LAKE, "label": "x" * 201}, "label"),
        ("name", {"qid": LAKE, "label": "a\x00b"}, "label"),
        ("name", {"qid": LAKE, "label": "\udce9", "side": "natural"}, "label"),
        ("accept", {"qid": LAKE, "seen": "-1"}, "seen"),
        ("accept", {"qid": LAKE, "f": "some:x"}, "f must"),
        ("paint", {}, "action"),
    ):
        with pytest.raises(RefusedError, match=word):
            session.act("ann", asked(action, **fields))
    with pytest.raises(RefusedError, match="who"):
        session.act(" ", asked("accept", LAKE))
    assert session.events == []
    assert not session.workspace.path(DECISIONS_FILE).exists()
