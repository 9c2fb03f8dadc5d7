"""Whether one method is better than another on the same queries, or only happened to be."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hgld.benchmarks.retrieval.statistics.intervals import group_sums

SIGN_FLIPS = 10_000
"""Random flips of all signs where there are too many to try each."""

_NUMBERS_AT_ONCE = 1 << 23


def sign_flip_p_values(
    differences: NDArray[np.float64],
    groups: NDArray[np.int64] | None = None,
    *,
    flips: int = SIGN_FLIPS,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Tests by random signs whether two methods differ, from their differences query by query.

    Were the methods alike, each difference could as well have the other sign. Queries of one
    landmark look for the same pictures, and what one method gains on the first it often gains on
    all of them: their differences change sign together, as one. The p-value is the share of all
    ways to give signs in which the sum of the differences is at least as far from 0 as it is: exact
    where there are no more ways than `flips`, 2^n of n groups whose sum is not 0, and else
    (1 + c) / (1 + flips) of that many random ways, c of which are as far. So it is never 0.

    Args:
        differences: (Q, P) of P pairs of methods, NaN where a query has no value.
        groups: (Q,), equal numbers for queries of one landmark; None: each is a group of its own.
        flips: random ways, at least 1.
        seed: of these.

    Returns:
        (P,), two-sided; 1 where nothing differs, NaN where no query has a value.

    Raises:
        ValueError: another shape, or no flip.

    Example:
        >>> sign_flip_p_values(np.array([[0.1], [0.2], [0.3]])).tolist()  # +++ and --- of 8 ways
        [0.25]

    Source:
        Fisher: The Design of Experiments, 1935, section 21; Smucker, Allan, Carterette: A
        Comparison of Statistical Significance Tests for Information Retrieval Evaluation, CIKM
        2007. The share (1 + c) / (1 + flips): Phipson and Smyth, 2010.
    """
    if differences.ndim != 2:  # noqa: PLR2004 - (Q, P)
        raise ValueError(
            f"differences must have shape (Q, P), got {differences.shape}; of one pair pass "
            f"differences[:, None]"
        )
    if flips < 1:
        raise ValueError(f"flips must be at least 1, got {flips}; some thousands are usual")
    # What is undefined or 0 adds nothing to a sum, whichever sign it has.
    values, counts = group_sums(differences, groups)
    # Of a group in which all cancel, rounding leaves a little.
    sizes = group_sums(np.abs(differences), groups).sums
    values[np.abs(values) <= 1e-12 * sizes] = 0
    varying = (values != 0).sum(axis=0)
    # Sums that are equal on paper differ by rounding.
    reached = np.abs(values.sum(axis=0)) - 1e-12 * np.abs(values).sum(axis=0)
    found = np.full(values.shape[1], np.nan)
    is_exact = varying < np.log2(flips + 1)
    for column in np.flatnonzero(is_exact):
        some = values[values[:, column] != 0, column]
        sums = np.abs(_every_sign(len(some)) @ some)
        found[column] = np.mean(sums >= reached[column])
    many = np.flatnonzero(~is_exact)
    if len(many):
        chosen, as_far = values[:, many], np.zeros(len(many), np.int64)
        generator = np.random.default_rng(seed)
        at_once = max(1, _NUMBERS_AT_ONCE // max(chosen.shape))
        for start in range(0, flips, at_once):
            size = (min(at_once, flips - start), len(chosen))
            signs = 2.0 * generator.integers(2, size=size, dtype=np.int8) - 1.0
            as_far += (np.abs(signs @ chosen) >= reached[many]).sum(axis=0)
        found[many] = (1 + as_far) / (1 + flips)
    found[counts.sum(axis=0) == 0] = np.nan
    return found


def holm_adjusted(p_values: Sequence[float]) -> list[float]:
    """Adjusts p-values of several tests, so that all may be read at one level.

    Of m sorted p-values p_1 <= ... <= p_m, the k-th becomes the largest of
    min(1, (m - j + 1) p_j) over j <= k. Below a level a, the chance of one or more false
    differences among all tests is at most a, whatever the tests have to do with each other.

    Args:
        p_values: m of them; NaN is no test, stays NaN and is not counted.

    Returns:
        The adjusted ones, in the same order.

    Example:
        >>> holm_adjusted([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]

    Source:
        Holm: A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of
        Statistics, 1979.
    """
    values = np.asarray(p_values, np.float64)
    tested = np.flatnonzero(~np.isnan(values))
    order = tested[np.argsort(values[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted = np.full(len(values), np.nan)
    adjusted[order] = np.maximum.accumulate(np.minimum(1.0, factors * values[order]))
    return [float(value) for value in adjusted]


def _every_sign(count: int) -> NDArray[np.float64]:
    """Returns (2^n, n), every way to give n signs."""
    numbers = np.arange(1 << count)[:, None]
    return np.where((numbers >> np.arange(count)) & 1, 1.0, -1.0)
