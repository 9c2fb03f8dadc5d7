"""Results as one table: a row for each part, data set, method, seed and metric.

`Measured` is what a part hands over: scores of every method on the same rows. The harness makes the
same of all: each metric, how many rows it counts, and how far the main one, and each gain in it
over a simple method, would move with other groups.
"""

import csv
import io
import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hgld.engine.files import write_text

DRAWS = 100
"""Of the groups, for the error of a main metric: it is then known to 7%."""

_DIGITS = 6

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
        truth: (N,) what `measure` compares scores with.
        groups: (N,) rows of one group are drawn together.
        scores: (N,) by method.
        measure: from truth and scores to metrics by name.
        main: from truth and scores to the metric that gains are taken in, higher is better.
        main_name: its name among those of `measure`.
        subjects: methods whose gain is of interest.
        rivals: simple methods that they are compared with.
        positives: how many rows are what is looked for.
        chosen: by method, what validation rows chose for it.
        more: by method, metrics of its own.
    """

    group: str
    truth: NDArray[Any]
    groups: NDArray[np.int64]
    scores: Mapping[str, Scores]
    measure: Callable[[NDArray[Any], Scores], dict[str, float]]
    main: Callable[[NDArray[Any], Scores], float]
    main_name: str
    subjects: Sequence[str]
    rivals: Sequence[str]
    positives: int
    chosen: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def result_rows(part: str, data: str, seed: int, found: Measured) -> list[ResultRow]:
    """Measures every method, and every gain of a subject over a simple method.

    Args:
        part: of the rows.
        data: of the rows.
        seed: of the rows, and of the draws of groups.
        found: what was measured.

    Returns:
        A row for each method and metric; then one for each subject and rival.
    """
    count, positives = len(found.truth), found.positives
    row = partial(ResultRow, part, data, found.group, seed=seed, rows=count, positives=positives)
    drawn, rows = _drawn(found, seed), []
    for method, scores in found.scores.items():
        metrics = found.measure(found.truth, scores) | dict(found.more.get(method, {}))
        for metric, value in metrics.items():
            one = row(method=method, metric=metric, value=round(value, _DIGITS))
            if metric == found.main_name:
                chosen = found.chosen.get(method, "")
                one = one._replace(group_error=_error(drawn[method]), chosen=chosen)
            rows.append(one)
    whole = {name: found.main(found.truth, scores) for name, scores in found.scores.items()}
    gain = partial(row, metric=f"gain {found.main_name}")
    for subject, rival in itertools.product(found.subjects, found.rivals):
        if {subject, rival} <= whole.keys():
            value = round(whole[subject] - whole[rival], _DIGITS)
            error = _error(drawn[subject] - drawn[rival])
            rows.append(gain(method=subject, against=rival, value=value, group_error=error))
    return rows


def write_results(path: Path, rows: Iterable[ResultRow]) -> None:
    """Writes rows as CSV, whole or not at all; NaN is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(ResultRow._fields)
    for row in rows:
        writer.writerow(["" if one != one else one for one in row])  # noqa: PLR0124 - NaN
    write_text(path, text.getvalue())


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
    def verdict(self) -> str:
        """`better` or `worse` where neither interval of a gain holds 0, otherwise `undecided`."""
        ends = self.over_seeds + self.over_groups
        better, worse = (all(sign * end > 0 for end in ends) for sign in (1, -1))
        return "better" if better else "worse" if worse else "undecided"

    @property
    def widest(self) -> Interval:
        """The ends of what both intervals hold; NaN where neither is there."""
        low, high = zip(self.over_seeds, self.over_groups, strict=True)
        return float(np.fmin(*low)), float(np.fmax(*high))

    @staticmethod
    def of(rows: Sequence[ResultRow]) -> "Spread":
        """Sums up one metric of one method over its seeds."""
        from scipy.stats import t

        values = np.array([row.value for row in rows if not math.isnan(row.value)])
        errors = np.array([row.group_error for row in rows if not math.isnan(row.group_error)])
        mean = float(values.mean()) if len(values) else math.nan
        deviation = float(values.std(ddof=1)) if len(values) > 1 else math.nan
        half = deviation / math.sqrt(len(values) or 1) * float(t.ppf(0.975, len(values) - 1))
        others = 1.96 * float(errors.mean()) if len(errors) else math.nan
        return Spread(mean, deviation, (mean - half, mean + half), (mean - others, mean + others))


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
    pairs: dict[tuple[str, str], list[ResultRow]] = {}
    for row in rows:
        if row.against:
            pairs.setdefault((row.method, row.against), []).append(row)
    least: dict[str, Gain] = {}
    for (method, rival), own in pairs.items():
        gain = Gain(method, rival, Spread.of(own))
        if not math.isnan(gain.spread.mean):
            both = least.get(method, gain), gain
            least[method] = min(both, key=lambda one: one.spread.mean)
    return list(least.values())


def _drawn(found: Measured, seed: int) -> dict[str, Scores]:
    """Returns the main metric of each method over draws of the groups, the same for all."""
    names, places = np.unique(found.groups, return_inverse=True)
    members = [np.flatnonzero(places == place) for place in range(len(names))]
    random = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {name: [] for name in found.scores}
    for _ in range(DRAWS):
        chosen = random.integers(len(names), size=len(names))
        rows = np.concatenate([members[one] for one in chosen])
        for name, scores in found.scores.items():
            drawn[name].append(found.main(found.truth[rows], scores[rows]))
    return {name: np.array(values) for name, values in drawn.items()}


def _error(values: Scores) -> float:
    """Returns the standard deviation of the draws in which the metric is defined."""
    known = values[np.isfinite(values)]
    return round(float(known.std(ddof=1)), _DIGITS) if len(known) > 1 else math.nan
