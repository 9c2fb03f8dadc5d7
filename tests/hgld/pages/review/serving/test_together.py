"""Several persons at one page: what each is asked, and what is not done unseen."""

import re
from typing import NamedTuple

import pytest

from hgld.pages.review.session import ReviewSession
from hgld.review.log.decisions import read_decisions
from hgld.review.log.events import Change, Event
from hgld.review.log.history import standing_of
from tests.hgld.pages.review.served import Served, done, look, state

LAKE, TARN, SITE, WATERFALL, WEIR = "Q23397", "Q200005", "Q9259", "Q34038", "Q200002"
WINDOW = {"window": "1-2"}
ALL = {"action": "ignore", "all": "1", "undecided": "1"}


def shown(text: str, name: str) -> str:
    """Returns a datum of the page."""
    match = re.search(rf'data-{name}="([^"]*)"', text)
    assert match is not None, name
    return match[1]


def agreed(text: str) -> str:
    """Returns what the button of a question sends that does it."""
    match = re.search(r'data-field="shown" data-value="([^"]+)"', text)
    assert match is not None
    return match[1]


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
)
def test_what_is_done_is_what_the_preview_showed(served: Served, theirs: Theirs) -> None:
    fields = {**ALL, "g": "c1", "seen": "0"}
    preview = served.post("/preview", fields)
    assert "Ignore 4 classes" in preview.text
    done(served.session, "bob", theirs.action, *theirs.qids, **theirs.fields)
    answer = served.post("/act", {**fields, "shown": agreed(preview.text)})
    if not theirs.is_other:
        assert answer.status == 200
        assert "Ignored 4 classes" in answer.text
        return
    assert answer.status == 409
    assert "changed since this was shown" in answer.text
    assert served.session.line == 1
    again = served.post("/act", {**fields, "shown": agreed(answer.text)})
    assert again.status == 200
    count = re.search(r"Ignore (\d) classes", answer.text)
    assert count is not None
    assert f"Ignored {count[1]} classes" in again.text


def test_a_class_that_comes_into_a_filter_is_not_ignored_unseen(served: Served) -> None:
    done(served.session, "bob", "comment", LAKE, TARN, why="hm")
    fields = {"action": "ignore", "all": "1", "show": "commented", "seen": "1"}
    preview = served.post("/preview", fields)
    assert "Ignore 2 classes" in preview.text
    done(served.session, "bob", "comment", SITE, why="hm")
    answer = served.post("/act", {**fields, "shown": agreed(preview.text)})
    assert (answer.status, served.session.line) == (409, 2)
    assert "Ignore 3 classes" in answer.text


def test_a_split_into_parts_that_was_shown_is_done_though_its_groups_have_new_names(
    served: Served,
) -> None:
    fields = {"action": "split_parts", "g": "c0", "k": "3"}
    preview = served.post("/preview", fields)
    assert served.post("/act", {**fields, "shown": agreed(preview.text)}).status == 200


def test_a_conflict_says_how_many_are_left_and_keeping_theirs_does_those(served: Served) -> None:
    done(served.session, "bob", "assign", LAKE, label="span")
    answer = served.act("ignore", [LAKE, TARN, SITE], seen="0")
    assert (answer.status, shown(answer.text, "told")) == (409, "1")
    assert "Keep theirs, do the other 2" in answer.text
    kept = served.act("ignore", [LAKE, TARN, SITE], seen="0", prefer="theirs", told="1")
    assert "Ignored 2 classes" in kept.text
    found = read_decisions(served.session.workspace)
    assert found[LAKE].hierarchical_label == "span"
    alone = served.act("assign", [LAKE], label="cascade", seen="0")
    assert "data-refresh>Keep theirs<" in alone.text


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
    answer = served.act("assign", [LAKE], label="span", seen="2", window="3-4")
    assert answer.status == 409
    assert "ann (this name, in another window)" in answer.text


