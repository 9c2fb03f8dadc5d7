"""Every key in every context, and where the focus is after it."""

from collections.abc import Callable

import pytest

from hgld.benchmarks.reviewing.desk import Desk
from hgld.benchmarks.reviewing.served import ServedPage
from tests.hgld.pages.review.browser.conftest import Seats
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
    assert desk.line == 1
    assert desk.focus.startswith("m-")


CONTEXTS = (in_the_rows, on_the_cluster_list, with_a_selection, after_a_bulk_action)
Context = Callable[[Desk], None]


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("key", [*DECIDING[:6], "z"])
def test_a_key_that_decides_writes_one_event(desk: Desk, key: str, context: Context) -> None:
    context(desk)
    before, group = desk.line, desk.group
    rows = {row.qid for row in desk.members() if row.is_ticked}
    if context is on_the_cluster_list and key == "Enter":
        desk.press("]")  # on a link Enter opens that
        on_the_cluster_list(desk)
        desk.press("Enter")
        assert desk.line == before
        return
    if key == "e" and desk.tell("() => document.querySelector('[data-key=e]').disabled"):
        desk.press(key)
        assert desk.line == before
        return
    desk.press(key)
    if key == "z":
        assert desk.said.startswith("Nothing to do")
        return
    assert desk.line == before + 1
    assert desk.focus.startswith("m-"), "the focus is on a row"
    if desk.group == group and key != "e":
        assert not rows & {row.qid for row in desk.members() if row.is_open}
    desk.press("u")
    assert desk.line == before + 2
    assert desk.focus.startswith("m-")


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize(("key", "layer"), DIALOGS.items())
def test_a_key_opens_its_dialog_and_escape_gives_the_focus_back(
    desk: Desk, key: str, layer: str, context: Context
) -> None:
    context(desk)
    before, focus, line = ticked(desk), desk.focus, desk.line
    desk.press(key)
    desk.page.wait_for_function("(id) => document.getElementById(id)?.open", arg=layer)
    assert desk.tell("(id) => document.getElementById(id).contains(document.activeElement)", layer)
    if layer == "sheet":
        desk.page.wait_for_function("() => document.getElementById('sheet-body').childElementCount")
    desk.press("Escape")
    assert desk.layer == ""
    assert desk.focus == focus
    assert (ticked(desk), desk.line) == (before, line)


@pytest.mark.parametrize("field", ["filter", "comment", "name"])
def test_letters_are_letters_in_a_text_field(desk: Desk, field: str) -> None:
    desk.press({"filter": "/", "comment": "c", "name": "r"}[field])
    group, rows = desk.group, ticked(desk)
    text = "jkxi*1 2eurnhsmdcXUzgHMP.:?[]/"
    desk.type(text)
    desk.wait()
    assert field_text(desk) == text
    assert desk.line == 0
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


@pytest.mark.parametrize("key", ["u", "U", "i", "1", "Enter", "z", "e", "x", "]", "r", "H"])
def test_no_key_of_the_page_works_under_a_dialog(desk: Desk, key: str) -> None:
    desk.press("i", "?")
    line, group = desk.line, desk.group
    desk.tell("() => document.getElementById('help').focus()")
    desk.tell("() => document.activeElement.blur()")
    desk.press(key)
    assert (desk.line, desk.group) == (line, group)
    assert desk.layer in {"help", ""}
    if desk.layer:
        desk.press("Escape")
    assert desk.layer == ""
    assert desk.line == line


def test_the_filter_finds_classes_and_escape_leads_back_to_rows(desk: Desk) -> None:
    label = desk.members()[0].label
    desk.press("/")
    desk.type(label)
    desk.page.wait_for_function("(text) => document.getElementById('bench').dataset.query === text", arg=label)
    desk.wait()
    assert desk.focus == "q"
    assert [row.label for row in desk.members()] == [label]
    desk.press("Escape")
    assert desk.focus == rows_of(desk)[0]
    desk.press("i")
    assert desk.line == 1


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


def test_x_takes_the_row_out_and_the_next_action_leaves_it(desk: Desk) -> None:
    rows = desk.members()
    desk.press("j", "x", "i")
    left = [row for row in desk.members() if row.is_open]
    assert [row.qid for row in left] == [rows[1].qid]
    assert desk.focus == f"m-{rows[1].qid}"
    assert not left[0].is_ticked


