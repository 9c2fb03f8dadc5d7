"""How the pages look: wide and narrow, light and dark, on paper, and to a screen reader."""

from typing import Any

import pytest

from tests.servers.pages.browse.conftest import SETTLED, Shown
from tests.servers.pages.conftest import Opener
from tests.servers.pages.looking import LOOKS, NARROW, troubles

_WHOLE = "h1, h2, h3, .card-title, .card-counts, .facts span, .masthead a, .masthead button, .masthead input, .plain-table th, .plain-table td, .file-name, .file-sum, .candidates li, .trail li, figcaption, .tags li, .reasons li, .chain p"
_CONTROLS = ":is(.masthead a, .masthead button, .masthead input, .map-side, .map-cell, .deed, .card, .sight, .tags li, .file, .map-measure label)"
_IN_COLUMNS = ".card-title, .plain-table :is(th, td), figcaption"


def problems_of(
    shown: Shown, opener: Opener, size: dict[str, int], scheme: str, only: str = ""
) -> dict[str, Any]:
    view = opener("about:blank", viewport=size, color_scheme=scheme)
    problems: dict[str, Any] = {}
    for name, path in shown.pages.items():
        if only in name:
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


def test_so_are_the_pages_of_a_site_that_the_server_has_not(
    site: Shown, many: Shown, opener: Opener
) -> None:
    """The others have the same templates and the same style."""
    assert problems_of(site, opener, NARROW, "dark", "search") == {}
    assert problems_of(many, opener, NARROW, "light") == {}


# The system's own colour of text as well: what the browser draws itself, such as scroll bars.
_COLOURS = """() => {
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.color = "CanvasText";
  const found = ["body", "h1", ".masthead", "a", "body > i:last-child"].map(
    (one) => getComputedStyle(document.querySelector(one)),
  ).flatMap((style) => [style.color, style.backgroundColor]);
  probe.remove();
  return found;
}"""


def test_the_system_says_light_or_dark_with_scripts_or_without_and_paper_is_light(
    page: Shown, opener: Opener
) -> None:
    plain, scripted = (opener(page.url, java_script_enabled=one) for one in (False, True))
    found = [""]
    for scheme in ("light", "dark"):
        for view in (plain, scripted):
            view.emulate_media(media="screen", color_scheme=scheme)
        # A page that is not in front takes its time to draw itself anew.
        plain.wait_for_function(f"(before) => String(({_COLOURS})()) !== before", arg=found[-1])
        found.append(str(plain.evaluate(f"String(({_COLOURS})())")))
        scripted.wait_for_function(f"(same) => String(({_COLOURS})()) === same", arg=found[-1])
    on_paper = []
    for scheme in ("light", "dark"):
        plain.emulate_media(media="print", color_scheme=scheme)  # type: ignore[arg-type]
        on_paper.append(plain.evaluate(_COLOURS))
    assert on_paper[0] == on_paper[1]


def test_on_paper_there_is_the_page_and_nothing_to_press(page: Shown, opener: Opener) -> None:
    view = opener(page.url + page.pages["landmark"])
    view.emulate_media(media="print")
    told = view.evaluate(
        "() => [...document.querySelectorAll('.search, .masthead nav, .chain, .sights img')].map((one) => [one.className, one.checkVisibility()])"
    )
    visible = {name for name, is_visible in told if is_visible}
    assert "chain" in visible
    assert "search" not in visible
    assert view.pdf().startswith(b"%PDF")
