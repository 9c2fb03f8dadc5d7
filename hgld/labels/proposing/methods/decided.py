"""What decided classes say of the others, by vectors and by superclasses, kept up to date."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from hgld.labels.proposing.methods.ballot import Hint, qid_age
from hgld.labels.proposing.methods.cosines import Scale
from hgld.labels.proposing.methods.neighbours import DecidedNeighbours
from hgld.labels.proposing.methods.superclasses import Ancestry, Known
from hgld.labels.proposing.rows import ProposalMethod

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHANGING: tuple[ProposalMethod, ...] = ("superclasses", "namesakes", "neighbours")
"""The methods whose opinions change with decisions."""


class Speakers:
    """The methods that know the decisions in force: CHANGING."""

    def __init__(
        self,
        classes: pa.Table,
        vectors: "NDArray[np.float32]",
        superclasses: pa.Table,
        known: Known,
        scale: Scale,
    ) -> None:
        """Starts with nothing decided.

        Args:
            classes: `class_qid` and `class_label` of n classes.
            vectors: (n, D) from `unit_grid`.
            superclasses: rows of SUPERCLASSES.
            known: what the taxonomy knows.
            scale: of the encoder's cosines.
        """
        qids: list[str] = classes["class_qid"].to_pylist()
        self._labels: list[str] = classes["class_label"].to_pylist()
        self._row = {qid: row for row, qid in enumerate(qids)}
        self._neighbours = DecidedNeighbours(vectors, _ages(qids), scale)
        self._ancestry = Ancestry(qids, superclasses, known)
        self._targets: dict[int, str] = {}

    def decide(self, decisions: Mapping[str, str | None]) -> set[int]:
        """Takes up decisions.

        Args:
            decisions: Q-id to target; None takes a decision back.

        Returns:
            The rows of which what is said may have changed.
        """
        changed: set[int] = set()
        added = []
        for qid, target in decisions.items():
            changed |= self._ancestry.decide(qid, target)
            row = self._row.get(qid)
            if row is None:  # of a class that no landmark has any more
                continue
            if target is None:
                if self._targets.pop(row, None) is not None:
                    changed.update(self._neighbours.remove(row).tolist())
            else:
                if row in self._targets:
                    changed.update(self._neighbours.rows_near(row).tolist())
                else:
                    added.append(row)
                self._targets[row] = target
        changed.update(self._neighbours.add(added).tolist())
        return changed

    def candidates(self, method: ProposalMethod, row: int) -> list[Hint]:
        """Returns what a method of CHANGING says of an open class, the best first."""
        if method == "superclasses":
            return self._ancestry.candidates(row)
        same = method == "namesakes"
        return self._neighbours.candidates(row, self._labels, self._targets, same=same)


def _ages(qids: Sequence[str]) -> "NDArray[np.int64]":
    """Returns each class's place by the number of its Q-id; names that are none come after."""
    order = sorted(range(len(qids)), key=lambda row: qid_age(qids[row]))
    places = np.empty(len(qids), dtype=np.int64)
    places[order] = np.arange(len(qids))
    return places
