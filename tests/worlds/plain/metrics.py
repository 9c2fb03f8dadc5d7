"""The metrics once more, as loops over one list that follow the words of their definitions."""

import math
from collections.abc import Sequence

import numpy as np


def plain_h_ap(relevances: Sequence[float]) -> float:
    if sum(relevances) == 0:
        return math.nan
    total = 0.0
    for k, relevance in enumerate(relevances):
        if relevance > 0:
            h_rank = relevance
            for j in range(k):
                h_rank += min(relevance, relevances[j])
            total += h_rank / (k + 1)
    return total / sum(relevances)


def plain_ap(
    positives: Sequence[bool], *, first: int | None = None, most: int | None = None
) -> float:
    """AP; of the first results only, and divided by at most `most` positives."""
    relevant = sum(positives)
    if relevant == 0:
        return math.nan
    total = 0.0
    for k in range(len(positives) if first is None else min(first, len(positives))):
        if positives[k]:
            before = 0
            for j in range(k + 1):
                before += positives[j]
            total += before / (k + 1)
    return total / (relevant if most is None else min(relevant, most))


def plain_ndcg(levels: Sequence[int]) -> float:
    def dcg(ordered: Sequence[int]) -> float:
        return sum((2.0**level - 1) / math.log2(1 + k) for k, level in enumerate(ordered, 1))

    ideal = dcg(sorted(levels, reverse=True))
    return dcg(levels) / ideal if ideal else math.nan


def plain_asi(levels: Sequence[int]) -> float:
    relevant = sum(level > 0 for level in levels)
    ideal = sorted(levels, reverse=True)
    total = 0.0
    for k in range(1, relevant + 1):
        for level in range(1, max(levels) + 1):
            total += min(levels[:k].count(level), ideal[:k].count(level)) / k
    return total / relevant if relevant else math.nan


def plain_exclusive_ap(levels: Sequence[int], level: int) -> float:
    return plain_ap([item == level for item in levels if item <= level])


def plain_level_recall(levels: Sequence[int], k: int, level: int) -> float:
    ideal = sorted(levels, reverse=True)[:k].count(level)
    return min(levels[:k].count(level), ideal) / ideal if ideal else math.nan


def plain_hops(levels: Sequence[int]) -> float:
    """The published code's steps, with numpy's lines: ranks are levels missed, 0 the best."""
    if len(set(levels)) < 2:
        return math.nan
    expected = sorted(max(levels) - level for level in levels)
    weights: list[float] = []
    for missed in sorted(set(expected)):
        here, last = 1 / 2**missed, expected.count(missed)
        lower = [1 / 2**other for other in expected if other > missed]
        following = here if missed == 0 else max(lower, default=0.0)
        weights += np.linspace(here, following, last + 1)[:-1].tolist()

    def apart(ordered: Sequence[int]) -> float:
        pairs = zip(weights, expected, ordered, strict=True)
        return sum(weight * abs(one - other) for weight, one, other in pairs)

    obtained = [max(levels) - level for level in levels]
    return max(0.0, 1 - apart(obtained) / apart(expected[::-1]))


def plain_severity(levels: Sequence[int], depth: int, k: int) -> float:
    if not any(levels):
        return math.nan
    first = levels[:k]
    return sum(depth - level for level in first) / len(first)


def plain_shared(query: Sequence[int], item: Sequence[int]) -> int:
    """Levels shared, counted from the coarsest (the last column) until one differs."""
    shared = 0
    for mine, other in zip(reversed(query), reversed(item), strict=True):
        if mine != other:
            break
        shared += 1
    return shared


def plain_bounds(one: Sequence[int], other: Sequence[int]) -> tuple[int, int]:
    """Least and most shared levels: from the coarsest down, until a level is known to differ."""
    least = most = 0
    for depth, (a, b) in enumerate(zip(reversed(one), reversed(other), strict=True), start=1):
        is_known = -1 not in {a, b}
        if is_known and a != b:
            break
        most = depth
        if is_known:
            least = depth
    return least, most


def plain_decay(
    levels: Sequence[int], depth: int, omega: Sequence[int], alpha: float
) -> list[float]:
    """Relevance of each item of a list, |Omega^(l)| counted in `omega`."""
    return [(level / depth) ** alpha / omega.count(level) if level else 0.0 for level in levels]


def plain_order(query: Sequence[float], index: Sequence[Sequence[float]], own: int) -> list[int]:
    """Positions of the index, best first, equal ones by position, the query itself left out."""

    def similarity(item: Sequence[float]) -> float:
        return sum(a * b for a, b in zip(query, item, strict=True))

    others = [place for place in range(len(index)) if place != own]
    return sorted(others, key=lambda place: (-similarity(index[place]), place))
