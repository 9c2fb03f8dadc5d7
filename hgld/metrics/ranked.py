"""Metrics of ranked lists, one value per query, in their plain form.

Each takes the whole ranked list of every query, best first, and gives a (Q,) float64 tensor on the
same device with NaN where the query has nothing relevant (an empty list included). Memory is
O(Q N), one temporary at a time: `hgld.metrics.evaluate` computes the same numbers over a large
index in one pass.

An item is a positive or not: for one level of a hierarchy the positives are the items that share at
least that many levels, `ranked_level >= l`. Or it is relevant to a degree.
"""

import torch
from torch import Tensor

from hgld.metrics.arguments import check_tensors


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
    return divide(_precision_sum(positive), positive.sum(dim=1))


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
    return divide(_precision_sum(positive[:, :k]), relevant.clamp(max=k))


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
    within = positive & (_ranks(positive) <= relevant[:, None])
    return divide(_precision_sum(within), relevant)


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


def hierarchical_average_precision(ranked_relevance: Tensor) -> Tensor:
    """Average precision where an item is relevant to a degree.

    H-AP = (1 / sum_k rel(k)) * sum_{k: rel(k) > 0} H-rank(k) / k, with
    H-rank(k) = rel(k) + sum_{j < k} min(rel(k), rel(j)) and k the 1-based rank. With relevances 0
    and 1 it is average precision, and it does not change when all relevances are scaled.

    min(a, b) is the sum over the distinct values v of a query, from high to low, of
    (v - next lower v) where both a and b reach v, so H-AP is a weighted sum of the average
    precisions of nested sets of items, one for each distinct value: O(Q N U) time for U values.
    Two levels that share a relevance are one value and are counted once.

    Args:
        ranked_relevance: (Q, N) relevance of each item in ranked order, finite and >= 0.

    Returns:
        (Q,) float64 in [0, 1]; NaN where no item has relevance > 0.

    Raises:
        ValueError: the shape is not (Q, N), or a relevance is negative or not finite.
        TypeError: the lists are no tensor.

    Example:
        >>> hierarchical_average_precision(torch.tensor([[1.0, 0.0, 0.5]])).item()  # 8/9
        0.888...

    Source:
        Ramzi, Audebert, Thome, Rambour, Bitot: Hierarchical Average Precision Training for
        Pertinent Image Retrieval, ECCV 2022, equations 2-4.
    """
    _check_lists("ranked_relevance", ranked_relevance)
    relevance = ranked_relevance.to(torch.float64)
    if not bool((torch.isfinite(relevance) & (relevance >= 0)).all()):
        raise ValueError(
            "ranked_relevance must be finite and >= 0, got a negative, infinite or NaN value; "
            "compute it with hgld.metrics.relevance"
        )
    value, number = _distinct_values(relevance)
    drop = value[:, :-1] - value[:, 1:]  # (Q, U): how far a value lies above the next lower one
    total = torch.zeros(len(relevance), dtype=torch.float64, device=relevance.device)
    for u in range(drop.shape[1]):
        total += drop[:, u] * _precision_sum(number <= u)  # without a drop, whatever it counts
    return divide(total, relevance.sum(dim=1))


def ndcg(ranked_level: Tensor) -> Tensor:
    """Normalised discounted cumulative gain of the numbers of shared levels.

    NDCG = DCG / ideal DCG, DCG = sum_k (2^l(k) - 1) / log2(1 + k), where l(k) is the number of
    levels that the item at rank k shares with the query; the ideal list is sorted by level.

    Args:
        ranked_level: (Q, N) integers, number of shared levels in ranked order, 0 = none.

    Returns:
        (Q,) float64 in [0, 1]; NaN where no item shares a level.

    Raises:
        ValueError: the shape is not (Q, N), or the values are not whole numbers >= 0.
        TypeError: the lists are no tensor.

    Example:
        >>> ndcg(torch.tensor([[2, 1, 0], [0, 0, 0]])).tolist()
        [1.0, nan]

    Source:
        Jarvelin, Kekalainen: Cumulated Gain-Based Evaluation of IR Techniques, TOIS 2002, with the
        exponential gain of Burges et al., ICML 2005.
    """
    ranked_level = _as_levels(ranked_level)
    gain = torch.exp2(ranked_level.to(torch.float64)) - 1
    discount = torch.log2(1 + _ranks(gain))
    ideal = gain.sort(dim=1, descending=True).values
    return divide((gain / discount).sum(dim=1), (ideal / discount).sum(dim=1))


