import pytest

from hgld.pages.review.acting.asking import RefusedError
from hgld.pages.review.session import ReviewSession
from hgld.review.log.decisions import DECISIONS_FILE, read_log
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.served import asked, decided, done, look, state, view_of

WATERFALL, TALL, CASCADE, HORSETAIL, WEIR = (
    *("Q34038", "Q1131316", "Q15324", "Q200001"),
    "Q200002",
)
LAKE, MOUNTAIN_LAKE, TARN, VIADUCT = "Q23397", "Q200003", "Q200005", "Q200008"
SITE, COMPANY, SCRIPT = "Q9259", "Q200009", "Q200010"


def test_accept_is_one_event_with_what_the_page_showed_and_the_classes_by_q_id(
    session: ReviewSession,
) -> None:
    said = done(session, "ann", "accept", WATERFALL, TALL, SCRIPT, g="c0", seen="0", scored="0")
    assert "3 classes (15 landmarks)" in said.text
    (event,) = read_log(session.workspace).events
    assert (event.event, event.reviewer, event.seen, event.number) == ("accept", "ann", 0, 1)
    assert event.decided_at.endswith("+00:00")
    assert {tuple(one.classes.items()): one.content[:3] for one in event.changes} == {
        ((WATERFALL, "waterfall"), (TALL, "tall waterfall")): ("assign", "cascade", "natural"),
        ((SCRIPT, "<script>alert('x')</script> & \"quoted\""),): ("ignore", None, None),
    }


def test_what_was_done_stands_in_another_session_and_is_undone_and_redone_there(
    session: ReviewSession, opener: Opener
) -> None:
    done(session, "ann", "assign", LAKE, label="mere / tarn")
    done(session, "ann", "ignore", SITE)
    done(session, "ann", "doubt", TARN, why="perhaps a pond")
    done(session, "ann", "comment", TARN, why="see Q5")
    again = opener(session.workspace)
    assert state(again) == state(session)
    tarn = next(one for one in view_of(again, "c1").members if one.class_qid == TARN)
    assert tarn.doubt is not None
    assert (tarn.doubt.reviewer, tarn.doubt.text) == ("ann", "perhaps a pond")
    assert [(one.reviewer, one.text) for one in tarn.comments] == [("ann", "see Q5")]
    for _ in range(4):
        assert look(again, "ann").can_undo
        again.undo("ann")
    assert decided(again) == {}
    assert again.undo("ann").kind == "nothing"
    third = opener(session.workspace)
    for _ in range(4):
        assert look(third, "ann").can_redo
        third.redo("ann")
    assert third.redo("ann").kind == "nothing"
    assert state(third) == state(again)
    assert decided(third) == {LAKE: "mere / tarn", SITE: "ignored"}


def test_the_history_tells_each_event_in_words_and_who_has_not_seen_it(
    session: ReviewSession, opener: Opener
) -> None:
    done(session, "ann", "assign", LAKE, label="span", why="it has one")
    session.mark_seen("bob")
    done(session, "ann", "accept", WATERFALL, TALL)
    session.undo("ann")
    done(session, "ann", "ignore", SITE)
    rows = session.look_back.history("bob").rows
    assert [(row.number, row.event, row.is_active, row.is_unseen) for row in rows] == [
        (4, "ignore", True, True),
        (3, "undo", True, True),
        (2, "accept", False, True),
        (1, "assign", True, False),
    ]
    for row, words in zip(rows, ("heritage site", "2", "2 classes", "span"), strict=True):
        assert words in row.text
    assert rows[-1].why == "it has one"
    assert [look(opener(session.workspace), who).unseen for who in ("bob", "carl")] == [3, 4]
    # A lost note of what was seen loses nothing else.
    session.workspace.path("review/.seen.json").write_text("[1, ")
    assert look(opener(session.workspace), "bob").unseen == 4


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
    done(session, "ann", "ungroup", g=split)
    assert state(session)[WEIR][2] == "c0"
    assert decided(session) == {}


