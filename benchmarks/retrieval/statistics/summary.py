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
    MethodResults,
    SeedGroup,
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
        defined = each[~np.isnan(each)]
        found[key] = Measure(
            mean=float(np.mean(defined)) if len(defined) else np.nan,
            standard_error=errors[number],
            low=lows[number],
            high=highs[number],
            queries=len(defined),
            groups=counts[number],
            undefined=len(each) - len(defined),
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


def over_seeds(
    title: str, methods: Sequence[MethodResults], seeds: Sequence[int], metrics: Sequence[str]
) -> SeedGroup:
    """Sums up runs of one method that differ in their seed alone.

    Args:
        title: how a reader sees them.
        methods: S of them.
        seeds: (S,)
        metrics: which.

    Returns:
        Means, deviations and t intervals over the S means over the queries, cut where a metric, or
        a difference of two, can go no further.
    """
    compared = [key for key in metrics if all(key in one.changes for one in methods)]
    return SeedGroup(
        title=title,
        methods=tuple(one.name for one in methods),
        seeds=tuple(seeds),
        measures={key: _spread([one.measures[key].mean for one in methods], 0) for key in metrics},
        changes={key: _spread([one.changes[key].mean for one in methods], -1) for key in compared},
    )


def _spread(means: Sequence[float], least: float) -> SeedMeasure:
    """Sums up means; the interval ends where they do, at `least` and at 1."""
    low, high = t_interval(means)
    return SeedMeasure(
        mean=float(np.mean(means)),
        deviation=float(np.std(means, ddof=1)) if len(means) > 1 else np.nan,
        low=float(np.maximum(low, least)),
        high=float(np.minimum(high, 1)),
    )
