"""Axes, and curves of one or more values along them."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from hgld.plots.pages import number, page_template

_STEPS = (1, 2, 2.5, 5, 10)
_MOST_TICKS = 5
_LOG_RATIO = 30.0
"""From the lowest to the highest value: beyond it, half of a linear plot is nearly empty."""
_SCALE = 10
"""Units of a path for each percent, both ways: the page stretches it to its width."""
_COLUMNS = 480
"""Of a plot: about its pixels in one of two columns on a desk."""
_SMOOTHED_FROM = 60
"""Values; of fewer, each is seen as it is."""
_WINDOWS = 40
"""Of a moving mean, in a curve's length."""
_LEAST_WINDOW = 5
_DOTTED = 40
"""Points of a curve at most that are marked one by one."""
_ROWS = 24
"""Of the table that stands for a plot."""
Line = tuple[Sequence[float], Sequence[float]]
"""x, in its order, and y, NaN where there is none."""


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
    least, most = limits or (-math.inf, math.inf)
    ticks = tuple(tick for tick in _round_ticks(low, high) if least <= tick <= most)
    return Axis(low=ticks[0], high=ticks[-1], ticks=ticks, margin=margin)


def axis_between(low: float, high: float) -> Axis:
    """Returns a linear axis with these ends, and the round ticks between them.

    Example:
        >>> axis_between(0, 1234).ticks
        (0.0, 250.0, 500.0, 750.0, 1000.0)
    """
    ticks = tuple(tick for tick in _round_ticks(low, high) if low <= tick <= high)
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


