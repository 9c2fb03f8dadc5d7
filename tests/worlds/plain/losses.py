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


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > 0 else math.exp(x) / (1 + math.exp(x))


def sup_step(x: float) -> float:
    """The published one, with tau 0.01, rho 100, delta 0.05, start 0.5 and offset 1.44."""
    if x <= 0:
        return sigmoid(x / 0.01)
    return 0.5 + sigmoid(x / 0.01) if x <= 0.05 else 100 * (x - 0.05) + 1.44


def heaviside(x: float) -> float:
    return float(x >= 0)


def rank(
    k: int,
    scores: Sequence[float],
    levels: Sequence[int],
    lower: StepFunction,
    others: StepFunction,
) -> float:
    """The rank of k, in which items that share fewer levels count by a step of their own."""
    steps = [lower if level < levels[k] else others for level in levels]
    pairs = enumerate(zip(steps, scores, strict=True))
    return 1 + sum(step(score - scores[k]) for j, (step, score) in pairs if j != k)


def h_ap(
    scores: Sequence[float],
    levels: Sequence[int],
    relevances: Sequence[float],
    lower: StepFunction,
    others: StepFunction = heaviside,
    higher: StepFunction | None = None,
) -> float:
    """H-AP with steps in ranks and H-ranks; `higher` is for items that share more levels in these.

    Without levels to tell apart, that is AP.
    """
    if not sum(relevances):
        return math.nan
    total = 0.0
    for k, relevance in enumerate(relevances):
        h_rank = relevance
        for j, other in enumerate(relevances):
            step = higher if higher and levels[j] > levels[k] else others
            h_rank += min(relevance, other) * step(scores[j] - scores[k]) * (j != k)
        if relevance > 0:
            total += h_rank / rank(k, scores, levels, lower, others)
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
