"""Losses that compare embeddings with one learnt vector a landmark, its proxy."""

import torch
from torch import Tensor
from torch.nn import functional

from training.losses.batch import at_least_single, check_batch


def clustering_loss(
    embeddings: Tensor, labels: Tensor, proxies: Tensor, temperature: float = 0.05
) -> Tensor:
    r"""Computes the clustering loss: cross-entropy of the similarities to normalised proxies.

    mean over the batch of -log softmax_c(<v, p_c / |p_c|> / temperature) at the landmark's own c.

    Args:
        embeddings: (B, D) of unit length.
        labels: (B, L) integers; column 0 is the row of the landmark's proxy.
        proxies: (C, D), one a training landmark; of any length but 0.
        temperature: what similarities are divided by, positive.

    Returns:
        A scalar of the embeddings' dtype, float32 at least.

    Raises:
        ValueError: shapes that do not fit, a landmark without proxy, a bad temperature.
        TypeError: embeddings that are not floating point, or labels that are.

    Example:
        >>> embeddings, labels = torch.eye(3), torch.tensor([[0], [1], [2]])
        >>> round(float(clustering_loss(embeddings, labels, 5 * torch.eye(3), temperature=1.0)), 4)
        0.5514

    Source:
        Zhai, Wu: Classification is a Strong Baseline for Deep Metric Learning, BMVC 2019,
        equation 3; HAPPIER, ECCV 2022, equation 8.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    similarity = proxy_similarity(embeddings, labels, proxies)
    return functional.cross_entropy(similarity / temperature, labels[:, 0])


def proxy_similarity(embeddings: Tensor, labels: Tensor, proxies: Tensor) -> Tensor:
    """Compares a batch with normalised proxies, in single precision or better.

    Args:
        embeddings: (B, D).
        labels: (B, L) integers; column 0 is the row of the landmark's proxy.
        proxies: (C, D).

    Returns:
        (B, C) cosine similarities, given embeddings of unit length.

    Raises:
        ValueError: shapes that do not fit together, or a landmark without proxy.
        TypeError: embeddings that are not floating point, or labels that are.
    """
    check_batch(embeddings, labels)
    if proxies.ndim != embeddings.ndim or proxies.shape[1] != embeddings.shape[1]:
        raise ValueError(
            f"proxies must have shape (C, {embeddings.shape[1]}), one row a landmark, got "
            f"{tuple(proxies.shape)}"
        )
    first, last = int(labels[:, 0].min()), int(labels[:, 0].max())
    if first < 0 or last >= len(proxies):
        raise ValueError(
            f"landmarks must be numbered from 0 to {len(proxies) - 1}, the rows of proxies, got "
            f"{first} to {last}; number the training landmarks in order"
        )
    with torch.autocast(embeddings.device.type, enabled=False):
        directions = functional.normalize(at_least_single(proxies))
        return at_least_single(embeddings) @ directions.T
