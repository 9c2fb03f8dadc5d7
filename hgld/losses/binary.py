"""Losses that rank a batch by one level: what shares the landmark is positive, or the class."""

import math
from collections.abc import Callable
from functools import partial
from typing import Unpack

import torch
from torch import Tensor

from hgld.losses.hierarchical import one_minus_h_ap
from hgld.losses.pairs import Reduction, compare, row_loss
from hgld.losses.pairwise import decomposability_loss
from hgld.losses.ranking.rows import RowValues
from hgld.losses.ranking.steps import SupConstants, SupStep, sigmoid_step
from hgld.losses.ranking.sums import rank_rows, smooth_rank, smooth_ranks, sup_ranks


def sup_ap_loss(
    embeddings: Tensor,
    labels: Tensor,
    *,
    ref_embeddings: Tensor | None = None,
    ref_labels: Tensor | None = None,
    level: int = 0,
    reduction: Reduction = "mean",
    **constants: Unpack[SupConstants],
) -> Tensor:
    r"""Computes Sup-AP, a smooth upper bound of 1 - AP, averaged over the batch.

    `sup_hap_loss` with one level: AP(q) = (1 / |positives|) sum_k rank+(k) / rank(k) over the
    positives k, where rank+(k) counts the positives and rank(k) bounds the count of all items
    from above by the step f.

    Args:
        embeddings: (B, D) of unit length.
        labels: (B, L) integers, column 0 the finest level; (B,) where there is one level.
        ref_embeddings: (N, D) items to rank instead of the batch; gradients flow to them too.
        ref_labels: (N, L) or (N,).
        level: column of the labels: items that share it, and all coarser ones, are positive.
        reduction: `mean` or `none`.
        **constants: tau, rho, delta, start and offset of the step f, see
            `hgld.losses.ranking.steps.SupStep`.

    Returns:
        A scalar, or (B,) with reduction `none`; queries without positives as in `sup_hap_loss`.

    Raises:
        ValueError: shapes or settings that make no sense.
        TypeError: embeddings that are not floating point, labels that are, or an unknown setting.

    Example:
        >>> embeddings = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8]])
        >>> labels = torch.tensor([0, 1, 0])
        >>> round(float(sup_ap_loss(embeddings, labels)), 4)
        0.3144

    Source:
        Ramzi, Thome, Rambour, Audebert, Bitot: Robust and Decomposable Average Precision for
        Image Retrieval (ROADMAP), NeurIPS 2021, equations 2 to 5.
    """
    pairs = compare(embeddings, labels, ref_embeddings, ref_labels, level=level)
    ranks = partial(sup_ranks, step=SupStep(**constants).step, ahead=None)
    row = partial(_one_minus_ap, depth=pairs.labels.shape[1], ranks_of=ranks)
    return row_loss(pairs, row, reduction)


