"""Two persons at one review, each with a browser; and a server that dies."""

import os
import select
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hgld.benchmarks.reviewing.served import ServedPage
from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import DECISIONS_FILE, append_event, read_log
from hgld.review.log.events import Change, Edit, Event
from tests.servers.pages.conftest import Seats
from tests.servers.pages.review.expecting import standing_answers
from tests.servers.pages.serving import OpenReview
from tests.worlds.review.desk import Desk
from tests.worlds.watch import Watch

if TYPE_CHECKING:
    import contextlib

_HAS_LINE = "(line) => Number(document.getElementById('bench').dataset.line) >= line"


def append_change(root: Path, event: Edit, reviewer: str, change: Change) -> None:
    """Writes an event as another program does."""
    at = "2026-01-02T03:04:05+00:00"
    said = Event(event=event, decided_at=at, reviewer=reviewer, changes=(change,))
    append_event(Workspace(root), said)


def ignoring(qid: str, label: str) -> Change:
    return Change(classes={qid: label}, effect="ignore")


def told(desk: Desk) -> str:
    return str(desk.tell("() => document.getElementById('say').innerText"))


def test_each_sees_what_the_other_or_another_program_decides_and_takes_back_their_own(
    served: OpenReview, desk: Desk, seat: Seats
) -> None:
    bob = seat(served.url, "bob")
    mine = desk.members()[0].qid
    bob.press("]")
    theirs = bob.members()[0].qid
    desk.press("X", "x", "i")
    bob.page.wait_for_function(_HAS_LINE, arg=desk.line)
    bob.wait()
    bob.press("X", "x", "i")
    desk.page.wait_for_function(_HAS_LINE, arg=bob.line)
    desk.wait()
    desk.page.wait_for_function(
        "() => document.getElementById('others').textContent.includes('bob')"
    )
    assert desk.focus.startswith("m-")
    desk.press("u")
    assert standing_answers(served.root).keys() == {theirs}
    assert mine in {row.qid for row in desk.members() if row.is_open}

    row, line = next(row for row in desk.members() if row.is_open), desk.line
    append_change(served.root, "ignore", "a sheet", ignoring(row.qid, row.label))
    desk.page.wait_for_function(_HAS_LINE, arg=line + 1)
    desk.wait()
    assert row.qid not in {one.qid for one in desk.members() if one.is_open}


def test_what_is_typed_is_not_lost_when_the_other_decides(
    served: OpenReview, desk: Desk, seat: Seats
) -> None:
    bob, carl = seat(served.url, "bob"), seat(served.url, "carl")
    desk.press("c")
    desk.type("half a sent")
    bob.press("i")
    carl.page.wait_for_function(_HAS_LINE, arg=bob.line)  # all pages have been told
    desk.type("ence")
    assert desk.tell("() => document.activeElement.value") == "half a sentence"
    desk.press("Enter")
    assert desk.layer == ""
    assert len(read_log(Workspace(served.root)).events) == 2


@pytest.mark.parametrize("choice", ["mine", "theirs"])
def test_the_second_is_shown_the_difference_and_chooses(
    served: OpenReview, desk: Desk, seat: Seats, watch: Watch, choice: str
) -> None:
    watch.forgiven = ("409 (Conflict)",)
    bob = seat(served.url, "bob")
    first, second = desk.members()[:2]
    desk.press("X", "x", "j", "x", "r")  # under a dialog the page stays as it is
    desk.type("waterf")
    bob.press("X", "x", "i")
    theirs = bob.line
    desk.press("Enter")
    assert desk.layer == "say"
    for words in (first.label, "waterfall", "bob"):
        assert words in told(desk)
    assert len(read_log(Workspace(served.root)).events) == theirs, "nothing is written yet"
    desk.press(*(("Enter",) if choice == "mine" else ("Tab", "Enter")))
    assert desk.layer == ""
    assert desk.focus.startswith("m-")
    mine = ("waterfall", "natural")
    assert standing_answers(served.root) == {
        first.qid: mine if choice == "mine" else None,
        second.qid: mine,
    }
    assert [event.reviewer for event in read_log(Workspace(served.root)).events] == ["bob", "ann"]


