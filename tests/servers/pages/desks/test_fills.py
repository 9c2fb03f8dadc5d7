"""Guesses accepted and refused by a person at a keyboard, who sees what is on the screen."""

from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import read_log
from tests.servers.pages.conftest import Seats
from tests.servers.pages.looking import LOOKS, troubles
from tests.servers.pages.serving import OpenReview
from tests.worlds.review.desk import Desk
from tests.worlds.review.guesses import GUESSES, WorldGuess, write_guesses
from tests.worlds.review.lists import write_small_review

_NAMES = "(all) => all.map((one) => one.closest('[data-row]').querySelector('a').textContent)"
KIRCHEN = [one.name for one in GUESSES if one.name.startswith("Kirche")]


@pytest.fixture
def build(tmp_path: Path) -> Path:
    workspace = write_small_review(tmp_path / "build")
    towers = [WorldGuess(f"Turm {one}", "tower", "human-made", 0.5) for one in range(61)]
    write_guesses(workspace, [*GUESSES, *towers], pictures=3)
    return workspace.root


def rows(desk: Desk, which: str = "") -> list[str]:
    """Returns the names of guesses: of all, those that are ticked, or the one in focus."""
    return desk.page.eval_on_selector_all(f"[data-row] input{which}", _NAMES)  # type: ignore[no-any-return]


def test_some_are_refused_the_rest_of_the_group_accepted_and_undone_by_keys_alone(
    served: OpenReview, visit: Seats
) -> None:
    desk = visit(served.url, "ann", f"{served.url}fills?name=church")
    title = desk.page.locator("#h-group")
    assert (rows(desk), rows(desk, ":focus")) == (KIRCHEN, KIRCHEN[:1])
    desk.press("j", "ArrowDown", "x", "k", "x")
    assert rows(desk, ":checked") == KIRCHEN[1:3]
    assert "2 ticked" in desk.page.locator("[data-key=w]").inner_text()
    desk.press("w")
    assert rows(desk) == [KIRCHEN[0], *KIRCHEN[3:], *KIRCHEN[1:3]]
    assert (rows(desk, ":checked"), len(rows(desk, ":focus"))) == ([], 1)
    desk.page.keyboard.down("Enter")
    desk.wait()
    desk.page.keyboard.down("Enter")  # held
    desk.page.keyboard.up("Enter")
    desk.press("a", "i", "z", "n", "1")  # keys of the review
    assert title.inner_text() == "Église …"
    desk.page.locator("#who").press_sequentially("wuX")
    title.click()
    desk.press("w", "u")
    assert title.inner_text() == "Église …"
    with desk.page.expect_navigation():
        desk.page.keyboard.press("]")
    desk.press("X", "X", "X", "Enter")
    events = read_log(Workspace(served.root)).events
    assert [event.event for event in events] == ["refuse", "fill", "refuse", "undo", "fill"]
    assert len(events[-1].categories) == 2


def test_what_is_not_shown_is_asked_about_and_can_be_left_out(
    served: OpenReview, visit: Seats
) -> None:
    desk = visit(served.url, "ann", f"{served.url}fills?name=tower")
    desk.press("w", "Enter", "Escape", "X", "Enter", "u", "w", "w")
    events = read_log(Workspace(served.root)).events
    assert [len(event.categories) for event in events] == [60, 0, 61]
    assert desk.page.locator("#h-group").inner_text() == "Kirche …"


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_it_is_whole_and_read_by_everybody(
    served: OpenReview, visit: Seats, size: dict[str, int], scheme: str
) -> None:
    address = f"{served.url}fills?name=church"
    desk = visit(served.url, "ann", address, viewport=size, color_scheme=scheme)
    desk.press("x", "w")
    found = troubles(desk.page, whole="h2, .guess .what", apart="#desk :is(button, a, input)")
    assert found == {}