def smooth_ap_loss(  # noqa: PLR0913 - as sup_ap_loss
    embeddings: Tensor,
    labels: Tensor,
    *,
    ref_embeddings: Tensor | None = None,
    ref_labels: Tensor | None = None,
    level: int = 0,
    tau: float = 0.01,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Computes Smooth-AP: 1 - AP with sigmoid(x / tau) for every step, averaged over the batch.

    AP(q) = (1 / |positives|) sum_k (1 + sum_{j positive} sigmoid(x / tau)) /
    (1 + sum_j sigmoid(x / tau)) over the positives k, j other than k, x = s_j - s_k.

    Args:
        embeddings: (B, D) of unit length.
        labels: (B, L) integers, column 0 the finest level; (B,) where there is one level.
        ref_embeddings: (N, D) items to rank instead of the batch; gradients flow to them too.
        ref_labels: (N, L) or (N,).
        level: column of the labels: items that share it, and all coarser ones, are positive.
        tau: width of the sigmoid, in units of similarity.
        reduction: `mean` or `none`.

    Returns:
        A scalar, or (B,) with reduction `none`; queries without positives as in `sup_hap_loss`.

    Raises:
        ValueError: shapes or settings that make no sense.
        TypeError: embeddings that are not floating point, or labels that are.

    Example:
        >>> embeddings = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8]])
        >>> labels = torch.tensor([0, 1, 0])
        >>> round(float(smooth_ap_loss(embeddings, labels)), 4)
        0.1199

    Source:
        Brown, Xie, Kalogeiton, Zisserman: Smooth-AP: Smoothing the Path Towards Large-Scale Image
        Retrieval, ECCV 2020, equation 6.
    """
    pairs = compare(embeddings, labels, ref_embeddings, ref_labels, level=level)
    ranks = partial(smooth_ranks, step=sigmoid_step(tau))
    row = partial(_one_minus_ap, depth=pairs.labels.shape[1], ranks_of=ranks)
    return row_loss(pairs, row, reduction)


def roadmap_loss(  # noqa: PLR0913 - as sup_ap_loss
    embeddings: Tensor,
    labels: Tensor,
    *,
    ref_embeddings: Tensor | None = None,
    ref_labels: Tensor | None = None,
    level: int = 0,
    weight: float = 0.5,
    alpha: float = 0.9,
    beta: float = 0.6,
    **constants: Unpack[SupConstants],
) -> Tensor:
    """Computes ROADMAP: (1 - weight) Sup-AP + weight decomposability.

    Args:
        embeddings: (B, D) of unit length.
        labels: (B, L) integers, column 0 the finest level; (B,) where there is one level.
        ref_embeddings: (N, D) items to rank instead of the batch; gradients flow to them too.
        ref_labels: (N, L) or (N,).
        level: column of the labels: items that share it, and all coarser ones, are positive.
        weight: lambda, in [0, 1].
        alpha: similarity that positives should reach, see `decomposability_loss`.
        beta: similarity that negatives should not exceed.
        **constants: tau, rho, delta, start and offset of Sup-AP's step, see
            `hgld.losses.ranking.steps.SupStep`.

    Returns:
        A scalar of the embeddings' dtype, float32 at least.

    Raises:
        ValueError: shapes or settings that make no sense.
        TypeError: embeddings that are not floating point, labels that are, or an unknown setting.

    Example:
        >>> embeddings = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8]])
        >>> labels = torch.tensor([0, 1, 0])
        >>> round(float(roadmap_loss(embeddings, labels)), 4)
        0.4472

    Source:
        ROADMAP, NeurIPS 2021, equation 8.
    """
    SupStep(**constants)  # which refuses what is a setting of Sup-AP only
    if not 0 <= weight <= 1:
        raise ValueError(f"weight must be from 0 to 1, got {weight}")
    ranks = partial(sup_ap_loss, **constants)
    spreads = partial(decomposability_loss, alpha=alpha, beta=beta)
    ranking, spread = (
        loss(embeddings, labels, ref_embeddings=ref_embeddings, ref_labels=ref_labels, level=level)
        for loss in (ranks, spreads)
    )
    return (1 - weight) * ranking + weight * spread


def soft_bin_ap_loss(  # noqa: PLR0913 - as sup_ap_loss
    embeddings: Tensor,
    labels: Tensor,
    *,
    ref_embeddings: Tensor | None = None,
    ref_labels: Tensor | None = None,
    level: int = 0,
    bins: int = 20,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Computes one minus the AP of similarities sorted into overlapping bins.

    Bin b of `bins`, centred at c_b = 1 - 2 b / (bins - 1), takes the part
    max(0, 1 - |s - c_b| (bins - 1) / 2) of an item. AP(q) = sum_b precision_b recall_b, with the
    precision up to bin b and the recall inside it.

    Args:
        embeddings: (B, D) of unit length.
        labels: (B, L) integers, column 0 the finest level; (B,) where there is one level.
        ref_embeddings: (N, D) items to rank instead of the batch; gradients flow to them too.
        ref_labels: (N, L) or (N,).
        level: column of the labels: items that share it, and all coarser ones, are positive.
        bins: how many bins cover [-1, 1], at least 2.
        reduction: `mean` or `none`.

    Returns:
        A scalar, or (B,) with reduction `none`; queries without positives as in `sup_hap_loss`.

    Raises:
        ValueError: shapes or settings that make no sense.
        TypeError: embeddings that are not floating point, or labels that are.

    Example:
        >>> embeddings = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8]])
        >>> labels = torch.tensor([0, 1, 0])
        >>> round(float(soft_bin_ap_loss(embeddings, labels)), 3)
        0.311

    Source:
        Revaud, Almazan, Rezende, de Souza: Learning with Average Precision: Training Image
        Retrieval with a Listwise Loss, ICCV 2019, equations 5 to 9.
    """
    if not bins > 1:
        raise ValueError(f"bins must be at least 2, got {bins}; 20 is the published setting")
    pairs = compare(embeddings, labels, ref_embeddings, ref_labels, level=level)
    row = partial(_one_minus_binned_ap, bins=bins, depth=pairs.labels.shape[1])
    return row_loss(pairs, row, reduction, numbers=bins)


