"""Several persons at one page: what each is asked, and what is not done unseen."""

from typing import NamedTuple

import pytest

from hgld.pages.review.session import ReviewSession
from hgld.review.log.decisions import read_decisions
from hgld.review.log.events import Change, Event
from hgld.review.log.history import standing_of
from tests.hgld.pages.review.served import Served, done, look, shown, state

LAKE, TARN, SITE, WATERFALL, WEIR = "Q23397", "Q200005", "Q9259", "Q34038", "Q200002"
WINDOW = {"window": "1-2"}
ALL = {"action": "ignore", "all": "1", "undecided": "1"}


def agreed(text: str) -> str:
    """Returns what the button of a question sends that does it."""
    return text.split('data-field="shown" data-value="')[1].split('"', maxsplit=1)[0]


class Theirs(NamedTuple):
    """What bob does while ann looks at a preview of c1, and whether another is shown then."""

    action: str
    qids: tuple[str, ...]
    fields: dict[str, str]
    is_other: bool


@pytest.mark.parametrize(
    "theirs",
    [
        Theirs("merge", (WEIR, WATERFALL), {"into": "c1"}, is_other=True),
        Theirs("split", (TARN,), {"g": "c1"}, is_other=True),
        Theirs("assign", (TARN,), {"label": "span"}, is_other=True),
        Theirs("comment", (TARN,), {"why": "hm"}, is_other=False),
        Theirs("ignore", (SITE,), {}, is_other=False),
    ],
    ids=lambda theirs: theirs.action,
)
def test_what_is_done_is_what_the_preview_showed(served: Served, theirs: Theirs) -> None:
    fields = {**ALL, "g": "c1", "seen": "0"}
    preview = served.post("/preview", fields)
    done(served.session, "bob", theirs.action, *theirs.qids, **theirs.fields)
    answer = served.post("/act", {**fields, "shown": agreed(preview.text)})
    if theirs.is_other:
        assert (answer.status, served.session.line) == (409, 1)
        in_c1 = {
            qid
            for qid, (now, _, group) in state(served.session).items()
            if group == "c1" and now == "open"
        }
        answer = served.post("/act", {**fields, "shown": agreed(answer.text)})
    else:
        in_c1 = {LAKE, TARN, "Q200003", "Q200004"}
    assert answer.status == 200
    (change,) = served.session.events[-1].changes
    assert set(change.classes) == in_c1


def test_a_class_that_comes_into_a_filter_is_not_ignored_unseen(served: Served) -> None:
    done(served.session, "bob", "comment", LAKE, TARN, why="hm")
    fields = {"action": "ignore", "all": "1", "show": "commented", "seen": "1"}
    preview = served.post("/preview", fields)
    done(served.session, "bob", "comment", SITE, why="hm")
    answer = served.post("/act", {**fields, "shown": agreed(preview.text)})
    assert (answer.status, served.session.line) == (409, 2)


def test_a_split_into_parts_that_was_shown_is_done_though_its_groups_have_new_names(
    served: Served,
) -> None:
    fields = {"action": "split_parts", "g": "c0", "k": "3"}
    preview = served.post("/preview", fields)
    assert served.post("/act", {**fields, "shown": agreed(preview.text)}).status == 200


def test_keeping_theirs_does_the_rest(served: Served) -> None:
    done(served.session, "bob", "assign", LAKE, label="span")
    answer = served.act("ignore", [LAKE, TARN, SITE], seen="0")
    assert (answer.status, shown(answer.text, "told")) == (409, "1")
    assert (
        served.act("ignore", [LAKE, TARN, SITE], seen="0", prefer="theirs", told="1").status == 200
    )
    found = read_decisions(served.session.workspace)
    assert {qid: one.hierarchical_label for qid, one in found.items()} == {
        LAKE: "span",
        TARN: None,
        SITE: None,
    }