def average_set_intersection(ranked_level: Tensor) -> Tensor:
    """Average over k of the share of the top k that an ideal top k has too, level by level.

    ASI = (1 / R) sum_{k=1}^{R} SI(k), SI(k) = (1 / k) sum_{l>=1} min(n_l(k), ideal_l(k)): n_l(k)
    items among the first k share exactly l levels with the query, ideal_l(k) of them would if the
    list were sorted by level; R is the number of items with l > 0.

    Args:
        ranked_level: (Q, N) integers, number of shared levels in ranked order, 0 = none.

    Returns:
        (Q,) float64 in [0, 1]; NaN where no item shares a level.

    Raises:
        ValueError: the shape is not (Q, N), or the values are not whole numbers >= 0.
        TypeError: the lists are no tensor.

    Example:
        >>> average_set_intersection(torch.tensor([[1, 2]])).item()  # (0 + 2/2) / 2
        0.5

    Source:
        Sun et al.: Dynamic Metric Learning: Towards a Scalable Metric Space to Accommodate Multiple
        Semantic Scales, CVPR 2021, section 3.3.
    """
    ranked_level = _as_levels(ranked_level)
    ideal = ranked_level.sort(dim=1, descending=True).values
    shared = torch.zeros(ranked_level.shape, dtype=torch.int64, device=ranked_level.device)
    for level in torch.unique(ranked_level[ranked_level > 0]):
        shared += torch.minimum((ranked_level == level).cumsum(1), (ideal == level).cumsum(1))
    relevant = (ranked_level > 0).sum(dim=1)
    rank = _ranks(ranked_level)
    share = (shared / rank).masked_fill(rank > relevant[:, None], 0)
    return divide(share.sum(dim=1), relevant)


def exclusive_average_precision(ranked_level: Tensor, level: int) -> Tensor:
    """Average precision of the items at exactly one level against those further away.

    Items that share more levels than `level` are taken out of the list before the ranks are read,
    so it says how well one level is told from the next coarser ones alone.

    Args:
        ranked_level: (Q, N) integers, number of shared levels in ranked order, 0 = none.
        level: the number of shared levels that makes a positive, >= 1.

    Returns:
        (Q,) float64 in [0, 1]; NaN where no item is at that level.

    Raises:
        ValueError: the shape is not (Q, N), the values are not whole numbers >= 0, or level < 1.
        TypeError: the lists are no tensor.

    Example:
        >>> exclusive_average_precision(torch.tensor([[2, 0, 1]]), 1).item()
        0.5
    """
    ranked_level = _as_levels(ranked_level)
    _check_level(level)
    positive = ranked_level == level
    rank = (ranked_level <= level).cumsum(dim=1).clamp(min=1)
    precision = (positive.cumsum(dim=1) / rank.to(torch.float64)).masked_fill(~positive, 0)
    return divide(precision.sum(dim=1), positive.sum(dim=1))


