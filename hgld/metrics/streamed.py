"""Every metric of a ranked list, from one pass over the list in pieces.

Every metric here is made of sums over ranks of counts so far: H-AP and the average precision of
each level share one L x L table of them. Counts are exact integers and quotients double precision.
The pieces are small enough for the work to stay in cache.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from hgld.metrics.arguments import EvaluationSettings
from hgld.metrics.ranked import average_precision_at_k, divide, recall_at_k

# How much to take on at a time, in counts (queries x levels x ranks) of some 30 bytes each: on a
# CPU what stays in cache, on a GPU what keeps it busy.
_CPU_COUNTS, _GPU_COUNTS = 3 << 16, 1 << 23


class RankedSums:
    """Sums over the ranked lists of some queries, filled piece by piece.

    With n_l(k) the items among the first k that share exactly l levels with the query, l(k) the
    level of the item at rank k, n_l all items of level l, and R_p those of level p or more:

    Attributes:
        counts: (B, L) int64, [l - 1] = n_l.
        relevant: (B, L) int64, [p - 1] = R_p.
        discounts: (N,) float64, 1 / log2(1 + k) for the ranks k = 1..N.
        precision: (B, L, L) float64, [l - 1, m - 1] = sum_{k: l(k) = l} n_m(k) / k.
        precision_at_r: (B, L) float64, [p - 1] = sum_{k <= R_p: l(k) >= p} sum_{m >= p} n_m(k) / k.
        discounted: (B, L) float64, [l - 1] = sum_{k: l(k) = l} 1 / log2(1 + k).
        placed: (B, L, 2) float64, [l - 1] = n_l(k) and sum_{j <= k: l(j) = l} j of all k ranks.
        placed_at_r: (B, L, L, 2) float64, [p - 1, l - 1] = the same of the first k = R_p ranks.
        intersection: (B,) float64, sum_{k <= R_1} sum_{l >= 1} min(n_l(k), ideal_l(k)) / k with
            ideal_l(k) = n_l(k) in a list sorted by level.
        piece: how many ranks to add at a time.
    """

    def __init__(self, counts: Tensor, discounts: Tensor) -> None:
        """Starts with nothing ranked.

        Args:
            counts: (B, L) int64 items of each level 1..L in the lists, B >= 1.
            discounts: (N,) float64, for the N ranks that will be added.
        """
        queries, levels = counts.shape
        self.counts = counts
        self.relevant = counts.flip(1).cumsum(1).flip(1)
        self.discounts = discounts
        self.precision = counts.new_zeros((queries, levels, levels), dtype=torch.float64)
        self.precision_at_r = counts.new_zeros((queries, levels), dtype=torch.float64)
        self.discounted = counts.new_zeros((queries, levels), dtype=torch.float64)
        self.placed = counts.new_zeros((queries, levels, 2), dtype=torch.float64)
        self.placed_at_r = counts.new_zeros((queries, levels, levels, 2), dtype=torch.float64)
        self.intersection = counts.new_zeros(queries, dtype=torch.float64)
        self._closer = (self.relevant - counts).to(torch.int32)  # (B, L): items above each level
        self._least, self._most = (x.tolist() for x in self.relevant.aminmax(dim=0))
        self._so_far = torch.zeros_like(self._closer)
        self._number = torch.arange(1, levels + 1, dtype=torch.int32, device=counts.device)
        self._ranked = 0
        # The same memory for every piece: what is allocated anew is not in cache.
        at_once = _CPU_COUNTS if counts.device.type == "cpu" else _GPU_COUNTS
        self.piece = max(1, min(at_once // (queries * levels), len(discounts)))
        shape = (2, queries, levels, self.piece)
        self._at_level, self._counted = counts.new_empty(shape, dtype=torch.int32)
        self._chosen, self._precision = counts.new_empty(shape, dtype=torch.float64)

    def add(self, level: Tensor, at: Tensor | None = None) -> None:
        """Adds the next ranks.

        Args:
            level: (B, C) int32 shared levels at the next C <= `piece` ranks.
            at: (B, C) int64 rising ranks of these, where what shares nothing is left out between
                them; all behind the relevant items' number, R_1. None: one after the other.
        """
        start, self._ranked = self._ranked, self._ranked + level.shape[1]
        rank = torch.arange(start + 1, self._ranked + 1, dtype=torch.int32, device=level.device)
        part = (..., slice(level.shape[1]))
        counted, precision = self._counted[part], self._precision[part]  # (B, L, C)
        at_level, chosen = self._at_level[part], self._chosen[part]
        torch.eq(level[:, None], self._number[:, None], out=at_level)
        torch.cumsum(at_level, 2, dtype=torch.int32, out=counted)
        counted += self._so_far[:, :, None]
        self._so_far = counted[:, :, -1].clone()
        ranks, discount = rank, self.discounts[start : self._ranked]
        if at is not None:
            ranks, discount = at, 1 / torch.log2(1 + at.to(torch.float64))
        precision.copy_(counted).div_(ranks[..., None, :])
        chosen.copy_(at_level)
        table = torch.bmm(chosen, precision.transpose(1, 2))  # (B, L, L), of these ranks
        self.precision += table
        place = ranks.to(torch.float64)
        each = torch.stack((discount, torch.ones_like(place), place), dim=-1)
        sums = torch.matmul(chosen, each)  # (B, L, 3)
        # Behind R_1 the sums up to R are complete: nothing is added to them.
        if start < self._most[0]:
            self._intersect(rank, counted)
        for i, (least, most) in enumerate(zip(self._least, self._most, strict=True)):
            if self._ranked <= least:  # all of these ranks count, for all queries
                self.precision_at_r[:, i] += table[:, i:, i:].sum(dim=(1, 2))
            elif start < most:
                terms = chosen[:, i:].sum(dim=1) * precision[:, i:].sum(dim=1)
                self.precision_at_r[:, i] += self._sum_up_to_r(terms, rank, i)
            if start < most and least <= self._ranked:
                self._place_up_to_r(chosen, each[:, 1:], start, i)
        self.discounted += sums[..., 0]
        self.placed += sums[..., 1:]

    def _place_up_to_r(self, chosen: Tensor, each: Tensor, start: int, i: int) -> None:
        """Sums up to R of level i + 1, of the queries where it is one of these (C,) ranks."""
        last = self.relevant[:, i] - start
        rows = ((last > 0) & (last <= len(each))).nonzero()[:, 0]
        within = torch.arange(1, len(each) + 1, device=last.device) <= last[rows, None]  # (r, C)
        placed = torch.bmm(chosen[rows], within[:, :, None] * each)
        self.placed_at_r[rows, i] = self.placed[rows] + placed

    def _intersect(self, rank: Tensor, counted: Tensor) -> None:
        """Adds to the set intersections, from (B, L, C) counts at (C,) ranks."""
        shared = torch.zeros_like(counted[:, 0])
        for i in range(counted.shape[1]):
            ideal = (rank - self._closer[:, i, None]).clamp_(min=0)
            shared += torch.minimum(ideal, counted[:, i], out=ideal)
        self.intersection += self._sum_up_to_r(shared / rank.to(torch.float64), rank, 0)

    def _sum_up_to_r(self, terms: Tensor, rank: Tensor, i: int) -> Tensor:
        """(B,) the terms (B, C), overwritten, of the ranks up to R of level i + 1."""
        if self._ranked > self._least[i]:
            # Written as int32: a comparison that writes bool takes six times longer.
            within = torch.empty(terms.shape, dtype=torch.int32, device=terms.device)
            terms *= torch.le(rank, self.relevant[:, i, None], out=within)
        return terms.sum(dim=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """What is known of the ranked lists of B queries."""

    sums: RankedSums
    """Of how many items at each level the lists are, and where these stand."""
    lengths: Tensor
    """(B,) int64 items in the list."""
    relevance: Tensor
    """(B, L) float64 relevance of each level 1..L."""
    multiplicity: Tensor
    """(B, L) how often a level counts in H-AP: once."""
    head: Tensor
    """(B, K) int32 levels of the first ranks."""


def _h_ap(lists: Lists) -> Tensor:
    """H-AP: sum over items k of H-rank(k) / k, by the level of k and the levels counted."""
    relevance = lists.relevance
    smaller = torch.minimum(relevance[:, :, None], relevance[:, None, :])  # (B, L, L)
    ranked = (smaller * lists.multiplicity[:, None, :] * lists.sums.precision).sum(dim=(1, 2))
    return divide(ranked, (relevance * lists.sums.counts).sum(dim=1))


def _ndcg(lists: Lists) -> Tensor:
    """NDCG with gain 2^l - 1: the ideal list has the items of level l at ranks R_{l+1} + 1..R_l."""
    level = torch.arange(1, lists.sums.counts.shape[1] + 1, device=lists.sums.counts.device)
    gain = torch.exp2(level.to(torch.float64)) - 1
    up_to = functional.pad(lists.sums.discounts.cumsum(0), (1, 0))[lists.sums.relevant]
    ideal = -up_to.diff(dim=1, append=torch.zeros_like(up_to[:, :1]))
    return divide((lists.sums.discounted * gain).sum(dim=1), (ideal * gain).sum(dim=1))


def _asi(lists: Lists) -> Tensor:
    """Agreement of the first k with an ideal list, averaged over k up to R_1."""
    return divide(lists.sums.intersection, lists.sums.relevant[:, 0])


def _hops(lists: Lists) -> Tensor:
    """HOPS: the ideal list has the items of level l at ranks R_{l+1} + 1..R_l, R_0 being all.

    The weight of a rank is a line there, so that sums of weights need only count and sum ranks.
    """
    sums, length = lists.sums, lists.lengths
    end = torch.cat((length[:, None], sums.relevant), dim=1).to(torch.float64)  # (B, L + 1): R_l
    start = functional.pad(end[:, 1:], (0, 1))
    value = torch.arange(end.shape[1], dtype=torch.float64, device=end.device).exp2()
    following, lower = torch.zeros_like(end), torch.zeros_like(end[:, 0])
    for level in range(end.shape[1]):
        following[:, level] = lower
        lower = torch.where(end[:, level] > start[:, level], value[level], lower)
    # The weights of the highest level that has items do not fall.
    fall = ((value - following) / (end - start).clamp(min=1)).masked_fill(start == 0, 0)
    known = torch.cat((sums.placed[:, None], sums.placed_at_r), dim=1)  # (B, L + 1, L, 2): at R_l
    ranks = torch.stack((end, end * (end + 1) / 2), dim=-1)
    listed = torch.cat(((ranks - known.sum(dim=2))[:, :, None], known), dim=2)
    # Reversed, the ideal list has those of level l at the ranks N - R_l + 1..N - R_{l+1}.
    first, last = (length[:, None] - one for one in (end, start))
    upto = end[:, :, None].clamp(first[:, None], last[:, None])  # (B, L + 1, L + 1)
    reverse = torch.stack((upto, upto * (upto + 1) / 2), dim=-1)
    reverse -= torch.stack((first, first * (first + 1) / 2), dim=-1)[:, None]
    apart = (torch.arange(end.shape[1])[:, None] - torch.arange(end.shape[1])).abs().to(end)

    def missed(placed: Tensor) -> Tensor:
        """(B,) weighted levels apart, of (B, L + 1, L + 1, 2) items and ranks up to each R_l."""
        here = placed - functional.pad(placed[:, 1:], (0, 0, 0, 0, 0, 1))
        weight = (value + fall * (start + 1))[:, :, None] * here[..., 0]
        weight -= fall[:, :, None] * here[..., 1]
        return (weight * apart).sum(dim=(1, 2))

    return (1 - divide(missed(listed), missed(reverse))).clamp(min=0)


GRADED: dict[str, Callable[[Lists], Tensor]] = {
    "h_ap": _h_ap,
    "ndcg": _ndcg,
    "asi": _asi,
    "hops": _hops,
}
"""Metrics that score all levels together, by key: (B,) float64, NaN for a query without anything
relevant. One more line computes one more in every evaluation."""


def _severity(lists: Lists, k: int) -> Tensor:
    """Levels missed by the first k results, or by all where the list is shorter."""
    rank = torch.arange(1, lists.head.shape[1] + 1, device=lists.head.device)
    counted = lists.lengths.clamp(max=k)
    missed = (lists.sums.counts.shape[1] - lists.head) * (rank <= counted[:, None])
    severity = missed.sum(dim=1).to(torch.float64) / counted
    return severity.masked_fill(lists.sums.relevant[:, 0] == 0, torch.nan)


def _ap(lists: Lists, depth: int) -> Tensor:
    """AP of the items that share `depth` levels or more, as all that follow."""
    precision = lists.sums.precision[:, depth - 1 :, depth - 1 :].sum(dim=(1, 2))
    return divide(precision, lists.sums.relevant[:, depth - 1])


def _ap_at_k(lists: Lists, depth: int, k: int) -> Tensor:
    return average_precision_at_k(
        lists.head >= depth, k, relevant=lists.sums.relevant[:, depth - 1]
    )


def _ap_at_r(lists: Lists, depth: int) -> Tensor:
    return divide(lists.sums.precision_at_r[:, depth - 1], lists.sums.relevant[:, depth - 1])


def _recall_at_k(lists: Lists, depth: int, k: int) -> Tensor:
    return recall_at_k(lists.head >= depth, k, relevant=lists.sums.relevant[:, depth - 1])


def _level_recall(lists: Lists, depth: int, k: int) -> Tensor:
    """Of the items at exactly this depth that an ideal list has among its first k."""
    relevant = functional.pad(lists.sums.relevant, (0, 1)).clamp(max=k)
    ideal = relevant[:, depth - 1] - relevant[:, depth]
    found = (lists.head[:, :k] == depth).sum(dim=1)
    return divide(torch.minimum(found, ideal).to(torch.float64), ideal)


def chosen_metrics(
    settings: EvaluationSettings, names: Sequence[str]
) -> dict[str, Callable[[Lists], Tensor]]:
    """Returns the metrics to compute by their keys, in the order of an evaluation's results.

    Args:
        settings: which they are.
        names: L names of the levels, finest first.

    Returns:
        Those of `GRADED`, `mistake_severity_at_{k}`, and for each level `map_at_{k}_{name}`,
        `ap_{name}`, `map_at_r_{name}`, `p_at_1_{name}`, `r_at_{k}_{name}` and
        `level_recall_at_{k}_{name}`. Each gives (B,) float64, NaN where undefined.
    """
    of_level: dict[str, Callable[..., Tensor]] = {
        **{f"map_at_{k}": partial(_ap_at_k, k=k) for k in settings.average_precision_at},
        "ap": _ap,
        "map_at_r": _ap_at_r,
        "p_at_1": partial(_recall_at_k, k=1),
        **{f"r_at_{k}": partial(_recall_at_k, k=k) for k in settings.recall_at},
        **{f"level_recall_at_{k}": partial(_level_recall, k=k) for k in settings.recall_at},
    }
    chosen: dict[str, Callable[[Lists], Tensor]] = {
        **GRADED,
        **{
            f"mistake_severity_at_{k}": partial(_severity, k=k)
            for k in settings.mistake_severity_at
        },
    }
    for depth, name in zip(range(len(names), 0, -1), names, strict=True):  # the finest is deepest
        chosen |= {
            f"{key}_{name}": partial(metric, depth=depth) for key, metric in of_level.items()
        }
    return chosen
