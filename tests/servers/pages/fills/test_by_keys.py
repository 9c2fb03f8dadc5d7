"""Guesses accepted and refused by a person at a keyboard, who sees what is on the screen."""

from typing import TYPE_CHECKING

import pytest

from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import read_log
from tests.servers.pages.conftest import Opener
from tests.servers.pages.looking import LOOKS, troubles
from tests.servers.pages.serving import OpenReview
from tests.worlds.review.guesses import GUESSES
from tests.worlds.watch import Watch

if TYPE_CHECKING:
    from playwright.sync_api import Page

_IDLE = "() => !document.body.hasAttribute('aria-busy')"
_NAMES = "(all) => all.map((one) => one.closest('[data-row]').querySelector('a').textContent)"
KIRCHEN = [one.name for one in GUESSES if one.name.startswith("Kirche")]


@pytest.fixture
def page(served: OpenReview, opener: Opener) -> "Page":
    """Ann's."""
    return open_fills(served, opener)


def open_fills(served: OpenReview, opener: Opener, who: str = "ann", **options: object) -> "Page":
    cookie = {"name": "reviewer", "value": who, "url": served.url}
    return opener(f"{served.url}fills", [cookie], **options)


def press(page: "Page", *keys: str) -> None:
    """Presses keys, each when what the one before did is seen."""
    for key in keys:
        page.keyboard.press(key)
        page.wait_for_function(_IDLE)


def rows(page: "Page", which: str = "") -> list[str]:
    """Returns the names of guesses: of all, those that are ticked, or the one in focus."""
    return page.eval_on_selector_all(f"[data-row] input{which}", _NAMES)  # type: ignore[no-any-return]


def said(page: "Page") -> str:
    return page.locator("[role=status]").text_content() or ""


def test_a_group_is_accepted_in_two_steps_the_next_refused_and_undone_by_keys_alone(
    page: "Page", served: OpenReview
) -> None:
    assert rows(page) == KIRCHEN
    assert rows(page, ":focus") == KIRCHEN[:1]
    press(page, "j", "ArrowDown", "x", "k", "x")
    assert rows(page, ":checked") == KIRCHEN[1:3]
    assert page.locator("[data-key=w]").inner_text().split("\n")[1] == "2 ticked"
    press(page, "w")
    assert "2 guesses" in said(page)
    assert rows(page) == [KIRCHEN[0], *KIRCHEN[3:]]
    assert (rows(page, ":checked"), len(rows(page, ":focus"))) == ([], 1)
    press(page, "Enter")
    assert page.locator("h2#h-group").inner_text() == "Église …"
    press(page, "Enter", "u")
    assert page.locator("h2#h-group").inner_text() == "Église …"
    page.keyboard.press("]")
    page.wait_for_function("() => document.querySelector('#h-group')?.textContent === '… Church'")
    press(page, "X", "X", "X", "Enter")
    events = read_log(Workspace(served.root)).events
    assert [event.event for event in events] == ["refuse", "fill", "fill", "undo", "fill"]


def test_letters_and_held_keys_do_nothing(page: "Page", served: OpenReview) -> None:
    page.keyboard.down("Enter")
    page.wait_for_function(_IDLE)
    for _ in range(3):
        page.keyboard.down("Enter")  # held
    page.keyboard.up("Enter")
    press(page, "a", "i", "z", "s", "n", "1")  # of the review
    page.focus("#who")
    page.keyboard.type("wuX")
    assert len(read_log(Workspace(served.root)).events) == 1


def test_what_another_has_ruled_meanwhile_is_asked(
    page: "Page", served: OpenReview, opener: Opener, watch: Watch
) -> None:
    watch.forgiven = ("409",)  # which the browser tells of itself
    bob = open_fills(served, opener, "bob")
    press(bob, "x", "w")
    press(page, "x", "Enter")
    dialog = page.locator("dialog[open]")
    assert "not church" in dialog.inner_text()
    press(page, "Enter", "w")  # nothing in it has the focus
    dialog.get_by_role("button", name="Take mine").click()
    page.wait_for_function("() => !document.querySelector('dialog[open]')")
    page.wait_for_function(_IDLE)
    assert "1 guess" in said(page)
    assert len(read_log(Workspace(served.root)).events) == 2


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_it_is_whole_and_read_by_everybody(
    served: OpenReview, opener: Opener, size: dict[str, int], scheme: str
) -> None:
    page = open_fills(served, opener, viewport=size, color_scheme=scheme)
    press(page, "x", "w")
    found = troubles(page, whole="h2, .guess .what", apart="#desk :is(button, a, input)")
    assert found == {}