def level_recall_at_k(ranked_level: Tensor, k: int, level: int) -> Tensor:
    """Recall at k of the items at one level distance, of those that an ideal list has there.

    min(n(k), n*(k)) / n*(k): n(k) items among the first k share exactly `level` levels with the
    query, n*(k) of them would if the list were sorted by level. With L levels these are L - `level`
    levels away. At the finest level it is the recall at k of the items of the query's own label,
    of at most k of them; where these fill the first k, there is nothing else to find.

    Args:
        ranked_level: (Q, N) integers, number of shared levels in ranked order, 0 = none.
        k: how many results count, >= 1.
        level: the number of shared levels, >= 1.

    Returns:
        (Q,) float64 in [0, 1]; NaN where an ideal list has no such item among its first k.

    Raises:
        ValueError: a shape or a value is wrong, k < 1 or level < 1.
        TypeError: the lists are no tensor.

    Example:
        >>> level_recall_at_k(torch.tensor([[2, 0, 1, 1, 1]]), k=3, level=1).item()  # 1 of 2
        0.5

    Source:
        A term of SI(k) in section 3.3 of Sun et al., CVPR 2021 (`average_set_intersection`), by
        itself.
    """
    ranked_level = _as_levels(ranked_level)
    check_k(k)
    _check_level(level)
    ideal = ranked_level.sort(dim=1, descending=True).values
    found, most = ((order[:, :k] == level).sum(dim=1) for order in (ranked_level, ideal))
    return divide(torch.minimum(found, most).to(torch.float64), most)


def hierarchically_ordered_preference_score(ranked_level: Tensor) -> Tensor:
    """HOPS: how far the order of all items is from the ideal one, the first ranks weighing most.

    HOPS = max(0, 1 - D(list) / D(ideal list reversed)), D(list) = sum_k w(k) |l*(k) - l(k)|, with
    l(k) the number of levels that the item at rank k shares with the query and l*(k) the same of
    the ideal list, sorted by level. The weight of a rank starts at 2^l where the ideal list comes
    to the items of level l, and falls in a line to that of the next lower level that has items,
    in the end to 0: of the n items of a level the one at place i has
    w = 2^l + (i / n) (2^next - 2^l), i = 0..n-1. The weights of the highest level do not fall.

    Mistake severity and its mean over the first k results do not change with the order of these
    results; HOPS does.

    Args:
        ranked_level: (Q, N) integers, number of shared levels in ranked order, 0 = none.

    Returns:
        (Q,) float64 in [0, 1]; NaN where all items are at one level, so that each order is ideal.

    Raises:
        ValueError: the shape is not (Q, N), or the values are not whole numbers >= 0.
        TypeError: the lists are no tensor.

    Example:
        >>> lists = torch.tensor([[2, 1, 0], [2, 0, 1], [1, 2, 0], [0, 1, 2]])
        >>> hierarchically_ordered_preference_score(lists).tolist()  # third: 1 - (4 + 2) / (8 + 2)
        [1.0, 0.7, 0.4, 0.0]

    Source:
        Sani, Anand: Hier-COS: Making Deep Features Hierarchy-aware via Composition of Orthogonal
        Subspaces, CVPR 2026 (arXiv 2503.07853), as its published code computes it (github.com/
        Depanshu-Sani/Hier-COS at 2ca9edc, its notebook of the analysis), with items for classes:
        there one class is at the highest level, here any number of items may be. The code has the
        weights 2^(l - L), which gives the same.
    """
    ranked_level = _as_levels(ranked_level)
    ideal = ranked_level.sort(dim=1, descending=True).values
    weight = torch.zeros(ideal.shape, dtype=torch.float64, device=ideal.device)
    for level in torch.unique(ideal).tolist():
        at_level = ideal == level
        lower = torch.where(ideal < level, ideal, -1).amax(dim=1, keepdim=True)
        following = torch.where(lower < 0, 0.0, torch.exp2(lower.to(torch.float64)))
        is_highest = ~(ideal > level).any(dim=1, keepdim=True)
        fall = (2.0**level - following).masked_fill(is_highest, 0)
        place = (at_level.cumsum(dim=1, dtype=torch.float64) - 1) / at_level.sum(1, keepdim=True)
        weight += (2.0**level - place * fall).masked_fill(~at_level, 0)
    missed, most = (
        (weight * (ideal - order).abs()).sum(dim=1) for order in (ranked_level, ideal.flip(1))
    )
    return (1 - divide(missed, most)).clamp(min=0)


