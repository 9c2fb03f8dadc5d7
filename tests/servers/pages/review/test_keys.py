"""What keys do, and where the focus is after them."""

from pathlib import Path

from hgld.pages.review.actions import ACTIONS
from tests.servers.pages.conftest import Seats, Servers
from tests.servers.pages.review.expecting import standing_answers
from tests.servers.pages.serving import OpenReview
from tests.worlds.review.desk import Desk

LAYERS = {"filter": "", "help": "help"}


def ticked(desk: Desk) -> int:
    return sum(row.is_ticked for row in desk.members())


def focused(desk: Desk) -> str:
    return next(row.qid for row in desk.members() if row.has_focus)


def test_a_key_that_decides_writes_one_event_and_the_next_is_about_the_next_row(
    served: OpenReview, desk: Desk
) -> None:
    rows = desk.members()
    desk.press("i", "a")
    assert standing_answers(served.root).keys() == {rows[0].qid, rows[1].qid}
    assert focused(desk) == rows[2].qid
    desk.press("j", "x", "j", "x", "1")
    assert standing_answers(served.root).keys() == {row.qid for row in (*rows[:2], *rows[3:5])}
    assert (desk.written, ticked(desk)) == (3, 0)
    desk.press("u", "u", "u")
    assert standing_answers(served.root) == {}


def test_enter_accepts_the_sure_ones_of_a_group_or_what_is_ticked(
    served: OpenReview, desk: Desk
) -> None:
    rows, group = desk.members(), desk.group
    desk.press("x", "Enter")
    assert standing_answers(served.root).keys() == {rows[0].qid}
    desk.press("u", "Enter")
    assert standing_answers(served.root).keys() == {row.qid for row in rows if row.is_sure}
    while desk.group == group:  # what is unsure wants a key of its own
        desk.press("a")
    assert desk.groups()[group]


def test_enter_says_that_what_is_unsure_is_left_and_when_nothing_is(desk: Desk) -> None:
    desk.open("?f=sure:no")
    unsure = next(row.qid for row in desk.members() if not row.is_sure)
    desk.open(f"?q={unsure}")
    desk.press("Enter")
    assert "accepts" in desk.said
    desk.press("a", "Enter")
    assert "settled" in desk.said


def test_keys_open_what_they_say_and_escape_gives_the_focus_back(desk: Desk) -> None:
    desk.press("j", "x")
    before = (desk.line, desk.group, desk.focus)
    for action in ACTIONS:
        if not action.opens or not action.key:
            continue
        desk.press(action.key)
        assert desk.layer == LAYERS.get(action.opens, "pick"), action.name
        desk.type("jxi1u")
        if action.opens == "filter":
            desk.press("Control+a", "Delete", "Enter")
        desk.press("Escape")
        assert (desk.layer, desk.line, desk.group, desk.focus) == ("", *before), action.name
    for modifier in ("Control", "Alt", "Meta"):  # the browser's own
        desk.press(*(f"{modifier}+{key}" for key in "ieux1"))
    assert desk.line == before[0]


def test_a_held_key_decides_once(desk: Desk) -> None:
    for _ in range(6):
        desk.page.keyboard.down("i")  # as a keyboard repeats it
    desk.page.keyboard.up("i")
    desk.wait()
    assert desk.written == 1


def test_the_palette_finds_commands_by_other_words_for_them(desk: Desk) -> None:
    for word, title in {
        "rename": "Rename or merge the super-category",
        "export": "Export and import",
        "merge": "Merge the group into another",
        "note": "Comment",
        "doubt": "Mark as doubtful",
    }.items():
        desk.press(":")
        desk.type(word)
        assert title in desk.page.inner_text("#pick-list"), word
        desk.press("Escape")


