"""Two labellings of the same landmarks as the non-zero cells of their contingency table.

Every measure of agreement is a function of these counts, so that 200,000 landmarks are some
1,000 numbers, and a thousand bootstrap draws of them are one array.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_CELLS_AT_ONCE = 4_000_000  # counts of drawn cells in memory, 8 bytes each


@dataclass(frozen=True, slots=True, kw_only=True)
class Contingency:
    """How many landmarks have each pair of labels: C non-zero cells of an (L + 1, L + 1) table."""

    labels: tuple[str, ...]
    """The L labels of either side, sorted. The number L stands for no label."""
    official: NDArray[np.int64]
    """(C,), the number of each cell's official label."""
    ours: NDArray[np.int64]
    """(C,), the number of each cell's label of ours."""
    counts: NDArray[np.int64]
    """(C,), landmarks."""

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """(C,), whether the official label of a cell is one."""
        return self.official < len(self.labels)

    @property
    def both(self) -> NDArray[np.bool_]:
        """(C,), whether either label of a cell is one."""
        return self.labelled & (self.ours < len(self.labels))

    @property
    def same(self) -> NDArray[np.bool_]:
        """(C,), whether a cell is of landmarks on whose label both agree."""
        is_same: NDArray[np.bool_] = self.both & (self.official == self.ours)
        return is_same


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """Cells of two partitions, with the counts of several draws of the same landmarks."""

    rows: NDArray[np.int64]
    """(C,), the part of the first partition that a cell is of."""
    columns: NDArray[np.int64]
    """(C,), that of the second."""
    counts: NDArray[np.int64]
    """(B, C), landmarks of each draw."""


def cross_tabulate(official: pa.ChunkedArray, ours: pa.ChunkedArray) -> Contingency:
    """Counts the pairs of labels.

    Args:
        official: (N,), strings; null: no label.
        ours: (N,), of the same landmarks.

    Returns:
        The cells, by official label and then by ours; none where there is no landmark.

    Example:
        >>> of = lambda *labels: pa.chunked_array([pa.array(labels, pa.string())])
        >>> table = cross_tabulate(of("lake", "lake", None), of("lake", None, None))
        >>> table.labels, table.official.tolist(), table.ours.tolist(), table.counts.tolist()
        (('lake',), [0, 0, 1], [0, 1, 1], [1, 1, 1])
    """
    values = pc.unique(pa.chunked_array([*official.chunks, *ours.chunks], pa.string()))
    labels = values.drop_null().sort()
    numbers = [
        pc.index_in(side, value_set=labels).fill_null(len(labels)).to_numpy().astype(np.int64)
        for side in (official, ours)
    ]
    size = len(labels) + 1
    cells, counts = np.unique(numbers[0] * size + numbers[1], return_counts=True)
    return Contingency(
        labels=tuple(labels.to_pylist()),
        official=cells // size,
        ours=cells % size,
        counts=counts.astype(np.int64),
    )


def draws_of(counts: NDArray[np.int64], draws: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Draws as many landmarks as there are, with replacement, again and again.

    Which landmarks of a cell are drawn makes no difference to its count, so that the counts of a
    draw are one draw of a multinomial distribution.

    Args:
        counts: (C,), landmarks of each cell.
        draws: how often.
        seed: of the generator.

    Yields:
        (B, C), the counts of B draws; the B of all of them make `draws`.

    Source:
        Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 6.
    """
    generator = np.random.default_rng(seed)
    total = int(counts.sum())
    at_once = max(1, _CELLS_AT_ONCE // max(len(counts), 1))
    for start in range(0, draws, at_once):
        size = min(at_once, draws - start)
        yield generator.multinomial(total, counts / max(total, 1), size=size)


def sums_by(
    numbers: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sums counts over the cells of the same number.

    Args:
        numbers: (C,).
        counts: (B, C).

    Returns:
        (P, ) the numbers that occur, in order, and (B, P) the sum for each.

    Example:
        >>> numbers, sums = sums_by(np.array([7, 2, 7]), np.array([[1, 2, 3]]))
        >>> numbers.tolist(), sums.tolist()
        ([2, 7], [[2, 4]])
    """
    order = np.argsort(numbers, kind="stable")
    found, starts = np.unique(numbers[order], return_index=True)
    if not len(found):
        return found, np.zeros((len(counts), 0), dtype=np.int64)
    return found, np.add.reduceat(counts[:, order], starts, axis=1)
