"""How the pages look: wide and narrow, light and dark, on paper, and to a screen reader."""

from typing import Any

import pytest

from tests.servers.pages.browse.conftest import SETTLED, Shown
from tests.servers.pages.conftest import Opener
from tests.servers.pages.looking import LOOKS, NARROW, troubles

_WHOLE = "h1, h2, h3, .card-title, .card-counts, .facts span, .masthead a, .masthead button, .masthead input, .plain-table th, .plain-table td, .file-name, .file-sum, .candidates li, .trail li, figcaption, .tags li, .reasons li, .chain p"
_CONTROLS = ":is(.masthead a, .masthead button, .masthead input, .map-side, .map-cell, .deed, .card, .sight, .tags li, .file, .map-measure label)"
_IN_COLUMNS = ".card-title, .plain-table :is(th, td), figcaption"


def problems_of(shown: Shown, opener: Opener, size: dict[str, int], scheme: str) -> dict[str, Any]:
    view = opener("about:blank", viewport=size, color_scheme=scheme)
    problems: dict[str, Any] = {}
    for name, path in shown.pages.items():
        view.goto(shown.url + path)
        view.wait_for_function(SETTLED)
        found = troubles(view, whole=_WHOLE, apart=_CONTROLS, columns=_IN_COLUMNS)
        problems |= {name: found} if found else {}
    return problems


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_every_page_is_whole_and_read_by_everybody(
    page: Shown, opener: Opener, size: dict[str, int], scheme: str
) -> None:
    assert problems_of(page, opener, size, scheme) == {}


@pytest.mark.parametrize("shown", ["site", "many"], indirect=True)
def test_so_are_the_pages_of_a_site(shown: Shown, opener: Opener) -> None:
    """They have the same templates and the same style."""
    assert problems_of(shown, opener, NARROW, "light") == {}


def test_on_paper_there_is_the_page_and_nothing_to_press(page: Shown, opener: Opener) -> None:
    view = opener(page.url + page.pages["landmark"])
    view.emulate_media(media="print", color_scheme="dark")
    for selector, is_shown in ((".search", False), (".chain", True)):
        assert view.locator(selector).first.is_visible() == is_shown
    # As in the light: nobody prints white on black.
    assert (
        view.evaluate("() => getComputedStyle(document.querySelector('h1')).color")
        == "rgb(0, 0, 0)"
    )
    assert view.pdf().startswith(b"%PDF")
