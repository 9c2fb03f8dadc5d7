"""Guesses accepted and refused by a person at a keyboard, who sees what is on the screen."""

from typing import NamedTuple

import pytest

from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import read_log
from tests.servers.pages.conftest import Seats
from tests.servers.pages.looking import LOOKS, troubles
from tests.servers.pages.serving import OpenReview
from tests.worlds.review.desk import Desk
from tests.worlds.review.guesses import GUESSES

_SEEN = """() => {
  const fills = document.getElementById("fills");
  const rows = [...fills.querySelectorAll(".member")];
  const named = (row) => row?.querySelector(".member-label").textContent ?? "";
  return [
    fills.dataset.group, rows.map(named), rows.filter((row) => row.querySelector(".tick")?.checked).map(named),
    named(document.activeElement.closest(".member")), document.getElementById("fills-said").textContent,
  ];
}"""
KIRCHEN = [one.name for one in GUESSES if one.name.startswith("Kirche")]
EGLISES = [one.name for one in GUESSES if one.name.startswith("Église")]


class SeenFills(NamedTuple):
    """What is on the screen."""

    group: str
    rows: list[str]
    ticked: list[str]
    focus: str
    said: str


def opened(desk: Desk) -> Desk:
    """Opens the guesses."""
    desk.press("F")
    desk.page.wait_for_selector("#fills .member")
    return desk


def seen(desk: Desk) -> SeenFills:
    return SeenFills(*desk.tell(_SEEN))


def test_a_group_is_accepted_another_refused_and_undone_by_keys_alone(
    served: OpenReview, seat: Seats
) -> None:
    desk = opened(seat(served.url))
    first = seen(desk)
    assert (first.group, first.rows, first.ticked) == ("kirche", KIRCHEN, KIRCHEN)
    assert first.focus == KIRCHEN[0]
    desk.press("ArrowDown", "ArrowDown", "x")
    assert seen(desk).focus == KIRCHEN[2]
    desk.press("Enter")
    assert "4 guesses" in seen(desk).said
    # What was unticked is left, to be refused.
    assert seen(desk).rows == seen(desk).ticked == [KIRCHEN[2]]
    desk.press("w")
    assert (seen(desk).group, sorted(seen(desk).rows)) == ("eglise", sorted(EGLISES))
    desk.press("j", "w", "u")
    assert seen(desk).group == "church"
    desk.page.click("#fills [data-group=eglise]")
    desk.wait()
    desk.page.click("#fills [data-fill=accept]")
    desk.wait()
    events = read_log(Workspace(served.root)).events
    assert [event.event for event in events] == ["fill", "refuse", "refuse", "undo", "fill"]
    # The page beneath has it all when the guesses are closed, and after a restart it is still so.
    desk.press("Escape")
    desk.page.wait_for_function("() => document.getElementById('bench').dataset.line === '5'")
    desk.page.reload()
    desk.wait()
    assert seen(opened(desk)).group == "church"


def test_what_another_says_is_seen_and_takes_nobody_off_their_row(
    served: OpenReview, seat: Seats
) -> None:
    ann, bob = opened(seat(served.url)), opened(seat(served.url, "bob"))
    ann.press("x", "ArrowDown", "ArrowDown", "ArrowDown")
    assert seen(ann).focus == KIRCHEN[3]
    bob.press("X", "ArrowDown", "ArrowDown", "w")  # the third alone
    line = "(line) => Number(document.getElementById('fills')?.dataset.line) >= line"
    ann.page.wait_for_function(line, arg=1)
    ann.wait()
    left = [*KIRCHEN[:2], *KIRCHEN[3:]]
    assert (seen(ann).rows, seen(ann).ticked) == (left, left[1:])
    assert seen(ann).focus == KIRCHEN[3]
    assert "bob" in seen(ann).said


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_it_is_whole_and_read_by_everybody(
    served: OpenReview, seat: Seats, size: dict[str, int], scheme: str
) -> None:
    desk = opened(seat(served.url, viewport=size, color_scheme=scheme))
    desk.press("w")
    found = troubles(
        desk.page,
        whole="#sheet :is(.deed, .tool, h2, h3, kbd, .group-n, .fills-sure)",
        apart="#sheet :is(button, input:not(.tick))",
    )
    assert found == {}
