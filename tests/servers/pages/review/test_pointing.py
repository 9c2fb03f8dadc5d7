"""Mouse and fingers: classes are dragged onto a name, and looked for on the map."""

from typing import TYPE_CHECKING

from tests.servers.pages.conftest import Seats
from tests.servers.pages.looking import NARROW, WIDE
from tests.servers.pages.review.expecting import standing_answers
from tests.servers.pages.serving import OpenReview
from tests.worlds.review.desk import Desk

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession

Point = tuple[float, float]
TABLET = {"viewport": WIDE, "has_touch": True, "is_mobile": True}
PHONE = {"viewport": NARROW, "has_touch": True, "is_mobile": True}
_BOX = """
(selector) => {
  const { left, top, right, bottom } = document.querySelector(selector).getBoundingClientRect();
  return [left, top, right, bottom];
}
"""
_GRIP, _NAME = ".member.is-open .grip", "#name-rows tr:nth-child(3) .name-open"
_POINTS = "#map-rows .member"
_TICKED = (
    "() => [...document.querySelectorAll('#map-rows .tick:checked')].map(({ value }) => value)"
)
_LISTED = "() => [...document.querySelectorAll('#map-rows .tick')].map(({ value }) => value)"


def middle(desk: Desk, selector: str) -> Point:
    left, top, right, bottom = desk.tell(_BOX, selector)
    return (left + right) / 2, (top + bottom) / 2


def around(desk: Desk) -> list[Point]:
    """Corners around all that is on the map."""
    left, top, right, bottom = desk.tell(_BOX, "#map-canvas")
    return [
        (left + 5, top + 45), (right - 5, top + 45), (right - 5, bottom - 5), (left + 5, bottom - 5),
    ]  # fmt: skip


def drag_to_a_name(desk: Desk) -> None:
    """Holds a row over a super-category."""
    mouse, there = desk.page.mouse, middle(desk, _NAME)
    mouse.move(*middle(desk, _GRIP))
    mouse.down()
    mouse.move(there[0] - 40, there[1] - 40, steps=5)
    mouse.move(*there, steps=5)
    desk.page.wait_for_selector(".is-target")


def fingers(desk: Desk) -> "CDPSession":
    return desk.page.context.new_cdp_session(desk.page)


def touch(session: "CDPSession", kind: str, *points: Point) -> None:
    """Says where all fingers are now; none where they are lifted."""
    found = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
    session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": found})


def open_map(desk: Desk) -> None:
    desk.press("M")
    desk.page.wait_for_selector(_POINTS)


def until_written(desk: Desk) -> None:
    desk.page.wait_for_function("() => Number(document.getElementById('bench').dataset.line)")
    desk.wait()


def test_what_is_dropped_on_a_name_gets_it(served: OpenReview, desk: Desk) -> None:
    wanted = desk.tell("(one) => document.querySelector(one).closest('tr').dataset.name", _NAME)
    qids = {row.qid for row in desk.members() if row.is_ticked}
    drag_to_a_name(desk)
    desk.page.mouse.up()
    until_written(desk)
    found = standing_answers(served.root)
    assert found.keys() == qids
    assert {one[0] for one in found.values() if one} == {wanted}


def test_a_drag_that_is_given_up_or_dropped_nowhere_decides_nothing(desk: Desk) -> None:
    drag_to_a_name(desk)
    desk.page.keyboard.press("Escape")
    assert desk.tell("() => document.querySelector('.drag-image, .is-target')") is None
    desk.page.mouse.up()
    drag_to_a_name(desk)
    desk.page.mouse.move(640, 20, steps=3)
    desk.page.mouse.up()
    assert desk.focus == f"m-{desk.members()[0].qid}"
    desk.press("i")  # and the page goes on
    assert desk.written == 1


def test_a_finger_drops_unless_the_system_takes_it(served: OpenReview, seat: Seats) -> None:
    phone = seat(served.url, **PHONE)
    assert not phone.tell("(grip) => document.querySelector(grip).checkVisibility()", _GRIP)
    tablet = seat(served.url, **TABLET)
    session, (x, y), (to_x, to_y) = fingers(tablet), middle(tablet, _GRIP), middle(tablet, _NAME)
    for end in ("touchCancel", "touchEnd"):
        touch(session, "touchStart", (x, y))
        for step in range(1, 9):
            touch(session, "touchMove", (x + (to_x - x) * step / 8, y + (to_y - y) * step / 8))
        tablet.page.wait_for_selector(".is-target")
        touch(session, end)
        tablet.page.wait_for_selector(".is-target", state="detached")
        if end == "touchEnd":
            until_written(tablet)
        tablet.wait()
        assert tablet.written == (end == "touchEnd")


def test_what_is_settled_is_ticked_on_the_map_by_hand_alone(served: OpenReview, desk: Desk) -> None:
    settled = {row.qid for row in desk.members()}
    desk.press("1")
    open_map(desk)
    desk.press("*")
    ticked = set(desk.tell(_TICKED))
    assert ticked
    assert not settled & ticked
    assert settled & set(desk.tell(_LISTED))
    desk.press("X")
    first, *others = around(desk)
    desk.page.mouse.move(*first)
    desk.page.mouse.down()
    for corner in others:
        desk.page.mouse.move(*corner, steps=3)
    desk.page.mouse.up()
    assert desk.focus.startswith("p-")
    ticked = set(desk.tell(_TICKED))
    assert ticked
    assert not settled & ticked
    before = standing_answers(served.root)
    desk.press("i")
    assert standing_answers(served.root) == before | dict.fromkeys(ticked)
    by_hand = min(settled)
    desk.page.check(f"#p-{by_hand} .tick")
    desk.press("i")
    assert standing_answers(served.root)[by_hand] is None
    desk.press("/")
    desk.type("no class has this")
    desk.page.wait_for_function("() => !document.querySelector('#map-rows .member')")
    desk.press("Enter")
    assert desk.focus == "map-text"


def test_two_fingers_pan_and_zoom_and_one_draws_a_lasso(served: OpenReview, seat: Seats) -> None:
    tablet = seat(served.url, **TABLET)
    open_map(tablet)
    session = fingers(tablet)
    x, y = middle(tablet, "#map-canvas")
    all_listed = len(tablet.tell(_LISTED))
    touch(session, "touchStart", (x - 40, y))
    touch(session, "touchStart", (x - 40, y), (x + 40, y))
    for step in range(1, 11):
        touch(session, "touchMove", (x - 40 - 16 * step, y), (x + 40 + 16 * step, y))
    touch(session, "touchEnd")
    listed = "document.querySelectorAll('#map-rows .tick').length"
    tablet.page.wait_for_function(f"(all) => {listed} < all", arg=all_listed)
    assert tablet.tell(_TICKED) == [], "it was no lasso"
    tablet.press("0")
    tablet.page.wait_for_function(f"(all) => {listed} === all", arg=all_listed)
    first, *others = around(tablet)
    touch(session, "touchStart", first)
    for corner in others:
        touch(session, "touchMove", corner)
    touch(session, "touchEnd")
    assert len(tablet.tell(_TICKED)) > 0.9 * all_listed
