"""What a tired person does at the page: nothing changes that it had not marked or asked about."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import read_log
from tests.servers.pages.conftest import Seats
from tests.servers.pages.review.expecting import standing_answers
from tests.servers.pages.serving import OpenReview
from tests.worlds.review.desk import Desk

WORDS = ("hotel", "house", "rhotel", "rhouse", "church", "museum", "undo", "nature", "ruin")
_HAS_LINE = "(line) => Number(document.getElementById('desk').dataset.line) >= line"
_MARK = """
() => addEventListener("keydown", () => {
  const marked = (selector) => [...document.querySelectorAll(selector)].map((one) => one.dataset.qid);
  const asked = document.getElementById("ask"), accept = document.querySelector("[data-action=accept]")?.dataset;
  window.marked = { rows: marked(".is-target"), sure: marked(".is-sure"), undo: document.querySelector("[data-action=undo]")?.dataset.text ?? "",
    has_ticks: Boolean(document.querySelector("#rows input:checked")), more: accept?.beyond === "1" ? Number(accept.sure) : 0,
    asks: asked.open ? asked.textContent : "", field: document.getElementById("pick").open };
}, { capture: true, once: true })
"""
"""Notes what is marked when a key is pressed, and how many are sure where some have no room."""


class Watched:
    """A page on which each change is compared with what was marked before the key."""

    def __init__(self, desk: Desk, root: Path) -> None:
        self.desk, self.root = desk, root

    def press(self, key: str) -> None:
        """Presses a key; what it changes was marked, or asked about, before."""
        before = standing_answers(self.root)
        self.desk.tell(_MARK)
        self.desk.press(key)
        marked, after = self.desk.tell("() => window.marked"), standing_answers(self.root)
        qids = before.keys() | after.keys()
        changed = {qid for qid in qids if before.get(qid, "open") != after.get(qid, "open")}
        if not changed or marked["asks"] or marked["field"]:
            return
        if key.lower() == "u":
            assert marked["undo"] or key == "U"
            return
        is_of_sure = key == "Enter" and not marked["has_ticks"]
        if is_of_sure and len(changed) == marked["more"]:
            return
        assert changed <= {*marked["sure" if is_of_sure else "rows"]}, (key, changed)

    def type(self, text: str) -> None:
        for letter in text:
            self.press(letter)


@pytest.fixture
def watched(served: OpenReview, desk: Desk) -> Watched:
    """Ann at the page of a build."""
    return Watched(desk, served.root)


def settle_some(watched: Watched) -> None:
    """Has some groups settled, and one of them open on the screen."""
    for _ in range(3):
        watched.press("Enter")
        watched.press("]")
    watched.desk.page.click("#groups [data-group]")
    watched.desk.wait()


def hold(watched: Watched, key: str) -> None:
    for _ in range(8):
        watched.desk.page.keyboard.down(key)
    watched.desk.page.keyboard.up(key)
    watched.desk.wait()


def tick_out_of_sight(watched: Watched) -> None:
    watched.press("X")
    watched.desk.tell("() => document.getElementById('rows').scrollTo(0, 1e6)")


def go_back(watched: Watched) -> None:
    watched.press("]")
    watched.desk.page.go_back()
    watched.desk.wait()


def leave(watched: Watched) -> None:
    watched.press("Escape")
    watched.press("Escape")


def test_mistakes_change_nothing_unmarked_and_each_is_undone_with_one_key(
    watched: Watched, served: OpenReview
) -> None:
    desk, chance = watched.desk, random.Random(33)
    tab = Watched(Desk(desk.page.context.new_page(), desk.url).open(), served.root)
    mistakes: list[Callable[[], object]] = [
        *(lambda word=word: watched.type(word) for word in WORDS),
        *(lambda key=key: hold(watched, key) for key in ("Enter", "i", "u", "a", "1")),
        *(lambda key=key: watched.press(key) for key in "hnmRdcsi1azT"),
        lambda: tick_out_of_sight(watched),
        lambda: go_back(watched),
        *(lambda key=key: tab.press(key) for key in ("Enter", "i")),
        lambda: watched.press("Enter"),
        lambda: settle_some(watched),
    ]
    for mistake in chance.sample(mistakes, len(mistakes)):
        before = (desk.line, standing_answers(served.root))
        mistake()
        leave(watched)
        if not desk.group:  # another view, by a key that has no other meaning
            desk.page.go_back()
            desk.wait()
        written = len(read_log(Workspace(served.root)).events)
        desk.page.wait_for_function(_HAS_LINE, arg=written)  # the other tab's, too
        desk.wait()
        for _ in range(written - before[0]):
            if standing_answers(served.root) != before[1]:
                undo(watched)
        assert standing_answers(served.root) == before[1]
        desk.page.reload()
        desk.wait()


def undo(watched: Watched) -> None:
    """One key, which the page asks to be pressed again where it is large and not just told."""
    watched.press("u")
    if watched.desk.layer == "ask":
        watched.press("u")


def test_typing_into_a_settled_group_names_nothing_and_turns_no_side(
    watched: Watched, served: OpenReview
) -> None:
    settle_some(watched)
    before = (watched.desk.line, standing_answers(served.root))
    watched.type("rhotel")
    assert watched.desk.layer == "pick"
    assert watched.desk.tell("() => document.getElementById('pick-text').value") == "hotel"
    leave(watched)
    watched.type("hotel")
    leave(watched)
    assert (watched.desk.line, standing_answers(served.root)) == before


def test_a_second_press_of_the_key_agrees_and_anything_else_does_not(
    watched: Watched, served: OpenReview
) -> None:
    desk = watched.desk
    while not (label := desk.tell("() => document.getElementById('group-name').dataset.label")):
        desk.press("]")
    desk.press("r")
    desk.type(label)
    desk.press("Enter")
    (side,) = {one[1] for one in standing_answers(served.root).values() if one}
    key, other = ("h", "human-made") if side == "natural" else ("n", "natural")
    line = desk.line
    desk.press(key)
    assert label.strip() in desk.page.inner_text("#ask")
    desk.press("o", key)
    desk.press("Enter")
    assert (desk.layer, desk.line) == ("ask", line)
    desk.press("Escape", key, key)
    assert desk.line == line + 1
    assert {one[1] for one in standing_answers(served.root).values() if one} == {other}
    desk.press("u")
    assert {one[1] for one in standing_answers(served.root).values() if one} == {side}


def test_acting_on_rows_out_of_sight_says_how_many_are_seen_and_asks(
    served: OpenReview, seat: Seats
) -> None:
    desk = seat(served.url, viewport={"width": 1000, "height": 400})
    desk.press("X")
    many = sum(row.is_ticked for row in desk.members())
    told = str(desk.tell("() => document.getElementById('target').textContent"))
    seen = int(told.split(", ")[1].split(maxsplit=1)[0])
    assert told == f"{many} classes, {seen} in sight"
    desk.press("i")
    assert f"{seen} in sight" in desk.page.inner_text("#ask")
    assert standing_answers(served.root) == {}
    desk.press("i")
    assert len(standing_answers(served.root)) == many
    assert not any(row.is_ticked for row in desk.members())


def test_a_large_undo_is_asked_about_where_the_page_tells_something_else_since(
    served: OpenReview, desk: Desk
) -> None:
    while sum(row.is_open for row in desk.members()) <= 12:  # more are seldom in sight
        desk.press("]")
    desk.press("X", "i")
    if desk.layer == "ask":
        desk.press("i")
    done = standing_answers(served.root)
    desk.press("h", "u", "s", "e", "Enter")
    assert desk.layer == "ask"
    assert standing_answers(served.root) == done
    desk.press("Escape", "u", "u")
    assert standing_answers(served.root) == {}