def recall_at_k_loss(  # noqa: PLR0913 - as sup_ap_loss
    embeddings: Tensor,
    labels: Tensor,
    *,
    ref_embeddings: Tensor | None = None,
    ref_labels: Tensor | None = None,
    level: int = 0,
    ks: tuple[int, ...] = (1, 2, 4, 8, 16),
    temperature: float = 1.0,
    tau: float = 0.01,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Computes one minus a smooth recall at k, averaged over `ks` and over the batch.

    R@k(q) = sum_i sigmoid((k - rank(i)) / temperature) / min(k, |positives|) over the positives i,
    with the smooth rank(i) = 1 + sum_{j other than i} sigmoid((s_j - s_i) / tau).

    Args:
        embeddings: (B, D) of unit length.
        labels: (B, L) integers, column 0 the finest level; (B,) where there is one level.
        ref_embeddings: (N, D) items to rank instead of the batch; gradients flow to them too.
        ref_labels: (N, L) or (N,).
        level: column of the labels: items that share it, and all coarser ones, are positive.
        ks: cut-offs, all positive.
        temperature: width of the cut-off, in ranks.
        tau: width of the step, in units of similarity.
        reduction: `mean` or `none`.

    Returns:
        A scalar, or (B,) with reduction `none`; queries without positives as in `sup_hap_loss`.

    Raises:
        ValueError: shapes or settings that make no sense.
        TypeError: embeddings that are not floating point, or labels that are.

    Example:
        >>> embeddings = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8]])
        >>> labels = torch.tensor([0, 1, 0])
        >>> round(float(recall_at_k_loss(embeddings, labels)), 4)
        0.1946

    Source:
        Patel, Tolias, Matas: Recall@k Surrogate Loss with Large Batches and Similarity Mixup,
        CVPR 2022, equations 4 to 6; divided by min(k, |positives|) as in Ramzi et al., TPAMI 2025.
    """
    whole = all(k >= 1 and float(k).is_integer() for k in ks)
    if not ks or not whole or not 0 < temperature < math.inf:
        raise ValueError(
            f"ks must be positive whole numbers and temperature positive, got {ks} and "
            f"{temperature}"
        )
    pairs = compare(embeddings, labels, ref_embeddings, ref_labels, level=level)
    step = sigmoid_step(tau)

    def row(scores: Tensor, shared: Tensor) -> RowValues:
        ranking = rank_rows(scores, (shared == pairs.labels.shape[1]).long(), 1)
        positives = ranking.counts[:, 1]
        rank = smooth_rank(ranking, step)
        recall = torch.zeros_like(scores[:, 0])
        for k in ks:
            found = torch.sigmoid((k - rank) / temperature) * ranking.level
            recall = recall + found.sum(1) / positives.clamp(min=1, max=k)
        return RowValues(1 - recall / len(ks), positives > 0)

    return row_loss(pairs, row, reduction)


def _one_minus_ap(
    scores: Tensor, level: Tensor, *, depth: int, ranks_of: Callable[..., tuple[Tensor, Tensor]]
) -> RowValues:
    """1 - AP of each row: H-AP where sharing all `depth` levels is relevant and nothing else is."""
    return one_minus_h_ap(
        scores,
        (level == depth).long(),
        levels=1,
        relevance_of=lambda counts: torch.arange(2, device=counts.device).expand_as(counts),
        ranks_of=ranks_of,
    )


def _one_minus_binned_ap(scores: Tensor, level: Tensor, *, depth: int, bins: int) -> RowValues:
    positive = (level == depth)[:, None]
    slope = (bins - 1) / 2
    centers = torch.linspace(1, -1, bins, dtype=scores.dtype, device=scores.device)
    above = slope * (scores[:, None] - centers[:, None])  # (R, bins, N)
    rising, falling = 1 + above, 1 - above
    # Beyond the outer centres, where rounding puts the similarity of equals, an item counts whole.
    ends = torch.ones_like(rising[:, :1])
    rising = torch.cat([rising[:, :-1], ends], dim=1)
    falling = torch.cat([ends, falling[:, 1:]], dim=1)
    share = torch.minimum(rising, falling).clamp(min=0)
    found, seen = (share * positive).sum(2), share.sum(2)
    total = found.sum(1)
    recall = found / torch.where(total > 0, total, 1.0)[:, None]
    precision = found.cumsum(1) / (seen.cumsum(1) + torch.finfo(scores.dtype).tiny)
    return RowValues(1 - (precision * recall).sum(1), positive.any(2)[:, 0])
