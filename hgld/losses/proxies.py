"""Losses that compare embeddings with one learnt vector a landmark, its proxy."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from hgld.losses.pairs import (
    at_least_single,
    batch_labels,
    expect_one_precision,
    expect_unit_length,
)
from hgld.metrics.arguments import check_tensors
from hgld.metrics.relevance import (
    UNKNOWN,
    bounds_of_shared_levels,
    has_unknown,
    shared_levels,
)

_LEAST_LENGTH = 1e-12
"""What `functional.normalize` divides by at least."""


def clustering_loss(
    embeddings: Tensor, labels: Tensor, proxies: Tensor, temperature: float = 0.05
) -> Tensor:
    r"""Computes the clustering loss: cross-entropy of the similarities to normalised proxies.

    mean over the batch of -log softmax_c(<v, p_c / |p_c|> / temperature) at the landmark's own c.

    Args:
        embeddings: (B, D) of unit length.
        labels: (B, L) or (B,) integers; column 0 is the row of the landmark's proxy.
        proxies: (C, D), one a training landmark; of any length but 0.
        temperature: what similarities are divided by, positive.

    Returns:
        A scalar of the embeddings' dtype, float32 at least.

    Raises:
        ValueError: shapes that do not fit, a landmark without proxy, a bad temperature.
        TypeError: embeddings or proxies that are not floating point, or labels that are.

    Example:
        >>> embeddings, labels = torch.eye(3), torch.tensor([[0], [1], [2]])
        >>> round(float(clustering_loss(embeddings, labels, 5 * torch.eye(3), temperature=1.0)), 4)
        0.5514

    Source:
        Zhai, Wu: Classification is a Strong Baseline for Deep Metric Learning, BMVC 2019,
        equation 3; HAPPIER, ECCV 2022, equation 8.
    """
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature must be positive, got {temperature}; it must be finite too")
    labels = batch_labels(embeddings, labels)
    expect_unit_length(embeddings)
    similarity = _own_similarity(at_least_single(embeddings) / temperature, labels, proxies)
    return functional.cross_entropy(similarity, labels[:, 0].long())


def csl_loss(
    embeddings: Tensor,
    labels: Tensor,
    proxies: Tensor,
    proxy_labels: Tensor | None = None,
    *,
    margins: Sequence[float] = (0.25, 0.35, 0.45),
    scale: float = 32.0,
) -> Tensor:
    r"""Computes the composite similarity loss: one margin a level, over all proxies.

    sum over the levels l of the mean over the batch of softplus(LSE_neg(l) + LSE_pos + scale m_l)
    where LSE_neg(l) = logsumexp(scale s_p) over the proxies p that differ from the item at level l
    and LSE_pos = logsumexp(-scale s_p) over those that share its finest level.

    Args:
        embeddings: (B, D) of unit length.
        labels: (B, L) integers, column 0 the finest level; (B,) where there is one level.
        proxies: (C, D), one a training landmark; of any length but 0.
        proxy_labels: (C, L) or (C,) the labels of the proxies, any order. None: the distinct rows
            of `labels` in ascending order, for a batch that holds every landmark.
        margins: m_l, one a column of the labels.
        scale: what similarities and margins are multiplied by, positive.

    Returns:
        A scalar of the embeddings' dtype, float32 at least. A level that an item shares with all
        proxies adds 0.

    Raises:
        ValueError: shapes that do not fit, not one margin a level, a landmark without proxy.
        TypeError: embeddings or proxies that are not floating point, or labels that are.

    Example:
        >>> embeddings, labels = torch.eye(2), torch.tensor([[0], [1]])
        >>> round(float(csl_loss(embeddings, labels, torch.eye(2), margins=[0.5], scale=2.0)), 4)
        0.3133

    Source:
        Sun et al.: Dynamic Metric Learning: Towards a Scalable Metric Space to Accommodate
        Multiple Semantic Scales, CVPR 2021, equation 5.
    """
    labels = batch_labels(embeddings, labels)
    levels = labels.shape[1]
    if len(margins) != levels or not all(map(math.isfinite, margins)) or not 0 < scale < math.inf:
        raise ValueError(
            f"margins must be one number for each of the {levels} levels, finest first, and scale "
            f"positive, all of them finite, got {tuple(margins)} and {scale}"
        )
    expect_unit_length(embeddings)
    similarity = scale * _similarity(embeddings, proxies)
    proxy_labels = _labels_of_proxies(proxies, proxy_labels, labels)
    same = labels[:, None] == proxy_labels[None]  # (B, C, L)
    differs = ~same
    if has_unknown(labels, proxy_labels):
        differs &= (labels[:, None] != UNKNOWN) & (proxy_labels[None] != UNKNOWN)
    if not same[:, :, 0].any(1).all():
        raise ValueError("every landmark of the batch must have a proxy; add its proxy_labels row")
    positive = torch.where(same[:, :, 0], -similarity, -torch.inf).logsumexp(1)
    loss = similarity.new_zeros(())
    for level, margin in enumerate(margins):
        negative = torch.where(differs[:, :, level], similarity, -torch.inf).logsumexp(1)
        loss = loss + functional.softplus(negative + positive + scale * margin).mean()
    return loss


def hxe_loss(
    embeddings: Tensor,
    labels: Tensor,
    proxies: Tensor,
    proxy_labels: Tensor | None = None,
    *,
    alpha: float = 0.1,
    temperature: float = 0.05,
) -> Tensor:
    r"""Computes the hierarchical cross-entropy: the surprise at each step down the tree of labels.

    mean over the batch of -sum_{l=1}^{L} exp(-alpha l) log p(l | l - 1) with
    p(l | l - 1) = P_l / P_{l-1}: P_l is the sum of softmax_c(<v, p_c / |p_c|> / temperature) over
    the proxies that share l levels or more with the item, from the coarsest down, and P_0 = 1. The
    larger alpha, the more a mistake at a coarse level costs next to one at a fine level; with
    alpha = 0 it is the clustering loss.

    Args:
        embeddings: (B, D) of unit length.
        labels: (B, L) integers, column 0 the finest level; (B,) where there is one level.
        proxies: (C, D), one a training landmark; of any length but 0.
        proxy_labels: (C, L) or (C,) the labels of the proxies, any order. None: the distinct rows
            of `labels` in ascending order, for a batch that holds every landmark.
        alpha: how fast the weights fall from coarse to fine levels, at least 0.
        temperature: what similarities are divided by, positive.

    Returns:
        A scalar of the embeddings' dtype, float32 at least.

    Raises:
        ValueError: shapes that do not fit, a landmark without proxy, a bad alpha or temperature.
        TypeError: embeddings or proxies that are not floating point, or labels that are.

    Example:
        >>> embeddings, labels = torch.eye(3), torch.tensor([[0, 0], [1, 0], [2, 1]])
        >>> round(float(hxe_loss(embeddings, labels, torch.eye(3), alpha=1.0, temperature=1.0)), 4)
        0.1543

    Source:
        Bertinetto, Mueller, Tertikas, Samangooei, Lord: Making Better Mistakes: Leveraging Class
        Hierarchies with Deep Networks, CVPR 2020, equations 3 and 5. The height of a node is
        counted from the root, 1 for the coarsest label, as in its published code. The softmax is
        that of `clustering_loss`, in the place of a linear classifier.
    """
    if not 0 <= alpha < math.inf or not 0 < temperature < math.inf:
        raise ValueError(
            f"alpha must be at least 0 and temperature positive, both finite, got {alpha} and "
            f"{temperature}"
        )
    labels = batch_labels(embeddings, labels)
    expect_unit_length(embeddings)
    logits = _similarity(embeddings, proxies) / temperature
    proxy_labels = _labels_of_proxies(proxies, proxy_labels, labels)
    shared = shared_levels(labels, proxy_labels)  # (B, C)
    if has_unknown(labels, proxy_labels):
        # A proxy that shares an uncertain number of levels takes no part.
        shared, most = bounds_of_shared_levels(labels, proxy_labels)
        logits = logits.masked_fill(shared != most, -torch.inf)
    depths = range(labels.shape[1] + 1)
    if not (shared == depths[-1]).any(1).all():
        raise ValueError("every landmark of the batch must have a proxy; add its proxy_labels row")
    masses = [torch.where(shared >= depth, logits, -torch.inf).logsumexp(1) for depth in depths]
    weights = torch.exp(-alpha * torch.arange(1, len(depths), device=logits.device)).to(logits)
    return (torch.stack(masses, dim=1).diff(dim=1).neg() * weights).sum(dim=1).mean()


def arcface_loss(
    embeddings: Tensor,
    labels: Tensor,
    proxies: Tensor,
    *,
    margin: float = 0.5,
    scale: float = 64.0,
) -> Tensor:
    r"""Computes ArcFace: cross-entropy of cosines, with an angle added at the right class.

    mean over the batch of -log softmax_c(scale z) with z_p = cos(theta_p), but cos(theta_c + m) at
    the landmark's own c. Beyond theta_c = pi - m, where that would rise again, it goes on as
    cos(theta_c) - m sin(m).

    Written here and not taken from pytorch-metric-learning, whose gradient is not a number where
    an embedding lies on its proxy: arccos has none there.

    Args:
        embeddings: (B, D) of any length but 0.
        labels: (B, L) or (B,) integers; column 0 is the row of the landmark's proxy.
        proxies: (C, D), one a training landmark; of any length but 0.
        margin: m, in radians, from 0 to pi.
        scale: what cosines are multiplied by, positive.

    Returns:
        A scalar of the embeddings' dtype, float32 at least.

    Raises:
        ValueError: shapes that do not fit, a landmark without proxy, a bad margin or scale.
        TypeError: embeddings or proxies that are not floating point, or labels that are.

    Example:
        >>> embeddings, labels = torch.eye(2), torch.tensor([0, 1])
        >>> round(float(arcface_loss(embeddings, labels, torch.eye(2), scale=2.0)), 4)
        0.1595

    Source:
        Deng, Guo, Xue, Zafeiriou: ArcFace: Additive Angular Margin Loss for Deep Face Recognition,
        CVPR 2019, equation 3.
    """
    if not 0 <= margin <= math.pi or not 0 < scale < math.inf:
        raise ValueError(
            f"margin must be from 0 to pi and scale positive and finite, got {margin} and {scale}"
        )
    labels = batch_labels(embeddings, labels)
    cosine = _own_similarity(functional.normalize(at_least_single(embeddings)), labels, proxies)
    column = labels[:, :1].long()
    own = cosine.gather(1, column)
    # Where the sine is 0 its slope is infinite: there the angle stays as it is.
    square = 1 - own.square()
    sine = torch.where(square > 0, square, 1.0).sqrt() * (square > 0)
    turned = own * math.cos(margin) - sine * math.sin(margin)
    turned = torch.where(own >= math.cos(math.pi - margin), turned, own - margin * math.sin(margin))
    return functional.cross_entropy(scale * cosine.scatter(1, column, turned), column[:, 0])


def _labels_of_proxies(proxies: Tensor, proxy_labels: Tensor | None, labels: Tensor) -> Tensor:
    """(C, L), by default the distinct rows of the batch's labels; refuses those of other levels."""
    proxy_labels = torch.unique(labels, dim=0) if proxy_labels is None else proxy_labels
    proxy_labels = batch_labels(proxies, proxy_labels, name="proxy_")
    if proxy_labels.shape[1] != labels.shape[1]:
        raise ValueError(
            f"proxy_labels must have the {labels.shape[1]} levels of labels, got "
            f"{proxy_labels.shape[1]}; give each proxy the labels of its landmark at every level"
        )
    return proxy_labels


