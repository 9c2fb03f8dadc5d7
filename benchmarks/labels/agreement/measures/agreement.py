"""The measures of agreement between two labellings, each with a bootstrap interval."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hgld.benchmarks.labels.agreement.measures.contingency import (
    Cells,
    Contingency,
    draws_of,
    sums_by,
)
from hgld.benchmarks.labels.agreement.measures.partitions import (
    adjusted_mutual_information,
    adjusted_rand_index,
    b_cubed,
    quotient,
    v_measure,
)

_CONFIDENCE = 95.0  # percent of the draws that lie in an interval

_Counts = NDArray[np.int64]
_Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A measure and where it may lie in another sample of as many landmarks."""

    value: float
    """NaN where it is undefined."""
    low: float
    high: float
    """Ends of the 95% interval; NaN where the measure is undefined."""


def accuracy(table: Contingency, counts: _Counts) -> _Values:
    """Share of the officially labelled landmarks that have the same label of ours.

    One without a label of ours counts as wrong: what leaves out whatever is difficult does not
    look better for it.

    Args:
        table: whose cells the counts are of.
        counts: (B, C), landmarks of each cell in B draws.

    Returns:
        (B,), from 0 to 1; NaN where no landmark is officially labelled.
    """
    return _share(counts, table.same, table.labelled)


def accuracy_where_both(table: Contingency, counts: _Counts) -> _Values:
    """Share of the landmarks labelled by both whose labels are the same.

    Args:
        table: whose cells the counts are of.
        counts: (B, C), landmarks of each cell in B draws.

    Returns:
        (B,), from 0 to 1; NaN where no landmark is labelled by both.
    """
    return _share(counts, table.same, table.both)


def macro_f1(table: Contingency, counts: _Counts) -> _Values:
    """Mean of F1 over the official labels, each weighing the same, however many have it.

    F1 of a label = 2 n / (a + b): of the officially labelled landmarks, n have it from both, a
    officially and b from us. A landmark without a label of ours is in a alone.

    Args:
        table: whose cells the counts are of.
        counts: (B, C), landmarks of each cell in B draws.

    Returns:
        (B,), from 0 to 1; a label that no landmark of a draw has officially is no part of its
        mean; NaN where no landmark is officially labelled.
    """
    totals, ours, same = label_counts(table, counts)
    f1 = quotient(2 * same, totals + ours)
    is_there = totals > 0
    return quotient(np.where(is_there, f1, 0.0).sum(axis=1), is_there.sum(axis=1))


def label_counts(table: Contingency, counts: _Counts) -> tuple[_Counts, _Counts, _Counts]:
    """Counts the officially labelled landmarks by label.

    Args:
        table: whose cells the counts are of.
        counts: (B, C), landmarks of each cell in B draws.

    Returns:
        (B, L) each: landmarks that have the label officially, that have it from us, and that have
        it from both.
    """

    def by_label(numbers: NDArray[np.int64], among: NDArray[np.bool_]) -> _Counts:
        sums = np.zeros((len(counts), len(table.labels) + 1), dtype=np.int64)
        found, each = sums_by(numbers[among], counts[:, among])
        sums[:, found] = each
        return sums[:, :-1]

    return (
        by_label(table.official, table.labelled),
        by_label(table.ours, table.labelled),
        by_label(table.official, table.same),
    )


def estimate_all(table: Contingency, draws: int, seed: int) -> dict[str, Estimate]:
    """Measures the agreement of two labellings.

    An interval has the width of the middle 95% of bootstrap draws over the landmarks, and lies
    about the estimate as they lie about their mean. Not about their own mean: a landmark that is
    drawn twice agrees with itself, which lifts what is counted in pairs or in information (AMI of
    203,094 landmarks in 2,454 cells by 0.002, more than half an interval).

    Args:
        table: of all landmarks that are compared.
        draws: how many.
        seed: of the draws; all measures see the same.

    Returns:
        By name: the shares of landmarks labelled by both, by one alone and by neither, and every
        measure. Draws in which one is undefined say nothing of its interval.
    """
    values = _measure_all(table, table.counts[None, :])
    drawn = [_measure_all(table, counts) for counts in draws_of(table.counts, draws, seed)]
    return {
        name: _estimate(float(value[0]), np.concatenate([value[:0], *(one[name] for one in drawn)]))
        for name, value in values.items()
    }


def _measure_all(table: Contingency, counts: _Counts) -> dict[str, _Values]:
    ours = table.ours < len(table.labels)
    everywhere = np.ones(len(table.counts), dtype=np.bool_)
    groups = {
        "labelled_by_both": table.both,
        "only_ours": ~table.labelled & ours,
        "only_official": table.labelled & ~ours,
        "labelled_by_neither": ~table.labelled & ~ours,
    }
    values = {name: _share(counts, group, everywhere) for name, group in groups.items()}
    labels: dict[str, Callable[[Contingency, _Counts], _Values]] = {
        "accuracy": accuracy,
        "accuracy_where_both": accuracy_where_both,
        "macro_f1": macro_f1,
    }
    values |= {name: measure(table, counts) for name, measure in labels.items()}
    cells = Cells(
        rows=table.official[table.both],
        columns=table.ours[table.both],
        counts=counts[:, table.both],
    )
    values["ari"] = adjusted_rand_index(cells)
    values["ami"] = adjusted_mutual_information(cells)
    values["v_measure"] = v_measure(cells)
    names = ("b_cubed_precision", "b_cubed_recall", "b_cubed_f1")
    return values | dict(zip(names, b_cubed(cells), strict=True))


def _share(counts: _Counts, part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> _Values:
    return quotient(counts[:, part].sum(axis=1), counts[:, whole].sum(axis=1))


def _estimate(value: float, drawn: _Values) -> Estimate:
    defined = drawn[np.isfinite(drawn)]
    if not len(defined) or np.isnan(value):
        return Estimate(value=value, low=np.nan, high=np.nan)
    tail = (100 - _CONFIDENCE) / 2
    low, high = np.percentile(defined, [tail, 100 - tail]) - defined.mean() + value
    # A measure cannot leave its range, wherever its interval is moved.
    least = 0.0 if defined.min() >= 0 else -1.0
    return Estimate(value=value, low=max(float(low), least), high=min(float(high), 1.0))
