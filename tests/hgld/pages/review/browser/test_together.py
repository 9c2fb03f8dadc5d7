"""Two persons at one review, each with a browser."""

import statistics
import time
from pathlib import Path

import pytest

from hgld.benchmarks.reviewing.chromium import Watch
from hgld.benchmarks.reviewing.desk import Desk
from hgld.benchmarks.reviewing.served import ServedPage
from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import append_event, read_log
from hgld.review.log.events import Change, Event
from tests.hgld.pages.review.browser.conftest import Seats
from tests.hgld.pages.review.browser.expecting import standing_answers

pytestmark = pytest.mark.browser

SOON_S = 1.0
_HAS_LINE = "(line) => Number(document.getElementById('bench').dataset.line) >= line"


def test_what_one_decides_the_other_sees_within_a_second(
    lasting: ServedPage, desk: Desk, seat: Seats
) -> None:
    bob = seat(lasting, "bob")
    waits = []
    for key in ("i", "u", "U", "u", "1"):
        bob.press(key)
        start = time.monotonic()
        desk.page.wait_for_function(_HAS_LINE, arg=bob.line)
        waits.append(time.monotonic() - start)
    assert statistics.median(waits) < SOON_S
    assert "bob" in desk.tell("() => document.getElementById('others').textContent")
    # On a row; or on the heading, where the other has left no row that is open.
    assert desk.focus.startswith("m-") or desk.focus == "h-group"


def test_what_another_program_writes_is_seen_within_a_second(
    lasting: ServedPage, desk: Desk
) -> None:
    row = desk.members()[0]
    change = Change(classes={row.qid: row.label}, effect="ignore")
    append_event(
        Workspace(lasting.root),
        Event(
            event="ignore",
            decided_at="2026-01-02T03:04:05+00:00",
            reviewer="a sheet",
            changes=(change,),
        ),
    )
    start = time.monotonic()
    desk.page.wait_for_function(_HAS_LINE, arg=desk.line + 1)
    assert time.monotonic() - start < 2 * SOON_S  # the log is looked at twice a second
    desk.wait()
    assert row.qid not in {one.qid for one in desk.members() if one.is_open}


def test_what_is_typed_is_not_lost_when_the_other_decides(
    lasting: ServedPage, desk: Desk, seat: Seats
) -> None:
    bob = seat(lasting, "bob")
    desk.press("c")
    desk.type("half a sent")
    bob.press("i")
    desk.page.wait_for_timeout(1500)
    desk.type("ence")
    assert desk.tell("() => document.activeElement.value") == "half a sentence"


@pytest.mark.parametrize("choice", ["mine", "theirs"])
def test_the_second_is_shown_the_difference_and_chooses(
    lasting: ServedPage, desk: Desk, seat: Seats, watch: Watch, choice: str
) -> None:
    watch.forgiven = ("409 (Conflict)",)
    bob = seat(lasting, "bob")
    row = desk.members()[0]
    desk.press("X", "x", "r")  # under a dialog the page stays as it is
    desk.type("waterf")
    bob.press("X", "x", "i")
    theirs = bob.line
    desk.press("Enter")
    assert desk.layer == "say"
    told = desk.tell("() => document.getElementById('say').innerText")
    for words in (row.label, "waterfall", "ignored", "bob"):
        assert words in told
    assert len(read_log(Workspace(lasting.root)).events) == theirs, "nothing is written yet"
    if choice == "mine":
        desk.press("Enter")
        assert standing_answers(lasting.root)[row.qid] == ("waterfall", "natural")
        assert len(read_log(Workspace(lasting.root)).events) == theirs + 1
    else:
        desk.press("Tab", "Enter")
        assert standing_answers(lasting.root) == {row.qid: None}
    assert desk.layer == ""
    events = read_log(Workspace(lasting.root)).events[-2:]
    assert {event.reviewer for event in events} >= ({"ann", "bob"} if choice == "mine" else {"bob"})
    assert desk.focus.startswith("m-")


def test_each_takes_back_what_is_their_own(lasting: ServedPage, desk: Desk, seat: Seats) -> None:
    bob = seat(lasting, "bob")
    mine = desk.members()[0].qid
    bob.press("]")
    theirs = bob.members()[0].qid
    desk.press("X", "x", "i")
    bob.page.wait_for_function(_HAS_LINE, arg=desk.line)
    bob.wait()
    bob.press("X", "x", "i")
    desk.page.wait_for_function(_HAS_LINE, arg=bob.line)
    desk.wait()
    desk.press("u")
    answers = standing_answers(lasting.root)
    assert theirs in answers
    assert mine not in answers


def test_a_server_that_is_gone_is_told_and_nothing_is_said_to_be_done(
    served: ServedPage, seat: Seats, watch: Watch
) -> None:
    watch.forgiven = ("net::ERR_",)
    desk = seat(served)
    served.kill()
    desk.press("i")
    assert desk.layer == "say"
    assert "does not answer" in desk.tell("() => document.getElementById('say').innerText")
    assert desk.line == 0
    assert standing_answers(served.root) == {}
    served.start()
    desk.tell("() => { window.isOld = true; }")
    desk.press("Escape")
    desk.page.wait_for_function("() => !window.isOld")
    desk.wait()
    desk.press("i")
    assert desk.line == 1


def _is_running(pid: int) -> bool:
    """Says whether a process is there and has not ended, though nobody has asked how yet."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_a_killed_server_leaves_no_process_behind(
    served: ServedPage, seat: Seats, watch: Watch
) -> None:
    watch.forgiven = ("net::ERR_",)
    desk = seat(served)
    desk.press("Enter")  # so that proposals are scored beside it
    children = _children_of(served.pid)
    served.kill()
    end = time.monotonic() + 60
    while (left := [pid for pid in children if _is_running(pid)]) and time.monotonic() < end:
        time.sleep(0.1)
    assert left == []


def _children_of(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            found += [int(child) for child in task.read_text(encoding="ascii").split()]
    return found[1:]
