"""What a review must come to, reckoned from what was on the screen when keys were pressed.

It knows nothing of the page's code: an accepted row is what its row said, a name is what the key
said, and undo takes the last thing away.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import read_decisions
from tests.worlds.review.desk import SeenMember

Answers = dict[str, tuple[str, str] | None]
"""class_qid to super-category and side; None: ignored."""


class Expected:
    """The answers that stand, and those that were taken back."""

    def __init__(self) -> None:
        self._done: list[Answers] = [{}]
        self._undone: list[Answers] = []

    @property
    def answers(self) -> Answers:
        return self._done[-1]

    def accept(self, members: Iterable[SeenMember]) -> None:
        """Takes open rows as they are; a name in use keeps its side."""
        sides = dict(filter(None, self.answers.values()))
        found: Answers = {}
        for row in members:
            if row.is_open:
                side = sides.get(row.answer or "", row.side or "")
                found[row.qid] = None if row.answer is None else (row.answer, side)
        self._add(found)

    def give(self, members: Iterable[SeenMember], answer: tuple[str, str] | None) -> None:
        """Gives rows an answer."""
        self._add({row.qid: answer for row in members})

    def turn(self, label: str, side: str) -> None:
        """Puts a super-category on another side, wherever it stands."""
        self._add(
            {qid: (label, side) for qid, one in self.answers.items() if one and one[0] == label}
        )

    def reopen(self, members: Iterable[SeenMember]) -> None:
        """Takes the answers of rows away."""
        gone = {row.qid for row in members}
        self._do({qid: one for qid, one in self.answers.items() if qid not in gone})

    def remark(self) -> None:
        """Something that decides nothing, and can be taken back."""
        self._do(dict(self.answers))

    def undo(self) -> None:
        self._undone.append(self._done.pop())

    def redo(self) -> None:
        self._done.append(self._undone.pop())

    def _add(self, found: Mapping[str, tuple[str, str] | None]) -> None:
        if any(self.answers.get(qid, "open") != one for qid, one in found.items()):
            self._do({**self.answers, **found})

    def _do(self, answers: Answers) -> None:
        self._done.append(answers)
        self._undone.clear()


def standing_answers(root: Path) -> Answers:
    """Returns what the log of a build comes to."""
    found: Answers = {}
    for qid, decision in read_decisions(Workspace(root)).items():
        label, side = decision.hierarchical_label, decision.natural_or_human_made
        found[qid] = (label, side) if label is not None and side is not None else None
    return found
