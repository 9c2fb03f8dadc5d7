"""Mouse and fingers: classes are dragged onto a name, and looked for on the map."""

from typing import TYPE_CHECKING

import pytest

from hgld.benchmarks.reviewing.desk import Desk
from hgld.benchmarks.reviewing.served import ServedPage
from tests.hgld.pages.review.browser.conftest import Seats
from tests.hgld.pages.review.browser.expecting import standing_answers
from tests.hgld.pages.review.conftest import NARROW

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession

pytestmark = pytest.mark.browser

Point = tuple[float, float]
TABLET = {"viewport": {"width": 1280, "height": 800}, "has_touch": True, "is_mobile": True}
PHONE = {"viewport": NARROW, "has_touch": True, "is_mobile": True}
_MIDDLE = """
(selector) => {
  const { left, top, width, height } = document.querySelector(selector).getBoundingClientRect();
  return [left + width / 2, top + height / 2];
}
"""
_GRIP, _NAME = ".member.is-open .grip", "#name-rows tr:nth-child(3) .name-open"
_LABEL_BOX = "() => { const { left, top, right, bottom } = document.querySelector('.drag-image').getBoundingClientRect(); return [left, top, right, bottom]; }"
_POINTS = "#map-rows .member"
_TICKED = (
    "() => [...document.querySelectorAll('#map-rows .tick:checked')].map(({ value }) => value)"
)
_LISTED = "() => [...document.querySelectorAll('#map-rows .tick')].map(({ value }) => value)"


def middle(desk: Desk, selector: str) -> Point:
    x, y = desk.tell(_MIDDLE, selector)
    return x, y


def drag_to_a_name(desk: Desk) -> Point:
    """Holds a row over a super-category, and returns where."""
    mouse, there = desk.page.mouse, middle(desk, _NAME)
    mouse.move(*middle(desk, _GRIP))
    mouse.down()
    mouse.move(there[0] - 40, there[1] - 40, steps=5)
    mouse.move(*there, steps=5)
    desk.page.wait_for_selector(".is-target")
    return there


def fingers(desk: Desk) -> "CDPSession":
    return desk.page.context.new_cdp_session(desk.page)


def touch(session: "CDPSession", kind: str, *points: Point) -> None:
    """Says where all fingers are now; none where they are lifted."""
    found = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
    session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": found})


def test_what_is_dropped_on_a_name_gets_it(lasting: ServedPage, desk: Desk) -> None:
    wanted = desk.tell("(one) => document.querySelector(one).closest('tr').dataset.name", _NAME)
    qids = {row.qid for row in desk.members() if row.is_ticked}
    drag_to_a_name(desk)
    desk.page.mouse.up()
    desk.page.wait_for_function("() => Number(document.getElementById('bench').dataset.line)")
    desk.wait()
    found = standing_answers(lasting.root)
    assert found.keys() == qids
    assert {one[0] for one in found.values() if one} == {wanted}


def test_a_drag_that_escape_gives_up_decides_nothing(desk: Desk) -> None:
    drag_to_a_name(desk)
    desk.page.keyboard.press("Escape")
    assert desk.tell("() => document.querySelector('.drag-image, .is-target')") is None
    desk.page.mouse.up()
    desk.page.wait_for_timeout(300)
    desk.wait()
    assert desk.written == 0
    assert desk.focus.startswith("m-")
    desk.press("i")  # and the page goes on
    assert desk.written == 1


def test_a_drag_that_is_dropped_nowhere_leaves_the_focus_on_its_row(desk: Desk) -> None:
    drag_to_a_name(desk)
    desk.page.mouse.move(640, 20, steps=3)
    desk.page.mouse.up()
    assert desk.focus == f"m-{desk.members()[0].qid}"
    assert desk.written == 0


@pytest.mark.parametrize("end", ["touchEnd", "touchCancel"])
def test_a_finger_drops_unless_the_system_takes_it(
    lasting: ServedPage, desk: Desk, seat: Seats, end: str
) -> None:
    del desk  # which has started over
    tablet = seat(lasting, **TABLET)
    session, (x, y), (to_x, to_y) = fingers(tablet), middle(tablet, _GRIP), middle(tablet, _NAME)
    touch(session, "touchStart", (x, y))
    for step in range(1, 9):
        touch(session, "touchMove", (x + (to_x - x) * step / 8, y + (to_y - y) * step / 8))
    tablet.page.wait_for_selector(".is-target")
    touch(session, end)
    tablet.page.wait_for_timeout(500)
    tablet.wait()
    assert tablet.written == (end == "touchEnd")


