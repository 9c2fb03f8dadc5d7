"""A reviewer who follows a script through a whole review, in every way that keys allow."""

from collections.abc import Callable, Mapping
from pathlib import Path

from hgld.engine.workspace import Workspace
from hgld.review.stage import ReviewConfig, run_review
from hgld.tables import PROPOSALS, TAXONOMY
from tests.servers.pages.review.expecting import Expected, standing_answers
from tests.worlds.review.desk import Desk, SeenMember

_ALL_ROWS = """
async () => {
  const { group, scored } = document.getElementById("bench").dataset;
  const text = await (await fetch(`/bench?g=${group}&rows=2000`)).text();
  const page = new DOMParser().parseFromString(text, "text/html");
  const rows = [...page.querySelectorAll("#work .member")].map((row) => [
    row.dataset.qid, row.classList.contains("is-open"),
    row.querySelector(".name-chip .sign-ignored") ? null : row.querySelector(".name-chip").textContent,
    row.querySelector(".name-chip .sign-natural") ? "natural" : "human-made",
  ]);
  return [page.getElementById("bench").dataset.scored === scored, rows];
}
"""


class ScriptedReviewer:
    """Presses keys, and writes down what they must come to."""

    def __init__(
        self, desk: Desk, expected: Expected, *, every: int = 10, beyond: int = 200
    ) -> None:
        """Takes the page, and where to write it down.

        Args:
            desk: a page of which nothing is decided.
            expected: what is written down.
            every: of so many clusters one is not just accepted, until each way was gone.
            beyond: clusters are put together until one has more open classes.
        """
        self.desk, self.expected = desk, expected
        self._every, self._beyond = every, beyond
        self.keys_of: dict[str, int] = {}
        self.previews = 0
        self._ways = (
            self.give_another_name, self.ignore, self.leave_two, self.type_a_name, self.remark,
            self.turn_the_side, self.merge, self.split, self.reopen, self.change_mind,
            self.make_a_name,
        )  # fmt: skip

    @property
    def ways(self) -> int:
        """How many ways there are: of so many clusters that are not just accepted all are gone."""
        return len(self._ways)

    def review_all(
        self, meanwhile: Mapping[int, Callable[["ScriptedReviewer"], object]] = {}
    ) -> int:
        """Decides every class; returns how many clusters that took.

        Args:
            meanwhile: what happens before the cluster of a number.
        """
        number = 0
        while not all(self.desk.groups().values()):
            if number in meanwhile:
                meanwhile[number](self)
            self.review(number)
            if all(not row.is_open for row in self.desk.members()):
                self.desk.press("Enter")  # what is decided already is gone past
            number += 1
        return number

    def review(self, number: int) -> None:
        """Decides all of the open cluster, in a way of its own if it is the number's turn."""
        desk, group, before = self.desk, self.desk.group, len(self.desk.pressed)
        turn, rest = divmod(number, self._every)
        if rest == self._every - 1 and turn < len(self._ways):
            self._ways[turn]()
        while desk.group == group and any(row.is_open for row in desk.members()):
            self.accept()
        self.keys_of[group] = self.keys_of.get(group, 0) + len(desk.pressed) - before

    def accept(self) -> None:
        """Enter; where it is about more than the screen has, what it would do is read first."""
        desk, rows = self.desk, self._meant()
        unseen = self._unseen_rows(rows)
        self.expected.accept([*rows, *unseen])
        desk.press("Enter")
        if unseen:
            assert desk.layer == "say"
            assert f"{len(unseen)} of the classes" in desk.tell(
                "() => document.getElementById('say').textContent"
            )
            desk.press("Enter")
            self.previews += 1
        assert desk.layer == ""

    def _meant(self) -> list[SeenMember]:
        """The rows; where none is ticked, keys are about the one in focus."""
        rows = self.desk.members()
        if any(row.is_ticked for row in rows):
            return rows
        return [row._replace(is_ticked=row.has_focus) for row in rows]

    def give_another_name(self) -> None:
        self.expected.give(self._meant(), self.desk.choices()["2"])
        self.desk.press("2")

    def ignore(self) -> None:
        self.expected.give(self._meant(), None)
        self.desk.press("i")

    def leave_two(self) -> None:
        """Two rows are unticked, the others accepted; then it is gone back for the two."""
        group = self.desk.group
        self.desk.press("x", "j", "j", "x")
        self.accept()
        self.desk.press(*self._way_to(group))
        if not any(row.is_ticked for row in self.desk.members()):
            self.desk.press("X")  # the last cluster was never left, so they are unticked still

    def type_a_name(self) -> None:
        rows = self._meant()
        self.desk.press("r")
        self.desk.type("castl")
        self.expected.give(rows, ("castle / fort", "human-made"))
        self.desk.press("Enter")

    def make_a_name(self) -> None:
        rows = self._meant()
        self.desk.press("r")
        self.desk.type("garden folly")
        while not self._chosen().startswith("new:"):
            self.desk.press("ArrowDown")
        side = self.desk.tell("() => document.querySelector('#pick-side input:checked').value")
        self.expected.give(rows, ("garden folly", side))
        self.desk.press("Enter")

    def remark(self) -> None:
        """A comment and a doubt on what is ticked."""
        self.desk.press("c")
        self.desk.type("seen from the road")
        self.desk.press("Enter")
        self.expected.remark()
        self.desk.press("d", "Enter")
        self.expected.remark()

    def turn_the_side(self) -> None:
        """All of a super-category is on the other side, here and elsewhere, and back again."""
        group = self.desk.group
        self.accept()
        self.desk.press(*self._way_to(group))
        script = "() => { const b = document.querySelector('[data-act=side][aria-pressed=false]'); return b && [b.dataset.key, b.dataset.label, b.dataset.side]; }"
        if found := self.desk.tell(script):
            key, label, side = found
            self.expected.turn(label, side)
            self.desk.press(key, "u")
            self.expected.undo()

    def merge(self) -> None:
        """Clusters are put together until one has more open classes than the screen has rows."""
        is_large = False
        while not is_large:
            self.desk.press("m")
            while not self._kind_chosen().startswith("Merge"):
                self.desk.press("ArrowDown")
            self.desk.press("Enter")
            self.expected.remark()
            is_large = self._matching() > self._beyond and self.desk.members()[-1].is_open

    def split(self) -> None:
        """Two rows go to a cluster of their own."""
        self.desk.press("X", "x", "j", "x", "s", "Enter")
        self.expected.remark()

    def reopen(self) -> None:
        """A row is ignored, and open again."""
        self.desk.press("X", "x")
        self.expected.give(self.desk.members(), None)
        self.desk.press("i", "*")
        self.expected.reopen(self.desk.members())
        self.desk.press("z")

    def change_mind(self) -> None:
        """An undo, a redo, and another way after an undo."""
        group = self.desk.group
        self.accept()
        self.desk.press("u")
        self.expected.undo()
        self.desk.press("U")
        self.expected.redo()
        self.desk.press("u")
        self.expected.undo()
        self.desk.press(*self._way_to(group))
        self.ignore()

    def _unseen_rows(self, rows: list[SeenMember]) -> list[SeenMember]:
        if self._matching() == len(rows) or not any(row.is_ticked for row in self.desk.members()):
            return []
        is_same, found = self.desk.tell(_ALL_ROWS)
        assert is_same, "proposals were scored again meanwhile"
        seen = {row.qid for row in rows}
        return [
            rows[0]._replace(qid=qid, is_open=True, is_ticked=True, answer=answer, side=side)
            for qid, is_open, answer, side in found
            if is_open and qid not in seen
        ]

    def _matching(self) -> int:
        return int(self.desk.tell("() => document.getElementById('work').dataset.matching"))

    def _way_to(self, group: str) -> list[str]:
        """Returns the keys from the open cluster to another of the list."""
        order = list(self.desk.groups())
        steps = order.index(group) - order.index(self.desk.group)
        return ["]" if steps > 0 else "["] * abs(steps)

    def _chosen(self) -> str:
        return str(
            self.desk.tell(
                "() => document.querySelector('#pick-list [aria-selected=true]').textContent"
            )
        )

    def _kind_chosen(self) -> str:
        script = """() => { let row = document.querySelector("#pick-list [aria-selected=true]");
          while (row && row.role !== "presentation") row = row.previousElementSibling;
          return row?.textContent ?? ""; }"""
        return str(self.desk.tell(script))


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


def check_standing(root: Path, expected: Expected) -> None:
    """What stands in the log is what the keys say."""
    assert standing_answers(root) == expected.answers


def check_taxonomy(root: Path, expected: Expected) -> None:
    workspace = Workspace(root)
    run_review(workspace, ReviewConfig())
    made = {
        row["class_qid"]: (row["hierarchical_label"], row["natural_or_human_made"])
        if row["hierarchical_label"] is not None
        else None
        for row in workspace.read(TAXONOMY).to_pylist()
    }
    assert made == expected.answers
