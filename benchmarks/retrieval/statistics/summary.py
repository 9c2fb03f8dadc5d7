"""What the values of every query come to: means with intervals, tests, spread over seeds."""

import itertools
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hgld.benchmarks.retrieval.results import (
    Comparison,
    Confusion,
    Measure,
    SeedMeasure,
)
from hgld.benchmarks.retrieval.statistics.intervals import (
    bootstrap_intervals,
    group_sums,
    standard_errors,
    t_interval,
)
from hgld.benchmarks.retrieval.statistics.paired import holm_adjusted, sign_flip_p_values

PerQuery = Mapping[str, NDArray[np.float64]]
"""By metric the (Q,) values of a method, NaN where a query has none."""

_Key = TypeVar("_Key", bound=Hashable)


def measures_of(
    values: Mapping[_Key, Sequence[float] | NDArray[np.float64]],
    groups: NDArray[np.int64] | None = None,
) -> dict[_Key, Measure]:
    """Sums up metrics over the same queries.

    Args:
        values: by metric, one value a query, NaN where it is undefined.
        groups: (Q,), equal numbers for queries of one landmark; None: each is a group of its own.

    Returns:
        Mean, standard error and interval over the defined values; NaN where there are too few.

    Example:
        >>> measures_of({"h_ap": [1.0, 0.5, float("nan")]})["h_ap"]
        Measure(mean=0.75, standard_error=0.25, low=0.5, high=1.0, queries=2, groups=2, undefined=1)
    """
    if not values:
        return {}
    table = np.stack([np.asarray(each, np.float64) for each in values.values()], axis=1)  # (Q, M)
    lows, highs = bootstrap_intervals(table, groups).tolist()
    errors = standard_errors(table, groups).tolist()
    counts = (group_sums(table, groups).counts > 0).sum(axis=0).tolist()
    found = {}
    for number, (key, each) in enumerate(zip(values, table.T, strict=True)):
        undefined = int(np.isnan(each).sum())
        found[key] = Measure(
            mean=_mean_of_defined(each),
            standard_error=errors[number],
            low=lows[number],
            high=highs[number],
            queries=len(each) - undefined,
            groups=counts[number],
            undefined=undefined,
        )
    return found


def measures_by_label(
    values: Sequence[float],
    labels: Sequence[str],
    groups: NDArray[np.int64] | None = None,
) -> dict[str, Measure]:
    """Sums up a metric over the queries of each label.

    Args:
        values: (Q,), NaN where it is undefined.
        labels: (Q,), of the queries.
        groups: (Q,), as in `measures_of`.

    Returns:
        By label, in alphabetical order.
    """
    of_label: dict[str, list[int]] = {label: [] for label in sorted(set(labels))}
    for number, label in enumerate(labels):
        of_label[label].append(number)
    table = np.asarray(values, np.float64)
    return {
        label: measures_of({label: table[some]}, None if groups is None else groups[some])[label]
        for label, some in of_label.items()
    }


def compare_methods(
    per_query: Mapping[str, PerQuery],
    metrics: Sequence[str],
    groups: NDArray[np.int64] | None = None,
) -> Iterator[Comparison]:
    """Tests every pair of methods on every metric.

    Args:
        per_query: by method, over the same queries.
        metrics: which; Holm's correction is over the pairs of each.
        groups: (Q,), as in `measures_of`.

    Yields:
        The pairs of the first metric, then those of the next.
    """
    # Whoever comes later minus whoever comes before: a run minus its baseline.
    pairs = [(later, before) for before, later in itertools.combinations(per_query, 2)]
    for metric in metrics if pairs else ():
        differences = {
            (one, other): per_query[one][metric] - per_query[other][metric] for one, other in pairs
        }
        table = np.stack(list(differences.values()), axis=1)
        p_values = sign_flip_p_values(table, groups).tolist()
        adjusted = holm_adjusted(p_values)
        measures = measures_of(differences, groups)
        for number, (method, other) in enumerate(pairs):
            yield Comparison(
                metric=metric,
                method=method,
                other=other,
                difference=measures[method, other],
                higher=int((differences[method, other] > 0).sum()),
                lower=int((differences[method, other] < 0).sum()),
                p_value=p_values[number],
                holm_p_value=adjusted[number],
            )


def confusions_of(labels: Sequence[str], found: Sequence[str]) -> tuple[Confusion, ...]:
    """Counts which label comes first for the queries of each, most frequent first.

    Args:
        labels: of queries.
        found: of what stands at rank 1 for each.

    Example:
        >>> confusions_of(["lake", "lake", "river"], ["lake", "lake", "lake"])[1]
        Confusion(label='river', found='lake', queries=1)
    """
    counts = Counter(zip(labels, found, strict=True))
    return tuple(
        Confusion(label=label, found=other, queries=count)
        for (label, other), count in sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    )


def over_seeds(runs: Sequence[PerQuery], *, is_change: bool = False) -> dict[str, SeedMeasure]:
    """Sums up runs of one method that differ in their seed alone.

    Args:
        runs: of each, the same metrics over the same queries.
        is_change: they are differences from a baseline.

    Returns:
        By metric, mean, deviation and t interval of the runs' means over the queries, the interval
        cut where the metric, or a difference of two, can go no further; empty of fewer than two.
    """
    if len(runs) < 2:  # noqa: PLR2004 - one has no spread
        return {}
    found = {}
    for metric in runs[0]:
        means = [_mean_of_defined(one[metric]) for one in runs]
        # Levels missed, unlike shares, may be more than one.
        most = np.inf if metric.startswith("mistake_severity") else 1.0
        low, high = t_interval(means)
        found[metric] = SeedMeasure(
            mean=float(np.mean(means)),
            deviation=float(np.std(means, ddof=1)),
            low=float(np.maximum(low, -most if is_change else 0)),
            high=float(np.minimum(high, most)),
        )
    return found


def _mean_of_defined(values: NDArray[np.float64]) -> float:
    defined = values[~np.isnan(values)]
    return float(np.mean(defined)) if len(defined) else np.nan