def test_what_is_dragged_says_how_many_and_covers_no_name(desk: Desk) -> None:
    desk.press("X", "x", *["j", "x"] * 3)
    x, y = drag_to_a_name(desk)
    assert desk.tell("() => document.querySelector('.drag-image').innerText.trim()") == "4 classes"
    _, _, right, bottom = desk.tell(_LABEL_BOX)
    assert right < x
    assert bottom < y
    desk.page.keyboard.press("Escape")
    desk.page.mouse.up()


def test_a_grip_is_there_where_there_is_something_to_drop_on(
    lasting: ServedPage, seat: Seats, desk: Desk
) -> None:
    del desk
    opacity = "(grip) => getComputedStyle(document.querySelector(grip)).opacity"
    assert seat(lasting, **TABLET).tell(opacity, _GRIP) == "1"
    phone = seat(lasting, **PHONE)
    assert not phone.tell("(grip) => document.querySelector(grip).checkVisibility()", _GRIP)


def open_map(desk: Desk) -> None:
    desk.press("M")
    desk.page.wait_for_selector(_POINTS)


def around(desk: Desk) -> list[Point]:
    """Corners around all that is on the map."""
    left, top, right, bottom = desk.tell(
        "() => { const { left, top, right, bottom } = document.getElementById('map-canvas').getBoundingClientRect(); return [left, top, right, bottom]; }"
    )
    return [
        (left + 5, top + 45), (right - 5, top + 45), (right - 5, bottom - 5), (left + 5, bottom - 5),
    ]  # fmt: skip


@pytest.mark.parametrize("way", ["all", "lasso"])
def test_what_is_settled_is_ticked_on_the_map_by_hand_alone(
    lasting: ServedPage, desk: Desk, way: str
) -> None:
    settled = {row.qid for row in desk.members()}
    desk.press("1")
    open_map(desk)
    if way == "all":
        desk.press("*")
    else:
        first, *others = around(desk)
        desk.page.mouse.move(*first)
        desk.page.mouse.down()
        for corner in others:
            desk.page.mouse.move(*corner, steps=3)
        desk.page.mouse.up()
        assert desk.focus.startswith("p-")
    assert not settled & set(desk.tell(_TICKED))
    assert settled & set(desk.tell(_LISTED))
    ticked = set(desk.tell(_TICKED))
    assert ticked
    before = standing_answers(lasting.root)
    desk.press("i")
    assert standing_answers(lasting.root) == before | dict.fromkeys(ticked)
    by_hand = min(settled)
    desk.page.check(f"#p-{by_hand} .tick")
    desk.press("i")
    assert standing_answers(lasting.root)[by_hand] is None


def test_a_filter_of_the_map_that_finds_nothing_keeps_the_focus(desk: Desk) -> None:
    open_map(desk)
    desk.press("/")
    desk.type("no class has this")
    desk.page.wait_for_function("() => !document.querySelector('#map-rows .member')")
    desk.press("Enter")
    assert desk.focus == "map-text"


def test_two_fingers_pan_and_zoom_and_one_draws_a_lasso(
    lasting: ServedPage, seat: Seats, desk: Desk
) -> None:
    del desk
    tablet = seat(lasting, **TABLET)
    open_map(tablet)
    session = fingers(tablet)
    x, y = middle(tablet, "#map-canvas")
    all_listed = len(tablet.tell(_LISTED))
    touch(session, "touchStart", (x - 40, y))
    touch(session, "touchStart", (x - 40, y), (x + 40, y))
    for step in range(1, 11):
        touch(session, "touchMove", (x - 40 - 16 * step, y), (x + 40 + 16 * step, y))
    touch(session, "touchEnd")
    tablet.page.wait_for_function(
        "(all) => document.querySelectorAll('#map-rows .tick').length < all", arg=all_listed
    )
    assert tablet.tell(_TICKED) == [], "it was no lasso"
    tablet.press("0")
    tablet.page.wait_for_function(
        "(all) => document.querySelectorAll('#map-rows .tick').length === all", arg=all_listed
    )
    first, *others = around(tablet)
    touch(session, "touchStart", first)
    for corner in others:
        touch(session, "touchMove", corner)
    touch(session, "touchEnd")
    assert len(tablet.tell(_TICKED)) > 0.9 * all_listed
