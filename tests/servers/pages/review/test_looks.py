"""How the page looks, wide and narrow, light and dark, on paper and to a screen reader."""

from typing import Any

import pytest

from tests.servers.pages.conftest import Seats
from tests.servers.pages.looking import LOOKS, NARROW, WIDE, troubles
from tests.servers.pages.serving import OpenReview
from tests.worlds.review.desk import Desk

VIEWS = {
    "": "page", "r": "name", "m": "move", "g": "go-to", ":": "commands", "s": "split", "d": "doubtful", "c": "comment",
    "?": "help", "H": "history", "M": "map", "P": "progress", ".": "similar", "F": "no-fills",
}  # fmt: skip
PANES = ("groups", "group", "names")
_WHOLE = ".deed, .tool, .choice, .member-label, .member-answer, .member-n, .progress-text span, h2, kbd, .names td, .names th, .group-n, .group-size, .hint li, figcaption span"


def decide_some(desk: Desk) -> None:
    """Something of each kind, so that nothing is shown empty."""
    desk.press("Enter", "i", "u", "2", "c")
    desk.type("seen from the road, half of it")
    desk.press("Enter", "d")
    desk.type("a name of a person?")
    desk.press("Enter", "[", "[")


def troubles_of(desk: Desk, within: str) -> dict[str, Any]:
    return troubles(
        desk.page,
        whole=", ".join(f"{within} {one}" for one in _WHOLE.split(", ")),
        apart=f"{within} :is(button, a.tool, input:not(.tick), select)",
        columns=f"{within} :is(.member-label, .evidence, .pick-what, .event-what, th, td)",
        clipped=f"{within} :is(figcaption, figcaption span)",
    )


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_every_view_is_whole_and_read_by_everybody(
    served: OpenReview, desk: Desk, seat: Seats, size: dict[str, int], scheme: str
) -> None:
    decide_some(desk)
    looker = seat(served.url, viewport=size, color_scheme=scheme)
    looker.press("j")
    problems: dict[str, Any] = {}
    for key, name in VIEWS.items():
        if key:
            looker.press(key)
            looker.page.wait_for_selector("dialog[open]")
            if looker.layer == "sheet":
                looker.page.wait_for_selector("#sheet-body > *")
        problems[name] = troubles_of(looker, "dialog[open]" if key else "#bench")
        if key:
            looker.press("Escape")
    if size is NARROW:
        for pane in PANES:
            looker.page.click(f".tabs [data-pane={pane}]")
            problems[pane] = troubles_of(looker, f"#pane-{pane}")
    assert not any(problems.values()), problems


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "dark"), (NARROW, "light")])
def test_the_page_of_the_first_minute_is_whole_and_read_by_everybody(
    served: OpenReview, seat: Seats, size: dict[str, int], scheme: str
) -> None:
    assert troubles_of(seat(served.url, viewport=size, color_scheme=scheme), "#bench") == {}


def test_progress_is_a_line_where_there_are_two_moments(desk: Desk) -> None:
    for points, is_drawn in (([[9, 1, 1], [9, 2, 3]], False), ([[9, 1, 1], [12, 2, 3]], True)):
        desk.page.route(
            "**/progress.json", lambda route, _, points=points: route.fulfill(json=points)
        )
        desk.press("P")
        desk.page.wait_for_selector(".plot:not(:empty)")
        assert desk.page.locator(".plot canvas").count() == is_drawn
        desk.press("Escape")


def test_tab_reaches_every_control(desk: Desk) -> None:
    desk.press("Enter")
    desk.page.wait_for_function("() => !document.querySelector('.scoring')")
    desk.wait()
    mark = """() => [...document.querySelectorAll("#bench :is(a[href], button, input, select, summary)")]
      .filter((one) => one.checkVisibility() && one.matches(":enabled, a, summary") && one.tabIndex >= 0)
      .map((one) => one.outerHTML.slice(0, 120))"""
    follow = """() => {
      window.reached = new Set();
      addEventListener("focusin", ({ target }) => window.reached.add(target.outerHTML.slice(0, 120)));
    }"""
    wanted = desk.tell(mark)
    desk.tell(follow)
    for _ in range(len(wanted) + 20):
        desk.page.keyboard.press("Tab")
    reached = set(desk.tell("() => [...window.reached]"))
    assert len(wanted) > 40
    assert [text for text in wanted if text not in reached] == []


def test_it_prints_the_list_and_no_buttons(desk: Desk) -> None:
    desk.press("Enter")
    desk.page.emulate_media(media="print")
    assert desk.tell("() => document.getElementById('h-group').checkVisibility()")
    assert desk.tell(
        "() => [...document.querySelectorAll('.member')].every((row) => row.checkVisibility())"
    )
    assert not desk.tell(
        "() => [...document.querySelectorAll('#bench .deed')].some((one) => one.checkVisibility())"
    )
    assert desk.page.pdf().startswith(b"%PDF")