def test_what_is_done_is_what_the_preview_showed_or_it_is_shown_anew(
    served: OpenReview, seat: Seats, watch: Watch
) -> None:
    watch.forgiven = ("409 (Conflict)",)
    ann = seat(served.url, path="?rows=5")
    row = ann.members()[0]
    ann.press("i")
    assert ann.layer == "say"
    change = Change(classes={row.qid: row.label}, effect="group", group="g-1")
    append_change(served.root, "split", "bob", change)
    ann.press("Enter")
    assert ann.layer == "say"
    assert standing_answers(served.root) == {}
    ann.press("Enter")
    assert ann.layer == ""
    answers = standing_answers(served.root)
    assert len(answers) > 5
    assert row.qid not in answers


def test_who_stands_in_a_group_that_is_put_into_another_goes_with_it_and_is_told(
    served: OpenReview, desk: Desk
) -> None:
    here, qids = desk.group, {one.qid: one.label for one in desk.members()}
    there = list(desk.groups())[1]
    assert here != there
    change = Change(classes=qids, effect="group", group=there)
    append_change(served.root, "merge", "bob", change)
    desk.page.wait_for_function(_HAS_LINE, arg=1)
    desk.wait()
    assert desk.group == there
    assert "bob" in desk.said


def test_going_back_over_what_others_did_is_asked_first(
    served: OpenReview, desk: Desk, watch: Watch
) -> None:
    watch.forgiven = ("409 (Conflict)",)
    first, second = desk.members()[:2]
    desk.press("X", "x", "i")
    line = desk.line
    append_change(served.root, "ignore", "bob", ignoring(second.qid, second.label))
    desk.page.wait_for_function(_HAS_LINE, arg=line + 1)
    desk.wait()
    desk.press("H")
    back = f"[data-post='/jump/{line}']"
    for key, left in (("Escape", {first.qid, second.qid}), ("Enter", {first.qid})):
        desk.page.click(back)
        desk.page.wait_for_selector("#say[open]")
        assert "bob" in told(desk)
        desk.press(key)
        assert set(standing_answers(served.root)) == left


def test_what_the_server_says_of_an_error_is_shown(
    served: OpenReview, desk: Desk, watch: Watch
) -> None:
    watch.forgiven = ("500 (Internal Server Error)",)
    desk.press("X", "x", "i")
    log = Workspace(served.root).path(DECISIONS_FILE)
    log.write_bytes(log.read_bytes().replace(b"ann", b"bob"))
    desk.hit("i")
    desk.page.wait_for_selector("#say[open]")
    assert "decisions" in told(desk)


def test_fast_clicks_of_one_person_meet_no_conflict(desk: Desk) -> None:
    desk.press("X", "x")
    desk.tell(
        """() => {
          for (const key of ["i", "Enter", "i"]) document.querySelector(`#bench [data-key="${key}"]`).click();
        }"""
    )
    desk.wait()
    assert desk.layer == ""
    assert desk.written >= 1


@pytest.fixture
def process(build: Path, at_end: "contextlib.ExitStack") -> ServedPage:
    """The page as `hgld review` serves it, which can be killed."""
    return at_end.enter_context(ServedPage(build))


def test_a_killed_server_is_told_loses_nothing_that_was_said_to_be_done_and_is_taken_up_again(
    process: ServedPage, seat: Seats, watch: Watch
) -> None:
    watch.forgiven = ("net::ERR_",)
    desk = seat(process.url)
    rows = desk.members()
    desk.press("X", "x", "i")
    children = [os.pidfd_open(pid) for pid in _children_of(process.pid)]
    assert children, "proposals are scored beside it"
    desk.hit("i")  # on its way: it is written whole or not at all
    process.kill()
    written = len(read_log(Workspace(process.root), mend=True).events)
    assert written in {1, 2}
    desk.page.wait_for_function("() => !document.querySelector('#bench[aria-busy]')")
    if not desk.layer:  # it was answered before the end
        desk.press("i")
    assert desk.layer == "say"
    assert len(read_log(Workspace(process.root)).events) == written, "what failed is not done"
    desk.tell("() => { window.isOld = true; }")
    process.start()
    desk.press("Escape")
    desk.page.wait_for_function("() => !window.isOld")
    desk.wait()
    assert desk.line == written
    desk.press(*["u"] * written, *["U"] * written)
    done = {row.qid: None for row in rows[:written]}
    assert standing_answers(process.root) == done
    for child in children:
        ended, _, _ = select.select([child], [], [], 60)
        assert ended, "a process was left behind"
        os.close(child)


def _children_of(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            found += [int(child) for child in task.read_text(encoding="ascii").split()]
    return found[1:]
