"""A reviewer who knows some answers, at the keyboard of the real page.

A class whose answer is known gets it; of any other the proposal is accepted. In a cluster the wrong
ones are put right first: all that need one name together, by a number, or by letters of the name
until it is the first that is found. Then Enter accepts the rest. To a row that is far away the way
is to go to it by its name. Looking costs nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from hgld.benchmarks.reviewing.desk import Desk, SeenMember

_FAR = 12
"""Rows from which it is shorter to type some of the label."""
_MOST_DOWN = 3
_OPTIONS = """
() => [...document.querySelectorAll("#pick-list [role=option]")].map((row) =>
  [row.querySelector(".pick-what").textContent.trim(), row.querySelector(".pick-hint").textContent])
"""
_IS_LARGER = """
() => Number(document.getElementById("work").dataset.matching)
  > document.querySelectorAll("#work .member").length
"""


class Typist:
    """Presses the keys of a whole review."""

    def __init__(self, desk: Desk, answers: Mapping[str, str | None]) -> None:
        """Takes the page, and what is known.

        Args:
            desk: a page that is open, of which nothing is decided.
            answers: class_qid to super-category; None: to be ignored.
        """
        self.desk = desk
        self._answers = {qid: one and one.strip() for qid, one in answers.items()}
        self.keys: dict[str, int] = {}
        """Of each cluster, how many were pressed while it was open."""

    def review(self) -> None:
        """Decides every class.

        Raises:
            RuntimeError: the page refuses what is pressed.
        """
        while not all(self.desk.groups().values()):
            group, before = self.desk.group, len(self.desk.pressed)
            self._step()
            self.keys[group] = self.keys.get(group, 0) + len(self.desk.pressed) - before

    def _step(self) -> None:
        rows = self.desk.members()
        wrong = [row for row in rows if row.is_open and not self._is_right(row)]
        if not wrong:
            self._accept()
            return
        targets = [self._answers[row.qid] for row in wrong]
        target = max(targets, key=targets.count)
        self._give([row for row in wrong if self._answers[row.qid] == target], rows, target)

    def _is_right(self, row: SeenMember) -> bool:
        shown = row.answer and row.answer.strip()
        return row.qid not in self._answers or self._answers[row.qid] == shown

    def _accept(self) -> None:
        if not any(row.is_ticked for row in self.desk.members() if row.is_open):
            self._press("X")  # what was put right apart has left the others unticked
        is_larger = bool(self.desk.tell(_IS_LARGER))
        self._press("Enter", wants="say" if is_larger else "")
        if is_larger:
            self._press("Enter")

    def _give(
        self, chosen: Sequence[SeenMember], rows: Sequence[SeenMember], target: str | None
    ) -> None:
        qids = {row.qid for row in chosen}
        if qids != {row.qid for row in rows if row.is_open and row.is_ticked}:
            if any(row.is_ticked for row in rows):
                self._press("X")
            for row in chosen:
                self._go_to(row)
                if len(chosen) > 1:  # where none is ticked, keys are about the row in focus
                    self._press("x")
        self._name(target)

    def _go_to(self, row: SeenMember) -> None:
        rows = self.desk.members()
        here = next((place for place, one in enumerate(rows) if one.has_focus), 0)
        there = next(place for place, one in enumerate(rows) if one.qid == row.qid)
        if abs(there - here) > _FAR:
            self._press("g", wants="pick")
            self._pick(row.label, row.label, row.qid)
        else:
            self._press(*("j" if there > here else "k",) * abs(there - here))

    def _name(self, target: str | None) -> None:
        key = next(
            (key for key, (label, _) in self.desk.choices().items() if label.strip() == target), ""
        )
        if target is None:
            self._press("i")
        elif key:
            self._press(key)
        else:
            self._press("r", wants="pick")
            self._pick(target, target)

    def _pick(self, letters: str, wanted: str, hint: str = "") -> None:
        """Types until what is wanted is among the first that are found, and takes it."""
        place = None
        for letter in letters:
            self.desk.type(letter)
            self.desk.wait()
            found = self.desk.tell(_OPTIONS)
            place = next(
                (at for at, (text, said) in enumerate(found) if text == wanted and hint in said),
                None,
            )
            if place is not None and place <= _MOST_DOWN:
                break
        if place is None:
            raise RuntimeError(f"the page does not find {wanted!r}")
        self._press(*("ArrowDown",) * place, wants="pick")
        self._press("Enter")

    def _press(self, *keys: str, wants: Literal["", "pick", "say"] = "") -> None:
        self.desk.press(*keys)
        if self.desk.layer != wants:
            said = self.desk.tell("() => document.querySelector('dialog[open]')?.innerText ?? ''")
            raise RuntimeError(f"after {' '.join(keys)} the page says: {said or self.desk.said}")