def test_of_windows_that_come_and_go_the_latest_are_known(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hgld.pages.review.serving.answers._MOST_WINDOWS", 2)
    for window, qid in (("1", LAKE), ("2", TARN), ("1", WEIR), ("3", SITE)):
        assert served.act("ignore", [qid], window=window).status == 200
    assert served.act("assign", [LAKE], label="span", seen="0", window="1").status == 200
    assert served.act("assign", [TARN], label="span", seen="0", window="2").status == 409


def test_to_undo_one_that_another_has_undone_does_nothing(served: Served) -> None:
    done(served.session, "bob", "ignore", LAKE)
    assert 'data-post="/revert/1"' in served.get("/revert/1").text
    served.session.undo("carl")
    served.session.revert("carl", 1)
    answer = served.post("/revert/1")
    assert "Nothing to do" in answer.text
    assert 'data-post="/restore/1"' in served.get("/revert/1").text
    assert LAKE not in read_decisions(served.session.workspace)


def test_who_had_a_group_open_that_was_put_into_another_is_taken_there_and_told(
    served: Served,
) -> None:
    done(served.session, "bob", "merge", g="c1", into="c3")
    for answer in (
        served.get("/bench?g=c1&at=c1"),
        served.act("accept", [SITE], g="c1", at="c1", go="stay"),
    ):
        assert shown(answer.text, "group") == "c3"
        assert "The group that was open is a part of" in answer.text
        assert "bob put it there" in answer.text
    done(served.session, "carl", "merge", g="c3", into="c2")
    assert shown(served.get("/bench?g=c1").text, "group") == "c2"
    served.session.undo("carl")
    served.session.undo("bob")
    assert shown(served.get("/bench?g=c1").text, "group") == "c1"


def test_who_had_a_group_open_that_was_taken_back_is_taken_to_its_cluster(
    served: Served,
) -> None:
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
    (branch,) = served.session.look_back.history("ann").branches
    question = served.post(f"/jump/{branch.line}", WINDOW)
    assert question.status == 409
    assert "<b>bob</b> <span>1 edit would count no more" in question.text
    assert served.session.line == 4
    # What is agreed to is what was shown.
    done(served.session, "bob", "ignore", WEIR)
    question = served.post(f"/jump/{branch.line}", {**WINDOW, "shown": agreed(question.text)})
    assert (question.status, served.session.line) == (409, 5)
    assert "2 edits would count no more" in question.text
    mine = served.post(f"/jump/{branch.line}", {**WINDOW, "only": "mine"})
    assert "Jumped: 1 edit off, 1 edit on" in mine.text
    assert set(read_decisions(served.session.workspace)) == {LAKE, SITE, WEIR}
    question = served.post(f"/jump/{branch.line}", WINDOW)
    answer = served.post(f"/jump/{branch.line}", {**WINDOW, "shown": agreed(question.text)})
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
    said = session.jump("ann", 0)
    assert getattr(said, "text", "") == "Jumped: 1 edit off, 0 edits on. u takes it back."
    assert len(standing_of(session.events).samples) == 1
    assert look(session, "ann").line == 3


@pytest.mark.parametrize("path", ["/", "/bench", "/history", "/labels.json"])
def test_head_is_answered(served: Served, path: str) -> None:
    answer = served.ask("HEAD", path)
    assert (answer.status, answer.text) == (200, "")


@pytest.mark.parametrize(
    "name",
    [
        "\u0645\u06cc\u0644\u0627\u062f\u200c\u067e\u0648\u0631",
        "\u0936\u094d\u0930\u0940\u200d\u092e\u0924\u0940",
    ],
)
def test_names_that_are_written_with_joiners_are_names(served: Served, name: str) -> None:
    answer = served.post("/name", {"name": name})
    assert answer.status == 204
    served.cookies = {"reviewer": answer.headers["set-cookie"].partition(";")[0].partition("=")[2]}
    served.act("ignore", [SITE])
    assert served.session.events[-1].reviewer == name


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a" * 81, "at most 80 characters, got 81"),
        ("bob\u202e", "no control or invisible characters, got U+202E"),
        ("\u200d", "type your name"),
    ],
)
def test_what_is_wrong_with_a_name_is_said(served: Served, name: str, text: str) -> None:
    answer = served.post("/name", {"name": name})
    assert answer.status == 422
    assert text in answer.text
