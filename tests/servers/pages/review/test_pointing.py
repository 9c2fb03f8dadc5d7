"""The mouse: classes are dragged onto a name."""

from tests.servers.pages.review.expecting import standing_answers
from tests.servers.pages.serving import OpenReview
from tests.worlds.review.desk import Desk

_MIDDLE = """
(selector) => {
  const { left, top, right, bottom } = document.querySelector(selector).getBoundingClientRect();
  return [(left + right) / 2, (top + bottom) / 2];
}
"""
_GRIP, _NAME = ".member.is-open .grip", "#name-rows tr:nth-child(3) .name-open"


def drag_to_a_name(desk: Desk) -> None:
    """Holds a row over a super-category."""
    mouse, (x, y) = desk.page.mouse, desk.tell(_MIDDLE, _NAME)
    mouse.move(*desk.tell(_MIDDLE, _GRIP))
    mouse.down()
    mouse.move(x - 40, y - 40, steps=5)
    mouse.move(x, y, steps=5)
    desk.page.wait_for_selector(".is-target")


def test_what_is_dropped_on_a_name_gets_it_and_a_drag_that_is_given_up_decides_nothing(
    served: OpenReview, desk: Desk
) -> None:
    wanted = desk.tell("(one) => document.querySelector(one).closest('tr').dataset.name", _NAME)
    qids = {row.qid for row in desk.members() if row.is_ticked}
    drag_to_a_name(desk)
    desk.page.keyboard.press("Escape")
    desk.page.mouse.up()
    drag_to_a_name(desk)
    desk.page.mouse.move(640, 20, steps=3)  # where nothing is
    desk.page.mouse.up()
    drag_to_a_name(desk)
    desk.page.mouse.up()
    desk.page.wait_for_function("() => Number(document.getElementById('bench').dataset.line)")
    desk.wait()
    assert desk.written == 1
    found = standing_answers(served.root)
    assert found.keys() == qids
    assert {one[0] for one in found.values() if one} == {wanted}
