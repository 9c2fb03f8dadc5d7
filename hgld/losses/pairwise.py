"""Losses of pairs and triplets of items, each by itself: decomposability and the triplet loss."""

import math
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from hgld.errors import needing
from hgld.losses.pairs import at_least_single, compare
from hgld.metrics.arguments import check_choice
from hgld.metrics.relevance import bounds_of_shared_levels, has_unknown

Mining = Literal["hard", "semihard", "all"]


def decomposability_loss(  # noqa: PLR0913 - a batch, its references, and two thresholds
    embeddings: Tensor,
    labels: Tensor,
    *,
    ref_embeddings: Tensor | None = None,
    ref_labels: Tensor | None = None,
    level: int = 0,
    alpha: float = 0.9,
    beta: float = 0.6,
) -> Tensor:
    r"""Computes the decomposability loss: positives above one similarity, negatives below another.

    mean of [alpha - s]_+ over the positive pairs + mean of [s - beta]_+ over the negative ones,
    each over its non-zero terms; s is the cosine. AP ranks within a batch; this makes the
    similarities of all batches comparable.

    Args:
        embeddings: (B, D) of any length but 0.
        labels: (B, L) integers, column 0 the finest level; (B,) where there is one level.
        ref_embeddings: (N, D) to pair the batch with instead of itself; gradients flow to them.
        ref_labels: (N, L) or (N,).
        level: column of the labels: items that share it, and all coarser ones, are positive.
        alpha: similarity that positives should reach.
        beta: similarity that negatives should not exceed.

    Returns:
        A scalar of the embeddings' dtype, float32 at least; 0 where no pair violates its bound.
        Within a batch an item is not paired with itself.

    Raises:
        ValueError: shapes or settings that make no sense.
        TypeError: embeddings that are not floating point, or labels that are.

    Example:
        >>> embeddings = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.8, 0.6]])
        >>> labels = torch.tensor([[0], [0], [1]])  # 0.9 - 0.6; mean of 0.8 - 0.6 and 0.96 - 0.6
        >>> round(float(decomposability_loss(embeddings, labels)), 4)
        0.58

    Source:
        Ramzi et al.: Robust and Decomposable Average Precision for Image Retrieval (ROADMAP),
        NeurIPS 2021, equation 7.
    """
    if not math.isfinite(alpha) or not math.isfinite(beta):
        raise ValueError(f"alpha and beta must be finite, got {alpha} and {beta}")
    pairs = compare(embeddings, labels, ref_embeddings, ref_labels, level=level, normalized=True)
    least, most = bounds_of_shared_levels(pairs.labels, pairs.ref_labels)
    positive = least == pairs.labels.shape[1]
    negative = most < pairs.labels.shape[1]
    if ref_embeddings is None:
        positive = positive.fill_diagonal_(fill_value=False)
    too_far = functional.relu(alpha - pairs.scores[positive])
    too_near = functional.relu(pairs.scores[negative] - beta)
    return _mean_of_nonzero(too_far) + _mean_of_nonzero(too_near)


def triplet_loss(  # noqa: PLR0913 - a batch, its references, and how it is mined
    embeddings: Tensor,
    labels: Tensor,
    *,
    ref_embeddings: Tensor | None = None,
    ref_labels: Tensor | None = None,
    level: int = 0,
    margin: float = 0.1,
    mining: Mining = "hard",
) -> Tensor:
    r"""Computes the triplet loss: a positive should be nearer than a negative, by a margin.

    mean of [cos(a, n) - cos(a, p) + margin]_+ over the non-zero terms of the mined triplets of
    anchor a, positive p and negative n.

    Args:
        embeddings: (B, D) of any length but 0; the anchors.
        labels: (B, L) integers, column 0 the finest level; (B,) where there is one level.
        ref_embeddings: (N, D) to take positives and negatives from instead of the batch.
        ref_labels: (N, L) or (N,).
        level: column of the labels: items that share it, and all coarser ones, are positive.
        margin: in units of cosine.
        mining: `hard`: for each anchor the farthest positive and the nearest negative;
            `semihard`: triplets in the right order but within the margin; `all`: every triplet,
            O(B^3) memory.

    Returns:
        A scalar of the embeddings' dtype, float32 at least; 0 where no triplet violates the
        margin or there is none.

    Raises:
        ImportError: pytorch-metric-learning is not installed.
        ValueError: shapes or settings that make no sense.
        TypeError: embeddings that are not floating point, or labels that are.

    Example:
        >>> embeddings = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.8, 0.6]])
        >>> labels = torch.tensor([[0], [0], [1]])  # 0.8 - 0.6 + 0.1; 0.96 - 0.6 + 0.1
        >>> round(float(triplet_loss(embeddings, labels)), 4)
        0.38

    Source:
        Schroff, Kalenichenko, Philbin: FaceNet, CVPR 2015 (semihard); Hermans, Beyer, Leibe: In
        Defense of the Triplet Loss, 2017 (hard).
    """
    if not math.isfinite(margin):
        raise ValueError(f"margin must be a finite number, got {margin}; 0.1 is usual")
    miner, loss = _miner_and_loss(mining, margin)
    pairs = compare(embeddings, labels, ref_embeddings, ref_labels, level=level, normalized=True)
    if has_unknown(pairs.labels[:, 0], pairs.ref_labels[:, 0]):
        raise ValueError("labels of that level must be known for triplets, got -1; leave these out")
    within = ref_embeddings is None
    references = embeddings if ref_embeddings is None else ref_embeddings
    # One number for each branch of the tree, as the package knows labels of one level only.
    branches = torch.cat([pairs.labels, pairs.ref_labels])
    _, number = torch.unique(branches, dim=0, return_inverse=True)
    numbers, ref_numbers = number.split([len(embeddings), len(references)])
    with torch.autocast(embeddings.device.type, enabled=False):
        batch = (at_least_single(embeddings), numbers)
        refs = () if within else (at_least_single(references), ref_numbers)
        triplets = None if miner is None else miner(*batch, *refs)
        result: Tensor = loss(*batch, triplets, *refs)
    # Not a number in, not a number out: mining leaves out what compares with nothing.
    return result * torch.where(pairs.scores.detach().isfinite().all(), 1.0, torch.nan)


def _mean_of_nonzero(terms: Tensor) -> Tensor:
    return terms.sum() / (terms.detach() > 0).sum().clamp(min=1)


def _miner_and_loss(mining: Mining, margin: float) -> tuple[Any, Any]:
    """What finds triplets (None: all are taken) and what adds them up."""
    check_choice("mining", mining, Mining)
    with needing("metric-learning", "triplet_loss", kind=ModuleNotFoundError):
        from pytorch_metric_learning import distances, losses, miners

    cosine = distances.CosineSimilarity()
    loss = losses.TripletMarginLoss(margin=margin, distance=cosine)
    match mining:
        case "hard":
            return miners.BatchHardMiner(distance=cosine), loss
        case "semihard":
            semihard = miners.TripletMarginMiner(
                margin=margin, type_of_triplets="semihard", distance=cosine
            )
            return semihard, loss
        case "all":
            return None, loss
