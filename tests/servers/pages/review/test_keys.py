"""What keys do, and where the focus is after them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers.pages.conftest import Seats, Servers
from tests.servers.pages.review.expecting import standing_answers
from tests.servers.pages.serving import OpenReview
from tests.worlds.review.desk import Desk

DECIDING = ("Enter", "1", "2", "i", "e")
DIALOGS = {
    "r": "pick", "m": "pick", "g": "pick", ":": "pick", "Control+k": "pick", "s": "split",
    "d": "write", "c": "write", "?": "help", "H": "sheet", "M": "sheet", "P": "sheet", ".": "sheet",
}  # fmt: skip
_SCORED = "() => !document.querySelector('#bench .scoring')"


def rows_of(desk: Desk) -> list[str]:
    return [f"m-{row.qid}" for row in desk.members()]


def ticked(desk: Desk) -> int:
    return sum(row.is_ticked for row in desk.members())


def in_the_rows(desk: Desk) -> None:
    assert desk.focus.startswith("m-")


def with_a_selection(desk: Desk) -> None:
    desk.press("X", "x", "j", "x")
    assert ticked(desk) == 2


def on_the_cluster_list(desk: Desk) -> None:
    desk.tell("() => document.querySelector('#groups [aria-current]').focus()")
    assert desk.focus.startswith("g-")


@pytest.mark.parametrize("context", [in_the_rows, with_a_selection, on_the_cluster_list])
def test_a_key_that_decides_writes_one_event_and_the_focus_is_on_a_row(
    desk: Desk, context: Callable[[Desk], None]
) -> None:
    context(desk)
    for key in DECIDING:
        if context is on_the_cluster_list:
            context(desk)
        desk.page.wait_for_function(_SCORED)
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


def _can_be_pressed(desk: Desk, key: str) -> bool:
    script = "(key) => Boolean(document.querySelector(`#bench [data-key='${key}']:enabled`))"
    return bool(desk.tell(script, key))


def test_a_key_opens_its_dialog_and_escape_gives_the_focus_back(desk: Desk) -> None:
    with_a_selection(desk)
    before = (ticked(desk), desk.line, desk.focus)
    for key, layer in DIALOGS.items():
        desk.press(key)
        desk.page.wait_for_function("(id) => document.getElementById(id)?.open", arg=layer)
        if layer == "sheet":
            desk.page.wait_for_selector("#sheet-body > *")
        within = "(id) => document.getElementById(id).contains(document.activeElement)"
        assert desk.tell(within, layer), key
        desk.press("Escape")
        assert desk.layer == "", key
        assert (ticked(desk), desk.line, desk.focus) == before, key


def test_a_key_that_ticks_ticks(desk: Desk) -> None:
    desk.press("j", "x")
    rows, some = desk.members(), ticked(desk)
    assert [row.is_ticked for row in rows] == [number != 1 for number in range(len(rows))]
    desk.press("x")
    assert ticked(desk) == some + 1
    desk.press("X")
    assert ticked(desk) == 0
    desk.press("X")
    assert ticked(desk) == sum(row.is_open for row in rows)
    desk.press("X", "*")
    assert ticked(desk) == len(rows)
    assert desk.focus == f"m-{rows[1].qid}"


def test_letters_are_letters_in_a_text_field(desk: Desk) -> None:
    before = (desk.group, ticked(desk))
    text = "jkxi*1 2eurnhsmdcXUzgHMP.:?[]/"
    for key in ("c", "r", "/"):
        desk.press(key)
        desk.type(text)
        desk.wait()
        assert desk.tell("() => document.activeElement.value") == text
        assert desk.written == 0
        desk.press("Escape")
        assert desk.layer == ""
    desk.press("/", "Control+a", "Delete")
    desk.page.wait_for_function("() => document.getElementById('bench').dataset.query === ''")
    desk.press("Escape")
    assert (desk.group, ticked(desk)) == before
    assert desk.focus.startswith("m-")


def test_no_key_of_the_page_works_under_a_dialog_nor_one_of_the_browser(desk: Desk) -> None:
    desk.press("i", "?")
    line, group = desk.line, desk.group
    for key in ("u", "i", "1", "e", "x", "]", "r", "H", "j", "/"):
        desk.press(key)
        assert (desk.line, desk.group, desk.layer) == (line, group, "help"), key
    desk.press("Escape")
    assert desk.layer == ""
    some = ticked(desk)
    for modifier in ("Control", "Alt", "Meta"):
        desk.press(*(f"{modifier}+{key}" for key in "ieux1"))
    assert (desk.line, desk.group, ticked(desk)) == (line, group, some)


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
    desk.press("k", "ArrowDown", "ArrowUp", "k", "k")
    assert desk.focus == rows[0]
    on_the_cluster_list(desk)
    groups = list(desk.groups())
    desk.press("j", "j")
    assert desk.focus == f"g-{groups[2]}"
    desk.press("k", "Enter")
    assert desk.group == groups[1]


def test_no_row_that_keys_are_about_is_under_what_stands_above(
    served: OpenReview, seat: Seats
) -> None:
    low = seat(served.url, viewport={"width": 390, "height": 640})
    gap = """() => document.querySelector("#work .member.is-current").getBoundingClientRect().top
      - document.querySelector(".members-head").getBoundingClientRect().bottom"""
    gaps = []
    for key in "jjjjjjkkkkk":
        low.press(key)
        gaps.append(low.tell(gap))
    assert low.tell("() => document.getElementById('work-scroll').scrollTop") > 0
    assert min(gaps) >= 0


def test_what_is_unticked_stays_open_and_the_next_key_is_about_it(
    served: OpenReview, desk: Desk
) -> None:
    rows = desk.members()
    desk.press("j", "x", "i")
    left = [row for row in desk.members() if row.is_open]
    assert [row.qid for row in left] == [rows[1].qid]
    assert desk.focus == f"m-{rows[1].qid}"
    assert not left[0].is_ticked
    before = standing_answers(served.root)
    desk.press("i")  # none is ticked: about the one in focus
    assert standing_answers(served.root) == before | {rows[1].qid: None}


def test_a_name_is_typed_and_taken_and_the_focus_goes_on(served: OpenReview, desk: Desk) -> None:
    rows = desk.members()
    desk.press("X", "r")
    assert desk.focus == "pick-text"
    desk.type("waterf")
    desk.press("Enter")
    assert standing_answers(served.root) == {rows[0].qid: ("waterfall", "natural")}
    assert desk.focus == f"m-{rows[1].qid}"


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


def test_go_to_leads_to_a_class_of_another_cluster(desk: Desk) -> None:
    desk.press("]", "]")
    wanted, group = desk.members()[3], desk.group
    desk.press("[", "[", "g")
    desk.type(wanted.label)
    desk.page.wait_for_selector(f"#pick-list .pick-what:text-is('{wanted.label}')")
    chosen = (
        "() => document.querySelector('#pick-list [aria-selected=true] .pick-what').textContent"
    )
    while desk.tell(chosen) != wanted.label:
        desk.press("ArrowDown")
    desk.press("Enter")
    assert (desk.group, desk.focus) == (group, f"m-{wanted.qid}")


def test_keys_pressed_ahead_are_done_in_order_and_one_held_down_decides_once(
    served: OpenReview, desk: Desk
) -> None:
    groups = list(desk.groups())
    for _ in range(4):
        desk.hit("Enter")
    desk.page.wait_for_function(
        "(group) => document.getElementById('bench').dataset.group === group", arg=groups[4]
    )
    desk.wait()
    assert desk.written == 4
    assert [group for group, is_done in desk.groups().items() if is_done] == groups[:4]
    assert len(standing_answers(served.root)) > 4
    for _ in range(6):
        desk.page.keyboard.down("i")  # as a keyboard repeats it
    desk.page.keyboard.up("i")
    desk.wait()
    assert desk.written == 5


def test_the_palette_does_what_is_chosen(desk: Desk) -> None:
    desk.press(":")
    desk.type("ignore")
    desk.press("Enter")
    assert desk.written == 1
    assert desk.layer == ""
    assert desk.focus.startswith("m-")


def test_a_control_with_a_key_shows_it_and_a_key_that_can_do_nothing_says_why(desk: Desk) -> None:
    unsigned = "() => [...document.querySelectorAll('#bench :is(button, a)[data-key]')].filter((one) => !one.querySelector('kbd')).length"
    assert desk.tell(unsigned) == 0
    assert not _can_be_pressed(desk, "u")
    desk.press("u")
    assert desk.written == 0
    assert "undo" in desk.said
    desk.press("i")
    assert desk.tell(unsigned) == 0
    assert _can_be_pressed(desk, "u")


def test_nothing_is_written_where_one_may_only_look(
    build: Path, serve: Servers, seat: Seats
) -> None:
    desk = seat(serve(build, read_only=True).url, reviewer="")
    assert desk.layer == ""
    for key in ("Enter", "e", "1", "i", "z", "u", "U", "n", "x", "*", *"rmsdc"):
        desk.press(key)
    assert desk.layer == ""
    assert desk.line == 0
    desk.press("j", "]", "g", "Escape", "?", "Escape")
    assert standing_answers(build) == {}


_COMPOSED = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 229, "text": "\r"}
"""As Safari tells of the Enter that ends a composition: after its end, by the code 229."""


def test_an_enter_that_ends_a_composition_takes_nothing(desk: Desk) -> None:
    session = desk.page.context.new_cdp_session(desk.page)
    for opening in ("", "r", "c", "/"):
        if opening:
            desk.press(opening)
            desk.type("waterf")
            desk.wait()
        before = (desk.layer, desk.focus)
        session.send("Input.dispatchKeyEvent", {"type": "keyDown", **_COMPOSED})
        session.send("Input.dispatchKeyEvent", {"type": "keyUp", **_COMPOSED})
        desk.wait()
        assert (desk.layer, desk.focus) == before, opening
        assert desk.written == 0
        desk.press("Escape")


def test_a_button_of_the_history_keeps_the_focus_there(desk: Desk) -> None:
    desk.press("i", "H")
    desk.page.wait_for_selector("#history")
    button = "#history .filters button:not([aria-pressed=true])"
    words = desk.page.inner_text(button)
    desk.page.focus(button)
    desk.page.keyboard.press("Enter")
    desk.page.wait_for_selector(f"#history [aria-pressed=true]:has-text('{words}')")
    desk.page.wait_for_function(
        "(words) => document.activeElement.closest('#history button')?.innerText === words",
        arg=words,
    )
