"""How the page looks, wide and narrow, light and dark and to a screen reader."""

from typing import Any

import pytest

from tests.servers.pages.conftest import Seats
from tests.servers.pages.looking import LOOKS, NARROW, troubles
from tests.servers.pages.serving import OpenReview
from tests.worlds.review.desk import Desk

DIALOGS = ("", *"r:gm?ch")
"""By the keys that open them."""
VIEWS = ("taxonomy", "history", "files")
_WHOLE = "h1, .deed, .tool, .choice, .class > .n, .buttons *, kbd"
_ROWS_IN_SIGHT = """
() => {
  const pane = document.getElementById("rows").getBoundingClientRect();
  const boxes = [...document.querySelectorAll("#rows [data-qid]")].map((one) => one.getBoundingClientRect());
  return boxes.filter(({ top, bottom }) => top >= pane.top - 1 && bottom <= pane.bottom + 1).length;
}
"""
_OUT_OF_SIGHT = """
() => [...document.querySelectorAll(".deed")]
  .filter((one) => one.getBoundingClientRect().right > innerWidth).map((one) => one.dataset.action)
"""
_SMALL = """
() => [...document.querySelectorAll("button, a[href], summary, input")].filter((one) => one.checkVisibility() && !one.closest(".skip, p:not(.choices, .deeds, .tabs, .steps)"))
  .map((one) => [one.closest("label")?.getBoundingClientRect() ?? one.getBoundingClientRect(), one]).filter(([{ width, height }]) => width && height < 43.5)
  .map(([, one]) => one.outerHTML.slice(0, 80))
"""


def decide_some(desk: Desk) -> None:
    """Something of each kind, so that nothing is shown empty."""
    desk.press("Enter", "i", "u", "1", "c")
    desk.type("seen from the road, half of it")
    desk.press("Enter", "d")
    desk.type("a name of a person?")
    desk.press("Enter")


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_every_view_is_whole_and_read_by_everybody(
    served: OpenReview, desk: Desk, seat: Seats, size: dict[str, int], scheme: str
) -> None:
    decide_some(desk)
    looker = seat(served.url, viewport=size, color_scheme=scheme)
    problems: dict[str, Any] = {}
    for key in DIALOGS:
        if key:
            looker.press(key)
        problems[key] = troubles(looker.page, whole=_WHOLE, apart="#desk button, #desk input")
        looker.press("Escape")
    if size is NARROW:
        problems["targets"] = looker.tell(_SMALL)
        problems["actions"] = looker.tell(_OUT_OF_SIGHT)
        for pane in ("groups", "names", "group"):
            looker.page.click(f".tabs [data-pane={pane}]")
            problems[pane] = troubles(looker.page)
    for view in VIEWS:
        looker.page.goto(f"{served.url}{view}")
        problems[view] = troubles(looker.page, whole=_WHOLE)
    assert not any(problems.values()), problems


@pytest.mark.parametrize(
    ("width", "height", "least"), [(1280, 800, 12), (640, 400, 3), (844, 390, 3)]
)
def test_so_many_classes_are_in_sight_and_the_rest_of_the_page_is_a_fifth(
    served: OpenReview, seat: Seats, width: int, height: int, least: int
) -> None:
    view = {"width": width, "height": height}
    desk = seat(served.url, viewport=view, device_scale_factor=2 if width == 640 else 1)
    assert desk.tell(_ROWS_IN_SIGHT) >= least
    rows = desk.tell("() => document.getElementById('rows').getBoundingClientRect().height")
    assert height < 800 or rows >= 0.8 * height
    # At twice the size, too, it can still be used.
    desk.press("j", "i")
    assert desk.written == 1
    assert troubles(desk.page, asks_axe=False) == {}


def test_tab_reaches_every_control(desk: Desk) -> None:
    desk.press("Enter")
    mark = """() => [...document.querySelectorAll("#desk :is(a[href], button, input, summary)")]
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
