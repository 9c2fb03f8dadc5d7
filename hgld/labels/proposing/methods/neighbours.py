"""The methods `neighbours` and `namesakes`: decided classes speak for those that are near.

A namesake has the same text: what a person decided of it counts for more than what is like it.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from hgld.labels.proposing.methods.ballot import Hint
from hgld.labels.proposing.methods.cosines import SAME, Scale, cosines

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK = 1024  # decided classes at a time

NEIGHBOURS = 5
"""How many decided classes speak for another: the nearest first."""
NEAR = 2
"""How far above the mean a decided class must lie to say anything of another, in deviations."""
_NEAREST = 6  # deviations from which on it makes no difference


class DecidedNeighbours:
    """The decided classes that are nearest to each class, kept up to date.

    Of equally near ones the older Q-id comes first, so that the order of decisions leaves no trace.
    """

    def __init__(
        self, vectors: "NDArray[np.float32]", numbers: "NDArray[np.int64]", scale: Scale
    ) -> None:
        """Starts with nothing decided.

        Args:
            vectors: (n, D) from `unit_grid`.
            numbers: (n,) the number of each class's Q-id, or another order of the classes.
            scale: of the encoder's cosines.
        """
        self._vectors, self._numbers = vectors, numbers
        self._scale = scale
        self._least = np.float32(scale.mean + NEAR * scale.deviation)
        self._decided: set[int] = set()
        # One more number than classes: the row -1, where there is no neighbour, comes last.
        self._order = np.append(numbers, np.iinfo(np.int64).max)
        self.rows = np.full((len(vectors), NEIGHBOURS), -1)
        """(n, NEIGHBOURS): the nearest decided classes, the nearest first; -1 for none."""
        self.cosines = np.full((len(vectors), NEIGHBOURS), -np.inf, dtype=np.float32)
        """(n, NEIGHBOURS): how near they are; -inf for none."""

    def add(self, decided: Sequence[int]) -> "NDArray[np.int64]":
        """Takes up decided classes.

        Args:
            decided: rows of classes that were open.

        Returns:
            The rows whose neighbours changed, in order.
        """
        self._decided.update(decided)
        changed: set[int] = set()
        for start in range(0, len(decided), _BLOCK):
            part = np.asarray(decided[start : start + _BLOCK], dtype=np.int64)
            near = cosines(self._vectors, self._vectors[part])
            near[part, np.arange(len(part))] = -np.inf  # nobody is a neighbour of itself
            rows = np.flatnonzero(
                (near >= np.maximum(self.cosines[:, -1:], self._least)).any(axis=1)
            )
            changed.update(self._keep(rows, part, near[rows]))
        return np.array(sorted(changed), dtype=np.int64)

    def remove(self, row: int) -> "NDArray[np.int64]":
        """Takes back that a class was decided; returns the rows whose neighbours changed."""
        self._decided.discard(row)
        rows = self.rows_near(row)
        self.rows[rows], self.cosines[rows] = -1, -np.inf
        decided = np.array(sorted(self._decided), dtype=np.int64)
        near = cosines(self._vectors[rows], self._vectors[decided])
        near[rows[:, None] == decided] = -np.inf
        self._keep(rows, decided, near)
        return rows

    def rows_near(self, row: int) -> "NDArray[np.int64]":
        """Returns the rows that have a decided class among their neighbours."""
        return np.flatnonzero((self.rows == row).any(axis=1))

    def _keep(
        self, rows: "NDArray[np.int64]", decided: "NDArray[np.int64]", near: "NDArray[np.float32]"
    ) -> list[int]:
        """Keeps the nearest of those that rows have and those offered; returns what changed."""
        near = np.where(near >= self._least, near, np.float32(-np.inf))
        offered = np.where(np.isfinite(near), decided[None, :], -1)
        all_rows = np.concatenate([self.rows[rows], offered], axis=1)
        all_near = np.concatenate([self.cosines[rows], near], axis=1)
        order = np.lexsort((self._order[all_rows], -all_near), axis=1)[:, :NEIGHBOURS]
        kept = np.take_along_axis(all_rows, order, axis=1)
        is_other = (kept != self.rows[rows]).any(axis=1)
        self.rows[rows] = kept
        self.cosines[rows] = np.take_along_axis(all_near, order, axis=1)
        return [int(row) for row in rows[is_other]]

    def candidates(
        self, row: int, labels: Sequence[str], decisions: Mapping[int, str], *, same: bool
    ) -> list[Hint]:
        """Returns what the neighbours of a class say, the nearest first.

        Args:
            row: the class.
            labels: the text of each class.
            decisions: row to target of the decided classes.
            same: whether those with the same text are asked, or the others.
        """
        found = []
        for other, near in zip(self.rows[row].tolist(), self.cosines[row].tolist(), strict=True):
            if other < 0:
                break
            if same == (near >= SAME):
                shown = f"{labels[other]!r} ({near:.2f})"
                words = f"the same text was decided so: {shown}" if same else f"decided so: {shown}"
                tier = "same" if same else self._tier(near)
                found.append(Hint(decisions[other], tier, words))
        return found

    def _tier(self, cosine: float) -> str:
        above = int(self._scale.of(cosine))
        # The least cosine is a float32, and may be a little below NEAR deviations.
        return str(min(max(above, NEAR), _NEAREST))