def test_go_to_lands_on_the_row_and_the_filter_knows_other_languages(
    served: OpenReview, desk: Desk
) -> None:
    desk.press("]", "]")
    wanted, group = desk.members()[2], desk.group
    desk.press("[", "[", "g")
    desk.type(wanted.label)
    desk.press("Enter")  # at once: it waits for what is in the field now
    desk.wait()
    assert (desk.group, focused(desk)) == (group, wanted.qid)
    desk.press("/")
    desk.type("kirche")
    desk.press("Enter")
    assert desk.group == "*"
    assert all(row.answer == "church" or "church" in row.label for row in desk.members())
    desk.press("X", "a")
    if desk.layer:
        desk.press("a")
    assert {one[0] for one in standing_answers(served.root).values() if one} == {"church"}


def test_a_name_that_exists_comes_first_and_a_new_one_is_made_on_purpose(
    served: OpenReview, desk: Desk
) -> None:
    rows = desk.members()
    desk.press("r")
    desk.type("castl")
    desk.press("Enter", "r")
    desk.type("garden folly")
    desk.press("Enter")
    assert desk.layer == "pick", "nothing is chosen yet"
    assert "↓" in desk.page.locator("#pick-about").inner_text()
    desk.press("ArrowDown", "ArrowDown", "Enter")
    assert standing_answers(served.root) == {
        rows[0].qid: ("castle / fort", "human-made"),
        rows[1].qid: ("garden folly", "human-made"),
    }


def test_split_puts_off_what_is_ticked_and_merge_asks_and_goes_along(desk: Desk) -> None:
    group, rows = desk.group, desk.members()
    desk.press("x", "j", "x", "s")
    split = next(one for one in desk.groups() if one.startswith("g-"))
    assert {row.qid for row in desk.members()} == {row.qid for row in rows[2:]}
    desk.page.click(f'[data-group="{split}"]')
    desk.wait()
    assert {row.qid for row in desk.members()} == {row.qid for row in rows[:2]}
    desk.press("m", "Enter")
    assert desk.layer == "pick", "nothing was typed"
    desk.press("ArrowDown", "Enter")
    assert "2 classes (" in desk.page.inner_text("#ask")
    desk.press("m")
    assert split not in desk.groups()
    assert desk.group != split
    desk.press("u", "u")
    desk.page.click(f'[data-group="{group}"]')
    desk.wait()
    assert {row.qid for row in desk.members()} == {row.qid for row in rows}


def test_who_is_not_named_is_asked_and_where_one_may_only_look_nothing_is_written(
    build: Path, serve: Servers, seat: Seats
) -> None:
    desk = seat(serve(build).url, reviewer="")
    assert desk.layer == "pick"
    with desk.page.expect_event("load"):
        desk.type("Zoë O'Neill")
        desk.press("Enter")
    desk.wait()
    assert desk.page.input_value("#who") == "Zoë O'Neill"
    desk = seat(serve(build, read_only=True).url, reviewer="")
    for action in ACTIONS:
        if action.writes and action.key:
            desk.press(action.key)
            assert desk.layer == "", action.name
    assert standing_answers(build) == {}


_COMPOSED = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 229, "text": "\r"}
"""As Safari tells of the Enter that ends a composition: after its end, by the code 229."""


def test_an_enter_that_ends_a_composition_takes_nothing(desk: Desk) -> None:
    session = desk.page.context.new_cdp_session(desk.page)
    for opening in ("", "r", "c"):
        if opening:
            desk.press(opening)
            desk.type("waterf")
        before = desk.layer
        session.send("Input.dispatchKeyEvent", {"type": "keyDown", **_COMPOSED})
        session.send("Input.dispatchKeyEvent", {"type": "keyUp", **_COMPOSED})
        desk.wait()
        assert (desk.layer, desk.written) == (before, 0), opening
        desk.press("Escape")


def test_classes_that_are_not_drawn_come_as_one_nears_them_and_are_ticked_with_the_rest(
    desk: Desk,
) -> None:
    desk.open("?f=is:open")
    drawn = len(desk.members())
    assert drawn < 200
    desk.page.evaluate("() => document.getElementById('rows').scrollTo(0, 1e6)")
    desk.page.wait_for_function(f"() => document.querySelectorAll('#rows .class').length > {drawn}")
    desk.wait()
    desk.press("X")
    assert len(desk.members()) == 200
    assert desk.page.inner_text("#target").startswith("200 classes")
