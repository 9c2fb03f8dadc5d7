"""The triplet loss with mining, by way of pytorch-metric-learning (extra `metric-learning`)."""

from typing import Any, Literal

import torch
from torch import Tensor

from hgld.errors import how_to_install
from hgld.losses.pairs import at_least_single, at_level, compare

Mining = Literal["hard", "semihard", "all"]


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
        labels: (B, L) integers, column 0 the finest level.
        ref_embeddings: (N, D) to take positives and negatives from instead of the batch.
        ref_labels: (N, L).
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

    Source:
        Schroff, Kalenichenko, Philbin: FaceNet, CVPR 2015 (semihard); Hermans, Beyer, Leibe: In
        Defense of the Triplet Loss, 2017 (hard).
    """
    miner, loss = _miner_and_loss(mining, margin)
    pairs = at_level(compare(embeddings, labels, ref_embeddings, ref_labels), level)
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
    return result


def _miner_and_loss(mining: Mining, margin: float) -> tuple[Any, Any]:
    try:
        from pytorch_metric_learning import distances, losses, miners
    except ImportError as error:
        raise ImportError(
            f"triplet_loss needs pytorch-metric-learning: {how_to_install('metric-learning')}"
        ) from error
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
        case _:
            raise ValueError(f"mining must be 'hard', 'semihard' or 'all', got {mining!r}")
