"""Two persons at one review, each with a browser; a server that dies; and a sheet from elsewhere."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hgld.benchmarks.reviewing.desk import ServedPage
from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import read_log
from tests.servers.pages.conftest import Seats
from tests.servers.pages.review.expecting import standing_answers
from tests.servers.pages.serving import OpenReview
from tests.worlds.review.desk import Desk
from tests.worlds.review.sheets import CHURCH, fill_in
from tests.worlds.watch import Watch

if TYPE_CHECKING:
    import contextlib

_TOLD = "(who) => document.getElementById('said').textContent.includes(who)"
_HAS_LINE = "(line) => Number(document.getElementById('desk').dataset.line) >= line"


def test_each_sees_what_the_other_decides_and_takes_back_their_own(
    served: OpenReview, desk: Desk, seat: Seats
) -> None:
    bob = seat(served.url, "bob")
    mine = desk.members()[0].qid
    bob.press("]")
    theirs = bob.members()[0].qid
    desk.press("i")
    bob.page.wait_for_function(_HAS_LINE, arg=desk.line)
    bob.wait()
    bob.press("i")
    desk.page.wait_for_function(_HAS_LINE, arg=bob.line)
    desk.wait()
    desk.page.wait_for_function(_TOLD, arg="bob")
    desk.press("u")
    assert standing_answers(served.root).keys() == {theirs}
    assert mine in {row.qid for row in desk.members() if row.is_open}


@pytest.mark.parametrize("choice", ["mine", "theirs"])
def test_the_second_is_shown_the_difference_and_chooses(
    served: OpenReview, desk: Desk, seat: Seats, watch: Watch, choice: str
) -> None:
    watch.forgiven = ("409 (Conflict)",)
    bob = seat(served.url, "bob")
    first, second = desk.members()[:2]
    desk.press("x", "j", "x", "r")  # under a dialog the page stays as it is
    desk.type("wat")
    bob.press("i")
    theirs = bob.line
    desk.type("erf")
    assert desk.tell("() => document.activeElement.value") == "waterf"  # nothing typed is lost
    desk.press("Enter")
    assert desk.layer == "ask"
    for words in (first.label, "waterfall", "bob"):
        assert words in desk.page.inner_text("#ask")
    assert len(read_log(Workspace(served.root)).events) == theirs, "nothing is written yet"
    desk.press("Enter")
    assert desk.layer == "ask", "neither side has the focus"
    desk.press(*["Tab"] * (1 if choice == "mine" else 2), "Enter")
    assert desk.layer == ""
    mine = ("waterfall", "natural")
    assert standing_answers(served.root) == {
        first.qid: mine if choice == "mine" else None,
        second.qid: mine,
    }
    assert [event.reviewer for event in read_log(Workspace(served.root)).events] == ["bob", "ann"]


def test_a_killed_server_is_told_loses_nothing_that_was_said_to_be_done_and_is_taken_up_again(
    build: Path, seat: Seats, watch: Watch, at_end: "contextlib.ExitStack"
) -> None:
    watch.forgiven = ("net::ERR_",)
    process = at_end.enter_context(ServedPage(build))
    desk = seat(process.url)
    rows = desk.members()
    desk.press("i")
    desk.hit("i")  # on its way: it is written whole or not at all
    process.kill()
    written = len(read_log(Workspace(process.root), mend=True).events)
    assert written in {1, 2}
    desk.wait()
    if not desk.layer:  # it was answered before the end
        desk.press("i")
    assert desk.layer == "ask"
    assert len(read_log(Workspace(process.root)).events) == written, "what failed is not done"
    desk.press("Escape")
    desk.tell("() => { window.isOld = true; }")
    process.start()
    desk.page.wait_for_function("() => !window.isOld")
    desk.wait()
    assert desk.line == written
    desk.press(*["u"] * written, *["U"] * written)
    done = {row.qid: None for row in rows[:written]}
    assert standing_answers(process.root) == done


def test_a_sheet_that_is_chosen_is_imported_once_what_it_would_do_is_agreed_to(
    served: OpenReview, desk: Desk
) -> None:
    qid = desk.members()[0].qid
    sheet = fill_in(Workspace(served.root), {qid: CHURCH})
    desk.page.goto(f"{served.url}files")
    desk.page.set_input_files("#sheet", sheet)
    desk.page.wait_for_selector("#ask [data-again]")
    assert standing_answers(served.root) == {}
    sheet.write_text("other", encoding="utf-8")  # what was shown is what is imported
    desk.page.click("#ask [data-again]")
    desk.page.wait_for_function(_TOLD, arg="Imported 1 decision")
    assert standing_answers(served.root) == {qid: ("church", "human-made")}
