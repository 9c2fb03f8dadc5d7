r"""How much two partitions of the same landmarks resemble each other, whatever their parts' names.

n_ij landmarks are in part i of the first and part j of the second, a_i in part i, b_j in part j,
N in all. Every function takes the counts of several draws at once: scikit-learn's own take two
arrays of N labels and one draw, and a thousand draws of 200,000 landmarks would take them hours.
A measure that is 0 / 0 is NaN, where scikit-learn has 1.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hgld.benchmarks.labels.agreement.measures.chance import expected_mutual_information
from hgld.benchmarks.labels.agreement.measures.contingency import Cells, sums_by

_Values = NDArray[np.float64]


def quotient(above: NDArray[Any], below: NDArray[Any]) -> _Values:
    """Divides; NaN where the divisor is 0.

    Example:
        >>> quotient(np.array([1.0, 0.0]), np.array([2.0, 0.0])).tolist()
        [0.5, nan]
    """
    result: _Values = np.full(np.shape(above), np.nan)
    np.divide(above, below, out=result, where=below != 0)
    return result


def adjusted_rand_index(cells: Cells) -> _Values:
    """Pairs of landmarks that both partitions put together, beyond what chance does.

    ARI = (S - E) / (M - E) with S = sum_ij C(n_ij, 2), A = sum_i C(a_i, 2), B = sum_j C(b_j, 2),
    E = A B / C(N, 2) and M = (A + B) / 2.

    Args:
        cells: B draws.

    Returns:
        (B,), at most 1, 0 by chance; NaN where M = E: either partition is one part, or either has
        a part for each landmark.

    Source:
        Hubert and Arabie, Comparing Partitions, Journal of Classification 1985, equation 5.
    """
    together, first, second = (
        _pairs(counts) for counts in (cells.counts, _parts(cells.rows, cells), _second(cells))
    )
    chance = quotient(first * second, _pairs(cells.counts.sum(axis=1, keepdims=True)))
    return quotient(together - chance, (first + second) / 2 - chance)


def v_measure(cells: Cells) -> _Values:
    """Harmonic mean of homogeneity and completeness: V = 2 I / (H(first) + H(second)).

    I is the mutual information of the partitions and H the entropy of each.

    Args:
        cells: B draws.

    Returns:
        (B,), from 0 to 1; NaN where both partitions are one part.

    Source:
        Rosenberg and Hirschberg, V-Measure, EMNLP-CoNLL 2007, section 2, with beta = 1.
    """
    information, entropies = _information(cells)
    return quotient(2 * information, entropies)


def adjusted_mutual_information(cells: Cells) -> _Values:
    """Mutual information beyond what chance gives: AMI = (I - E[I]) / ((H + H') / 2 - E[I]).

    Args:
        cells: B draws.

    Returns:
        (B,), at most 1, 0 by chance; NaN where the divisor is 0.

    Source:
        Vinh, Epps and Bailey, Information Theoretic Measures for Clusterings Comparison, JMLR
        2010, table 2 (AMI_sum) and equation 24a (expected mutual information).
    """
    information, entropies = _information(cells)
    firsts, seconds = _parts(cells.rows, cells), _second(cells)
    chance = expected_mutual_information(firsts, seconds)
    room = entropies / 2 - chance
    # Where every landmark is a part of its own, the two are equal but for rounding.
    is_zero = np.abs(room) < 1e-9 * np.maximum(entropies, 1.0)
    return quotient(information - chance, np.where(is_zero, 0.0, room))


def b_cubed(cells: Cells) -> tuple[_Values, _Values, _Values]:
    """Precision and recall of the second partition against the first, averaged over landmarks.

    Precision = 1/N sum_ij n_ij^2 / b_j: the share of the landmarks in the same part of the second
    partition as a landmark, itself among them, that are with it in the first too. Recall = 1/N
    sum_ij n_ij^2 / a_i. F1 is their harmonic mean.

    Args:
        cells: B draws, the first partition being the reference.

    Returns:
        (B,) each: precision, recall and F1, above 0 and at most 1; NaN without landmarks.

    Source:
        Amigo et al., A comparison of extrinsic clustering evaluation metrics, Information
        Retrieval 2009, section 4 (after Bagga and Baldwin 1998).
    """
    total = cells.counts.sum(axis=1).astype(np.float64)
    squares = np.square(cells.counts, dtype=np.float64)

    def mean_share(numbers: NDArray[np.int64]) -> _Values:
        # By cell, the size of its part in each draw.
        found, sums = sums_by(numbers, cells.counts)
        sizes = sums[:, np.searchsorted(found, numbers)].astype(np.float64)
        shares = np.divide(squares, sizes, out=np.zeros_like(squares), where=sizes > 0)
        return quotient(shares.sum(axis=1), total)

    precision, recall = mean_share(cells.columns), mean_share(cells.rows)
    return precision, recall, quotient(2 * precision * recall, precision + recall)


def _parts(numbers: NDArray[np.int64], cells: Cells) -> NDArray[np.int64]:
    return sums_by(numbers, cells.counts)[1]


def _second(cells: Cells) -> NDArray[np.int64]:
    return _parts(cells.columns, cells)


def _pairs(counts: NDArray[np.int64]) -> _Values:
    """Returns sum C(n, 2) of each draw; in float64, since its products leave 64 bits."""
    pairs: _Values = (counts * (counts - 1) / 2).sum(axis=1)
    return pairs


def _information(cells: Cells) -> tuple[_Values, _Values]:
    """Returns of each draw the mutual information, and the sum of the two entropies, in nats."""
    entropies = _entropy(_parts(cells.rows, cells)) + _entropy(_second(cells))
    information = entropies - _entropy(cells.counts)
    return np.maximum(information, 0.0), entropies


def _entropy(counts: NDArray[np.int64]) -> _Values:
    total = counts.sum(axis=1, keepdims=True).astype(np.float64)
    shares = np.divide(counts, total, out=np.zeros(counts.shape), where=total > 0)
    logs = np.log(shares, out=np.zeros(counts.shape), where=shares > 0)
    entropy: _Values = -(shares * logs).sum(axis=1)
    return np.maximum(entropy, 0.0)
