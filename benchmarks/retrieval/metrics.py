"""The metrics that a report shows, and how their figures are written.

A metric that `hgld.metrics` computes is in the table of results by itself; here it gets a title and
a place in the report.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hgld.benchmarks.retrieval.results import Method, Results, Row
from hgld.engine.dataset import Level
from hgld.plots.pages import percent, points

SIGNIFICANT = 0.05
"""Adjusted p-values below it are called a difference."""
ALL_LEVELS = "all levels"
"""What a reader sees in the place of a level where a metric scores all of them together."""

OF_ALL_LEVELS = {"h_ap": "H-AP", "ndcg": "NDCG", "asi": "ASI"}
"""Titles of the metrics that score all levels together, by key, the leading one first."""
_LEVELS_MISSED = {"mistake_severity_at_1": "Mistake severity"}
_OF_REVISITED = {"ap": "mAP", "p_at_1": "mP@1", "p_at_5": "mP@5", "p_at_10": "mP@10"}


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

    @property
    def name(self) -> str:
        """How it is called where no level stands beside it, such as `H-AP` or `mAP, medium`."""
        return self.title if self.level == ALL_LEVELS else f"{self.title}, {self.level}"

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

    def interval_text(self, row: Row) -> str:
        """Writes the interval of a row, with signs if it is a difference; empty without one."""
        return between(row.low, row.high, self.change_text if row.against else self.text)

    def goodness(self, value: float) -> float:
        """Returns a number that is higher the better the value is; of NaN the least."""
        if math.isnan(value):
            return -math.inf
        return value if self.is_share else -value


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One method's value of one metric, as it is written."""

    mean: str
    error: str
    """Standard error over the queries."""
    deviation: str
    """Standard deviation over seeds; empty of one run."""
    interval: str
    value: float
    is_best: bool
    is_tied: bool
    """Not the best, and no test tells it from the best."""


def between(low: float, high: float, text: Callable[[float], str]) -> str:
    """Writes an interval; empty where there is none."""
    return "" if math.isnan(low) else f"[{text(low)}, {text(high)}]"


def shown_level(levels: Sequence[Level]) -> Level | None:
    """Returns the level by whose labels queries are told apart: that above the finest.

    Args:
        levels: finest first.

    Returns:
        The finest where there is no other; None where there are no labels.
    """
    return levels[min(1, len(levels) - 1)] if levels else None


def metrics_of(results: Results) -> list[Metric]:
    """Returns the metrics shown, in order, the leading one first (`shown_metrics`)."""
    return shown_metrics(results.levels, results.recall_at, is_data_set=results.data_set != "")


def shown_metrics(
    levels: Sequence[Level], recall_at: Sequence[int] = (1, 10), *, is_data_set: bool = False
) -> list[Metric]:
    """Returns the metrics shown where labels have these levels.

    Args:
        levels: finest first; none: the metrics of Revisited Oxford and Paris.
        recall_at: k of R@k.
        is_data_set: with mAP and mAP@R too, which papers state of these; R@k of coarser levels
            only the first.

    Returns:
        Of all levels together where there are several, then level by level. The first one is the
        leading metric: methods, examples and gains are ordered by it.
    """
    if not levels:
        return [
            Metric(key=f"{key}_{difficulty}", title=title, level=difficulty)
            for difficulty in ("medium", "hard")
            for key, title in _OF_REVISITED.items()
        ]
    found = []
    if len(levels) > 1:
        found = [
            Metric(key=key, title=title, level=ALL_LEVELS, is_share=key in OF_ALL_LEVELS)
            for key, title in (OF_ALL_LEVELS | _LEVELS_MISSED).items()
        ]
    recalls = {f"r_at_{k}": f"R@{k}" for k in recall_at}
    if not is_data_set:
        return found + [
            Metric(key=f"{key}_{level.name}", title=title, level=level.title)
            for key, title in {"map_at_100": "mAP@100", **recalls}.items()
            for level in levels
        ]
    finest = {"ap": "mAP", "map_at_r": "mAP@R", "map_at_100": "mAP@100", **recalls}
    coarser = {"ap": "mAP", "map_at_100": "mAP@100", **dict(list(recalls.items())[:1])}
    return found + [
        Metric(key=f"{key}_{level.name}", title=title, level=level.title)
        for number, level in enumerate(levels)
        for key, title in (coarser if number else finest).items()
    ]


def level_of(key: str, levels: Sequence[Level]) -> str:
    """Returns the level that a metric looks at, as a reader sees it, by the end of its key."""
    titles = {level.name: level.title for level in levels}
    # Of Revisited Oxford and Paris a metric ends with its difficulty.
    titles = titles or {one: one for one in ("easy", "medium", "hard")}
    return next((title for name, title in titles.items() if key.endswith(f"_{name}")), ALL_LEVELS)


def leading_metrics(metrics: Sequence[Metric]) -> list[Metric]:
    """Returns those that are plotted and tested at length: the first, and mAP@100 of each level."""
    return [one for one in metrics if one.title in {metrics[0].title, "mAP@100"}]


def best_first(results: Results, metric: Metric) -> list[Method]:
    """Returns the methods, the best by a metric first and those without a value last."""

    def goodness(method: Method) -> float:
        return metric.goodness(results.row(method.name, metric.key).mean)

    return sorted(results.methods, key=goodness, reverse=True)


def cells_of(results: Results, metric: Metric) -> dict[str, Cell]:
    """Returns what each method has of a metric, by its name.

    The best mean is marked, all of them where several are equal, none where nothing differs; and
    so is what the paired tests do not tell from it.
    """
    rows = {one.name: results.row(one.name, metric.key) for one in results.methods}
    values = {name: metric.goodness(one.mean) for name, one in rows.items()}
    defined = {value for value in values.values() if value > -math.inf}
    leaders = [name for name in rows if len(defined) > 1 and values[name] == max(defined)]
    tied = {
        name
        for one in results.rows
        if one.metric == metric.key and not one.label and one.holm_p_value >= SIGNIFICANT
        for name, other in ((one.method, one.against), (one.against, one.method))
        if other in leaders and name not in leaders
    }
    return {
        name: Cell(
            mean=metric.text(one.mean),
            error=metric.text(one.standard_error),
            deviation=metric.text(one.deviation) if one.seeds else "",
            interval=metric.interval_text(one),
            value=one.mean,
            is_best=name in leaders,
            is_tied=name in tied,
        )
        for name, one in rows.items()
    }
