"""A reviewer who follows a script through a whole review, in every way that keys allow."""

from pathlib import Path

from hgld.engine.workspace import Workspace
from hgld.review.stage import ReviewConfig, run_review
from hgld.tables import PROPOSALS, TAXONOMY
from tests.servers.pages.review.expecting import Expected, standing_answers
from tests.worlds.review.desk import Desk, SeenMember


class ScriptedReviewer:
    """Presses keys, and writes down what they must come to."""

    def __init__(self, desk: Desk, expected: Expected) -> None:
        """Takes a page of which nothing is decided, and where to write down what is."""
        self.desk, self.expected = desk, expected
        self.keys_of: dict[str, int] = {}
        self._ways = (
            self.give_another_name, self.ignore_some, self.type_a_name, self.make_a_name,
            self.remark, self.turn_the_side, self.merge, self.split, self.reopen, self.change_mind,
        )  # fmt: skip

    def review_all(self) -> None:
        """Decides every class; of ten groups one is not just accepted, until each way was gone."""
        number = 0
        while not all(self.desk.groups().values()):
            self.review(number)
            if not any(row.is_open for row in self.members()):
                self.desk.press("Enter")  # what is decided already is gone past
            number += 1

    def review(self, number: int) -> None:
        """Decides all of the open group, in a way of its own if it is the number's turn."""
        desk, group, before = self.desk, self.desk.group, len(self.desk.pressed)
        turn, rest = divmod(number, 10)
        if rest == 9 and turn < len(self._ways):
            self._ways[turn]()
        while desk.group == group and any(row.is_open for row in self.members()):
            self.accept()
        self.keys_of[group] = self.keys_of.get(group, 0) + len(desk.pressed) - before

    def members(self) -> list[SeenMember]:
        """Returns all rows of the open group, those that one scrolls to as well."""
        while self.desk.page.locator("[data-more]").count():
            self.desk.page.click("[data-more]")
            self.desk.wait()
        return self.desk.members()

    def accept(self) -> None:
        """Enter takes the sure ones; where there are none, a takes the one in focus."""
        sure = [row for row in self.members() if row.is_sure]
        self.expected.accept(sure or self._focused())
        self.desk.press("Enter" if sure else "a")
        assert self.desk.layer == ""

    def give_another_name(self) -> None:
        self.expected.give(self._focused(), self.desk.choices()["1"])
        self.desk.press("1")

    def ignore_some(self) -> None:
        self.desk.press("x", "j", "x")
        self.expected.give([row for row in self.members() if row.is_ticked], None)
        self.desk.press("i")

    def type_a_name(self) -> None:
        rows = self._focused()
        self.desk.press("r")
        self.desk.type("castl")
        self.expected.give(rows, ("castle / fort", "human-made"))
        self.desk.press("Enter")

    def make_a_name(self) -> None:
        rows = self._focused()
        self.desk.press("r")
        self.desk.type("garden folly")
        self.expected.give(rows, ("garden folly", "natural"))
        self.desk.press("ArrowDown", "Enter")

    def remark(self) -> None:
        """A comment, and a doubt."""
        for key in "cd":
            self.desk.press(key)
            self.desk.type("seen from the road")
            self.desk.press("Enter")
            self.expected.remark()

    def turn_the_side(self) -> None:
        """All of a super-category is on the other side, here and elsewhere, and back again."""
        label = self.desk.tell("() => document.getElementById('group-name').dataset.label")
        sides = {one[1] for one in self.expected.answers.values() if one and one[0] == label}
        if sides:
            key, side = ("h", "human-made") if sides == {"natural"} else ("n", "natural")
            self.expected.turn(label, side)
            self.desk.press(key, key, "u")
            self.expected.undo()

    def merge(self) -> None:
        """The group goes into the nearest one."""
        self.desk.press("m", "ArrowDown", "Enter", "m")
        self.expected.remark()

    def split(self) -> None:
        """Two rows go to a group of their own."""
        self.desk.press("x", "j", "x", "s")
        self.expected.remark()

    def reopen(self) -> None:
        """A row is ignored, and open again."""
        (row,) = self._focused()
        self.expected.give([row], None)
        self.desk.press("i")
        self.desk.page.click(f"#m-{row.qid} .what")
        self.expected.reopen([row])
        self.desk.press("z")

    def change_mind(self) -> None:
        """An undo, a redo, and another way after an undo."""
        self.accept()
        self.desk.press("u")
        self.expected.undo()
        self.desk.press("U")
        self.expected.redo()
        self.desk.press("u")
        self.expected.undo()
        self.ignore_some()

    def _focused(self) -> list[SeenMember]:
        return [row for row in self.members() if row.has_focus]


def check_first_rows(desk: Desk, root: Path) -> None:
    """What is shown first is what the build proposes."""
    proposed = {row["class_qid"]: row for row in Workspace(root).read(PROPOSALS).to_pylist()}
    rows = desk.members()
    assert rows
    for row in rows:
        assert (row.answer, row.landmarks) == (
            proposed[row.qid]["proposed_label"],
            proposed[row.qid]["landmarks"],
        )


def check_answers(root: Path, expected: Expected) -> None:
    """What stands in the log, and then in the taxonomy, is what the keys say."""
    assert standing_answers(root) == expected.answers
    workspace = Workspace(root)
    run_review(workspace, ReviewConfig())
    made = {
        row["class_qid"]: (row["hierarchical_label"], row["natural_or_human_made"])
        if row["hierarchical_label"] is not None
        else None
        for row in workspace.read(TAXONOMY).to_pylist()
    }
    assert made == expected.answers