def test_mine_meets_a_third_persons_decision_as_another_conflict(served: Served) -> None:
    done(served.session, "bob", "assign", LAKE, label="span")
    line = shown(served.act("ignore", [LAKE], seen="0").text, "told")
    done(served.session, "carl", "assign", LAKE, label="cascade")
    answer = served.act("ignore", [LAKE], seen="0", prefer="mine", told=line)
    assert answer.status == 409
    assert "carl" in answer.text
    line = shown(answer.text, "told")
    assert served.act("ignore", [LAKE], seen="0", prefer="mine", told=line).status == 200


def test_a_window_meets_no_conflict_with_itself_and_another_of_the_same_name_does(
    served: Served,
) -> None:
    for label in ("span", "cascade"):  # two clicks, the second before the answer to the first
        answer = served.act("assign", [LAKE], label=label, seen="0", window="1-2")
        assert answer.status == 200
    assert served.post("/undo", {"seen": "0", "window": "1-2"}).status == 200
    assert served.act("ignore", [LAKE], seen="0", window="1-2").status == 200
    assert served.act("assign", [LAKE], label="span", seen="2", window="3-4").status == 409


def test_what_another_has_undone_is_not_undone_again_but_can_be_restored(served: Served) -> None:
    done(served.session, "bob", "ignore", LAKE)
    assert 'data-post="/revert/1"' in served.get("/revert/1").text
    served.session.revert("carl", 1)
    assert served.post("/revert/1").status == 200
    assert served.session.line == 2
    assert 'data-post="/restore/1"' in served.get("/revert/1").text
    assert LAKE not in read_decisions(served.session.workspace)


def test_who_had_a_group_open_that_went_elsewhere_is_taken_there_and_told(served: Served) -> None:
    done(served.session, "bob", "merge", g="c1", into="c3")
    for answer in (
        served.get("/bench?g=c1&at=c1"),
        served.act("accept", [SITE], g="c1", at="c1", go="stay"),
    ):
        assert shown(answer.text, "group") == "c3"
        assert "bob" in answer.text
    done(served.session, "carl", "merge", g="c3", into="c2")
    assert shown(served.get("/bench?g=c1").text, "group") == "c2"
    served.session.undo("carl")
    served.session.undo("bob")
    assert shown(served.get("/bench?g=c1").text, "group") == "c1"
    done(served.session, "bob", "split", LAKE, g="c1")
    group = state(served.session)[LAKE][2]
    assert shown(served.get(f"/bench?g={group}").text, "group") == group
    served.session.undo("bob")
    assert shown(served.get(f"/bench?g={group}").text, "group") == "c1"


def test_a_jump_that_switches_what_others_did_asks_first(served: Served) -> None:
    done(served.session, "ann", "ignore", LAKE)
    served.session.undo("ann")
    done(served.session, "ann", "ignore", TARN)
    done(served.session, "bob", "ignore", SITE)
    question = served.post("/jump/1", WINDOW)
    assert question.status == 409
    assert "bob" in question.text
    assert served.session.line == 4
    # What is agreed to is what was shown.
    done(served.session, "bob", "ignore", WEIR)
    question = served.post("/jump/1", {**WINDOW, "shown": agreed(question.text)})
    assert (question.status, served.session.line) == (409, 5)
    assert served.post("/jump/1", {**WINDOW, "only": "mine"}).status == 200
    assert set(read_decisions(served.session.workspace)) == {LAKE, SITE, WEIR}
    question = served.post("/jump/1", WINDOW)
    answer = served.post("/jump/1", {**WINDOW, "shown": agreed(question.text)})
    assert answer.status == 200
    assert set(read_decisions(served.session.workspace)) == {LAKE}


def test_a_jump_leaves_the_blind_samples_and_opinions_of_others(session: ReviewSession) -> None:
    done(session, "ann", "ignore", LAKE)
    with session.appending("bob") as append:
        change = Change(classes={LAKE: "lake"}, effect="sample", note="1", of_reviewer="ann")
        append(
            Event(
                event="sample",
                decided_at="2026-01-02T03:04:05+00:00",
                reviewer="bob",
                changes=(change,),
            )
        )
    session.jump("ann", 0)
    assert read_decisions(session.workspace) == {}
    assert len(standing_of(session.events).samples) == 1
    assert look(session, "ann").line == 3
