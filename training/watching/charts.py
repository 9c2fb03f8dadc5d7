"""Curves as a page draws them: scales, ticks, and thousands of steps thinned to what a pixel shows.

A drawing is numbers and texts, without markup: positions are percents of the plot, paths are in a
square of `PLOT_SIDE` units that the page stretches to its width.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from hgld.training.watching.lines import Curve

PLOT_SIDE = 1000
"""Units of a path, both ways."""
_COLUMNS = 480
"""Of a plot: about its pixels in one of two columns on a desk."""
_LOG_RATIO = 30.0
"""From the lowest to the highest value: beyond it, half of a linear plot is nearly empty."""
_TICKS = 4
_SMOOTHED_FROM = 60
"""Lines; of fewer, each is seen as it is."""
_WINDOWS = 40
"""Of a moving mean, in a curve's length."""
_LEAST_WINDOW = 5
_DOTTED = 40
"""Points at most that are marked one by one."""
_ROWS = 24
"""Of the table that stands for a plot."""

AxisScale = Literal["linear", "log"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What to draw."""

    title: str
    about: str
    """What it is, in a sentence or less."""
    curves: dict[str, Curve]
    """By the name that a reader sees."""
    is_percent: bool = False
    """Whether values go from 0 to 1 and are shown as percents."""
    is_linear: bool = False
    """Whether the scale is linear however far apart the values are."""
    is_noisy: bool = False
    """Whether a moving mean is drawn upon a long curve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A value at an axis."""

    at: float
    """In percent of the axis, from the left or from the top."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnCurve:
    """One curve of a drawing."""

    name: str
    last: str
    """Its last value."""
    path: str
    mean_path: str
    """Of the moving mean; empty where there is none."""
    dots: list[tuple[float, float]]
    """In percent; of a short curve alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A chart, drawn."""

    title: str
    about: str
    described: str
    """The curves in words, for who does not see them."""
    scale: AxisScale
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    curves: list[DrawnCurve]
    rows: list[tuple[str, list[str]]]
    """Steps and the values there, by curve."""
    window: int
    """Lines of the moving mean; 0: there is none."""


def draw(chart: Chart, *, until: int | None = None) -> Drawing:
    """Draws a chart.

    Args:
        chart: with at least one finite value.
        until: the step at the right end, so that several charts stand under one another; by
            default the last one there is.

    Raises:
        ValueError: no value is finite.
    """
    steps = [step for curve in chart.curves.values() for step in curve.steps]
    values = [v for curve in chart.curves.values() for v in curve.values if math.isfinite(v)]
    if not values:
        raise ValueError(
            f"curves must have a finite value, got none for {chart.title!r}; leave out"
        )
    scale: AxisScale = "linear" if chart.is_linear or chart.is_percent else axis_scale(values)
    y = _Axis.of(values, scale)
    if chart.is_percent:
        y = _Axis(max(y.low, 0.0), min(y.high, 1.0), scale)
    x = _Axis(0, max(max(steps) if until is None else until, 1), "linear")
    lengths = [len(curve.steps) for curve in chart.curves.values()]
    longest = max((length for length in lengths if length >= _SMOOTHED_FROM), default=0)
    window = max(longest // _WINDOWS, _LEAST_WINDOW) | 1 if chart.is_noisy and longest else 0
    return Drawing(
        title=chart.title,
        about=chart.about,
        described=" ".join(
            _described(name, curve, chart.is_percent) for name, curve in chart.curves.items()
        ),
        scale=scale,
        x_ticks=[Tick(at=x.at(value), text=_step_text(value)) for value in x.ticks()],
        y_ticks=[Tick(at=100 - y.at(v), text=shown(v, chart.is_percent)) for v in y.ticks()],
        curves=[
            _drawn(name, curve, (x, y), chart.is_percent, window)
            for name, curve in chart.curves.items()
        ],
        rows=_rows(chart),
        window=window,
    )


def axis_scale(values: Sequence[float]) -> AxisScale:
    """Chooses a logarithmic scale where values are positive and far apart.

    Example:
        >>> axis_scale([0.5, 0.1]), axis_scale([900.0, 0.5, 0.7]), axis_scale([900.0, 0.0])
        ('linear', 'log', 'linear')
    """
    low = min(values)
    return "log" if low > 0 and max(values) > _LOG_RATIO * low else "linear"


def thinned(curve: Curve, columns: int = _COLUMNS, *, last_step: int) -> Iterator[Curve]:
    """Yields the stretches of a curve between values that are not finite, without what none sees.

    Of the points in one column of pixels the first, the lowest, the highest and the last stay, so
    every spike does.

    Args:
        curve: in the order of its steps, the first of them 0 or more.
        columns: of the plot.
        last_step: at its right end, at least 1.

    Example:
        >>> curve = Curve(list(range(1, 9)), [1.0, 9.0, 1.1, 1.2, 2.0, 2.1, 2.2, 2.3])
        >>> [stretch.steps for stretch in thinned(curve, 2, last_step=8)]
        [[1, 2, 3, 4, 7, 8]]
    """
    points = list(zip(*curve, strict=True))
    for is_finite, stretch in groupby(points, key=lambda point: math.isfinite(point[1])):
        if is_finite:
            kept: list[tuple[int, float]] = []
            for _, column in groupby(stretch, key=lambda point: point[0] * columns // last_step):
                inside = list(column)
                by_value = {
                    min(inside, key=lambda point: point[1]),
                    max(inside, key=lambda point: point[1]),
                }
                kept += sorted({inside[0], inside[-1]} | by_value)
            yield Curve([step for step, _ in kept], [value for _, value in kept])


def moving_mean(curve: Curve, window: int, scale: AxisScale = "linear") -> Curve:
    """Returns the mean of the `window` values around each, of fewer towards the ends.

    On a logarithmic scale it is the geometric one, which a single spike hardly moves.

    Example:
        >>> moving_mean(Curve([1, 2, 3], [3.0, float("nan"), 6.0]), 3).values
        [3.0, 4.5, 6.0]
    """
    if scale == "log":
        logs = moving_mean(Curve(curve.steps, [math.log(value) for value in curve.values]), window)
        return Curve(curve.steps, [math.exp(value) for value in logs.values])
    half = window // 2
    sums, counts = [0.0], [0]
    for value in curve.values:
        is_finite = math.isfinite(value)
        sums.append(sums[-1] + (value if is_finite else 0))
        counts.append(counts[-1] + is_finite)
    means = []
    for place in range(len(curve.values)):
        start, stop = max(place - half, 0), min(place + half + 1, len(curve.values))
        count = counts[stop] - counts[start]
        means.append((sums[stop] - sums[start]) / count if count else math.nan)
    return Curve(curve.steps, means)


def shown(value: float, is_percent: bool = False) -> str:
    """Writes a value for a reader.

    Example:
        >>> shown(0.41234), shown(1e-5), shown(1234567), shown(0.5721, True), shown(float("nan"))
        ('0.4123', '1e-05', '1.23e+06', '57.2', 'n/a')
    """
    if not math.isfinite(value):
        return "n/a"
    if is_percent:
        return f"{100 * value:.1f}"
    if value and not 1e-3 <= abs(value) < 1e5:  # noqa: PLR2004 - what is read at a glance
        return f"{value:.3g}"
    return f"{value:,.4g}" if abs(value) < 1e3 else f"{value:,.0f}"  # noqa: PLR2004


@dataclass(frozen=True, slots=True)
class _Axis:
    low: float
    high: float
    scale: AxisScale

    @classmethod
    def of(cls, values: Sequence[float], scale: AxisScale) -> "_Axis":
        """Returns an axis on which all values are, with some room."""
        low, high = min(values), max(values)
        if scale == "log":
            room = (high / low) ** 0.04
            return cls(low / room, high * room, scale)
        if low == high:
            spread = abs(low) / 10 or 1.0
            return cls(low - spread, high + spread, scale)
        step = _nice_step(high - low)
        return cls(math.floor(low / step) * step, math.ceil(high / step) * step, scale)

    def at(self, value: float) -> float:
        """Returns where a value is, in percent from the low end."""
        if self.scale == "log":
            return 100 * math.log(value / self.low) / math.log(self.high / self.low)
        return 100 * (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """Returns round values on the axis."""
        if self.scale == "linear":
            step = _nice_step(self.high - self.low)
            first = math.ceil(self.low / step - 1e-9)
            count = math.floor(self.high / step + 1e-9) - first + 1
            return [(first + number) * step for number in range(count)]
        low, high = math.log10(self.low), math.log10(self.high)
        decades = range(math.floor(low), math.ceil(high) + 1)
        every = math.ceil((high - low) / _TICKS)
        parts = (1.0, 3.0) if high - low < 3 else (1.0,)  # noqa: PLR2004 - decades
        ticks = [part * 10.0**decade for decade in decades[::every] for part in parts]
        return [tick for tick in ticks if self.low <= tick <= self.high]


def _nice_step(span: float) -> float:
    """Returns 1, 2 or 5 times a power of ten: the least that gives few enough ticks."""
    rough = span / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    return next(part * power for part in (1, 2, 5, 10) if part * power >= rough * (1 - 1e-9))


def _drawn(
    name: str, curve: Curve, axes: tuple[_Axis, _Axis], is_percent: bool, window: int
) -> DrawnCurve:
    x, y = axes
    finite = [(s, v) for s, v in zip(*curve, strict=True) if math.isfinite(v)]
    is_smooth = bool(window) and len(curve.steps) >= _SMOOTHED_FROM
    return DrawnCurve(
        name=name,
        last=shown(finite[-1][1] if finite else math.nan, is_percent),
        path=_path(curve, axes),
        mean_path=_path(moving_mean(curve, window, y.scale), axes) if is_smooth else "",
        dots=[(x.at(step), 100 - y.at(value)) for step, value in finite]
        if len(finite) <= _DOTTED
        else [],
    )


def _path(curve: Curve, axes: tuple[_Axis, _Axis]) -> str:
    x, y = axes
    scale = PLOT_SIDE / 100
    parts = []
    for stretch in thinned(curve, last_step=int(x.high)):
        points = [
            f"{scale * x.at(step):.4g} {scale * (100 - y.at(value)):.4g}"
            for step, value in zip(*stretch, strict=True)
        ]
        parts.append("M" + "L".join(points))
    return "".join(parts)


def _rows(chart: Chart) -> list[tuple[str, list[str]]]:
    """Returns some of the steps, evenly chosen, the last one too."""
    curves = [dict(zip(*curve, strict=True)) for curve in chart.curves.values()]
    steps = sorted({step for curve in curves for step in curve})
    every = math.ceil(len(steps) / _ROWS)
    chosen = steps[::-1][::every][::-1]
    return [
        (
            f"{step:,}",
            [shown(curve[step], chart.is_percent) if step in curve else "" for curve in curves],
        )
        for step in chosen
    ]


def _described(name: str, curve: Curve, is_percent: bool) -> str:
    finite = [(v, s) for s, v in zip(*curve, strict=True) if math.isfinite(v)]
    if not finite:
        return f"{name}: no value."
    (low, low_at), (high, high_at) = min(finite), max(finite)
    first, last = finite[0], finite[-1]
    texts = [shown(value, is_percent) for value in (first[0], last[0], low, high)]
    return (
        f"{name}: {texts[0]} at step {first[1]:,}, {texts[1]} at step {last[1]:,}; "
        f"lowest {texts[2]} at step {low_at:,}, highest {texts[3]} at step {high_at:,}."
    )


def _step_text(step: float) -> str:
    return f"{step / 1000:g}k" if step >= 1e4 else f"{step:g}"  # noqa: PLR2004 - five digits
