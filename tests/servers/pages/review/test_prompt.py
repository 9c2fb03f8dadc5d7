"""What takes time from an answer: it begins when the answer is there, or where that takes long."""

import contextlib
import json
from collections.abc import Iterator

import pytest

pytest.importorskip("playwright", reason="needs `pip install playwright`")

from playwright.sync_api import Error, Route

from hgld.benchmarks.reviewing.desk import Desk
from hgld.benchmarks.reviewing.served import ServedPage
from tests.hgld.pages.review.browser.conftest import Seats

pytestmark = pytest.mark.browser

_MOVING = "[...document.getAnimations()].map(({ animationName }) => animationName)"
_TRACED = ["devtools.timeline", "disabled-by-default-devtools.timeline.stack"]
_PRESS = f"""
() => {{
  document.querySelector("#bench [data-key=i]").click();
  return [document.getElementById("bench").ariaBusy, {_MOVING}];
}}
"""
_PRESS_AND_SEE = f"""
() => new Promise((done) => {{
  new MutationObserver(() => done([Boolean(document.querySelector(".scoring")), {_MOVING}]))
    .observe(document.getElementById("bench"), {{ attributeFilter: ["data-line"] }});
  document.querySelector("#bench [data-key=i]").click();
}})
"""
_LOG = """
() => {
  window.done = [];
  new MutationObserver(() => window.done.push("answer"))
    .observe(document.getElementById("bench"), { attributeFilter: ["data-line"] });
  for (const [owner, name] of [[window, "fetch"], [HTMLDialogElement.prototype, "close"]]) {
    const plain = owner[name];
    owner[name] = function (...given) {
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
_FOLLOW = """
() => {
  const names = document.getElementById("names");
  window.behind = 0;
  new MutationObserver(() => (window.behind ||= Number(names.dataset.behind)))
    .observe(names, { attributeFilter: ["data-behind"] });
}
"""


def hold_actions(desk: Desk) -> list[Route]:
    """Keeps what the page asks for from the server; returns what is held."""
    held = list[Route]()

    def hold(route: Route) -> None:  # playwright writes on it, so that a method would not do
        held.append(route)

    desk.page.route("**/act", hold)
    return held


def test_a_bar_moves_only_where_an_answer_takes_long(desk: Desk) -> None:
    held = hold_actions(desk)
    is_busy, moving = desk.tell(_PRESS)
    assert is_busy == "true"
    assert "slide" not in moving
    desk.page.wait_for_function(f"() => {_MOVING}.includes('slide')")
    held.pop().continue_()
    desk.wait()
    assert "slide" not in desk.tell(f"() => {_MOVING}")
    assert desk.written == 1


def test_the_address_comes_after_the_picture_and_the_browsers_back_leads_to_the_cluster_before(
    desk: Desk,
) -> None:
    clusters = [desk.group]
    for _ in range(2):
        desk.press("]")
        clusters.append(desk.group)
        assert f"g={desk.group}&" in desk.page.url
    assert len(set(clusters)) == 3
    for cluster in reversed(clusters[:2]):
        desk.page.go_back()
        desk.page.wait_for_function(
            "(group) => document.getElementById('bench').dataset.group === group", arg=cluster
        )
        desk.wait()
        assert f"g={cluster}&" in desk.page.url


def test_a_dot_moves_only_where_proposals_take_long_to_be_scored(desk: Desk) -> None:
    is_scoring, moving = desk.tell(_PRESS_AND_SEE)
    assert is_scoring
    assert "pulse" not in moving


def test_another_group_is_put_in_place_before_the_page_is_laid_out(desk: Desk) -> None:
    browser = desk.page.context.browser
    assert browser
    browser.start_tracing(page=desk.page, categories=_TRACED)
    desk.press("]", "Enter")
    events = json.loads(browser.stop_tracing())["traceEvents"]
    forced = [
        frames
        for event in events
        if event["name"] == "Layout"
        and (frames := event.get("args", {}).get("beginData", {}).get("stackTrace"))
    ]
    assert forced, "the trace has no layouts"
    assert not [frames for frames in forced if "/htmx." in frames[0]["url"]]


@pytest.mark.parametrize("keys", [("r", "waterf", "Enter"), ("d", "", "Enter"), ("s", "", "Enter")])
def test_a_dialog_is_put_away_when_what_it_asked_for_is_shown(
    desk: Desk, keys: tuple[str, str, str]
) -> None:
    opening, text, taking = keys
    desk.press("X", "x", opening)
    desk.type(text)
    desk.tell(_LOG)
    desk.press(taking)
    assert desk.tell("() => window.done")[:3] == ["fetch", "answer", "close"]
    assert desk.layer == ""
    assert desk.written == 1
    assert desk.focus.startswith("m-")


def test_a_question_that_is_agreed_to_at_once_is_put_away_after_the_answer_too(
    lasting: ServedPage, seat: Seats, desk: Desk
) -> None:
    del desk  # which has started over
    short = seat(lasting, path="?rows=5")
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
    held = hold_actions(desk)
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
    assert desk.tell("() => document.getElementById('pick-text').value") == "waterf"
    assert desk.written == 1
    row = next(row for row in desk.members() if row.has_focus)
    assert row.is_open
    assert row.is_ticked


@pytest.mark.parametrize("scrolls", [False, True])
def test_names_out_of_sight_come_when_a_person_pauses_or_scrolls(
    lasting: ServedPage, seat: Seats, desk: Desk, *, scrolls: bool
) -> None:
    del desk  # which has started over
    low = seat(lasting, viewport={"width": 1280, "height": 100})
    name = low.tell("() => [...document.querySelectorAll('#name-rows tr')].at(-1).dataset.name")
    low.tell(_FOLLOW)
    low.press("X", "r")  # of one class, so that no name is left without any
    low.type(name)
    low.press("Enter")
    assert low.written == 1
    assert low.tell("() => window.behind") > 0
    behind = "() => Number(document.getElementById('names').dataset.behind)"
    if scrolls:
        low.tell("() => document.getElementById('names-scroll').scrollBy(0, 40)")
    low.page.wait_for_function(f"() => !({behind})()")
    low.wait()
    shown = low.tell(
        "(name) => document.querySelector(`#name-rows [data-name='${name}']`).dataset.settled", name
    )
    assert int(shown) > 0


@pytest.fixture
def low(lasting: ServedPage, seat: Seats, desk: Desk) -> Iterator[tuple[Desk, list[Route]]]:
    """A window of few rows whose second group is open, and the requests for the others, held."""
    del desk  # which has started over
    low, held = seat(lasting, viewport={"width": 1280, "height": 480}), list[Route]()

    def hold(route: Route) -> None:
        held.append(route)

    low.page.route("**/bench?*", hold)
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


def let_go(desk: Desk, held: list[Route]) -> None:
    """Lets the page have the rows that it asks for."""
    desk.page.unroute_all(behavior="ignoreErrors")
    for route in held:
        with contextlib.suppress(Error):  # which the page has given up
            route.continue_()
    desk.wait()
    assert to_come(desk) == 0


def test_a_key_does_not_wait_for_rows_out_of_sight_and_is_about_them_too(
    low: tuple[Desk, list[Route]],
) -> None:
    desk, _ = low
    first, second, third, *_ = desk.groups()
    line = desk.line  # before the keys: an answer may be there before it is asked for
    desk.hit("d")  # what stays in the group does not bring them either
    desk.page.wait_for_function("() => document.querySelector('dialog[open]')")
    desk.hit("Enter")
    until_shown(desk, second, line + 1)
    assert to_come(desk) > 0
    desk.hit("Enter")
    until_shown(desk, third)
    assert [group for group, is_done in desk.groups().items() if is_done] == [first, second]
    assert desk.written == 3


def test_the_rows_that_come_first_fill_the_window_and_few_are_out_of_sight(
    low: tuple[Desk, list[Route]],
) -> None:
    desk, _ = low
    tops, bottom = desk.tell(
        """() => {
          const top = (element) => element.getBoundingClientRect().top;
          const scroller = document.getElementById("work-scroll");
          const rows = [...document.querySelectorAll("#work .member")];
          return [[...rows.map(top), top(rows.at(-1)) + rows.at(-1).offsetHeight], top(scroller) + scroller.clientHeight];
        }"""
    )
    assert tops[-1] >= bottom
    assert sum(top >= bottom for top in tops[:-1]) <= 3


def test_what_is_about_all_rows_waits_for_them(low: tuple[Desk, list[Route]]) -> None:
    desk, held = low
    shown = len(desk.members())
    desk.hit("X")
    let_go(desk, held)
    rows = desk.members()
    assert len(rows) > shown
    assert not any(row.is_ticked for row in rows)
    desk.press("X")
    assert all(row.is_ticked for row in desk.members())


def test_one_goes_on_from_the_last_row_that_is_there(low: tuple[Desk, list[Route]]) -> None:
    desk, held = low
    rows = desk.members()
    for _ in rows:
        desk.hit("j")
    let_go(desk, held)
    assert [row.has_focus for row in desk.members()].index(True) == len(rows)
