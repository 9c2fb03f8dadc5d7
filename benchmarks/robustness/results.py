"""Results as one table: a row for each part, data set, method, seed and metric; and their page.

`Measured` is what a part hands over: scores of every method on the same rows. The harness makes the
same of all: each metric, how many rows it counts, and how far the main one, and each gain in it
over a simple method, would move with other groups.

The page has plots and tables, and no sentence that figures would make.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from hgld.benchmarks.retrieval.statistics import t_interval
from hgld.benchmarks.robustness.rows import RowTable
from hgld.engine.files import write_text
from hgld.plots.marks import Dot, DotsPlot, dots_plot
from hgld.plots.pages import page_template, percent, points
from hgld.tables.csv_files import csv_text

DRAWS = 100
"""Of the groups, for the error of a main metric: it is then known to 7%."""

_DIGITS = 6
_Key = TypeVar("_Key")

Scores = NDArray[np.float64]
Interval = tuple[float, float]


class ResultRow(NamedTuple):
    """One metric of one method on one data set with one seed."""

    part: str
    """Such as `failures`."""
    data: str
    """Name of the table of rows."""
    group: str
    """Which of its rows, or which task."""
    method: str
    seed: int
    metric: str
    value: float
    """NaN where it is undefined; a gain is above 0 where the method is better."""
    rows: int
    """How many were counted."""
    positives: int
    """How many of these are what is looked for: errors, rows from outside; of a mean: all."""
    against: str = ""
    """The method that a gain is over."""
    group_error: float = math.nan
    """Standard deviation of the value over draws of the groups; NaN where it is not taken."""
    chosen: str = ""
    """What validation rows chose for the method."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a part hands over: every method's scores of the same rows.

    Attributes:
        group: which rows, or which task.
        truth: (N,) what scores are compared with.
        groups: (N,) rows of one group are drawn together.
        scores: (N,) by method.
        positives: how many rows are what is looked for; None: all, as of a mean.
        chosen: by method, what validation rows chose for it.
        more: by method, metrics of its own.
    """

    group: str
    truth: NDArray[Any]
    groups: NDArray[np.int64]
    scores: Mapping[str, Scores]
    positives: int | None = None
    chosen: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


class Part(NamedTuple):
    """A question: how it is measured, and what its scores are compared by."""

    measure: Callable[[RowTable, int], Iterable[Measured]]
    """On a table of rows, with a seed."""
    metrics: Callable[[NDArray[Any], Scores], dict[str, float]]
    """From truth and scores to metrics by name."""
    main: Callable[[NDArray[Any], Scores], float]
    """The first of these: gains are taken in it, higher is better."""
    subjects: Sequence[str]
    """Methods whose gain is of interest."""
    rivals: Sequence[str]
    """Simple methods that they are compared with."""


def result_rows(name: str, part: Part, data: str, seed: int, found: Measured) -> list[ResultRow]:
    """Measures every method, and every gain of a subject over a simple method.

    Args:
        name: of the part.
        part: what the scores are compared by.
        data: of the rows.
        seed: of the rows, and of the draws of groups.
        found: what was measured.

    Returns:
        A row for each method and metric; then one for each subject and rival.
    """
    count = len(found.truth)
    positives = count if found.positives is None else found.positives
    row = partial(ResultRow, name, data, found.group, seed=seed, rows=count, positives=positives)
    drawn, rows, whole = _drawn(part, found, seed), [], {}
    for method, scores in found.scores.items():
        metrics = part.metrics(found.truth, scores)
        main, whole[method] = next(iter(metrics.items()))
        for metric, value in (metrics | dict(found.more.get(method, {}))).items():
            one = row(method=method, metric=metric, value=round(value, _DIGITS))
            if metric == main:
                chosen = found.chosen.get(method, "")
                one = one._replace(group_error=_error(drawn[method]), chosen=chosen)
            rows.append(one)
    gain = partial(row, metric=f"gain {main}")
    for subject, rival in itertools.product(part.subjects, part.rivals):
        if {subject, rival} <= whole.keys():
            value = round(whole[subject] - whole[rival], _DIGITS)
            error = _error(drawn[subject] - drawn[rival])
            rows.append(gain(method=subject, against=rival, value=value, group_error=error))
    return rows


def write_results(path: Path, rows: Iterable[ResultRow]) -> None:
    """Writes rows as CSV, whole or not at all; NaN is an empty cell."""
    write_text(path, csv_text([ResultRow._fields, *rows]))


class Spread(NamedTuple):
    """A value over the seeds.

    Attributes:
        mean: of the seeds for which it is defined.
        deviation: standard deviation over them; NaN of one.
        over_seeds: the 95% interval of the mean by Student's t over seeds; NaN of one seed.
        over_groups: mean -+ 1.96 times its mean error over groups: seeds draw from the same groups,
            so that more of them make it no narrower.
    """

    mean: float
    deviation: float
    over_seeds: Interval
    over_groups: Interval

    @property
    def widest(self) -> Interval:
        """The ends of what both intervals hold; NaN where neither is there."""
        low, high = zip(self.over_seeds, self.over_groups, strict=True)
        return float(np.fmin(*low)), float(np.fmax(*high))

    @staticmethod
    def of(rows: Sequence[ResultRow]) -> "Spread":
        """Sums up one metric of one method over its seeds."""
        values = np.array([row.value for row in rows if not math.isnan(row.value)])
        errors = np.array([row.group_error for row in rows if not math.isnan(row.group_error)])
        mean = float(values.mean()) if len(values) else math.nan
        deviation = float(values.std(ddof=1)) if len(values) > 1 else math.nan
        others = 1.96 * float(errors.mean()) if len(errors) else math.nan
        return Spread(mean, deviation, t_interval(values.tolist()), (mean - others, mean + others))


class Gain(NamedTuple):
    """A method against the simple one of the best mean, which is chosen with hindsight."""

    method: str
    against: str
    spread: Spread


def best_gains(rows: Sequence[ResultRow]) -> list[Gain]:
    """Returns each method's gain over the rival that it gains least over.

    Args:
        rows: of one part, data set and group.

    Returns:
        A gain for each method that was compared, in the order of the rows.
    """
    pairs = _by(lambda row: (row.method, row.against), (row for row in rows if row.against))
    gains = [Gain(*pair, Spread.of(own)) for pair, own in pairs.items()]
    known = [gain for gain in gains if not math.isnan(gain.spread.mean)]
    return [
        min((gain for gain in known if gain.method == method), key=lambda one: one.spread.mean)
        for method in dict.fromkeys(gain.method for gain in known)
    ]


def render_page(metadata: Mapping[str, object], rows: Sequence[ResultRow]) -> str:
    """Returns the page; what it says of each part is in the template.

    Args:
        metadata: what the results were made with.
        rows: of all parts.
    """
    template = page_template(__package__, "robustness.html.j2", spread=spread_text)
    shown = {
        part: [_set(*one) for one in _by(lambda row: f"{row.data}: {row.group}", own).items()]
        for part, own in _by(lambda row: row.part, rows).items()
    }
    return template.render(
        metadata=metadata,
        parts=shown,
        plots={part: _gain_plots(sets) for part, sets in shown.items()},
        seeds=len({row.seed for row in rows}),
    )


def spread_text(spread: Spread) -> str:
    """Writes a mean in percent, with its standard deviation over seeds; nothing where undefined."""
    error = "" if math.isnan(spread.deviation) else f" ± {percent(spread.deviation)}"
    return "" if math.isnan(spread.mean) else f"{percent(spread.mean)}{error}"


def interval_text(ends: Interval) -> str:
    """Writes both ends of an interval of gains; nothing where it is not there.

    Example:
        >>> interval_text((-0.025, 0.05))
        '-2.5 to +5.0'
    """
    return "" if math.isnan(ends[0]) else " to ".join(map(points, ends))


def _drawn(part: Part, found: Measured, seed: int) -> dict[str, Scores]:
    """Returns the main metric of each method over draws of the groups, the same for all."""
    names, places = np.unique(found.groups, return_inverse=True)
    members = [np.flatnonzero(places == place) for place in range(len(names))]
    random = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {name: [] for name in found.scores}
    for _ in range(DRAWS):
        chosen = random.integers(len(names), size=len(names))
        rows = np.concatenate([members[one] for one in chosen])
        for name, scores in found.scores.items():
            drawn[name].append(part.main(found.truth[rows], scores[rows]))
    return {name: np.array(values) for name, values in drawn.items()}


def _error(values: Scores) -> float:
    """Returns the standard deviation of the draws in which the metric is defined."""
    known = values[np.isfinite(values)]
    return round(float(known.std(ddof=1)), _DIGITS) if len(known) > 1 else math.nan


def _gain_plots(sets: Sequence[Mapping[str, Any]]) -> dict[str, DotsPlot]:
    """Returns a plot for each method: its gain on each set, with the wider of both intervals."""
    dots: dict[str, list[Dot]] = {}
    for shown in sets:
        for gain in shown["gains"]:
            low, high = gain.spread.widest
            dots.setdefault(gain.method, []).append(
                Dot(
                    name=shown["name"],
                    value=gain.spread.mean,
                    text=points(gain.spread.mean),
                    low=low,
                    high=high,
                    interval=interval_text((low, high)),
                    note=f"over {gain.against}",
                )
            )
    return {method: dots_plot(own, points, is_change=True) for method, own in dots.items()}


def _set(name: str, rows: Sequence[ResultRow]) -> dict[str, Any]:
    """Returns what the template shows of a task of a data set."""
    own = [row for row in rows if not row.against]
    spreads = {
        method: {metric: Spread.of(one) for metric, one in _by(lambda row: row.metric, of).items()}
        for method, of in _by(lambda row: row.method, own).items()
    }
    first = [row for row in own if row.method == own[0].method]
    return {
        "name": name,
        # From the least to the most of a seed.
        "counts": (_range([row.rows for row in first]), _range([row.positives for row in first])),
        "seeds": len({row.seed for row in own}),
        "methods": spreads,
        "gains": best_gains(rows),
    }


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _by(key: Callable[[ResultRow], _Key], rows: Iterable[ResultRow]) -> dict[_Key, list[ResultRow]]:
    found: dict[_Key, list[ResultRow]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found
