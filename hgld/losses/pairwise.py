"""Losses that look at pairs of items one by one: decomposability."""

from torch import Tensor
from torch.nn import functional

from hgld.losses.pairs import at_least_single, at_level, compare
from hgld.metrics.relevance import shared_levels


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
        labels: (B, L) integers, column 0 the finest level.
        ref_embeddings: (N, D) to pair the batch with instead of itself; gradients flow to them.
        ref_labels: (N, L).
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
        >>> import torch
        >>> embeddings = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.8, 0.6]])
        >>> labels = torch.tensor([[0], [0], [1]])  # 0.9 - 0.6; mean of 0.8 - 0.6 and 0.96 - 0.6
        >>> round(float(decomposability_loss(embeddings, labels)), 4)
        0.58

    Source:
        Ramzi et al.: Robust and Decomposable Average Precision for Image Retrieval (ROADMAP),
        NeurIPS 2021, equation 7.
    """
    within = ref_embeddings is None
    pairs = compare(
        _unit(embeddings),
        labels,
        None if ref_embeddings is None else _unit(ref_embeddings),
        ref_labels,
    )
    pairs = at_level(pairs, level)
    shared = shared_levels(pairs.labels, pairs.ref_labels)
    positive = shared == pairs.labels.shape[1]
    negative = ~positive
    if within:
        positive = positive.fill_diagonal_(fill_value=False)
    too_far = functional.relu(alpha - pairs.scores[positive])
    too_near = functional.relu(pairs.scores[negative] - beta)
    return _mean_of_nonzero(too_far) + _mean_of_nonzero(too_near)


def _unit(embeddings: Tensor) -> Tensor:
    if embeddings.is_floating_point():
        return functional.normalize(at_least_single(embeddings), dim=-1)
    return embeddings  # refused with a message by whoever looks next


def _mean_of_nonzero(terms: Tensor) -> Tensor:
    return terms.sum() / (terms.detach() > 0).sum().clamp(min=1)
