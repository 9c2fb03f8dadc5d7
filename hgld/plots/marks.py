"""A mark for each value: values with their intervals, and counts of what was taken for what."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from hgld.plots.chart import Axis, Tick, axis_of

_MARGIN = 3.0
"""In percent of the axis: half a mark on a narrow screen."""
_DENSE_FROM = 24
"""Labels from which cells are without numbers, and their columns' names upright."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A value of a plot, and how it reads."""

    name: str
    """What it is the value of."""
    value: float
    text: str
    low: float = math.nan
    high: float = math.nan
    """Ends of its interval; NaN: it has none."""
    interval: str = ""
    """The interval in words."""
    note: str = ""
    """Behind the name."""
    look: int = 1
    """Colour and form: 0 is hollow, for a baseline; 1 to 6 are filled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DotMark:
    """A dot, placed: in percent of the width."""

    dot: Dot
    at: float
    low: float
    high: float
    """Both `at` where there is no interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DotsPlot:
    """What the macro `dots` draws."""

    marks: tuple[DotMark, ...]
    ticks: tuple[Tick, ...]
    zero: float | None
    """Where 0 stands, from which bars go; None: there are no bars."""


def dots_plot(
    dots: Iterable[Dot], tick_text: Callable[[float], str], *, is_change: bool = False
) -> DotsPlot:
    """Places dots in their order; one without a value is left out.

    Args:
        dots: from the top to the bottom.
        tick_text: how a value of the axis reads.
        is_change: whether values are changes: bars from 0, losses in another colour.

    Example:
        >>> ours = Dot(name="ours", value=0.5, text="50.0", low=0.4, high=0.6)
        >>> plot = dots_plot([ours], "{:g}".format)
        >>> [tick.text for tick in plot.ticks], plot.marks[0].at
        (['0.4', '0.45', '0.5', '0.55', '0.6'], 50.0)
    """
    kept = [dot for dot in dots if not math.isnan(dot.value)]
    values = [end for dot in kept for end in (dot.value, dot.low, dot.high)]
    axis = axis_of([*values, 0.0] if is_change else values, margin=_MARGIN)
    return DotsPlot(
        marks=tuple(_placed(dot, axis) for dot in kept),
        ticks=axis.marked(tick_text),
        zero=axis.at(0.0) if is_change else None,
    )


def _placed(dot: Dot, axis: Axis) -> DotMark:
    ends = (dot.value if math.isnan(end) else end for end in (dot.low, dot.high))
    low, high = (axis.at(end) for end in ends)
    return DotMark(dot=dot, at=axis.at(dot.value), low=low, high=high)


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
