"""Every key in every context, and where the focus is after it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from hgld.benchmarks.reviewing.desk import Desk
from hgld.benchmarks.reviewing.served import ServedPage
from tests.hgld.pages.review.browser.conftest import Seats, Servers
from tests.hgld.pages.review.browser.expecting import standing_answers

pytestmark = pytest.mark.browser

DECIDING = ("Enter", "e", "1", "2", "9", "i", "z", "u", "U", "n", "h", "x", "X", "*")
OPENING = {
    "r": "pick", "m": "pick", "g": "pick", ":": "pick", "s": "split", "d": "write", "c": "write",
    "?": "help", "H": "sheet", "M": "sheet", "P": "sheet", ".": "sheet",
}  # fmt: skip
DIALOGS = {**OPENING, "Control+k": "pick"}
MOVING = ("j", "k", "]", "[", "/")
ALL_KEYS = (*DECIDING, *OPENING, *MOVING)


def rows_of(desk: Desk) -> list[str]:
    return [f"m-{row.qid}" for row in desk.members()]


def ticked(desk: Desk) -> int:
    return sum(row.is_ticked for row in desk.members())


def field_text(desk: Desk) -> str:
    return str(desk.tell("() => document.activeElement.value"))


# In the list of clusters, in the open cluster with a selection, and after a bulk action alike.


def in_the_rows(desk: Desk) -> None:
    assert desk.focus.startswith("m-")


def on_the_cluster_list(desk: Desk) -> None:
    desk.tell("() => document.querySelector('#groups [aria-current]').focus()")
    assert desk.focus.startswith("g-")


def with_a_selection(desk: Desk) -> None:
    desk.press("X", "x", "j", "x")
    assert ticked(desk) == 2


def after_a_bulk_action(desk: Desk) -> None:
    desk.press("Enter")
    assert desk.focus.startswith("m-")


CONTEXTS = (in_the_rows, on_the_cluster_list, with_a_selection, after_a_bulk_action)
Context = Callable[[Desk], None]


@pytest.mark.parametrize("context", CONTEXTS)
def test_a_key_that_decides_writes_one_event(desk: Desk, context: Context) -> None:
    for key in ("Enter", "1", "2", "9", "i", "e"):
        desk.open()
        context(desk)
        if key == "e":  # how sure the proposals are follows from what was decided before this test
            desk.page.wait_for_function("() => !document.querySelector('#bench .scoring')")
        before, group = desk.line, desk.group
        chosen = {row.qid for row in desk.members() if row.is_ticked and row.is_open}
        if (context is on_the_cluster_list and key == "Enter") or not _can_be_pressed(desk, key):
            desk.press(key)  # on a link Enter opens that
            assert desk.line == before, key
            continue
        desk.press(key)
        assert desk.line == before + 1, key
        assert desk.focus.startswith("m-"), key
        if desk.group == group and key != "e":
            assert not chosen & {row.qid for row in desk.members() if row.is_open}, key
        desk.press("u")
        assert desk.line == before + 2, key
        assert desk.focus.startswith("m-"), key


@pytest.mark.parametrize("context", CONTEXTS)
def test_a_key_opens_its_dialog_and_escape_gives_the_focus_back(
    desk: Desk, context: Context
) -> None:
    context(desk)
    before = (ticked(desk), desk.line, desk.focus)
    for key, layer in DIALOGS.items():
        desk.press(key)
        desk.page.wait_for_function("(id) => document.getElementById(id)?.open", arg=layer)
        if layer == "sheet":
            desk.page.wait_for_function(
                "() => document.getElementById('sheet-body').childElementCount"
            )
        within = "(id) => document.getElementById(id).contains(document.activeElement)"
        assert desk.tell(within, layer), key
        desk.press("Escape")
        assert desk.layer == "", key
        assert (ticked(desk), desk.line, desk.focus) == before, key


@pytest.mark.parametrize("context", CONTEXTS)
def test_a_key_that_ticks_ticks(desk: Desk, context: Context) -> None:
    context(desk)
    if context is on_the_cluster_list:
        desk.press("]")  # to a row
    rows, some = desk.members(), ticked(desk)
    here = next(number for number, row in enumerate(rows) if row.has_focus)
    desk.press("x")
    assert [row.is_ticked for row in desk.members()] == [
        row.is_ticked != (number == here) for number, row in enumerate(rows)
    ]
    desk.press("x")
    assert ticked(desk) == some
    desk.press("X")
    assert ticked(desk) == 0
    desk.press("X")
    assert ticked(desk) == sum(row.is_open for row in rows)
    desk.press("X", "*")
    assert ticked(desk) == len(rows)
    assert desk.focus == f"m-{rows[here].qid}"


def _can_be_pressed(desk: Desk, key: str) -> bool:
    script = "(key) => Boolean(document.querySelector(`#bench [data-key='${key}']:enabled`))"
    return bool(desk.tell(script, key))


@pytest.mark.parametrize("field", ["filter", "comment", "name"])
def test_letters_are_letters_in_a_text_field(desk: Desk, field: str) -> None:
    desk.press({"filter": "/", "comment": "c", "name": "r"}[field])
    group, rows = desk.group, ticked(desk)
    text = "jkxi*1 2eurnhsmdcXUzgHMP.:?[]/"
    desk.type(text)
    desk.wait()
    assert field_text(desk) == text
    assert desk.written == 0
    desk.press("Escape")
    assert desk.layer == ""
    if field == "filter":
        desk.press("/")
        desk.page.keyboard.press("Control+a")
        desk.page.keyboard.press("Delete")
        desk.page.wait_for_function("() => document.getElementById('bench').dataset.query === ''")
        desk.press("Escape")
    assert (desk.group, ticked(desk)) == (group, rows)
    assert desk.focus.startswith("m-")


def test_no_key_of_the_page_works_under_a_dialog(desk: Desk) -> None:
    desk.press("i", "?")
    line, group = desk.line, desk.group
    for key in ("u", "U", "i", "1", "z", "e", "x", "]", "r", "H", "j", "/"):
        desk.press(key)
        assert (desk.line, desk.group, desk.layer) == (line, group, "help"), key
    desk.press("Escape")
    assert desk.layer == ""
    assert desk.line == line


def test_the_filter_finds_classes_and_escape_leads_back_to_rows(desk: Desk) -> None:
    label = desk.members()[0].label
    desk.press("/")
    desk.type(label)
    desk.page.wait_for_function(
        "(text) => document.getElementById('bench').dataset.query === text", arg=label
    )
    desk.wait()
    assert desk.focus == "q"
    assert [row.label for row in desk.members()] == [label]
    desk.press("Escape")
    assert desk.focus == rows_of(desk)[0]
    desk.press("i")
    assert desk.written == 1


def test_j_and_k_walk_the_rows_and_the_list(desk: Desk) -> None:
    rows = rows_of(desk)
    assert desk.focus == rows[0]
    desk.press("j", "j")
    assert desk.focus == rows[2]
    desk.press("k")
    assert desk.focus == rows[1]
    desk.press("ArrowDown", "ArrowUp", "k", "k")
    assert desk.focus == rows[0]
    on_the_cluster_list(desk)
    groups = list(desk.groups())
    desk.press("j", "j")
    assert desk.focus == f"g-{groups[2]}"
    desk.press("k", "Enter")
    assert desk.group == groups[1]


@pytest.mark.parametrize("width", [390, 1000, 1280])
def test_no_row_that_keys_are_about_is_under_what_stands_above(
    lasting: ServedPage, desk: Desk, seat: Seats, width: int
) -> None:
    del desk  # which has started over
    low = seat(lasting, viewport={"width": width, "height": 640})
    gaps = []
    for key in "jjjjjjkkkkk":
        low.press(key)
        gaps.append(
            low.tell(
                """() => {
                  const top = document.querySelector("#work .member.is-current").getBoundingClientRect().top;
                  return top - document.querySelector(".members-head").getBoundingClientRect().bottom;
                }"""
            )
        )
    assert low.tell("() => document.getElementById('work-scroll').scrollTop") > 0
    assert min(gaps) >= 0


def test_x_takes_the_row_out_and_the_next_action_leaves_it(desk: Desk) -> None:
    rows = desk.members()
    desk.press("j", "x", "i")
    left = [row for row in desk.members() if row.is_open]
    assert [row.qid for row in left] == [rows[1].qid]
    assert desk.focus == f"m-{rows[1].qid}"
    assert not left[0].is_ticked


def test_none_ticked_means_the_row_in_focus(lasting: ServedPage, desk: Desk) -> None:
    rows = desk.members()
    desk.press("X", "j", "i")
    assert standing_answers(lasting.root) == {rows[1].qid: None}
    assert desk.focus == f"m-{rows[2].qid}"


def test_a_name_is_typed_and_taken_and_the_focus_goes_on(lasting: ServedPage, desk: Desk) -> None:
    rows = desk.members()
    desk.press("X", "r")
    assert desk.focus == "pick-text"
    desk.type("waterf")
    desk.press("Enter")
    assert standing_answers(lasting.root) == {rows[0].qid: ("waterfall", "natural")}
    assert desk.focus == f"m-{rows[1].qid}"


def test_go_to_leads_to_a_class_of_another_cluster(desk: Desk) -> None:
    desk.press("]", "]")
    wanted, group = desk.members()[3], desk.group
    desk.press("[", "[", "g")
    desk.type(wanted.label)
    desk.page.wait_for_function(
        "(label) => [...document.querySelectorAll('#pick-list [role=option] .pick-what')].some(({textContent}) => textContent === label)",
        arg=wanted.label,
    )
    while (
        desk.tell(
            "() => document.querySelector('#pick-list [aria-selected=true] .pick-what').textContent"
        )
        != wanted.label
    ):
        desk.press("ArrowDown")
    desk.press("Enter")
    assert (desk.group, desk.focus) == (group, f"m-{wanted.qid}")


def test_keys_pressed_ahead_are_done_in_order(lasting: ServedPage, desk: Desk) -> None:
    groups = list(desk.groups())
    for _ in range(4):
        desk.hit("Enter")
    desk.page.wait_for_function(
        "(group) => document.getElementById('bench').dataset.group === group", arg=groups[4]
    )
    desk.wait()
    assert desk.written == 4
    assert desk.group == groups[4]
    assert [group for group, is_done in desk.groups().items() if is_done] == groups[:4]
    assert len(standing_answers(lasting.root)) > 4


def test_a_key_held_down_decides_once(desk: Desk) -> None:
    desk.page.keyboard.down("i")
    for _ in range(6):
        desk.page.keyboard.down("i")  # as a keyboard repeats it
    desk.page.keyboard.up("i")
    desk.wait()
    assert desk.written == 1


@pytest.mark.parametrize("modifier", ["Control", "Alt", "Meta"])
def test_keys_of_the_browser_are_left_alone(desk: Desk, modifier: str) -> None:
    for key in ("i", "e", "u", "x", "1"):
        desk.page.keyboard.press(f"{modifier}+{key}")
        desk.wait()
    assert desk.written == 0
    assert all(row.is_ticked for row in desk.members())


def test_the_palette_does_what_is_chosen(desk: Desk) -> None:
    desk.press(":")
    desk.type("ignore")
    desk.press("Enter")
    assert desk.written == 1
    assert desk.layer == ""
    assert desk.focus.startswith("m-")


def test_every_key_stands_on_a_control(desk: Desk) -> None:
    keys = (
        "() => [...document.querySelectorAll('#bench [data-key]')].map(({dataset}) => dataset.key)"
    )
    unsigned = "() => [...document.querySelectorAll('#bench :is(button, a)[data-key]')].filter((one) => !one.querySelector('kbd')).length"
    desk.press("]", "i", "u")
    shown = set(desk.tell(keys))
    for _ in desk.groups():  # a cluster that is proposed to be ignored has no side
        shown |= set(desk.tell(keys))
        assert desk.tell(unsigned) == 0
        desk.press("]")
    assert set(ALL_KEYS) <= shown


def test_nothing_is_written_where_one_may_only_look(
    build: Path, serve: Servers, seat: Seats
) -> None:
    desk = seat(serve(build, "--read-only"), reviewer="")
    assert desk.layer == ""
    for key in (*DECIDING, *"rmsdc"):
        desk.press(key)
    assert desk.layer == ""
    assert desk.line == 0
    desk.press("j", "]", "g", "Escape", "?", "Escape")
    assert standing_answers(build) == {}


_COMPOSED = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 229, "text": "\r"}
"""As Safari tells of the Enter that ends a composition: after its end, by the code 229."""


def end_a_composition(desk: Desk) -> None:
    session = desk.page.context.new_cdp_session(desk.page)
    session.send("Input.dispatchKeyEvent", {"type": "keyDown", **_COMPOSED})
    session.send("Input.dispatchKeyEvent", {"type": "keyUp", **_COMPOSED})
    desk.page.wait_for_timeout(100)
    desk.wait()


@pytest.mark.parametrize("opening", ["", "r", "m", "g", "c", "d", "/"])
def test_an_enter_that_ends_a_composition_takes_nothing(desk: Desk, opening: str) -> None:
    if opening:
        desk.press(opening)
        desk.type("waterf")
        desk.wait()
    before = (desk.layer, desk.focus)
    end_a_composition(desk)
    assert (desk.layer, desk.focus) == before
    assert desk.written == 0


def test_what_begins_as_typed_comes_before_what_has_it_within(desk: Desk) -> None:
    texts = "() => [...document.querySelectorAll('#pick-list .pick-what')].map((one) => one.textContent)"
    desk.press("r")
    for typed in ("park", "bridge", "house"):
        desk.page.fill("#pick-text", typed)
        found = [text for text in desk.tell(texts) if not text.startswith("new:")]
        places = [_nearness(text, typed) for text in found]
        assert places == sorted(places), found
        assert places[0] < 2, found


def _nearness(text: str, typed: str) -> int:
    if text == typed:
        return 0
    return 1 if text.startswith(typed) else 2 if f" {typed}" in text else 3


def test_a_key_that_can_do_nothing_says_why(desk: Desk) -> None:
    assert not _can_be_pressed(desk, "9") or len(desk.choices()) == 9
    told = {}
    for key in ("e", "n", "9", "u"):
        for _ in desk.groups():
            if not _can_be_pressed(desk, key):
                desk.press(key)
                told[key] = desk.said
                break
            desk.press("]")
    assert "nothing to undo" in told["u"]
    assert "no side" in told.get("n", "no side")
    assert "that sure" in told.get("e", "that sure")
    assert "r gives any" in told.get("9", "r gives any")
    assert desk.written == 0


def test_a_button_of_the_history_keeps_the_focus_there(desk: Desk) -> None:
    desk.press("i", "H")
    desk.page.wait_for_selector("#history")
    for words in ("Mine", "Since I was last here"):
        desk.page.focus(f"#history .filters button:has-text('{words}')")
        desk.page.keyboard.press("Enter")
        desk.page.wait_for_selector(f"#history [aria-pressed=true]:has-text('{words}')")
        desk.page.wait_for_timeout(100)
        here = "() => document.activeElement.closest('#history button')?.textContent ?? ''"
        assert words in desk.tell(here)