def _own_similarity(embeddings: Tensor, labels: Tensor, proxies: Tensor) -> Tensor:
    """(B, C) similarities; refuses a landmark, in column 0 of (B, L) labels, without proxy."""
    similarity = _similarity(embeddings, proxies)
    first, last = int(labels[:, 0].min()), int(labels[:, 0].max())
    if first < 0 or last >= len(proxies):
        raise ValueError(
            f"landmarks must be numbered from 0 to {len(proxies) - 1}, the rows of proxies, got "
            f"{first} to {last}; number the training landmarks in order"
        )
    return similarity


def _similarity(embeddings: Tensor, proxies: Tensor) -> Tensor:
    """(B, C) similarities; refuses proxies that a batch, (B, D), cannot be compared with."""
    check_tensors(proxies=proxies)
    if proxies.ndim != embeddings.ndim or proxies.shape[1] != embeddings.shape[1]:
        raise ValueError(
            f"proxies must have shape (C, {embeddings.shape[1]}), one row a landmark, got "
            f"{tuple(proxies.shape)}"
        )
    if not proxies.is_floating_point():
        raise TypeError(f"proxies must be floating point, got {proxies.dtype}")
    values = at_least_single(proxies)
    expect_one_precision(embeddings, values, name="proxies")
    apply: Callable[..., Tensor] = _Cosines.apply  # torch leaves it untyped
    device, factors = embeddings.device.type, values.dtype
    # Not of float16, in which gradients vanish: of 46,593 proxies most entries are below 1e-7.
    if torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device) == torch.bfloat16:
        factors = torch.bfloat16 if values.dtype == torch.float32 else values.dtype
    with torch.autocast(device, enabled=False):
        return apply(at_least_single(embeddings), values, factors)


