"""The mutual information of two partitions that chance alone gives, of many draws at once."""

import numpy as np
from numpy.typing import NDArray

_DEVIATIONS = 8.0
_LEAST_WINDOW = 10
"""Counts further from their mean than 8 standard deviations and 10 are left out of an expectation:
it then differs from scikit-learn's by 1e-12."""
_PAIRS_AT_ONCE = 30_000  # they stay in a processor's cache


def expected_mutual_information(
    first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Mutual information, in nats, of two partitions of these sizes put together at random.

    E[I] = sum_ij sum_n n/N log(N n / (a_i b_j)) P(n), where n, the landmarks in both part i of the
    first and part j of the second, is hypergeometric: P(n) = C(b_j, n) C(N - b_j, a_i - n) /
    C(N, a_i).

    Args:
        first: (B, I), sizes of the parts of one partition in each draw; 0: no such part.
        second: (B, J), those of the other, with the same sum N as the first's of the draw.

    Returns:
        (B,), E[I]; 0 without landmarks.

    Source:
        Vinh, Epps and Bailey, Information Theoretic Measures for Clusterings Comparison, JMLR
        2010, equation 24a.

    Example:
        >>> halves = np.array([[1, 1]])  # the two landmarks either agree, or swap their places
        >>> round(float(expected_mutual_information(halves, halves)[0]), 6)  # log 2
        0.693147
    """
    draws, pairs = len(first), first.shape[1] * second.shape[1]
    at_once = max(1, _PAIRS_AT_ONCE // max(pairs, 1))
    parts = [
        _expected(first[start : start + at_once], second[start : start + at_once])
        for start in range(0, draws, at_once)
    ]
    return np.concatenate([np.zeros(0), *parts])


def _expected(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.float64]:
    paired = [_paired_sizes(*sizes) for sizes in zip(first, second, strict=True)]
    row, column, times = (np.concatenate(arrays) for arrays in zip(*paired, strict=True))
    draw = np.repeat(np.arange(len(paired)), [len(rows) for rows, _, _ in paired])
    totals = np.maximum(first.sum(axis=1), 1)
    low, lengths = _windows(row, column, totals[draw])
    # The longest windows first: those that have a k-th count are then a slice, however large k.
    order = np.argsort(-lengths, kind="stable")[: np.count_nonzero(lengths)]
    row, column, low, lengths = row[order], column[order], low[order], lengths[order]
    total = totals[draw[order]]
    logs = np.log(np.maximum(np.arange(int(totals.max(initial=1)) + 1), 1))
    ratio = logs[total] - logs[row] - logs[column]
    probability = np.exp(_log_probability(row, column, low, total, np.cumsum(logs)))
    others = total - row - column
    expected = np.zeros(len(order))
    ends = np.searchsorted(-lengths, -np.arange(int(lengths.max(initial=0))))
    for step, end in enumerate(ends):
        count = low[:end] + step
        expected[:end] += count * (ratio[:end] + logs[count]) * probability[:end]
        # P(n + 1) / P(n); a table of logarithms would cost four look-ups for each count.
        probability[:end] *= (row[:end] - count) * (column[:end] - count)
        probability[:end] /= (count + 1) * (others[:end] + count + 1)
    expected *= times[order]
    sums: NDArray[np.float64] = np.bincount(draw[order], expected, minlength=len(paired)) / totals
    return sums


def _paired_sizes(
    first: NDArray[np.int64], second: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Returns each pair of sizes of two partitions once, and how often it occurs."""
    (rows, row_times), (columns, column_times) = (
        np.unique(sizes[sizes > 0], return_counts=True) for sizes in (first, second)
    )
    return (
        np.repeat(rows, len(columns)),
        np.tile(columns, len(rows)),
        np.outer(row_times, column_times).ravel(),
    )


def _windows(
    row: NDArray[np.int64], column: NDArray[np.int64], total: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns the lowest count of each pair that matters, above 0, and how many follow from it."""
    mean = row * column / total
    rest = (total - row) * (total - column) / np.maximum(total * (total - 1), 1)
    window = np.ceil(_DEVIATIONS * np.sqrt(mean * rest)).astype(np.int64) + _LEAST_WINDOW
    nearest = np.rint(mean).astype(np.int64)
    low = np.maximum(np.maximum(1, row + column - total), nearest - window)
    high = np.minimum(np.minimum(row, column), nearest + window)
    return low, np.maximum(high - low + 1, 0)


def _log_probability(
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    count: NDArray[np.int64],
    total: NDArray[np.int64],
    factorial: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Returns log P(n) of each pair, given the logarithms of the factorials from 0 on."""
    found: NDArray[np.float64] = (
        (factorial[row] + factorial[column] + factorial[total - row] + factorial[total - column])
        - (factorial[total] + factorial[count] + factorial[row - count])
        - (factorial[column - count] + factorial[total - row - column + count])
    )
    return found