def _round_ticks(low: float, high: float) -> list[float]:
    """Returns a few values around a range, at steps of 1, 2, 2.5 or 5 times a power of ten."""
    span = high - low
    power = 10.0 ** math.floor(math.log10(span / _MOST_TICKS))
    step = next(one * power for one in _STEPS if span / (one * power) <= _MOST_TICKS + 1e-9)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    # Without the last digits, in which 3 times 0.1 is not 0.3.
    return [float(f"{number * step:.12g}") for number in range(first, last + 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What to draw."""

    title: str
    lines: Mapping[str, Line]
    """By the name that a reader sees."""
    about: str = ""
    """What it is, in a sentence or less."""
    x_title: str = ""
    y_text: Callable[[float], str] = number
    x_end: float | None = None
    """The right end, so that several charts stand under one another; None: the last x."""
    y_limits: tuple[float, float] | None = None
    """What no value can be beyond, such as 0 and 1."""
    x_mark: float | None = None
    """Where an upright line stands."""
    y_mark: float | None = None
    """Where a level line stands, within the values."""
    looks: Mapping[str, int] | None = None
    """Name to colour and dashes, 0 to 6; None: 1, 2, ... in the order of the lines."""
    may_be_log: bool = False
    """Whether y is logarithmic where its values are far apart."""
    shows_last: bool = False
    """Whether the last value of each line stands beside its name."""
    is_noisy: bool = False
    """Whether a moving mean is drawn upon a long curve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnLine:
    """One line of a drawing."""

    name: str
    look: int
    last: str
    """Its last value."""
    path: str
    mean_path: str
    """Of the moving mean; empty where there is none."""
    dots: list[tuple[float, float]]
    """Percents from the left and from the top; none of a long curve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """What the macro `chart` draws."""

    chart: Chart
    is_log: bool
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    x_mark: float | None
    y_mark: float | None
    lines: list[DrawnLine]
    rows: list[tuple[str, list[str]]]
    """Some x, and the values there, by line: for those who do not see the plot, too."""
    window: int
    """Values of the moving mean; 0: there is none."""


def draw(chart: Chart) -> Drawing:
    """Places the lines of a chart.

    Raises:
        ValueError: no value is finite.

    Example:
        >>> drawing = draw(Chart(title="Loss", lines={"loss": ([0, 50, 100], [0.8, 0.4, 0.2])}))
        >>> [(tick.at, tick.text) for tick in drawing.y_ticks]
        [(0.0, '0.2'), (33.33, '0.4'), (66.67, '0.6'), (100.0, '0.8')]
        >>> drawing.lines[0].path
        'M0 0L500 666.7L1000 1000'
    """
    ys = [y for _, values in chart.lines.values() for y in values if math.isfinite(y)]
    if not ys:
        raise ValueError(f"lines must have a finite value, got none for {chart.title!r}; leave out")
    y_axis = log_axis_of(ys) if chart.may_be_log else None
    xs = [x for at, _ in chart.lines.values() for x in at]
    x_axis = axis_between(min(0.0, *xs), (max(xs) if chart.x_end is None else chart.x_end) or 1.0)
    axes = (x_axis, y_axis or axis_of(ys, limits=chart.y_limits))
    lengths = (len(values) for _, values in chart.lines.values())
    longest = max((length for length in lengths if length >= _SMOOTHED_FROM), default=0)
    window = max(longest // _WINDOWS, _LEAST_WINDOW) | 1 if chart.is_noisy and longest else 0
    looks = chart.looks or {name: place % 6 + 1 for place, name in enumerate(chart.lines)}
    return Drawing(
        chart=chart,
        is_log=axes[1].is_log,
        x_ticks=axes[0].marked(number),
        y_ticks=axes[1].marked(chart.y_text),
        x_mark=None if chart.x_mark is None else axes[0].at(chart.x_mark),
        y_mark=None if chart.y_mark is None else axes[1].at(chart.y_mark),
        lines=[_drawn(chart, name, looks[name], axes, window) for name in chart.lines],
        rows=_rows(chart),
        window=window,
    )


def figure(drawings: Sequence[Drawing], about: str) -> str:
    """Returns an SVG file with several drawings, two beside each other, for a page in Markdown.

    Args:
        drawings: in rows. Lines of one name have one look.
        about: what is seen, for those who do not see it.
    """
    names = {line.name: line for drawing in drawings for line in drawing.lines}
    template = page_template("hgld.plots", "figure.svg.j2")
    return template.render(drawings=drawings, lines=list(names.values()), about=about)


def thinned(line: Line, columns: int = _COLUMNS, *, x_end: float) -> Iterator[Line]:
    """Yields the stretches of a line between values that are not finite, without what none sees.

    Of the points in one column of pixels the first, the lowest, the highest and the last stay, so
    every spike does.

    Args:
        line: in the order of its x, the first of them 0 or more.
        columns: of the plot.
        x_end: at its right end, above 0.

    Example:
        >>> line = (list(range(1, 9)), [1.0, 9.0, 1.1, 1.2, 2.0, 2.1, 2.2, 2.3])
        >>> [xs for xs, ys in thinned(line, 2, x_end=8)]
        [[1, 2, 3, 4, 7, 8]]
    """
    points = list(zip(*line, strict=True))
    for is_finite, stretch in groupby(points, key=lambda point: math.isfinite(point[1])):
        if is_finite:
            kept: list[tuple[float, float]] = []
            for _, column in groupby(stretch, key=lambda point: point[0] * columns // x_end):
                inside = list(column)
                ends = {min(inside, key=lambda one: one[1]), max(inside, key=lambda one: one[1])}
                kept += sorted({inside[0], inside[-1]} | ends)
            yield [x for x, _ in kept], [y for _, y in kept]


def moving_mean(values: Sequence[float], window: int, *, is_log: bool = False) -> list[float]:
    """Returns the mean of the `window` values around each, of fewer towards the ends.

    Args:
        values: (n,); one that is not finite counts for nothing.
        window: odd.
        is_log: whether it is the geometric mean, which a single spike hardly moves.

    Returns:
        (n,), NaN where no value is finite.

    Example:
        >>> moving_mean([3.0, float("nan"), 6.0], 3)
        [3.0, 4.5, 6.0]
    """
    every = np.log(values) if is_log else np.asarray(values, dtype=np.float64)
    is_finite = np.isfinite(every)
    places = np.arange(len(every))
    start = np.maximum(places - window // 2, 0)
    stop = np.minimum(places + window // 2 + 1, len(every))
    totals, seen = (
        np.concatenate([[0.0], np.cumsum(each)])
        for each in (np.where(is_finite, every, 0.0), is_finite)
    )
    sums, counts = totals[stop] - totals[start], seen[stop] - seen[start]
    means = np.divide(sums, counts, out=np.full(len(every), np.nan), where=counts > 0)
    found: list[float] = (np.exp(means) if is_log else means).tolist()
    return found


def _drawn(chart: Chart, name: str, look: int, axes: tuple[Axis, Axis], window: int) -> DrawnLine:
    xs, ys = chart.lines[name]
    finite = [(x, y) for x, y in zip(xs, ys, strict=True) if math.isfinite(y)]
    x_axis, y_axis = axes
    is_smooth = bool(window) and len(ys) >= _SMOOTHED_FROM
    means = moving_mean(ys, window, is_log=y_axis.is_log) if is_smooth else []
    return DrawnLine(
        name=name,
        look=look,
        last=chart.y_text(finite[-1][1] if finite else math.nan),
        path=_path((xs, ys), axes),
        mean_path=_path((xs, means), axes) if is_smooth else "",
        dots=[
            (x_axis.at(x), round(100 - y_axis.at(y), 2))
            for x, y in finite
            if len(finite) <= _DOTTED
        ],
    )


def _path(line: Line, axes: tuple[Axis, Axis]) -> str:
    x_axis, y_axis = axes
    parts = []
    for xs, ys in thinned(line, x_end=x_axis.high):
        places = [
            f"{_SCALE * x_axis.at(x):.4g} {_SCALE * (100 - y_axis.at(y)):.4g}"
            for x, y in zip(xs, ys, strict=True)
        ]
        parts.append("M" + "L".join(places))
    return "".join(parts)


def _rows(chart: Chart) -> list[tuple[str, list[str]]]:
    """Returns some of the x, evenly chosen, the last one too."""
    lines = [dict(zip(*line, strict=True)) for line in chart.lines.values()]
    xs = sorted({x for line in lines for x in line})
    chosen = xs[:: -math.ceil(len(xs) / _ROWS)][::-1]
    return [
        (number(x), [chart.y_text(line[x]) if x in line else "" for line in lines]) for x in chosen
    ]
