"""How the pages look: wide and narrow, light and dark, on paper, and to a screen reader."""

from pathlib import Path
from typing import Any, Literal

import pytest

from tests.hgld.pages.browse.browser.conftest import Opener, Shown
from tests.hgld.pages.looking import AXE, AXE_PROBLEMS, CUT, OVERLAPS, SIDEWAYS, SQUEEZED
from tests.hgld.pages.review.conftest import NARROW, WIDE

pytestmark = pytest.mark.browser

_WHOLE = "h1, h2, h3, .card-title, .card-counts, .facts span, .masthead a, .masthead button, .masthead input, .plain-table th, .plain-table td, .file-name, .file-sum, .candidates li, .trail li, figcaption, .tags li, .reasons li, .chain p"
_CONTROLS = ":is(.masthead a, .masthead button, .masthead input, .map-side, .map-cell, .deed, .card, .sight, .tags li, .file, .map-measure label)"
_IN_COLUMNS = ".card-title, .plain-table :is(th, td), figcaption"
_SETTLED = "() => !document.getElementById('found')?.dataset.index || document.querySelector('#found :is(h2, .empty)')"


# All of them of the page; the site has the same templates and style, under other addresses.
_LOOKS = [(size, scheme) for size in (WIDE, NARROW) for scheme in ("light", "dark")]


def test_nothing_overlaps_is_cut_or_hidden_from_a_screen_reader(
    shown: Shown, opener: Opener, gallery: Path
) -> None:
    problems: dict[str, Any] = {}
    for size, scheme in _LOOKS[-1:] if shown.is_site else _LOOKS:
        page = opener(shown.url, viewport=size, color_scheme=scheme)
        for name, path in shown.pages().items():
            page.goto(shown.url + path)
            page.wait_for_function(_SETTLED)
            look = f"{shown.name}-{name}-{size['width']}-{scheme}"
            page.screenshot(path=gallery / f"{look}.png")
            page.evaluate(AXE.read_text(encoding="utf-8"))
            found = {
                "overlaps": page.evaluate(OVERLAPS, _CONTROLS),
                "cut": page.evaluate(CUT, _WHOLE),
                "squeezed": page.evaluate(SQUEEZED, _IN_COLUMNS),
                "scrolls": page.evaluate(SIDEWAYS),
                "unread": page.evaluate(AXE_PROBLEMS),
            }
            if any(found.values()):
                problems[look] = found
    assert problems == {}


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


def test_the_system_says_light_or_dark_with_scripts_or_without(
    shown: Shown, opener: Opener
) -> None:
    def colours(
        scheme: Literal["light", "dark"],
        *,
        scripts: bool,
        media: Literal["screen", "print"] = "screen",
    ) -> Any:  # noqa: ANN401 - of JavaScript
        page = opener(shown.url, color_scheme=scheme, java_script_enabled=scripts)
        page.emulate_media(media=media, color_scheme=scheme)
        return page.evaluate(_COLOURS)

    dark = colours("dark", scripts=False)
    assert dark == colours("dark", scripts=True)
    if shown.is_site:  # whose style is that of the page
        return
    light = colours("light", scripts=False)
    assert dark != light == colours("light", scripts=True)
    on_paper = colours("dark", scripts=False, media="print")
    assert on_paper == colours("light", scripts=False, media="print")


def test_on_paper_there_is_the_page_and_nothing_to_press(
    shown: Shown, opener: Opener, gallery: Path
) -> None:
    page = opener(shown.url + shown.pages()["landmark"])
    page.emulate_media(media="print")
    told = page.evaluate(
        "() => [...document.querySelectorAll('.search, .masthead nav, .chain, .sights img')].map((one) => [one.className, one.checkVisibility()])"
    )
    visible = {name for name, is_visible in told if is_visible}
    assert "chain" in visible
    assert "search" not in visible
    paper = page.pdf(path=gallery / f"{shown.name}-print.pdf")
    assert paper.startswith(b"%PDF")
