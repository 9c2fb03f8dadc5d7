"""What takes time from an answer: it begins when the answer is there, or where that takes long."""

import contextlib
from collections.abc import Iterator

import pytest

pytest.importorskip("playwright", reason="needs `pip install playwright`")

from playwright.sync_api import Error, Route

from tests.servers.pages.conftest import Seats
from tests.servers.pages.serving import OpenReview
from tests.worlds.review.desk import Desk

_MOVING = "[...document.getAnimations()].map(({ animationName }) => animationName)"
_PRESS = f"""
() => {{
  document.querySelector("#bench [data-key=i]").click();
  return [document.getElementById("bench").ariaBusy, {_MOVING}];
}}
"""
_LOG = """
() => {
  window.done = [];
  const answered = new MutationObserver(() => window.done.push("answer"));
  answered.observe(document.getElementById("bench"), { attributeFilter: ["data-line"] });
  for (const [owner, name] of [[window, "fetch"], [HTMLDialogElement.prototype, "close"]]) {
    const plain = owner[name];
    owner[name] = function (...given) {
      // What has come is told only when this task ends.
      if (answered.takeRecords().length) window.done.push("answer");
      window.done.push(name);
      return plain.apply(this, given);
    };
  }
}
"""
_AGREE_AT_ONCE = """
() => {
  const say = document.getElementById("say");
  new MutationObserver((_, observer) => {
    observer.disconnect();
    say.querySelector(".deed").click();
  }).observe(say, { attributeFilter: ["open"] });
}
"""
_SEEN = """
() => {
  const dialog = document.querySelector("dialog[open]");
  return dialog ? [undefined, "::backdrop"].map((part) => getComputedStyle(dialog, part).opacity) : [];
}
"""


def hold(desk: Desk, what: str) -> list[Route]:
    """Keeps what the page asks for from the server; returns what is held."""
    held = list[Route]()

    def keep(route: Route) -> None:  # playwright writes on it, so that a method would not do
        held.append(route)

    desk.page.route(what, keep)
    return held


def test_a_bar_moves_only_where_an_answer_takes_long(desk: Desk) -> None:
    held = hold(desk, "**/act")
    is_busy, moving = desk.tell(_PRESS)
    assert is_busy == "true"
    assert "slide" not in moving
    desk.page.wait_for_function(f"() => {_MOVING}.includes('slide')")
    held.pop().continue_()
    desk.wait()
    assert "slide" not in desk.tell(f"() => {_MOVING}")
    assert desk.written == 1


@pytest.mark.parametrize("is_reloaded", [False, True])
def test_the_browsers_back_leads_to_the_cluster_before(desk: Desk, is_reloaded: bool) -> None:
    clusters = []
    for _ in range(3):
        clusters.append(desk.group)
        desk.page.wait_for_url(f"**g={desk.group}&*")
        desk.press("]")
    assert len(set(clusters)) == 3
    desk.page.wait_for_url(f"**g={desk.group}&*")
    if is_reloaded:  # as the page does by itself when it lost the server for a while
        desk.page.reload()
    for cluster in reversed(clusters):
        desk.page.go_back()
        desk.page.wait_for_function(
            "(group) => document.getElementById('bench').dataset.group === group", arg=cluster
        )
        desk.page.wait_for_url(f"**g={cluster}&*")


def test_a_dialog_is_put_away_when_what_it_asked_for_is_shown(desk: Desk) -> None:
    desk.press("X", "x", "r")
    desk.type("waterf")
    desk.tell(_LOG)
    desk.press("Enter")
    assert desk.tell("() => window.done")[:3] == ["fetch", "answer", "close"]
    assert desk.layer == ""
    assert desk.written == 1
    assert desk.focus.startswith("m-")


def test_a_question_that_is_agreed_to_at_once_is_put_away_after_the_answer_too(
    served: OpenReview, seat: Seats
) -> None:
    short = seat(served.url, path="?rows=5")
    short.tell(_LOG)
    short.tell(_AGREE_AT_ONCE)
    short.press("Enter")
    short.page.wait_for_function("() => window.done.length >= 4")
    assert short.tell("() => window.done")[:4] == ["fetch", "fetch", "answer", "close"]
    short.wait()
    assert short.layer == ""
    assert short.written == 1
    assert short.focus.startswith("m-")


