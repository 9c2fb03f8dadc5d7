"""What somebody sees who has never been here."""

import pytest

from hgld.benchmarks.reviewing.served import ServedPage
from tests.hgld.pages.review.browser.conftest import Seats

pytestmark = pytest.mark.browser

_HINT = "() => document.getElementById('hint')?.checkVisibility() ?? false"
# As when pictures can be shown, or proposals have been scored.
_REFRESHED = """
async () => {
  const main = document.querySelector("script[type=module]").src;
  await (await import(main.replace("main.js", "bench.js"))).refresh();
}
"""


def test_the_page_asks_who_reviews_and_then_shows_three_steps(
    served: ServedPage, seat: Seats
) -> None:
    desk = seat(served, reviewer="")
    assert desk.layer == "write"
    assert desk.focus == "write-text"
    with desk.page.expect_event("load"):
        desk.type("Zoë O'Neill")
        desk.press("Enter")
    desk.wait()
    assert desk.layer == ""
    assert desk.tell("() => document.querySelector('.who').textContent") == "Zoë O'Neill"
    assert desk.tell(_HINT)
    assert desk.tell("() => document.querySelectorAll('#hint li').length") == 3
    assert desk.focus.startswith("m-")


def test_what_comes_by_itself_does_not_push_the_steps_away(served: ServedPage, seat: Seats) -> None:
    desk = seat(served)
    desk.page.set_viewport_size({"width": 1280, "height": 480})  # the first row is below the fold
    top = "() => document.querySelector('.member').getBoundingClientRect().top"
    bottom = "() => document.getElementById('work-scroll').getBoundingClientRect().bottom"
    assert desk.tell(top) > desk.tell(bottom) - 40
    desk.tell(_REFRESHED)
    assert desk.tell(_HINT)
    assert desk.focus.startswith("m-")
    assert desk.tell("() => document.getElementById('work-scroll').scrollTop") == 0


def test_the_steps_are_put_away_by_key_and_stay_away(served: ServedPage, seat: Seats) -> None:
    desk = seat(served)
    for _ in range(80):
        if desk.tell("() => document.activeElement.dataset.dismiss") == "hint":
            break
        desk.press("Shift+Tab")
    desk.press("Enter")
    assert not desk.tell(_HINT)
    assert desk.focus.startswith("m-")
    assert desk.line == 0
    desk.open()
    assert not desk.tell(_HINT)
    desk.press("?")
    assert desk.layer == "help"


def test_the_steps_go_with_the_first_decision_and_do_not_come_back(
    served: ServedPage, seat: Seats
) -> None:
    desk = seat(served)
    assert desk.tell(_HINT)
    desk.press("Enter")
    assert not desk.tell(_HINT)
    desk.press("u")
    assert not desk.tell(_HINT)
    assert not seat(served, "bob").tell(_HINT)


def test_what_the_steps_say_can_be_done(served: ServedPage, seat: Seats) -> None:
    """Every key that they name does what is said, on the first cluster."""
    desk = seat(served)
    keys = desk.tell(
        "() => [...document.querySelectorAll('#hint kbd')].map((one) => one.textContent)"
    )
    assert {"j", "k", "x", "Enter", "r", "i", "u", "?"} <= set(keys)
    group = desk.group
    desk.press("j", "k", "x", "x", "Enter")
    assert desk.group != group
    desk.press("u")
    assert desk.line == 2


def test_who_has_settled_all_is_told_what_comes_next(served: ServedPage, seat: Seats) -> None:
    desk = seat(served)
    told = "() => document.querySelector('.status').innerText"
    assert "hgld annotate" not in desk.tell(told)
    for _ in desk.groups():
        while any(row.is_open for row in desk.members()):
            desk.press("i")
        desk.press("]")
    assert all(desk.groups().values())
    assert "hgld annotate" in desk.tell(told)
    desk.press("Enter")
    assert "hgld annotate" in desk.tell(told)
