"""What keys do, and where the focus is after them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers.pages.conftest import Seats, Servers
from tests.servers.pages.review.expecting import standing_answers
from tests.servers.pages.serving import OpenReview
from tests.worlds.review.desk import Desk

DIALOGS = {
    **dict.fromkeys(("r", "m", "g", ":"), "pick"),
    **dict.fromkeys(("H", "M", "P", "."), "sheet"),
    **dict.fromkeys(("d", "c"), "write"),
    "s": "split",
    "?": "help",
}


def ticked(desk: Desk) -> int:
    return sum(row.is_ticked for row in desk.members())


def with_a_selection(desk: Desk) -> None:
    desk.press("X", "x", "j", "x")
    assert ticked(desk) == 2


def on_the_cluster_list(desk: Desk) -> None:
    desk.tell("() => document.querySelector('#groups [aria-current]').focus()")
    assert desk.focus.startswith("g-")


@pytest.mark.parametrize("context", [lambda _: None, with_a_selection, on_the_cluster_list])
def test_a_key_that_decides_writes_one_event_and_the_focus_is_on_a_row(
    desk: Desk, context: Callable[[Desk], None]
) -> None:
    context(desk)
    for key in ("1", "i", *(() if context is on_the_cluster_list else ("Enter",))):
        if context is on_the_cluster_list:
            context(desk)
        before = desk.line
        chosen = {row.qid for row in desk.members() if row.is_ticked and row.is_open}
        desk.press(key)
        assert desk.line == before + 1, key
        assert desk.focus.startswith("m-"), key
        assert not chosen & {row.qid for row in desk.members() if row.is_open}, key
        desk.press("u")
        assert desk.line == before + 2, key
        assert desk.focus.startswith("m-"), key


def test_a_key_opens_its_dialog_under_which_no_other_works_and_escape_gives_the_focus_back(
    desk: Desk,
) -> None:
    with_a_selection(desk)
    before = (ticked(desk), desk.line, desk.group, desk.focus)
    for key, layer in DIALOGS.items():
        desk.press(key)
        desk.page.wait_for_function("(id) => document.getElementById(id)?.open", arg=layer)
        within = "(id) => document.getElementById(id).contains(document.activeElement)"
        assert desk.tell(within, layer), key
        if key == "?":
            desk.press(*"ui1ex]rHj/")
            assert desk.layer == layer
        desk.press("Escape")
        assert desk.layer == "", key
        assert (ticked(desk), desk.line, desk.group, desk.focus) == before, key
    for modifier in ("Control", "Alt", "Meta"):  # the browser's own
        desk.press(*(f"{modifier}+{key}" for key in "ieux1"))
    assert (ticked(desk), desk.line, desk.group, desk.focus) == before


def test_a_key_that_ticks_ticks_and_others_walk_the_rows_and_the_list(desk: Desk) -> None:
    rows = desk.members()
    desk.press("j", "x")
    assert [row.is_ticked for row in desk.members()] == [one != 1 for one in range(len(rows))]
    desk.press("X")
    assert ticked(desk) == 0
    desk.press("X")
    assert ticked(desk) == len(rows)
    assert desk.focus == f"m-{rows[1].qid}"
    desk.press("j", "ArrowDown", "k", "ArrowUp", "k", "k")
    assert desk.focus == f"m-{rows[0].qid}"
    on_the_cluster_list(desk)
    groups = list(desk.groups())
    desk.press("j", "j")
    assert desk.focus == f"g-{groups[2]}"
    desk.press("k", "Enter")
    assert desk.group == groups[1]


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


def test_the_filter_and_go_to_lead_to_a_class(served: OpenReview, desk: Desk) -> None:
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
    desk.press("/")
    desk.type(wanted.label)
    desk.page.wait_for_function(
        "(text) => document.getElementById('bench').dataset.query === text", arg=wanted.label
    )
    desk.wait()
    assert desk.focus == "q"
    assert [row.label for row in desk.members()] == [wanted.label]
    desk.press("Escape", "i")
    assert standing_answers(served.root) == {wanted.qid: None}


def test_a_name_is_typed_and_taken_and_the_next_key_is_about_what_is_left(
    served: OpenReview, desk: Desk
) -> None:
    rows = desk.members()
    desk.press("X", "r")
    assert desk.focus == "pick-text"
    desk.type("waterf")
    desk.press("Enter")
    answers: dict[str, tuple[str, str] | None] = {rows[0].qid: ("waterfall", "natural")}
    assert standing_answers(served.root) == answers
    assert desk.focus == f"m-{rows[1].qid}"
    desk.press("i")  # none is ticked: about the one in focus
    assert standing_answers(served.root) == answers | {rows[1].qid: None}
    desk.press(":")
    desk.type("ignore")
    desk.press("Enter")
    assert standing_answers(served.root) == answers | {row.qid: None for row in rows[1:3]}
    assert desk.layer == ""


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


def test_nothing_is_written_where_one_may_only_look_and_a_key_that_can_do_nothing_says_why(
    build: Path, serve: Servers, seat: Seats
) -> None:
    desk = seat(serve(build).url)
    desk.press("u")
    assert "undo" in desk.said
    desk = seat(serve(build, read_only=True).url, reviewer="")
    for key in ("Enter", "e", "1", "i", "z", "u", "U", "n", "x", "*", *"rmsdc"):
        desk.press(key)
        assert desk.layer == "", key
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