def mistake_severity(ranked_level: Tensor, levels: int, k: int = 1) -> Tensor:
    """How many levels the first k results miss, on average: 0 is right, `levels` nothing shared.

    Args:
        ranked_level: (Q, N) integers, number of shared levels in ranked order, 0 = none.
        levels: L, the number of levels of the hierarchy, >= 1.
        k: how many results count (all, where the list is shorter), >= 1.

    Returns:
        (Q,) float64 in [0, L]; NaN where no item shares a level.

    Raises:
        ValueError: the shape is not (Q, N), a value is not a whole number in 0..L, or k < 1.
        TypeError: the lists are no tensor.

    Example:
        >>> mistake_severity(torch.tensor([[3, 1, 0]]), levels=3, k=2).item()
        1.0

    Source:
        Bertinetto et al.: Making Better Mistakes, CVPR 2020, section 4.1 (the top-k form).
    """
    ranked_level = _as_levels(ranked_level)
    check_k(k)
    highest = int(ranked_level.max()) if ranked_level.numel() else 0
    if highest > levels:
        raise ValueError(
            f"ranked_level must not exceed levels ({levels}), got {highest}; "
            "give the number of label columns as levels"
        )
    missed = (levels - ranked_level[:, :k].to(torch.float64)).mean(dim=1)
    return missed.masked_fill(~(ranked_level > 0).any(dim=1), torch.nan)


def check_k(k: int) -> None:
    """Refuses a k unless at least one result counts."""
    if k < 1:
        raise ValueError(f"k must be >= 1, got {k}; say how many results count")


def _check_level(level: int) -> None:
    """Refuses a level that makes no positive."""
    if level < 1:
        raise ValueError(f"level must be >= 1, got {level}; 0 means that nothing is shared")


def _ranks(ranked: Tensor) -> Tensor:
    """Returns (N,) the 1-based ranks, float64."""
    return torch.arange(1, ranked.shape[1] + 1, dtype=torch.float64, device=ranked.device)


def _precision_sum(positive: Tensor) -> Tensor:
    """Returns (Q,) the precision at the rank of each positive, added up."""
    precision = positive.cumsum(dim=1) / _ranks(positive)
    return precision.masked_fill(~positive, 0).sum(dim=1)


def divide(value: Tensor, count: Tensor) -> Tensor:
    """Divides value by count, NaN where nothing is relevant."""
    return (value / count).masked_fill(count == 0, torch.nan)


def _check_lists(name: str, ranked: Tensor) -> None:
    """Refuses lists unless there is one for each query."""
    check_tensors(**{name: ranked})
    if ranked.ndim != 2:  # noqa: PLR2004 - (Q, N)
        raise ValueError(
            f"{name} must have shape (Q, N), got {tuple(ranked.shape)}; "
            "add the query dimension with x[None]"
        )


def _as_positive(ranked_positive: Tensor) -> Tensor:
    """The same as bool; refuses lists where a value is neither 0 nor 1."""
    _check_lists("ranked_positive", ranked_positive)
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


def _as_levels(ranked_level: Tensor) -> Tensor:
    """The same as integers; refuses lists unless the values can be numbers of shared levels."""
    _check_lists("ranked_level", ranked_level)
    level = ranked_level.to(torch.int64)
    if not bool((level == ranked_level).all()):
        raise ValueError(
            "ranked_level must hold whole numbers, got fractions; "
            "give numbers of shared levels, not relevances"
        )
    if level.numel() and int(level.min()) < 0:
        raise ValueError(
            f"ranked_level must be >= 0, got {int(level.min())}; 0 means that nothing is shared"
        )
    return level


def _distinct_values(relevance: Tensor) -> tuple[Tensor, Tensor]:
    """The distinct values of each row from high to low, and the number of each item's value.

    Returns:
        (Q, U + 1) values, padded with 0; (Q, N) int64 numbers, 0 = the highest value of the row.
    """
    queries, items = relevance.shape
    ordered, order = relevance.sort(dim=1, descending=True)
    steps = torch.zeros(relevance.shape, dtype=torch.int64, device=relevance.device)
    steps[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    number = steps.cumsum(dim=1)  # in sorted order
    width = int(number.max()) + 2 if queries and items else 1
    value = relevance.new_zeros((queries, width)).scatter_(1, number, ordered)
    return value, torch.empty_like(number).scatter_(1, order, number)
