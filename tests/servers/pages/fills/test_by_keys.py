"""Guesses accepted and refused by a person at a keyboard, who sees what is on the screen."""

import re
from typing import NamedTuple

import pytest

from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import read_log
from tests.servers.pages.conftest import Seats
from tests.servers.pages.looking import LOOKS, troubles
from tests.servers.pages.serving import OpenReview
from tests.worlds.review.desk import Desk
from tests.worlds.review.guesses import GUESSES
from tests.worlds.watch import Watch

_SEEN = """() => {
  const fills = document.getElementById("fills"), { name, group, order, show } = fills.dataset;
  const rows = [...fills.querySelectorAll(".member")];
  const named = (row) => row?.querySelector(".member-label").textContent ?? "";
  return [
    name, group, order, show, rows.map(named),
    rows.filter((row) => row.querySelector(".tick")?.checked).map(named),
    named(document.activeElement.closest(".member")),
    document.getElementById("fills-said").textContent,
  ];
}"""
KIRCHEN = [one.name for one in GUESSES if one.name.startswith("Kirche")]
EGLISES = [one.name for one in GUESSES if one.name.startswith("Église")]


class SeenFills(NamedTuple):
    """What is on the screen."""

    name: str
    group: str
    order: str
    show: str
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
    assert (first.name, first.group, first.rows, first.ticked) == (
        *("church", "kirche"),
        *(KIRCHEN, KIRCHEN),
    )
    assert first.focus == KIRCHEN[0]
    desk.press("ArrowDown", "ArrowDown", "x")
    assert seen(desk).ticked == [*KIRCHEN[:2], *KIRCHEN[3:]]
    assert seen(desk).focus == KIRCHEN[2]
    desk.press("Enter")
    assert "4 guesses" in seen(desk).said
    # What was unticked is left, to be refused.
    assert seen(desk).rows == seen(desk).ticked == [KIRCHEN[2]]
    desk.press("w")
    assert (seen(desk).group, sorted(seen(desk).rows)) == ("eglise", sorted(EGLISES))
    desk.press("j", "k", "j")
    assert seen(desk).group == "church"
    desk.press("w", "u")
    assert "Undone" in seen(desk).said
    assert seen(desk).group == "church"
    desk.press("o")
    assert (seen(desk).order, seen(desk).group) == ("least", "church")
    desk.press("]", "Enter", "[")
    assert seen(desk).name == "church"
    events = read_log(Workspace(served.root)).events
    assert [event.event for event in events] == ["fill", "refuse", "refuse", "undo", "fill"]
    # The page beneath has it all when the guesses are closed, and after a restart it is still so.
    desk.press("Escape")
    desk.page.wait_for_function("() => document.getElementById('bench').dataset.line === '5'")
    desk.page.reload()
    desk.wait()
    again = seen(opened(desk))
    assert (again.group, sorted(again.rows)) == ("eglise", sorted(EGLISES))


def test_the_mouse_does_the_same_and_shows_what_was_said_before(
    served: OpenReview, seat: Seats
) -> None:
    desk = opened(seat(served.url))
    desk.page.click("#fills [data-group=eglise]")
    desk.wait()
    desk.page.click("#fills [data-fill=refuse]")
    desk.wait()
    desk.page.click("#fills [data-show=refused][data-fill=show]")
    desk.wait()
    assert (seen(desk).show, sorted(seen(desk).rows)) == ("refused", sorted(EGLISES))
    assert desk.tell("() => document.querySelector('[data-fill=refuse]').disabled")
    desk.page.click("#fills [data-fill=accept]")
    desk.wait()
    assert seen(desk).rows == []


_LINE = "(line) => Number(document.getElementById('fills')?.dataset.line) >= line"


def test_what_another_says_is_seen_and_takes_nobody_off_their_row(
    served: OpenReview, seat: Seats
) -> None:
    ann, bob = opened(seat(served.url)), opened(seat(served.url, "bob"))
    ann.press("x", "ArrowDown", "ArrowDown", "ArrowDown")
    assert seen(ann).focus == KIRCHEN[3]
    bob.press("X", "ArrowDown", "ArrowDown", "w")  # the third alone
    ann.page.wait_for_function(_LINE, arg=1)
    ann.wait()
    left = [*KIRCHEN[:2], *KIRCHEN[3:]]
    assert (seen(ann).rows, seen(ann).ticked) == (left, left[1:])
    assert seen(ann).focus == KIRCHEN[3]
    assert "bob" in seen(ann).said
    # Where the row itself is gone, the next has the focus, and keys are about it.
    bob.press("X", "ArrowDown", "ArrowDown", "Enter")
    assert seen(bob).rows == [KIRCHEN[0], KIRCHEN[1], KIRCHEN[4]]
    ann.page.wait_for_function(_LINE, arg=2)
    ann.wait()
    assert seen(ann).focus == KIRCHEN[4]
    ann.press("X", "x", "Enter")
    assert KIRCHEN[4] in seen(ann).said
    assert ann.layer == "sheet"
    assert len(read_log(Workspace(served.root)).events) == 3


def test_who_was_slower_is_asked_whose_word_counts(
    served: OpenReview, seat: Seats, watch: Watch
) -> None:
    watch.forgiven = ("409 (Conflict)", "net::ERR_FAILED")
    ann, bob = seat(served.url), opened(seat(served.url, "bob"))
    # Ann's page hears of nothing: else she would see in time what Bob says.
    ann.page.context.route(re.compile(r"/feed\?"), lambda route: route.abort())
    opened(ann.open())
    bob.press("w")
    ann.press("Enter")
    assert ann.layer == "say"
    assert "bob" in ann.tell("() => document.getElementById('say-body').textContent")
    ann.press("Enter")  # on "Take mine"
    ann.page.wait_for_function("() => !document.getElementById('say').open")
    ann.wait()
    assert "5 guesses" in seen(ann).said
    assert len(read_log(Workspace(served.root)).events) == 2


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_it_is_whole_and_read_by_everybody(
    served: OpenReview, seat: Seats, size: dict[str, int], scheme: str
) -> None:
    desk = opened(seat(served.url, viewport=size, color_scheme=scheme))
    desk.press("w", "j", "Enter")
    assert (
        troubles(
            desk.page,
            whole="#sheet :is(.deed, .tool, h2, h3, kbd, .group-n, .fills-sure)",
            apart="#sheet :is(button, input:not(.tick))",
            columns="#sheet :is(.member-label, .evidence, .examples)",
        )
        == {}
    )
