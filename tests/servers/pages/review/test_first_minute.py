"""What somebody sees who has never been here."""

from tests.servers.pages.conftest import Seats
from tests.servers.pages.serving import OpenReview

_HINT = "() => document.getElementById('hint')?.checkVisibility() ?? false"


def test_the_page_asks_who_reviews_and_shows_steps_that_go_with_the_first_decision(
    served: OpenReview, seat: Seats
) -> None:
    desk = seat(served.url, reviewer="")
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
    group = desk.group
    desk.press("Enter")
    assert desk.group != group
    assert not desk.tell(_HINT)
