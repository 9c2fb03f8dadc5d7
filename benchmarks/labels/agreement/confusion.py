"""The confusions of a level as a picture: which labels, in which order, where on the page."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hgld.benchmarks.labels.agreement.results import LevelAgreement

MOST_LABELS = 100
"""Labels in a picture; those of most landmarks, where there are more."""
SHADES = 8
"""Shades; the k-th ends at (k / 8)^2 of a row, so that rare confusions can be told from none."""
_SMALLEST_PX, _LARGEST_PX, _WIDTH_PX = 12, 30, 940
_LETTER_WIDTH = 0.56  # of the size of a sans-serif font, on average
_LONGEST_NAME = 26


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatCell:
    """Landmarks of an official label that have one label of ours."""

    x: int
    y: int
    shade: int
    """From 1 to `SHADES`, by its share of the row."""
    is_same: bool
    landmarks: int
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatLabel:
    """A name beside a row or above a column."""

    at: int
    """Its middle, in pixels."""
    text: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMap:
    """A picture of confusions, in pixels from its first cell."""

    cell_px: int
    font_px: int
    margin_px: int
    """Room for names, left and above."""
    side_px: int
    """Of the square of labels."""
    width_px: int
    """With the columns beside the square."""
    rows: tuple[HeatLabel, ...]
    columns: tuple[HeatLabel, ...]
    cells: tuple[HeatCell, ...]
    left_out: int
    """Official labels that it does not show."""


def heat_map(level: LevelAgreement) -> HeatMap:
    """Lays out the confusions of a level.

    Rows are official labels and columns are ours, in one order, in which those that are confused
    stand together. Beside them is a column for labels of ours that have no row, and one for
    landmarks without a label of ours.

    Args:
        level: what was found.

    Returns:
        The picture; without a row where no landmark is officially labelled.
    """
    by_size = sorted(level.labels, key=lambda one: (-one.landmarks, one.label))
    shown = {one.label: one.landmarks for one in by_size[:MOST_LABELS]}
    counts = _counts(level, list(shown))
    order = order_by_confusion(list(shown), counts[:, : len(shown)])
    sizes = [shown[label] for label in order]
    numbers = [list(shown).index(label) for label in order]
    columns = [*order, "another label", "no label"]
    counts = counts[numbers][:, [*numbers, len(shown), len(shown) + 1]]
    cell = max(_SMALLEST_PX, min(_LARGEST_PX, _WIDTH_PX // len(columns)))
    font = min(13, cell - 2)
    gap = cell // 2
    longest = max((len(_short(name)) for name in columns), default=0)
    starts = [cell * place + gap * (place >= len(order)) for place in range(len(columns))]
    cells = [
        HeatCell(
            x=starts[column],
            y=cell * row,
            shade=shade_of(counts[row, column] / sizes[row]),
            is_same=row == column,
            landmarks=int(counts[row, column]),
            title=f"{order[row]}: {counts[row, column]:,} of {sizes[row]:,} are {columns[column]}",
        )
        for row, column in zip(*(axis.tolist() for axis in np.nonzero(counts)), strict=True)
    ]
    return HeatMap(
        cell_px=cell,
        font_px=font,
        margin_px=round(_LETTER_WIDTH * font * longest) + 12,
        side_px=cell * len(order),
        width_px=starts[-1] + cell,
        rows=tuple(_labels(order, [cell * place for place in range(len(order))], cell)),
        columns=tuple(_labels(columns, starts, cell)),
        cells=tuple(cells),
        left_out=len(level.labels) - len(order),
    )


def order_by_confusion(labels: Sequence[str], counts: NDArray[np.int64]) -> list[str]:
    """Puts labels in an order in which those that are confused stand together.

    Chains of labels, at first one for each, are joined two by two, those of the largest mean share
    of confused landmarks first, end to end so that the most confused ends meet. Labels that are
    confused with none come last.

    Args:
        labels: (L,), those of most landmarks first.
        counts: (L, L), landmarks by official label and by ours.

    Returns:
        The labels, the chain of most labels first; of equal ones that of the first label.

    Example:
        >>> counts = np.array([[9, 0, 1], [0, 9, 0], [3, 0, 6]])
        >>> order_by_confusion(["church", "lake", "chapel"], counts)
        ['church', 'chapel', 'lake']
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    links = shares + shares.T
    chains: list[list[int]] = [[number] for number in range(len(labels))]
    between = links.copy()  # the sum of the links of two chains
    while len(chains) > 1:
        sizes = np.array([len(chain) for chain in chains])
        means = between / np.outer(sizes, sizes)
        np.fill_diagonal(means, 0.0)
        one, other = sorted(divmod(int(means.argmax()), len(chains)))
        if not means[one, other]:
            break
        chains[one] = _end_to_end(chains[one], chains[other], links)
        del chains[other]
        between[one] += between[other]
        between[:, one] += between[:, other]
        between = np.delete(np.delete(between, other, axis=0), other, axis=1)
    chains.sort(key=lambda chain: (-len(chain), min(chain)))
    return [labels[number] for chain in chains for number in chain]


def shade_of(share: float) -> int:
    """Returns the shade for a share of a row, above 0.

    Example:
        >>> [shade_of(share) for share in (0.001, 0.1, 0.3, 1.0)]
        [1, 3, 5, 8]
    """
    return max(1, min(SHADES, int(np.ceil(SHADES * np.sqrt(share)))))


def _counts(level: LevelAgreement, labels: list[str]) -> NDArray[np.int64]:
    """Returns (L, L + 2) landmarks: of each label of ours, of another one, of none."""
    place = {label: number for number, label in enumerate(labels)}
    counted: Counter[tuple[int, int]] = Counter()
    for pair in level.pairs:
        if pair.official in place:
            column = place.get(pair.ours, len(labels)) if pair.ours else len(labels) + 1
            counted[place[pair.official], column] += pair.landmarks
    counts = np.zeros((len(labels), len(labels) + 2), dtype=np.int64)
    for cell, landmarks in counted.items():
        counts[cell] = landmarks
    return counts


def _end_to_end(one: list[int], other: list[int], links: NDArray[np.float64]) -> list[int]:
    """Joins two chains at the ends that are confused most; at equal ones, as they stand."""
    ways = [(left, right) for left in (one, one[::-1]) for right in (other, other[::-1])]
    left, right = max(ways, key=lambda way: links[way[0][-1], way[1][0]])
    return left + right


def _labels(names: Sequence[str], starts: Sequence[int], cell: int) -> list[HeatLabel]:
    return [
        HeatLabel(at=start + cell // 2, text=_short(name), title=name)
        for name, start in zip(names, starts, strict=True)
    ]


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
