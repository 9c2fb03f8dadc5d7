"""Plots as paths of an SVG: where lines, ticks and labels are. How they look says the page."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hgld.benchmarks.robustness.records import PlotLine

WIDTH, HEIGHT = 360, 240
"""Of a plot, in its own units: as many pixels as it has on a phone, so that text keeps its size."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 42, 8, 10, 42
_TICKS = 5
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisTick:
    """A mark of an axis."""

    at: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnLine:
    """A line of a plot."""

    title: str
    number: int
    """Of its look: the place of its method among those that a section draws."""
    points: str
    """As SVG's polyline has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnPlot:
    """All that is in a plot."""

    lines: tuple[DrawnLine, ...]
    across: tuple[AxisTick, ...]
    """Of x."""
    up: tuple[AxisTick, ...]
    """Of y."""
    axes: tuple[str, str]
    left: float = _LEFT
    right: float = WIDTH - _RIGHT
    top: float = _TOP
    bottom: float = HEIGHT - _BOTTOM


def draw_lines(
    lines: Sequence[tuple[str, int, PlotLine]], axes: tuple[str, str]
) -> DrawnPlot | None:
    """Places lines of shares in a plot.

    Args:
        lines: title, number of its look, and values: x from 0 to 1, y any shares. Points without a
            finite y are left out.
        axes: titles of x and y.

    Returns:
        The plot; None without a line of two points.
    """
    kept = []
    for title, number, line in lines:
        points = [(x, y) for x, y in zip(line.x, line.y, strict=True) if math.isfinite(x + y)]
        if len(points) > 1:
            kept.append((title, number, points))
    if not kept:
        return None
    values = [y for _, _, points in kept for _, y in points]
    ticks = nice_ticks(min(values), max(values))
    low, high = ticks[0], ticks[-1]

    def across(value: float) -> float:
        return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * value, 1)

    def up(value: float) -> float:
        height = HEIGHT - _TOP - _BOTTOM
        return round(_TOP + height * (1 - (value - low) / (high - low)), 1)

    return DrawnPlot(
        lines=tuple(
            DrawnLine(
                title=title,
                number=number,
                points=" ".join(f"{across(x)},{up(y)}" for x, y in points),
            )
            for title, number, points in kept
        ),
        across=tuple(
            AxisTick(at=across(share), text=f"{share:.0%}") for share in (0, 0.25, 0.5, 0.75, 1)
        ),
        up=tuple(AxisTick(at=up(value), text=f"{100 * value:g}%") for value in ticks),
        axes=axes,
    )


def nice_ticks(low: float, high: float) -> list[float]:
    """Returns round numbers that hold a range between the first and the last.

    Example:
        >>> nice_ticks(0.12, 0.57)
        [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    """
    span = (high - low) or max(abs(high), 1.0)
    power = 10.0 ** math.floor(math.log10(span / _TICKS))
    step = next(
        (factor * power for factor in _STEPS if factor * power * _TICKS >= span), 10 * power
    )
    first = math.floor(low / step + 1e-9)
    last = max(math.ceil(high / step - 1e-9), first + 1)
    return [round(number * step, 10) for number in range(first, last + 1)]
