"""What somebody sees who has never been here."""

from tests.servers.pages.conftest import Seats
from tests.servers.pages.serving import OpenReview

_HINT = "() => document.getElementById('hint')?.checkVisibility() ?? false"
# As when pictures can be shown, or proposals have been scored.
_REFRESHED = """
async () => {
  const main = document.querySelector("script[type=module]").src;
  await (await import(main.replace("main.js", "bench.js"))).refresh();
}
"""


def test_the_page_asks_who_reviews_and_shows_steps_that_go_with_the_first_decision(
    served: OpenReview, seat: Seats
) -> None:
    desk = seat(served.url, reviewer="", viewport={"width": 1280, "height": 480})
    assert desk.layer == "write"
    assert desk.focus == "write-text"
    with desk.page.expect_event("load"):
        desk.type("Zoë O'Neill")
        desk.press("Enter")
    desk.wait()
    assert desk.layer == ""
    assert desk.tell("() => document.querySelector('.who').textContent") == "Zoë O'Neill"
    assert desk.focus.startswith("m-")
    assert desk.tell(_HINT)
    desk.tell(_REFRESHED)  # what comes by itself does not push the steps away
    assert desk.tell(_HINT)
    assert desk.tell("() => document.getElementById('work-scroll').scrollTop") == 0
    keys = set(
        desk.tell("() => [...document.querySelectorAll('#hint kbd')].map((one) => one.textContent)")
    )
    assert {"j", "k", "x", "Enter", "u"} <= keys
    group = desk.group
    desk.press("j", "k", "x", "x", "Enter")
    assert desk.group != group
    assert not desk.tell(_HINT)
    desk.press("u")
    assert desk.line == 2
    assert not desk.tell(_HINT)
    assert not seat(served.url, "bob").tell(_HINT)


def test_the_steps_are_put_away_by_key_and_stay_away(served: OpenReview, seat: Seats) -> None:
    desk = seat(served.url)
    for _ in range(80):
        if desk.tell("() => document.activeElement.dataset.dismiss") == "hint":
            break
        desk.hit("Shift+Tab")
    desk.press("Enter")
    assert not desk.tell(_HINT)
    assert desk.focus.startswith("m-")
    assert desk.line == 0
    desk.open()
    assert not desk.tell(_HINT)
    desk.press("?")
    assert desk.layer == "help"