class _Cosines(torch.autograd.Function):
    """E P^T / |p|, its products of `factors` of that type, with a gradient written out.

    Torch by itself makes a dozen matrices of (B, C), whose new memory alone is a third of a step
    of 46,593 proxies; normalised proxies would be (C, D) once more, and their gradient several
    times.
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - torch's
        embeddings: Tensor,
        proxies: Tensor,
        factors: torch.dtype,
    ) -> Tensor:
        lengths = torch.linalg.vector_norm(proxies, dim=1).clamp_(min=_LEAST_LENGTH)
        low, low_proxies = embeddings.to(factors), proxies.to(factors)
        similarity = (low @ low_proxies.T).to(proxies.dtype).div_(lengths)
        ctx.save_for_backward(low, low_proxies, proxies, lengths, similarity)
        return similarity

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:  # noqa: ANN401 - as above
        low, low_proxies, proxies, lengths, similarity = ctx.saved_tensors
        # d s / d p = (e - s p / |p|) / |p|
        along = (gradient * similarity).sum(dim=0) / lengths.square()
        along.masked_fill_(lengths == _LEAST_LENGTH, 0)
        scaled = (gradient / lengths).to(low.dtype)
        of_proxies = (scaled.T @ low).to(proxies.dtype).addcmul_(proxies, along[:, None], value=-1)
        return (scaled @ low_proxies).to(proxies.dtype), of_proxies, None
