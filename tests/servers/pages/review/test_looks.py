"""How the page looks, wide and narrow, light and dark, on paper and to a screen reader."""

from pathlib import Path
from typing import Any

import pytest

from hgld.benchmarks.reviewing.desk import Desk
from hgld.benchmarks.reviewing.served import ServedPage
from tests.hgld.pages.looking import AXE, AXE_PROBLEMS, CUT, OVERLAPS, SIDEWAYS, SQUEEZED
from tests.hgld.pages.review.browser.conftest import Seats
from tests.hgld.pages.review.conftest import NARROW, WIDE

pytestmark = pytest.mark.browser

VIEWS = {
    "": "page", "r": "name", "m": "move", "g": "go-to", ":": "commands", "s": "split", "d": "doubtful", "c": "comment",
    "?": "help", "H": "history", "M": "map", "P": "progress", ".": "similar",
    "F": "no-fills",
}  # fmt: skip
PANES = ("groups", "group", "names")
_WHOLE = ".deed, .tool, .choice, .member-label, .member-answer, .member-n, .progress-text span, h2, kbd, .names td, .names th, .group-n, .group-size, .hint li, figcaption span"

# Texts of which lines are hidden below.
CLIPPED = """
(within) => [...document.querySelectorAll(within)].filter((one) => one.checkVisibility() && one.scrollHeight > one.clientHeight + 1
  && getComputedStyle(one).display !== "inline").map((one) => one.textContent.trim().slice(0, 60))
"""


def opened(desk: Desk, key: str) -> Desk:
    """Opens a view, and waits until it is filled."""
    if key:
        desk.press(key)
        desk.page.wait_for_function("() => document.querySelector('dialog[open]')", timeout=10_000)
        desk.page.wait_for_timeout(300)
    return desk


def decide_some(desk: Desk) -> None:
    """Something of each kind, so that nothing is shown empty."""
    desk.press("Enter", "i", "u", "2", "c")
    desk.type("seen from the road, half of it")
    desk.press("Enter", "d")
    desk.type("a name of a person?")
    desk.press("Enter", "[", "[")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_screen_reader_finds_no_serious_problem(
    lasting: ServedPage, desk: Desk, seat: Seats, scheme: str
) -> None:
    decide_some(desk)
    reader = seat(lasting, color_scheme=scheme)
    reader.press("j")
    reader.tell(AXE.read_text(encoding="utf-8"))
    problems: dict[str, Any] = {}
    for key, name in VIEWS.items():
        opened(reader, key)
        if found := reader.tell(AXE_PROBLEMS):
            problems[name] = found
        if key:
            reader.press("Escape")
    assert problems == {}


@pytest.mark.parametrize("size", [WIDE, NARROW])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_overlaps_and_nothing_is_cut(
    lasting: ServedPage, desk: Desk, seat: Seats, gallery: Path, size: dict[str, int], scheme: str
) -> None:
    first = seat(lasting, viewport=size, color_scheme=scheme)
    first.page.screenshot(path=gallery / f"{size['width']}-{scheme}-first.png")
    first.page.context.close()
    decide_some(desk)
    looker = seat(lasting, viewport=size, color_scheme=scheme)
    looker.press("j")
    problems: dict[str, Any] = {}
    for key, name in VIEWS.items():
        opened(looker, key)
        looker.page.screenshot(path=gallery / f"{size['width']}-{scheme}-{name}.png")
        within = "dialog[open]" if key else "#bench"
        found = {
            "overlaps": looker.tell(
                OVERLAPS, f"{within} :is(button, a.tool, input:not(.tick), select)"
            ),
            "cut": looker.tell(CUT, ", ".join(f"{within} {one}" for one in _WHOLE.split(", "))),
            "clipped": looker.tell(CLIPPED, f"{within} :is(figcaption, figcaption span)"),
            "squeezed": looker.tell(
                SQUEEZED,
                f"{within} :is(.member-label, .evidence, .pick-what, .event-what, th, td)",
            ),
            "scrolls": looker.tell(SIDEWAYS),
        }
        if any(found.values()):
            problems[name] = found
        if key:
            looker.press("Escape")
    if size is NARROW:
        for pane in PANES:
            looker.page.click(f".tabs [data-pane={pane}]")
            looker.page.screenshot(path=gallery / f"{size['width']}-{scheme}-pane-{pane}.png")
            cut = looker.tell(CUT, ", ".join(f"#pane-{pane} {one}" for one in _WHOLE.split(", ")))
            if cut:
                problems[pane] = cut
    assert problems == {}


@pytest.mark.parametrize(
    ("points", "is_drawn"),
    [([], False), ([[9, 1, 1]], False), ([[9, 1, 1], [9, 2, 3]], False), ([[9, 1, 1], [12, 2, 3]], True)],
)  # fmt: skip
def test_progress_is_a_line_where_there_are_two_moments(
    desk: Desk, points: list[list[int]], *, is_drawn: bool
) -> None:
    desk.page.route("**/progress.json", lambda route: route.fulfill(json=points))
    desk.press("P")
    desk.page.wait_for_selector(".plot:not(:empty)")
    assert desk.page.locator(".plot canvas").count() == is_drawn
    if not is_drawn:
        assert "two moments" in desk.page.locator(".plot").inner_text()


def test_tab_reaches_every_control(desk: Desk) -> None:
    desk.press("Enter")
    desk.page.wait_for_function("() => !document.querySelector('.scoring')")
    desk.page.wait_for_timeout(500)  # and what came of it is shown
    desk.wait()
    mark = """() => [...document.querySelectorAll("#bench :is(a[href], button, input, select, summary)")]
      .filter((one) => one.checkVisibility() && one.matches(":enabled, a, summary") && one.tabIndex >= 0)
      .map((one, number) => { one.dataset.mark = String(number); return one.outerHTML.slice(0, 120); })"""
    wanted = desk.tell(mark)
    seen = set()
    for _ in range(len(wanted) + 20):
        desk.page.keyboard.press("Tab")
        seen.add(desk.tell("() => document.activeElement.dataset.mark"))
    assert len(wanted) > 40
    assert [text for number, text in enumerate(wanted) if str(number) not in seen] == []


def test_it_prints_the_list_and_no_buttons(desk: Desk, gallery: Path) -> None:
    desk.press("Enter")
    desk.page.emulate_media(media="print")
    assert desk.tell("() => document.getElementById('h-group').checkVisibility()")
    assert desk.tell(
        "() => [...document.querySelectorAll('.member')].every((row) => row.checkVisibility())"
    )
    assert not desk.tell(
        "() => [...document.querySelectorAll('#bench .deed')].some((one) => one.checkVisibility())"
    )
    desk.page.screenshot(path=gallery / "print.png", full_page=True)
    paper = desk.page.pdf(path=gallery / "print.pdf")
    assert paper.startswith(b"%PDF")
    assert paper.count(b"/Type /Page\n") >= 1
