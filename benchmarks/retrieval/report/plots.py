"""Where the marks of the report's plots stand, in percent of the width of their scales."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hgld.benchmarks.retrieval.report.metrics import Metric
from hgld.benchmarks.retrieval.results import FEW_GROUPS, Measure, MethodResults, Results

_STEPS = (1, 2, 2.5, 5, 10)
_MOST_TICKS = 5
_MARGIN = 3.0
"""Of the width of a scale, on both sides, so that no mark is cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlotScale:
    """From which to which value a plot goes."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """Returns where a value stands, from 0 to 100."""
        share = (value - self.low) / (self.high - self.low)
        return round(_MARGIN + (100 - 2 * _MARGIN) * share, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A value with its interval, in percent of the width."""

    name: str
    number: int
    """Decides its shape and colour."""
    at: float
    low: float
    high: float
    """Both `at` where there is no interval."""
    text: str
    interval: str
    queries: int
    is_gain: bool
    """Above 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Values of one metric below each other on one scale."""

    title: str
    level: str
    ticks: tuple[tuple[float, str], ...]
    """Where, and what is written there."""
    zero: float
    """Where 0 stands, if it does."""
    marks: tuple[Mark, ...]


def plot_scale(values: Iterable[float]) -> PlotScale:
    """Returns a scale of round ticks that has room for values, NaN left out.

    Example:
        >>> plot_scale([0.31, 0.58]).ticks
        (0.3, 0.4, 0.5, 0.6)
    """
    defined = [value for value in values if not math.isnan(value)]
    low, high = min(defined, default=0.0), max(defined, default=1.0)
    width = high - low or max(abs(high), 0.1) * 0.1
    power = 10.0 ** math.floor(math.log10(width / _MOST_TICKS))
    step = next(one * power for one in _STEPS if width / (one * power) <= _MOST_TICKS)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    ticks = tuple(round(number * step, 10) for number in range(first, last + 1))
    return PlotScale(low=ticks[0], high=ticks[-1], ticks=ticks)


def leaderboard_plot(results: Results, metric: Metric) -> Plot:
    """Returns a metric of all methods, those without a value left out, the best on top."""
    measures = {
        number: method.measures[metric.key]
        for number, method in enumerate(results.methods)
        if not math.isnan(method.measures[metric.key].mean)
    }
    order = sorted(measures, key=lambda number: -metric.goodness(measures[number].mean))
    scale = plot_scale(_ends(measures.values()))
    marks = [
        _mark(
            results.methods[number].title,
            measures[number],
            scale,
            number=_look(results, number),
            text=metric.text(measures[number].mean),
            interval=metric.interval_text(measures[number]),
        )
        for number in order
    ]
    return _plot(metric, scale, marks, [metric.text(tick) for tick in scale.ticks])


def gains_plot(method: MethodResults, metric: Metric) -> Plot:
    """Returns the gains of a method by label, such as super-category, the highest on top.

    One with queries of fewer than `FEW_GROUPS` landmarks is no part of it.
    """
    gains = {name: gain for name, gain in method.gain_by_label.items() if gain.groups >= FEW_GROUPS}
    order = sorted(gains, key=lambda name: (-gains[name].mean, name))
    scale = plot_scale([0.0, *_ends(gains.values())])
    marks = [
        _mark(
            name,
            gains[name],
            scale,
            number=1,
            text=metric.change_text(gains[name].mean),
            interval=metric.change_interval_text(gains[name]),
        )
        for name in order
    ]
    return _plot(metric, scale, marks, [metric.change_text(tick) for tick in scale.ticks])


def _look(results: Results, number: int) -> int:
    """Returns which look a method has: 0 of a baseline, and 1 to 3 of the others in turn."""
    is_baseline = results.methods[number].name in {one.baseline for one in results.methods}
    return 0 if is_baseline else 1 + (number - 1) % 3


def _ends(measures: Iterable[Measure]) -> list[float]:
    return [end for one in measures for end in (one.mean, one.low, one.high)]


def _plot(metric: Metric, scale: PlotScale, marks: list[Mark], words: Sequence[str]) -> Plot:
    places = [scale.at(tick) for tick in scale.ticks]
    return Plot(
        title=metric.title,
        level=metric.level,
        ticks=tuple(zip(places, words, strict=True)),
        zero=scale.at(0.0),
        marks=tuple(marks),
    )


def _mark(
    name: str, measure: Measure, scale: PlotScale, *, number: int, text: str, interval: str
) -> Mark:
    at = scale.at(measure.mean)
    has_interval = not math.isnan(measure.low)
    return Mark(
        name=name,
        number=number,
        at=at,
        low=scale.at(measure.low) if has_interval else at,
        high=scale.at(measure.high) if has_interval else at,
        text=text,
        interval=interval,
        queries=measure.queries,
        is_gain=measure.mean > 0,
    )
