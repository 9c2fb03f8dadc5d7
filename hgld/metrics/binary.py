"""Metrics of ranked lists where an item is a positive or not, one value per query.

Each takes the whole ranked list of every query, best first, and gives a (Q,) float64 tensor on the
same device with NaN where the query has no positive (an empty list included). For one level of a
hierarchy the positives are the items that share at least that many levels: `ranked_level >= l`.
"""

import torch
from torch import Tensor

from hgld.metrics.arguments import check_tensors
from hgld.metrics.ranked import check_k, check_lists, divide, precision_sum, ranks


def average_precision(ranked_positive: Tensor) -> Tensor:
    """Mean over the positives of the precision at their rank.

    AP = (1 / R) sum_{k positive} P(k), P(k) = positives among the first k / k, R = positives.

    Args:
        ranked_positive: (Q, N) bool (or 0 and 1), whether the item at each rank is a positive.

    Returns:
        (Q,) float64 in [0, 1]; NaN where there is no positive.

    Raises:
        ValueError: the shape is not (Q, N), or a value is neither 0 nor 1.
        TypeError: the lists are no tensor.

    Example:
        >>> average_precision(torch.tensor([[True, False, True]])).item()  # (1 + 2/3) / 2
        0.833...
    """
    positive = _as_positive(ranked_positive)
    return divide(precision_sum(positive), positive.sum(dim=1))


def average_precision_at_k(
    ranked_positive: Tensor, k: int, *, relevant: Tensor | None = None
) -> Tensor:
    """Average precision of the first k results, as Google Landmarks scores retrieval (k = 100).

    AP@k = (1 / min(R, k)) sum_{j <= k, j positive} P(j).

    Args:
        ranked_positive: (Q, N) bool (or 0 and 1), whether the item at each rank is a positive.
        k: how many results count, >= 1.
        relevant: (Q,) R, the positives of the whole index, where the lists are cut short; counted
            in the lists by default.

    Returns:
        (Q,) float64 in [0, 1]; NaN where there is no positive.

    Raises:
        ValueError: a shape or a value is wrong, or k < 1.
        TypeError: the lists are no tensor.

    Example:
        >>> average_precision_at_k(torch.tensor([[True, False, True]]), 2).item()
        0.5

    Source:
        Weyand, Araujo, Cao, Sim: Google Landmarks Dataset v2, CVPR 2020, equation 1.
    """
    positive = _as_positive(ranked_positive)
    check_k(k)
    relevant = _all_positives(positive, relevant)
    return divide(precision_sum(positive[:, :k]), relevant.clamp(max=k))


def average_precision_at_r(ranked_positive: Tensor) -> Tensor:
    """Average precision of the first R results, R the number of positives of the query.

    AP@R = (1 / R) sum_{k <= R, k positive} P(k).

    Args:
        ranked_positive: (Q, N) bool (or 0 and 1), whether the item at each rank is a positive.

    Returns:
        (Q,) float64 in [0, 1]; NaN where there is no positive.

    Raises:
        ValueError: the shape is not (Q, N), or a value is neither 0 nor 1.
        TypeError: the lists are no tensor.

    Example:
        >>> average_precision_at_r(torch.tensor([[True, False, True]])).item()
        0.5

    Source:
        Musgrave, Belongie, Lim: A Metric Learning Reality Check, ECCV 2020, equation 4.
    """
    positive = _as_positive(ranked_positive)
    relevant = positive.sum(dim=1)
    within = positive & (ranks(positive) <= relevant[:, None])
    return divide(precision_sum(within), relevant)


def precision_at_1(ranked_positive: Tensor) -> Tensor:
    """Whether the first result is a positive.

    Args:
        ranked_positive: (Q, N) bool (or 0 and 1), whether the item at each rank is a positive.

    Returns:
        (Q,) float64, 0 or 1; NaN where there is no positive.

    Raises:
        ValueError: the shape is not (Q, N), or a value is neither 0 nor 1.
        TypeError: the lists are no tensor.

    Example:
        >>> precision_at_1(torch.tensor([[True, False], [False, True], [False, False]])).tolist()
        [1.0, 0.0, nan]
    """
    return recall_at_k(ranked_positive, 1)


def recall_at_k(ranked_positive: Tensor, k: int, *, relevant: Tensor | None = None) -> Tensor:
    """Whether any of the first k results is a positive (R@k of metric learning).

    Args:
        ranked_positive: (Q, N) bool (or 0 and 1), whether the item at each rank is a positive.
        k: how many results count, >= 1.
        relevant: (Q,) R, the positives of the whole index, where the lists are cut short; counted
            in the lists by default.

    Returns:
        (Q,) float64, 0 or 1; NaN where there is no positive.

    Raises:
        ValueError: a shape or a value is wrong, or k < 1.
        TypeError: the lists are no tensor.

    Example:
        >>> recall_at_k(torch.tensor([[False, True, False]]), 2).item()
        1.0

    Source:
        Jegou, Douze, Schmid: Product Quantization for Nearest Neighbor Search, TPAMI 2011.
    """
    positive = _as_positive(ranked_positive)
    check_k(k)
    found = positive[:, :k].any(dim=1).to(torch.float64)
    return found.masked_fill(_all_positives(positive, relevant) == 0, torch.nan)


def _as_positive(ranked_positive: Tensor) -> Tensor:
    """The same as bool; refuses lists where a value is neither 0 nor 1."""
    check_lists("ranked_positive", ranked_positive)
    positive = ranked_positive.to(torch.bool)
    if ranked_positive.dtype != torch.bool and not bool((positive == ranked_positive).all()):
        raise ValueError(
            "ranked_positive must hold 0 and 1 only, got other values; "
            "compare levels with the level that makes a positive first (ranked_level >= 1)"
        )
    return positive


def _all_positives(positive: Tensor, relevant: Tensor | None) -> Tensor:
    """(Q,) R as given, or counted in the lists."""
    if relevant is None:
        return positive.sum(dim=1)
    check_tensors(relevant=relevant)
    if relevant.shape != positive.shape[:1]:
        raise ValueError(
            f"relevant must have shape (Q,) = ({len(positive)},), got {tuple(relevant.shape)}; "
            "give the number of positives of each query"
        )
    return relevant