def test_none_ticked_means_the_row_in_focus(served: ServedPage, desk: Desk) -> None:
    rows = desk.members()
    desk.press("X", "j", "i")
    assert standing_answers(served.root) == {rows[1].qid: None}
    assert desk.focus == f"m-{rows[2].qid}"


def test_a_name_is_typed_and_taken_and_the_focus_goes_on(served: ServedPage, desk: Desk) -> None:
    rows = desk.members()
    desk.press("X", "r")
    assert desk.focus == "pick-text"
    desk.type("waterf")
    desk.press("Enter")
    assert standing_answers(served.root) == {rows[0].qid: ("waterfall", "natural")}
    assert desk.focus == f"m-{rows[1].qid}"


def test_go_to_leads_to_a_class_of_another_cluster(served: ServedPage, desk: Desk) -> None:
    desk.press("]", "]")
    wanted, group = desk.members()[3], desk.group
    desk.press("[", "[", "g")
    desk.type(wanted.label)
    desk.page.wait_for_function("(label) => [...document.querySelectorAll('#pick-list [role=option] .pick-what')].some(({textContent}) => textContent === label)", arg=wanted.label)
    while desk.tell("() => document.querySelector('#pick-list [aria-selected=true] .pick-what').textContent") != wanted.label:
        desk.press("ArrowDown")
    desk.press("Enter")
    assert (desk.group, desk.focus) == (group, f"m-{wanted.qid}")
    del served


def test_keys_pressed_ahead_are_done_in_order(served: ServedPage, desk: Desk) -> None:
    groups = list(desk.groups())
    for _ in range(4):
        desk.hit("Enter")
    desk.page.wait_for_function("() => document.getElementById('bench').dataset.line === '4'")
    desk.wait()
    assert desk.group == groups[4]
    assert [group for group, is_done in desk.groups().items() if is_done] == groups[:4]
    assert len(standing_answers(served.root)) > 4


def test_a_key_held_down_decides_once(served: ServedPage, desk: Desk) -> None:
    desk.page.keyboard.down("i")
    for _ in range(6):
        desk.page.keyboard.down("i")  # as a keyboard repeats it
    desk.page.keyboard.up("i")
    desk.wait()
    desk.page.wait_for_function("() => document.getElementById('bench').dataset.line !== '0'")
    assert desk.line == 1
    del served


@pytest.mark.parametrize("modifier", ["Control", "Alt", "Meta"])
def test_keys_of_the_browser_are_left_alone(desk: Desk, modifier: str) -> None:
    for key in ("i", "e", "u", "x", "1"):
        desk.page.keyboard.press(f"{modifier}+{key}")
        desk.wait()
    assert desk.line == 0
    assert all(row.is_ticked for row in desk.members())


def test_the_palette_does_what_is_chosen(desk: Desk) -> None:
    desk.press(":")
    desk.type("ignore")
    desk.press("Enter")
    assert desk.line == 1
    assert desk.layer == ""
    assert desk.focus.startswith("m-")


def test_every_key_stands_on_a_control(desk: Desk) -> None:
    desk.press("i", "u")
    shown = set(desk.tell("() => [...document.querySelectorAll('#bench [data-key]')].map(({dataset}) => dataset.key)"))
    wanted = set(ALL_KEYS) | {str(number) for number in range(1, len(desk.choices()) + 1)}
    assert wanted - shown <= {"9"}
    labelled = desk.tell("() => [...document.querySelectorAll('#bench button[data-key], #bench a[data-key]')].filter((one) => !one.querySelector('kbd')).length")
    assert labelled == 0


def test_nothing_is_written_where_one_may_only_look(build: object, seat: Seats) -> None:
    with ServedPage(build, "--read-only") as server:  # type: ignore[arg-type]
        desk = seat(server, reviewer="")
        assert desk.layer == ""
        for key in (*DECIDING, *"rmsdc"):
            desk.press(key)
        assert desk.layer == ""
        assert desk.line == 0
        desk.press("j", "]", "g", "Escape", "?", "Escape")
        assert standing_answers(server.root) == {}
