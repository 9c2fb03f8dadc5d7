"""Two persons at one review, each with a browser."""

import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hgld.benchmarks.reviewing.chromium import Watch
from hgld.benchmarks.reviewing.desk import Desk
from hgld.benchmarks.reviewing.served import ServedPage
from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import DECISIONS_FILE, append_event, read_log
from hgld.review.log.events import Change, Edit, Event
from tests.hgld.pages.review.browser.conftest import Seats
from tests.hgld.pages.review.browser.expecting import standing_answers

if TYPE_CHECKING:
    from playwright.sync_api import Route

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
    row, line = desk.members()[0], desk.line
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
    desk.page.wait_for_function(_HAS_LINE, arg=line + 1)
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


def test_that_proposals_are_scored_again_is_said_until_they_are(
    served: ServedPage, seat: Seats
) -> None:
    desk = seat(served)
    desk.page.wait_for_function("() => !document.querySelector('.scoring')")

    def write_as_before(route: "Route") -> None:
        """As the page was during the first scoring, whose end has no number of its own."""
        answer = route.fetch()
        html = answer.text().replace(
            "</footer>", '<p class="scoring">scoring again</p></footer>', 1
        )
        route.fulfill(response=answer, body=html)

    desk.page.route(served.url, write_as_before)
    desk.page.goto(served.url)
    desk.page.wait_for_function("() => !document.querySelector('.scoring')")


def _appended(server: ServedPage, event: Edit, reviewer: str, change: Change) -> None:
    """Writes an event as another server of the same build does."""
    at = "2026-01-02T03:04:05+00:00"
    said = Event(event=event, decided_at=at, reviewer=reviewer, changes=(change,))
    append_event(Workspace(server.root), said)


def _told(desk: Desk) -> str:
    return str(desk.tell("() => document.getElementById('say').innerText"))


def test_what_is_done_is_what_the_preview_showed_or_it_is_shown_anew(
    lasting: ServedPage, desk: Desk, seat: Seats, watch: Watch
) -> None:
    watch.forgiven = ("409 (Conflict)",)
    ann = seat(lasting, "ann", "?rows=5")
    row, before = ann.members()[0], desk.line
    ann.press("i")
    assert "not shown on the page" in _told(ann)
    change = Change(classes={row.qid: row.label}, effect="group", group="g-1")
    _appended(lasting, "split", "bob", change)
    ann.press("Enter")
    assert ann.layer == "say"
    assert "changed since this was shown" in _told(ann)
    assert len(read_log(Workspace(lasting.root)).events) == before + 1
    ann.press("Enter")
    assert ann.layer == ""
    answers = standing_answers(lasting.root)
    assert len(answers) > 5
    assert row.qid not in answers


def test_who_stands_in_a_group_that_is_put_into_another_goes_with_it_and_is_told(
    lasting: ServedPage, desk: Desk
) -> None:
    here, qids = desk.group, {one.qid: one.label for one in desk.members()}
    desk.press("]")
    there = desk.group
    desk.press("[")
    assert desk.group == here
    line = desk.line
    _appended(lasting, "merge", "bob", Change(classes=qids, effect="group", group=there))
    desk.page.wait_for_function(_HAS_LINE, arg=line + 1)
    desk.wait()
    assert desk.group == there
    assert "The group that was open is a part of" in desk.said
    assert "bob put it there" in desk.said


def test_theirs_is_kept_and_the_rest_is_done(lasting: ServedPage, desk: Desk, watch: Watch) -> None:
    watch.forgiven = ("409 (Conflict)",)
    first, second = desk.members()[:2]
    desk.press("X", "x", "j", "x", "r")
    desk.type("waterf")
    _appended(lasting, "ignore", "bob", Change(classes={first.qid: first.label}, effect="ignore"))
    desk.press("Enter")
    assert "Keep theirs, do the other 1" in _told(desk)
    desk.press("Tab", "Enter")
    assert desk.layer == ""
    answers = standing_answers(lasting.root)
    assert answers == {first.qid: None, second.qid: ("waterfall", "natural")}


def test_mine_does_not_replace_what_a_third_has_decided_since(
    lasting: ServedPage, desk: Desk, watch: Watch
) -> None:
    watch.forgiven = ("409 (Conflict)",)
    row = desk.members()[0]
    desk.press("X", "x", "r")
    desk.type("waterf")
    _appended(lasting, "ignore", "bob", Change(classes={row.qid: row.label}, effect="ignore"))
    desk.press("Enter")
    assert "bob" in _told(desk)
    span = Change(
        classes={row.qid: row.label},
        effect="assign",
        hierarchical_label="span",
        natural_or_human_made="human-made",
    )
    _appended(lasting, "assign", "carl", span)
    desk.press("Enter")
    assert "carl" in _told(desk)
    assert standing_answers(lasting.root) == {row.qid: ("span", "human-made")}
    desk.press("Enter")
    assert standing_answers(lasting.root) == {row.qid: ("waterfall", "natural")}


def test_going_back_over_what_others_did_is_asked_first(
    lasting: ServedPage, desk: Desk, watch: Watch
) -> None:
    watch.forgiven = ("409 (Conflict)",)
    first, second = desk.members()[:2]
    desk.press("X", "x", "i")
    line = desk.line
    _appended(lasting, "ignore", "bob", Change(classes={second.qid: second.label}, effect="ignore"))
    desk.page.wait_for_function(_HAS_LINE, arg=line + 1)
    desk.wait()
    desk.press("H")
    back = f"[data-post='/jump/{line}']"
    desk.page.click(back)
    desk.page.wait_for_selector("#say[open]")
    assert "bob\n1 edit would count no more" in _told(desk)
    desk.press("Escape")
    assert set(standing_answers(lasting.root)) == {first.qid, second.qid}
    desk.page.click(back)
    desk.page.wait_for_selector("#say[open]")
    desk.press("Enter")
    assert standing_answers(lasting.root) == {first.qid: None}


def test_what_the_server_says_of_an_error_is_shown(
    served: ServedPage, seat: Seats, watch: Watch
) -> None:
    watch.forgiven = ("500 (Internal Server Error)",)
    desk = seat(served)
    desk.press("X", "x", "i")
    log = Workspace(served.root).path(DECISIONS_FILE)
    log.write_bytes(log.read_bytes().replace(b"ann", b"bob"))
    desk.hit("i")
    desk.page.wait_for_selector("#say[open]")
    assert "restores it" in _told(desk)


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
