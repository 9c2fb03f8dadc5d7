"""From which to which value a plot goes, and where its ticks stand."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

_STEPS = (1, 2, 2.5, 5, 10)
_MOST_TICKS = 5
_LOG_RATIO = 30.0
"""From the lowest to the highest value: beyond it, half of a linear plot is nearly empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A value at an axis."""

    at: float
    """In percent of the axis, from its low end."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """An axis with round ticks."""

    low: float
    high: float
    ticks: tuple[float, ...]
    is_log: bool = False
    margin: float = 0.0
    """At both ends, in percent of the axis, so that no mark is cut."""

    def at(self, value: float) -> float:
        """Returns where a value stands: 0 at the low end, 100 at the high one."""
        low, high = self.low, self.high
        if self.is_log:
            value, low, high = math.log(value), math.log(low), math.log(high)
        share = (value - low) / (high - low)
        return round(self.margin + (100 - 2 * self.margin) * share, 2)

    def marked(self, text: Callable[[float], str]) -> tuple[Tick, ...]:
        """Returns the ticks as they are drawn."""
        return tuple(Tick(at=self.at(tick), text=text(tick)) for tick in self.ticks)


def axis_of(
    values: Iterable[float], *, limits: tuple[float, float] | None = None, margin: float = 0.0
) -> Axis:
    """Returns a linear axis that starts and ends at a tick, with room for values, NaN left out.

    Args:
        values: to be drawn; from 0 to 1 if there are none.
        limits: the axis goes no further than from the first to the second.
        margin: see `Axis`.

    Example:
        >>> axis_of([0.31, 0.58]).ticks
        (0.3, 0.4, 0.5, 0.6)
    """
    defined = [value for value in values if math.isfinite(value)]
    low, high = min(defined, default=0.0), max(defined, default=1.0)
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        spread = abs(low) / 10 or 0.1
        low, high = low - spread, high + spread
    step = _round_step(high - low)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    every = (_round(number * step) for number in range(first, last + 1))
    least, most = limits or (-math.inf, math.inf)
    ticks = tuple(tick for tick in every if least <= tick <= most)
    return Axis(low=ticks[0], high=ticks[-1], ticks=ticks, margin=margin)


def axis_between(low: float, high: float) -> Axis:
    """Returns a linear axis with these ends, and the round ticks between them.

    Example:
        >>> axis_between(0, 1234).ticks
        (0.0, 250.0, 500.0, 750.0, 1000.0)
    """
    step = _round_step(high - low)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    ticks = tuple(_round(number * step) for number in range(first, last + 1))
    return Axis(low=low, high=high, ticks=ticks)


def log_axis_of(values: Iterable[float]) -> Axis | None:
    """Returns a logarithmic axis for values that are positive and far apart; None for others.

    Example:
        >>> log_axis_of([900.0, 0.5, 7.0]).ticks, log_axis_of([0.5, 0.1]), log_axis_of([900.0, 0.0])
        ((1.0, 10.0, 100.0, 1000.0), None, None)
    """
    defined = [value for value in values if math.isfinite(value)]
    if not defined or min(defined) <= 0 or max(defined) <= _LOG_RATIO * min(defined):
        return None
    room = (max(defined) / min(defined)) ** 0.04
    low, high = min(defined) / room, max(defined) * room
    first, last = math.log10(low), math.log10(high)
    every = math.ceil((last - first) / _MOST_TICKS)
    decades = range(math.floor(first), math.ceil(last) + 1)[::every]
    parts = (1.0, 3.0) if last - first < 3 else (1.0,)  # noqa: PLR2004 - decades
    marks = (part * 10.0**decade for decade in decades for part in parts)
    ticks = tuple(mark for mark in marks if low <= mark <= high)
    return Axis(low=low, high=high, ticks=ticks, is_log=True)


def _round_step(span: float) -> float:
    """Returns the least of 1, 2, 2.5 and 5 times a power of ten that gives few enough ticks."""
    power = 10.0 ** math.floor(math.log10(span / _MOST_TICKS))
    return next(one * power for one in _STEPS if span / (one * power) <= _MOST_TICKS + 1e-9)


def _round(tick: float) -> float:
    """Returns a tick without the last digits, in which 3 times 0.1 is not 0.3."""
    return float(f"{tick:.12g}")
