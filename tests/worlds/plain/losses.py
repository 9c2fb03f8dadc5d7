"""The ranking losses once more, as loops that follow the words of their definitions.

Also batches to try them on, drawn from a seed.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from tests.worlds.plain.metrics import plain_shared

StepFunction = Callable[[float], float]


def plain_sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > 0 else math.exp(x) / (1 + math.exp(x))


def plain_sup_step(
    tau: float = 0.01,
    rho: float = 100.0,
    delta: float = 0.05,
    start: float = 0.5,
    offset: float = 1.44,
) -> StepFunction:
    def step(x: float) -> float:
        if x <= 0:
            return plain_sigmoid(x / tau)
        return start + plain_sigmoid(x / tau) if x <= delta else rho * (x - delta) + offset

    return step


def plain_sup_rank(
    k: int, scores: Sequence[float], levels: Sequence[int], step: StepFunction
) -> float:
    rank = 1.0
    for j in range(len(scores)):
        if j == k:
            continue
        x = scores[j] - scores[k]
        rank += step(x) if levels[j] < levels[k] else float(x >= 0)
    return rank


def plain_smooth_rank(k: int, scores: Sequence[float], tau: float = 0.01) -> float:
    others = [score for j, score in enumerate(scores) if j != k]
    return 1 + sum(plain_sigmoid((score - scores[k]) / tau) for score in others)


def plain_h_rank(
    k: int,
    scores: Sequence[float],
    levels: Sequence[int],
    relevances: Sequence[float],
    ahead: StepFunction = lambda x: float(x >= 0),
) -> float:
    """H-rank, with `ahead` for the items that share more levels than k."""
    h_rank = relevances[k]
    for j in range(len(scores)):
        if j == k:
            continue
        x = scores[j] - scores[k]
        counts = ahead(x) if levels[j] > levels[k] else float(x >= 0)
        h_rank += min(relevances[k], relevances[j]) * counts
    return h_rank


def plain_sup_h_ap(
    scores: Sequence[float],
    levels: Sequence[int],
    relevances: Sequence[float],
    step: StepFunction,
    ahead: StepFunction = lambda x: float(x >= 0),
) -> float:
    if not sum(relevances):
        return math.nan
    total = 0.0
    for k, relevance in enumerate(relevances):
        if relevance > 0:
            h_rank = plain_h_rank(k, scores, levels, relevances, ahead)
            total += h_rank / plain_sup_rank(k, scores, levels, step)
    return total / sum(relevances)


def plain_smooth_h_ap(
    scores: Sequence[float], relevances: Sequence[float], tau: float = 0.01
) -> float:
    total = 0.0
    for k, relevance in enumerate(relevances):
        if relevance > 0:
            h_rank = relevance
            for j, other in enumerate(relevances):
                if j != k:
                    h_rank += min(relevance, other) * plain_sigmoid((scores[j] - scores[k]) / tau)
            total += h_rank / plain_smooth_rank(k, scores, tau)
    return total / sum(relevances)


def plain_levels(labels: Tensor, ref_labels: Tensor) -> list[list[int]]:
    return [
        [plain_shared(query, item) for item in ref_labels.tolist()] for query in labels.tolist()
    ]


def plain_positives(labels: Tensor, level: int) -> list[list[int]]:
    depth = labels.shape[1] - level
    return [[int(shared >= depth) for shared in row] for row in plain_levels(labels, labels)]


def tree_batch(size: int, levels: int = 3, dim: int = 8, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    """(B, D) float64 of unit length and (B, L) labels of a tree with classes of unequal size.

    Items of a branch lie near each other, so that ranks are neither perfect nor random.
    """
    generator = torch.Generator().manual_seed(seed)
    finest = torch.randint(0, max(2, size // 3), (size,), generator=generator)
    labels = torch.stack([finest // 3**depth for depth in range(levels)], dim=1)
    embeddings = torch.randn(size, dim, dtype=torch.float64, generator=generator)
    for column in labels.T:
        centres = torch.randn(size + 1, dim, dtype=torch.float64, generator=generator)
        embeddings += 0.7 * centres[column]
    return functional.normalize(embeddings, dim=1), labels


def scored_batch(scores: Sequence[float], levels: Sequence[int], depth: int) -> tuple[Tensor, ...]:
    """One query and references with given similarities and given numbers of shared levels.

    Returns:
        (1, 2) and (1, L) of the query, (N, 2) and (N, L) of the references.
    """
    query, label = torch.tensor([[1.0, 0.0]], dtype=torch.float64), torch.zeros(1, depth)
    cosine = torch.tensor(scores, dtype=torch.float64)
    references = torch.stack([cosine, (1 - cosine**2).clamp(min=0).sqrt()], dim=1)
    # Column 0 is the finest level: an item that shares l levels differs in the first L - l.
    columns = torch.arange(depth)
    ref_labels = (columns < depth - torch.tensor(levels)[:, None]).long()
    return query, label.long(), references, ref_labels
