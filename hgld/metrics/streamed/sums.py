"""What all metrics of a ranked list need, from one pass over the list in pieces.

Every metric here is made of sums over ranks of counts so far: H-AP and the average precision of
each level share one L x L table of them. Counts are exact integers and quotients double precision.
The pieces are small enough for the work to stay in cache.
"""

import torch
from torch import Tensor

# How much to take on at a time, in counts (queries x levels x ranks) of some 30 bytes each: on a
# CPU what stays in cache, on a GPU what keeps it busy.
_CPU_COUNTS, _GPU_COUNTS = 3 << 16, 1 << 23


def ndcg_discounts(length: int, device: torch.device) -> Tensor:
    """Computes the discounts 1 / log2(1 + k) of NDCG.

    Args:
        length: N.
        device: where to put them.

    Returns:
        (N,) float64 for the ranks k = 1..N.
    """
    rank = torch.arange(1, length + 1, dtype=torch.float64, device=device)
    return 1 / torch.log2(1 + rank)


class RankedSums:
    """Sums over the ranked lists of some queries, filled piece by piece.

    With n_l(k) the items among the first k that share exactly l levels with the query, l(k) the
    level of the item at rank k, n_l all items of level l, and R_p those of level p or more:

    Attributes:
        precision: (B, L, L) float64, [l - 1, m - 1] = sum_{k: l(k) = l} n_m(k) / k.
        precision_at_r: (B, L) float64, [p - 1] = sum_{k <= R_p: l(k) >= p} sum_{m >= p} n_m(k) / k.
        discounted: (B, L) float64, [l - 1] = sum_{k: l(k) = l} 1 / log2(1 + k).
        intersection: (B,) float64, sum_{k <= R_1} sum_{l >= 1} min(n_l(k), ideal_l(k)) / k with
            ideal_l(k) = n_l(k) in a list sorted by level.
        piece: how many ranks to add at a time.
    """

    def __init__(self, counts: Tensor, discounts: Tensor) -> None:
        """Starts with nothing ranked.

        Args:
            counts: (B, L) int64 items of each level 1..L in the lists, B >= 1.
            discounts: (N,) float64, from `ndcg_discounts`, for the N ranks that will be added.
        """
        queries, levels = counts.shape
        self.precision = counts.new_zeros((queries, levels, levels), dtype=torch.float64)
        self.precision_at_r = counts.new_zeros((queries, levels), dtype=torch.float64)
        self.discounted = counts.new_zeros((queries, levels), dtype=torch.float64)
        self.intersection = counts.new_zeros(queries, dtype=torch.float64)
        self._relevant = counts.flip(1).cumsum(1).flip(1)  # (B, L): R_1..R_L
        self._closer = (self._relevant - counts).to(torch.int32)  # (B, L): items above each level
        self._least, self._most = (x.tolist() for x in self._relevant.aminmax(dim=0))
        self._so_far = torch.zeros_like(self._closer)
        self._number = torch.arange(1, levels + 1, dtype=torch.int32, device=counts.device)
        self._discounts = discounts
        self._ranked = 0
        # The same memory for every piece: what is allocated anew is not in cache.
        at_once = _CPU_COUNTS if counts.device.type == "cpu" else _GPU_COUNTS
        self.piece = max(1, min(at_once // (queries * levels), len(discounts)))
        shape = (2, queries, levels, self.piece)
        self._at_level, self._counted = counts.new_empty(shape, dtype=torch.int32)
        self._chosen, self._precision = counts.new_empty(shape, dtype=torch.float64)

    def add(self, level: Tensor) -> None:
        """Adds the next ranks.

        Args:
            level: (B, C) int32 shared levels at the next C <= `piece` ranks.
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
        precision.copy_(counted).div_(rank)
        chosen.copy_(at_level)
        table = torch.bmm(chosen, precision.transpose(1, 2))  # (B, L, L), of these ranks
        self.precision += table
        self.discounted += torch.matmul(chosen, self._discounts[start : self._ranked])
        if start < self._most[0]:
            self._intersect(rank, counted)
        for i, (least, most) in enumerate(zip(self._least, self._most, strict=True)):
            if self._ranked <= least:  # all of these ranks count, for all queries
                self.precision_at_r[:, i] += table[:, i:, i:].sum(dim=(1, 2))
            elif start < most:
                terms = chosen[:, i:].sum(dim=1) * precision[:, i:].sum(dim=1)
                self.precision_at_r[:, i] += self._sum_up_to_r(terms, rank, i)

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
            terms *= torch.le(rank, self._relevant[:, i, None], out=within)
        return terms.sum(dim=1)
