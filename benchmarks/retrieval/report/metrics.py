"""The metrics that a report shows, and how their numbers are written."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hgld.benchmarks.pages import percent, points
from hgld.benchmarks.retrieval.results import Measure, MethodResults, Results
from hgld.engine.dataset import Level

SIGNIFICANT = 0.05
"""Adjusted p-values below it are called a difference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric that the report shows."""

    key: str
    title: str
    level: str
    """The level it looks at, as a reader sees it."""
    is_share: bool = True
    """From 0 to 1, the higher the better, and written in percent; else levels missed, the lower
    the better."""

    def text(self, value: float) -> str:
        """Writes a value; NaN as `n/a`."""
        if self.is_share or math.isnan(value):
            return percent(value)
        return f"{value:.2f}"

    def change_text(self, difference: float) -> str:
        """Writes a difference with its sign, of shares in percentage points; NaN as `n/a`."""
        if self.is_share or math.isnan(difference):
            return points(difference)
        return f"{difference:+.2f}" if f"{difference:.2f}" not in {"0.00", "-0.00"} else "0.00"

    def interval_text(self, measure: Measure) -> str:
        """Writes the interval of a value; empty where there is none."""
        return self._between(measure, self.text)

    def change_interval_text(self, measure: Measure) -> str:
        """Writes the interval of a difference; empty where there is none."""
        return self._between(measure, self.change_text)

    def goodness(self, value: float) -> float:
        """Returns a number that is higher the better the value is."""
        return value if self.is_share else -value

    @staticmethod
    def _between(measure: Measure, text: Callable[[float], str]) -> str:
        if math.isnan(measure.low):
            return ""
        return f"[{text(measure.low)}, {text(measure.high)}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One method's value of one metric, as it is written."""

    mean: str
    error: str
    """Standard error over the queries."""
    interval: str
    value: float
    is_best: bool
    is_tied: bool
    """Not the best, and no test tells it from the best."""


def metrics_of(results: Results) -> list[Metric]:
    """Returns the metrics shown, in order: of all levels, then mAP@100, R@1 and R@10 by level."""
    return metrics_of_levels(results.levels)


def metrics_of_levels(levels: Sequence[Level]) -> list[Metric]:
    """Returns the metrics shown where labels have these levels."""
    metrics = [
        Metric(key=key, title=title, level="all levels")
        for key, title in (("h_ap", "H-AP"), ("ndcg", "NDCG"), ("asi", "ASI"))
    ]
    metrics.append(
        Metric(
            key="mistake_severity_at_1",
            title="Mistake severity",
            level="all levels",
            is_share=False,
        )
    )
    for key, title in (("map_at_100", "mAP@100"), ("r_at_1", "R@1"), ("r_at_10", "R@10")):
        metrics += [
            Metric(key=f"{key}_{level.name}", title=title, level=level.title) for level in levels
        ]
    return metrics


def cells_of(results: Results, metric: Metric) -> list[Cell]:
    """Returns what each method has of a metric.

    The best mean is marked, all of them where several are equal, none where nothing differs; and
    so is what the paired tests do not tell from it.
    """
    means = [method.measures[metric.key].mean for method in results.methods]
    defined = [metric.goodness(mean) for mean in means if not math.isnan(mean)]
    best = max(defined) if defined and max(defined) > min(defined) else math.nan
    leaders = [
        method.name
        for method, mean in zip(results.methods, means, strict=True)
        if metric.goodness(mean) == best
    ]
    like_best = {
        name
        for one in results.comparisons
        if one.metric == metric.key and one.holm_p_value >= SIGNIFICANT
        for name, other in ((one.method, one.other), (one.other, one.method))
        if other in leaders
    }
    return [
        _cell(metric, method, is_best=method.name in leaders, is_tied=method.name in like_best)
        for method in results.methods
    ]


def _cell(metric: Metric, method: MethodResults, *, is_best: bool, is_tied: bool) -> Cell:
    measure = method.measures[metric.key]
    return Cell(
        mean=metric.text(measure.mean),
        error=metric.text(measure.standard_error),
        interval=metric.interval_text(measure),
        value=measure.mean,
        is_best=is_best,
        is_tied=is_tied and not is_best,
    )
