"""Values with their intervals, below each other on one axis: as dots, or as bars from 0."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hgld.plots.axes import Axis, Tick, axis_of

_MARGIN = 3.0
"""In percent of the axis: half a mark on a narrow screen."""


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
