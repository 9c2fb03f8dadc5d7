"""Guesses accepted and refused by a person at a keyboard, who sees what is on the screen."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import read_log
from tests.servers.pages.conftest import Opener
from tests.servers.pages.looking import LOOKS, troubles
from tests.servers.pages.serving import OpenReview
from tests.worlds.review.guesses import GUESSES, WorldGuess, write_guesses
from tests.worlds.review.lists import write_small_review

if TYPE_CHECKING:
    from playwright.sync_api import Page

_IDLE = "() => !document.body.hasAttribute('aria-busy')"
_NAMES = "(all) => all.map((one) => one.closest('[data-row]').querySelector('a').textContent)"
KIRCHEN = [one.name for one in GUESSES if one.name.startswith("Kirche")]


@pytest.fixture
def build(tmp_path: Path) -> Path:
    workspace = write_small_review(tmp_path / "build")
    towers = [WorldGuess(f"Turm {one}", "tower", "human-made", 0.5) for one in range(61)]
    write_guesses(workspace, [*GUESSES, *towers], pictures=3)
    return workspace.root


def open_fills(
    served: OpenReview, opener: Opener, name: str = "church", **options: object
) -> "Page":
    ann = {"name": "reviewer", "value": "ann", "url": served.url}
    return opener(f"{served.url}fills?name={name}", [ann], **options)


def press(page: "Page", *keys: str) -> None:
    """Presses keys, each when what the one before did is seen."""
    for key in keys:
        page.keyboard.press(key)
        page.wait_for_function(_IDLE)


def rows(page: "Page", which: str = "") -> list[str]:
    """Returns the names of guesses: of all, those that are ticked, or the one in focus."""
    return page.eval_on_selector_all(f"[data-row] input{which}", _NAMES)  # type: ignore[no-any-return]


def test_some_are_refused_the_rest_of_the_group_accepted_and_undone_by_keys_alone(
    served: OpenReview, opener: Opener
) -> None:
    page = open_fills(served, opener)
    title = page.locator("#h-group")
    assert (rows(page), rows(page, ":focus")) == (KIRCHEN, KIRCHEN[:1])
    press(page, "j", "ArrowDown", "x", "k", "x")
    assert rows(page, ":checked") == KIRCHEN[1:3]
    assert "2 ticked" in page.locator("[data-key=w]").inner_text()
    press(page, "w")
    assert rows(page) == [KIRCHEN[0], *KIRCHEN[3:], *KIRCHEN[1:3]]
    assert (rows(page, ":checked"), len(rows(page, ":focus"))) == ([], 1)
    page.keyboard.down("Enter")
    page.wait_for_function(_IDLE)
    page.keyboard.down("Enter")  # held
    page.keyboard.up("Enter")
    press(page, "a", "i", "z", "n", "1")  # keys of the review
    assert title.inner_text() == "Église …"
    page.locator("#who").press_sequentially("wuX")
    title.click()
    press(page, "w", "u")
    assert title.inner_text() == "Église …"
    with page.expect_navigation():
        page.keyboard.press("]")
    press(page, "X", "X", "X", "Enter")
    events = read_log(Workspace(served.root)).events
    assert [event.event for event in events] == ["refuse", "fill", "refuse", "undo", "fill"]
    assert len(events[-1].categories) == 2


def test_what_is_not_shown_is_asked_about_and_can_be_left_out(
    served: OpenReview, opener: Opener
) -> None:
    page = open_fills(served, opener, "tower")
    press(page, "w", "Enter", "Escape", "X", "Enter", "u", "w", "w")
    events = read_log(Workspace(served.root)).events
    assert [len(event.categories) for event in events] == [60, 0, 61]
    assert page.locator("#h-group").inner_text() == "Kirche …"


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_it_is_whole_and_read_by_everybody(
    served: OpenReview, opener: Opener, size: dict[str, int], scheme: str
) -> None:
    page = open_fills(served, opener, viewport=size, color_scheme=scheme)
    press(page, "x", "w")
    found = troubles(page, whole="h2, .guess .what", apart="#desk :is(button, a, input)")
    assert found == {}
