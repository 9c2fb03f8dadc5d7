"""The protocol of Revisited Oxford and Paris: easy, hard and junk images, three difficulties.

Every index image is, for each query, easy, hard, junk or (by default) a negative. A difficulty says
which are to be found and which are taken out of the ranking, neither found nor in the way:

| difficulty | to be found | taken out |
|---|---|---|
| easy | easy | hard, junk |
| medium | easy, hard | junk |
| hard | hard | easy, junk |

Source: Radenovic, Iscen, Tolias, Avrithis, Chum: Revisiting Oxford and Paris: Large-Scale Image
Retrieval Benchmarking, CVPR 2018, section 3.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import torch
from torch import Tensor

from hgld.metrics.arguments import check_choice
from hgld.metrics.distractors import count_ahead
from hgld.metrics.evaluation import Evaluation
from hgld.metrics.ranked import check_k
from hgld.metrics.similarity import (
    check_embeddings,
    check_first,
    full_precision,
    similarity_blocks,
    similarity_dtype,
)

Difficulty = Literal["easy", "medium", "hard"]
DIFFICULTIES: tuple[Difficulty, ...] = ("easy", "medium", "hard")


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundTruth:
    """What there is to find for one query, as positions in the index; no image is in two.

    Example:
        >>> GroundTruth(easy=(0,), hard=(3, 4), junk=(7,)).wanted("medium")
        ((0, 3, 4), (7,))
        >>> GroundTruth.from_published({"easy": [0], "hard": [3, 4], "junk": [7]}).hard
        (3, 4)
    """

    easy: tuple[int, ...]
    hard: tuple[int, ...]
    junk: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuses an image that is two things at once."""
        times = Counter((*self.easy, *self.hard, *self.junk))
        repeated = sorted(place for place, count in times.items() if count > 1)
        if repeated:
            raise ValueError(
                "an index image must be one of easy, hard and junk and listed once, got "
                f"{repeated} more than once; correct the ground truth"
            )

    @classmethod
    def from_published(cls, entry: Mapping[str, Sequence[int]]) -> Self:
        """Reads an entry of the published `gnd` list, with `easy`, `hard` and `junk`."""
        return cls(**{kind: tuple(map(int, entry[kind])) for kind in ("easy", "hard", "junk")})

    def wanted(self, difficulty: Difficulty) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The positions to be found, and those taken out of the ranking.

        Raises:
            ValueError: another difficulty.
        """
        check_choice("difficulty", difficulty, Difficulty)
        match difficulty:
            case "easy":
                return self.easy, (*self.hard, *self.junk)
            case "medium":
                return (*self.easy, *self.hard), self.junk
            case "hard":
                return self.hard, (*self.easy, *self.junk)


def trapezoid_average_precision(ranks: Tensor) -> Tensor:
    """Area under the precision-recall curve by trapezoids, as published for these data sets.

    AP = (1 / R) sum_j (P(before the j-th positive) + P(at it)) / 2 with the j-th positive at rank
    k_j: P(at) = j / k_j, P(before) = (j - 1) / (k_j - 1), and 1 where k_j = 1. It lies below
    `hgld.metrics.average_precision`, which is P(at) alone.

    Args:
        ranks: (R,) 1-based ranks of all positives of one query, ascending, junk not counted.

    Returns:
        A float64 scalar in [0, 1]; NaN where there is no positive.

    Example:
        >>> trapezoid_average_precision(torch.tensor([1, 3])).item()  # ((1 + 1) + (1/2 + 2/3)) / 4
        0.7916...

    Source:
        Philbin, Chum, Isard, Sivic, Zisserman: Object Retrieval with Large Vocabularies and Fast
        Spatial Matching, CVPR 2007, and the evaluation code of the revisited data sets.
    """
    found = torch.arange(1, len(ranks) + 1, dtype=torch.float64, device=ranks.device)
    before = (found - 1) / (ranks - 1).clamp(min=1)
    before[ranks == 1] = 1
    return ((before + found / ranks) / 2).mean()


def precision_at_k(ranks: Tensor, k: int) -> Tensor:
    """Precision of the first k results, or of those up to the last positive where it comes sooner.

    P@k = (positives among the first m) / m, m = min(k, rank of the last positive): a query that
    has fewer than k positives can reach 1.

    Args:
        ranks: (R,) 1-based ranks of all positives of one query, ascending, junk not counted.
        k: how many results count, >= 1.

    Returns:
        A float64 scalar in [0, 1]; NaN where there is no positive.

    Raises:
        ValueError: k < 1.

    Example:
        >>> precision_at_k(torch.tensor([1, 3]), 10).item()
        0.666...
    """
    check_k(k)
    if len(ranks) == 0:
        return ranks.new_tensor(torch.nan, dtype=torch.float64)
    last = ranks[-1].clamp(max=k)
    return (ranks <= last).sum().to(torch.float64) / last


@torch.no_grad()
def evaluate_revisited(
    query_embeddings: Tensor,
    index_embeddings: Tensor,
    truths: Sequence[GroundTruth],
    *,
    precision_at: Sequence[int] = (1, 5, 10),
    first: Tensor | None = None,
    distractors: Iterable[Tensor] = (),
) -> Evaluation:
    """Ranks the index for every query and scores it at the three difficulties.

    The index is ranked by inner product, equal ones by position. Queries are crops that are not in
    the index themselves, as published; where one is, list it as junk.

    Args:
        query_embeddings: (Q, D) floating point, of unit length for cosine similarity.
        index_embeddings: (N, D), with or without distractors.
        truths: what there is to find for each query.
        precision_at: k of P@k.
        first: (Q, m) int64 positions that another ranking puts first, as in `evaluate`.
        distractors: blocks of (n, D) behind the index, read once.

    Returns:
        `ap_{difficulty}` and `p_at_{k}_{difficulty}` of each query for `easy`, `medium` and `hard`;
        NaN where a difficulty leaves nothing to find. The published mAP and mP@k are the `means`.

    Raises:
        TypeError: embeddings that are no tensors, or not floating point.
        ValueError: shapes that do not fit, a value that is not finite, or a position that is not in
            the index.

    Example:
        >>> index = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
        >>> truths = [GroundTruth(easy=(1,), hard=(), junk=(0,))]
        >>> evaluate_revisited(index[:1], index, truths).means()["ap_easy"]  # the junk is taken out
        1.0
    """
    check_embeddings(query_embeddings, index_embeddings)
    _check_truths(truths, len(query_embeddings), len(index_embeddings))
    check_first(first, len(query_embeddings))
    queries = query_embeddings.to(similarity_dtype(query_embeddings, index_embeddings))
    with full_precision():
        similarities = _similarities(queries, index_embeddings, first)
        ranks = [_ranks(one) for one in similarities]
        count_ahead(
            *(queries, list(similarities), ranks, distractors),
            first=first,
            offset=len(index_embeddings),
        )
        scores = [
            _score(one, truth, precision_at) for one, truth in zip(ranks, truths, strict=True)
        ]
    metrics = ["ap", *(f"p_at_{k}" for k in precision_at)]
    keys = [f"{key}_{difficulty}" for difficulty in DIFFICULTIES for key in metrics]
    table = torch.tensor(scores, dtype=torch.float64).reshape(len(queries), len(keys))
    return Evaluation(dict(zip(keys, table.T, strict=True)))


def _similarities(queries: Tensor, index: Tensor, first: Tensor | None) -> Tensor:
    """(Q, N) of every index image."""
    found = queries.new_empty(len(queries), len(index))
    for start, block in similarity_blocks(queries, index, first):
        found[:, start : start + block.shape[1]] = block
    return found


def _ranks(similarities: Tensor) -> Tensor:
    """(N,) int32 1-based rank of every index image, from its similarity to a query."""
    order = similarities.sort(descending=True, stable=True).indices
    rank = torch.arange(1, len(order) + 1, dtype=torch.int32, device=order.device)
    return torch.empty_like(rank).scatter_(0, order, rank)


def _score(ranks: Tensor, truth: GroundTruth, precision_at: Sequence[int]) -> list[float]:
    """AP and P@k at each difficulty, from the (N,) ranks of one query."""
    scores = []
    for difficulty in DIFFICULTIES:
        wanted, removed = (
            ranks[torch.tensor(places, dtype=torch.int64, device=ranks.device)].sort().values
            for places in truth.wanted(difficulty)
        )
        kept = wanted - torch.searchsorted(removed, wanted)  # ranks once the others are taken out
        scores.append(trapezoid_average_precision(kept).item())
        scores += [precision_at_k(kept, k).item() for k in precision_at]
    return scores


def _check_truths(truths: Sequence[GroundTruth], queries: int, items: int) -> None:
    """Refuses truths unless there is one for each query, with positions in the index."""
    if len(truths) != queries:
        raise ValueError(
            f"truths must have one entry for each query ({queries}), got {len(truths)}; "
            "pass them in the order of the embeddings"
        )
    listed = [place for truth in truths for place in (*truth.easy, *truth.hard, *truth.junk)]
    if listed and not 0 <= min(listed) <= max(listed) < items:
        raise ValueError(
            f"positions must lie in the index of {items} images, got {min(listed)} to "
            f"{max(listed)}; embed the index in the order of the ground truth"
        )