def test_filters_and_search_select_classes_and_groups(session: ReviewSession) -> None:
    done(session, "ann", "ignore", COMPANY)
    done(session, "ann", "comment", TARN, why="small")
    done(session, "ann", "doubt", LAKE)

    def shown(show: str, query: str = "") -> list[str]:
        bench = look(session, "ann", query=query, show=show)  # type: ignore[arg-type]
        views = [look(session, "ann", row.group, query, bench.show).view for row in bench.groups]
        assert all(view is not None and view.matching == view.row.matching for view in views)
        return sorted(one.class_qid for view in views if view for one in view.members)

    assert shown("commented") == [TARN]
    assert COMPANY in shown("ignored")
    assert COMPANY not in shown("open")
    assert {LAKE, VIADUCT} <= set(shown("doubtful"))
    assert TARN not in shown("doubtful")
    assert shown("all", "is:ignored") == shown("ignored")
    assert set(shown("all", "is:mere / tarn")) >= {MOUNTAIN_LAKE, TARN}
    assert shown("new") == []
    assert shown("all", "no such thing") == []
    assert look(session, "ann", query="no such thing").view is None


def test_only_the_confident_ones_of_what_is_ticked_are_accepted(session: ReviewSession) -> None:
    members = view_of(session, "c0").members
    sure = [one.class_qid for one in members if one.answer.confidence >= 0.95]
    assert 0 < len(sure) < len(members)
    done(session, "ann", "accept_confident", *(one.class_qid for one in members), g="c0")
    assert sorted(decided(session)) == sorted(sure)


def test_a_bulk_action_takes_what_matches_unseen_ones_too_but_not_what_is_unticked(
    session: ReviewSession,
) -> None:
    fields = {"all": "1", "q": "lake", "except": MOUNTAIN_LAKE, "g": "", "rows": "1"}
    preview = session.preview(asked("assign", label="mere / tarn", **fields))
    assert (preview.classes, preview.landmarks, preview.unseen) == (2, 11, 1)
    assert session.events == []
    done(session, "ann", "assign", label="mere / tarn", **fields)
    assert decided(session) == dict.fromkeys((LAKE, "Q200004"), "mere / tarn")


def test_what_is_so_already_appends_nothing(session: ReviewSession) -> None:
    done(session, "ann", "ignore", SITE)
    assert done(session, "bob", "ignore", SITE).kind == "nothing"
    assert done(session, "bob", "accept", SITE).kind == "nothing"
    assert done(session, "bob", "clear", LAKE).kind == "nothing"
    assert done(session, "bob", "ungroup", g="c0").kind == "nothing"
    assert session.line == 1


def test_what_cannot_be_done_is_refused_by_its_name_and_writes_nothing(
    session: ReviewSession,
) -> None:
    for action, fields, word in (
        ("accept", {}, "ticked"),
        ("accept", {"qid": "Q1"}, "Q1"),
        ("merge", {"g": "c0", "into": "c77"}, "c77"),
        ("split", {"all": "1", "g": "c0"}, "group"),
        ("comment", {"qid": LAKE, "why": " "}, "comment"),
        ("assign", {"qid": LAKE, "label": "x" * 201}, "label"),
        ("assign", {"qid": LAKE, "label": "a\x00b"}, "label"),
        ("assign", {"qid": LAKE, "label": "\udce9", "side": "natural"}, "UTF-8"),
        ("accept", {"qid": LAKE, "seen": "-1"}, "seen"),
        ("accept", {"qid": LAKE, "prefer": "his"}, "prefer"),
        ("accept", {"qid": LAKE, "show": "some"}, "show"),
        ("paint", {}, "action"),
    ):
        with pytest.raises(RefusedError, match=word):
            session.act("ann", asked(action, **fields))
    with pytest.raises(RefusedError, match="who"):
        session.act(" ", asked("accept", LAKE))
    assert session.events == []
    assert not session.workspace.path(DECISIONS_FILE).exists()
