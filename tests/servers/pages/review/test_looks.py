"""How the page looks, wide and narrow, light and dark and to a screen reader."""

from typing import Any

import pytest

from tests.servers.pages.conftest import Seats
from tests.servers.pages.looking import LOOKS, NARROW, troubles
from tests.servers.pages.serving import OpenReview
from tests.worlds.review.desk import Desk

VIEWS = ("", *"rmg:sc?HMP.F")
"""By the keys that open them."""
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
    for key in VIEWS:
        if key:
            looker.press(key)
            looker.page.wait_for_selector("dialog[open]")
            if looker.layer == "sheet":
                looker.page.wait_for_selector("#sheet-body > *")
        problems[key] = troubles_of(looker, "dialog[open]" if key else "#bench")
        if key:
            looker.press("Escape")
    if size is NARROW:
        for pane in PANES:
            looker.page.click(f".tabs [data-pane={pane}]")
            problems[pane] = troubles_of(looker, f"#pane-{pane}")
    assert not any(problems.values()), problems


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
