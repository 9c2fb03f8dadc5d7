"""What was taken for what: a table whose cells are the stronger the larger their share of a row."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

_DENSE_FROM = 24
"""Labels from which cells are without numbers, and their columns' names upright."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatCell:
    """A count of a row's label and a column's."""

    count: int
    strength: int
    """Of its colour, in percent."""
    title: str
    is_own: bool
    """Whether row and column have the same label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatTable:
    """What the macro `heat` draws."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[HeatCell, ...]], ...]
    """Label to its cells, one a column."""
    is_dense: bool


def heat_table(
    counts: Sequence[Sequence[int]], labels: Sequence[str], others: Sequence[str] = ("other",)
) -> HeatTable:
    """Lays out counts; what is frequent in its row is strong, and what is rare can still be seen.

    Args:
        counts: (L, L + O), a row for what it is, a column for what it was taken for.
        labels: (L,), of the rows and of the first L columns.
        others: (O,), of the further columns.

    Example:
        >>> table = heat_table([[9, 1, 0], [0, 2, 2]], ["tower", "lake"])
        >>> [cell.strength for cell in table.rows[1][1]]
        [0, 71, 71]
        >>> table.rows[0][1][1].title
        'tower: 1 of 10 are lake'
    """
    columns = (*labels, *others)
    is_dense = len(labels) >= _DENSE_FROM
    rows = []
    for place, label in enumerate(labels):
        total = sum(counts[place])
        cells = tuple(
            HeatCell(
                count=count,
                strength=round(100 * math.sqrt(count / total)) if total else 0,
                title=f"{label}: {count:,} of {total:,} are {column}" if count else "",
                is_own=at == place,
            )
            for at, (column, count) in enumerate(zip(columns, counts[place], strict=True))
        )
        rows.append((label, cells))
    return HeatTable(columns=columns, rows=tuple(rows), is_dense=is_dense)