def test_a_dialog_that_has_asked_is_seen_no_more_has_no_keys_and_lets_the_page_go(
    desk: Desk,
) -> None:
    held = hold(desk, "**/act")
    desk.press("X", "x", "r")
    desk.type("waterf")
    assert desk.tell(_SEEN) == ["1", "1"]
    desk.hit("Enter")
    assert set(desk.tell(_SEEN)) <= {"0"}
    desk.hit("x")  # what is pressed ahead is for the row that comes
    desk.page.wait_for_function("() => !document.querySelector('dialog[open]')")
    assert desk.focus == f"m-{desk.members()[0].qid}"
    held.pop().continue_()
    desk.wait()
    assert desk.written == 1
    row = next(row for row in desk.members() if row.has_focus)
    assert row.is_open
    assert row.is_ticked


def test_names_out_of_sight_come_when_a_person_pauses(served: OpenReview, seat: Seats) -> None:
    low = seat(served.url, viewport={"width": 1280, "height": 100})
    name = low.tell("() => [...document.querySelectorAll('#name-rows tr')].at(-1).dataset.name")
    low.press("X", "r")  # of one class, so that no name is left without any
    low.type(name)
    low.press("Enter")
    assert low.written == 1
    low.page.wait_for_function(
        "(name) => Number(document.querySelector(`#name-rows [data-name='${name}']`).dataset.settled)",
        arg=name,
    )


@pytest.fixture
def low(served: OpenReview, seat: Seats) -> Iterator[tuple[Desk, list[Route]]]:
    """A window of few rows whose second group is open, and the requests for the others, held."""
    low = seat(served.url, viewport={"width": 1280, "height": 480})
    held = hold(low, "**/bench?*")
    low.hit("Enter")
    until_shown(low, list(low.groups())[1])
    assert to_come(low) > 0
    yield low, held
    low.page.unroute_all(behavior="ignoreErrors")


def to_come(desk: Desk) -> int:
    return int(desk.tell("() => document.getElementById('work').dataset.coming"))


def until_shown(desk: Desk, group: str, line: int = 0) -> None:
    """Waits until a group is shown, as it is after a line, whether all its rows are there or not."""
    desk.page.wait_for_function(
        """([group, line]) => {
          const { ariaBusy, dataset } = document.getElementById("bench");
          return !ariaBusy && dataset.group === group && Number(dataset.line) >= line;
        }""",
        arg=[group, line],
    )


def test_a_key_does_not_wait_for_rows_out_of_sight_and_is_about_them_too(
    low: tuple[Desk, list[Route]],
) -> None:
    desk, _ = low
    first, second, third, *_ = desk.groups()
    line = desk.line  # before the keys: an answer may be there before it is asked for
    desk.hit("d")  # what stays in the group does not bring them either
    desk.page.wait_for_selector("dialog[open]")
    desk.hit("Enter")
    until_shown(desk, second, line + 1)
    assert to_come(desk) > 0
    desk.hit("Enter")
    until_shown(desk, third)
    assert [group for group, is_done in desk.groups().items() if is_done] == [first, second]
    assert desk.written == 3


def test_what_is_about_all_rows_waits_for_them_and_so_does_the_way_down(
    low: tuple[Desk, list[Route]],
) -> None:
    desk, held = low
    shown = len(desk.members())
    for _ in range(shown):
        desk.hit("j")
    desk.hit("X")
    desk.page.unroute_all(behavior="ignoreErrors")
    for route in held:
        with contextlib.suppress(Error):  # which the page has given up
            route.continue_()
    desk.wait()
    assert to_come(desk) == 0
    rows = desk.members()
    assert len(rows) > shown
    assert [row.has_focus for row in rows].index(True) == shown
    assert not any(row.is_ticked for row in rows)
    desk.press("X")
    assert all(row.is_ticked for row in desk.members())
