"""The metrics that a report shows, and how their numbers are written."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hgld.benchmarks.pages import percent, points
from hgld.benchmarks.retrieval.results import Measure, MethodResults, Results
from hgld.engine.dataset import Level

SIGNIFICANT = 0.05
"""Adjusted p-values below it are called a difference."""
ALL_LEVELS = "all levels"
"""What a reader sees in the place of a level where a metric scores all of them together."""


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
    deviation: str
    """Standard deviation over seeds; empty of one run."""
    interval: str
    value: float
    is_best: bool
    is_tied: bool
    """Not the best, and no test tells it from the best."""


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
        is_data_set: with mAP and mAP@R too, which papers state of these; R@k of the finest level
            alone, and of coarser ones the first.

    Returns:
        Of all levels together where there are several, then level by level. The first one is the
        leading metric: methods, examples and gains are ordered by it.
    """
    if not levels:
        of_list = {"ap": "mAP", "p_at_1": "mP@1", "p_at_5": "mP@5", "p_at_10": "mP@10"}
        return [
            Metric(key=f"{key}_{difficulty}", title=title, level=difficulty)
            for difficulty in ("medium", "hard")
            for key, title in of_list.items()
        ]
    found = _of_all_levels() if len(levels) > 1 else []
    recalls = {f"r_at_{k}": f"R@{k}" for k in recall_at}
    if not is_data_set:
        shown = {"map_at_100": "mAP@100", **recalls}
        return found + [
            Metric(key=f"{key}_{level.name}", title=title, level=level.title)
            for key, title in shown.items()
            for level in levels
        ]
    finest = {"ap": "mAP", "map_at_r": "mAP@R", "map_at_100": "mAP@100", **recalls}
    coarser = {"ap": "mAP", "map_at_100": "mAP@100", **dict(list(recalls.items())[:1])}
    return found + [
        Metric(key=f"{key}_{level.name}", title=title, level=level.title)
        for number, level in enumerate(levels)
        for key, title in (coarser if number else finest).items()
    ]


def _of_all_levels() -> list[Metric]:
    """Returns the metrics that score all levels together."""
    titles = {"h_ap": "H-AP", "ndcg": "NDCG", "asi": "ASI"}
    severity = Metric(
        key="mistake_severity_at_1", title="Mistake severity", level=ALL_LEVELS, is_share=False
    )
    return [
        *(Metric(key=key, title=title, level=ALL_LEVELS) for key, title in titles.items()),
        severity,
    ]


def leading_metrics(metrics: Sequence[Metric]) -> list[Metric]:
    """Returns those that are plotted and tested at length: the first, and mAP@100 of each level."""
    return [one for one in metrics if one.title in {metrics[0].title, "mAP@100"}]


def value_or_least(method: MethodResults, metric: Metric) -> float:
    """Returns a number that is higher the better a method is; one without a value comes last."""
    mean = method.measures[metric.key].mean
    return -math.inf if math.isnan(mean) else metric.goodness(mean)


def best_first(results: Results, metric: Metric) -> list[int]:
    """Returns the places of the methods, that of the best by a metric first."""
    places = range(len(results.methods))
    return sorted(places, key=lambda place: -value_or_least(results.methods[place], metric))


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
    measure, seeds = method.measures[metric.key], method.over_seeds.get(metric.key)
    return Cell(
        mean=metric.text(measure.mean),
        error=metric.text(measure.standard_error),
        deviation=metric.text(seeds.deviation) if seeds else "",
        interval=metric.interval_text(measure),
        value=measure.mean,
        is_best=is_best,
        is_tied=is_tied and not is_best,
    )
