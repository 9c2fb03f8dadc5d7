"""Losses that rank a batch by one level: what shares the landmark is positive, or the class."""

from functools import partial

import torch
from torch import Tensor

from hgld.losses.hierarchical import RankFunction, one_minus_h_ap
from hgld.losses.pairs import at_level, compare, row_loss
from hgld.losses.pairwise import decomposability_loss
from hgld.losses.ranking.ranks import (
    Ranking,
    Reduction,
    RowValues,
    hard_h_rank,
    smooth_ranks,
    sup_rank,
)
from hgld.losses.ranking.steps import sigmoid_step, sup_step
from hgld.losses.ranking.sums import Method


def sup_ap_loss(  # noqa: PLR0913 - every constant of the published loss, by its published name
    embeddings: Tensor,
    labels: Tensor,
    *,
    ref_embeddings: Tensor | None = None,
    ref_labels: Tensor | None = None,
    level: int = 0,
    tau: float = 0.01,
    rho: float = 100.0,
    delta: float = 0.05,
    start: float = 0.5,
    offset: float | None = 1.44,
    reduction: Reduction = "mean",
    method: Method = "auto",
) -> Tensor:
    r"""Computes Sup-AP, a smooth upper bound of 1 - AP, averaged over the batch.

    `sup_hap_loss` with one level: AP(q) = (1 / |positives|) sum_k rank+(k) / rank(k) over the
    positives k, where rank+(k) counts the positives and rank(k) bounds the count of all items
    from above by the step f.

    Args:
        embeddings: (B, D) of unit length.
        labels: (B, L) integers, column 0 the finest level.
        ref_embeddings: (N, D) items to rank instead of the batch; gradients flow to them too.
        ref_labels: (N, L).
        level: column of the labels: items that share it, and all coarser ones, are positive.
        tau: see `sup_hap_loss`, as for the next four.
        rho: slope of f beyond `delta`.
        delta: where the straight part of f begins.
        start: jump of f at 0.
        offset: f just beyond `delta`; None makes f continuous.
        reduction: `mean` or `none`.
        method: how sums over f are done.

    Returns:
        A scalar, or (B,) with reduction `none`; queries without positives as in `sup_hap_loss`.

    Raises:
        ValueError: shapes or settings that make no sense.
        TypeError: embeddings that are not floating point, or labels that are.

    Source:
        Ramzi, Thome, Rambour, Audebert, Bitot: Robust and Decomposable Average Precision for
        Image Retrieval (ROADMAP), NeurIPS 2021, equations 2 to 5.
    """
    pairs = at_level(compare(embeddings, labels, ref_embeddings, ref_labels), level)
    step = sup_step(tau=tau, rho=rho, delta=delta, start=start, offset=offset)

    def ranks(ranking: Ranking, relevance: Tensor) -> tuple[Tensor, Tensor]:
        return sup_rank(ranking, step), hard_h_rank(ranking, relevance)

    row = partial(_one_minus_ap, depth=pairs.labels.shape[1], method=method, ranks_of=ranks)
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
    method: Method = "auto",
) -> Tensor:
    r"""Computes Smooth-AP: 1 - AP with sigmoid(x / tau) for every step, averaged over the batch.

    AP(q) = (1 / |positives|) sum_k (1 + sum_{j positive} sigmoid(x / tau)) /
    (1 + sum_j sigmoid(x / tau)) over the positives k, j other than k, x = s_j - s_k.

    Args:
        embeddings: (B, D) of unit length.
        labels: (B, L) integers, column 0 the finest level.
        ref_embeddings: (N, D) items to rank instead of the batch; gradients flow to them too.
        ref_labels: (N, L).
        level: column of the labels: items that share it, and all coarser ones, are positive.
        tau: width of the sigmoid, in units of similarity.
        reduction: `mean` or `none`.
        method: how sums over the sigmoid are done.

    Returns:
        A scalar, or (B,) with reduction `none`; queries without positives as in `sup_hap_loss`.

    Raises:
        ValueError: shapes or settings that make no sense.
        TypeError: embeddings that are not floating point, or labels that are.

    Source:
        Brown, Xie, Kalogeiton, Zisserman: Smooth-AP: Smoothing the Path Towards Large-Scale Image
        Retrieval, ECCV 2020, equation 6.
    """
    pairs = at_level(compare(embeddings, labels, ref_embeddings, ref_labels), level)
    ranks = partial(smooth_ranks, step=sigmoid_step(tau))
    row = partial(_one_minus_ap, depth=pairs.labels.shape[1], method=method, ranks_of=ranks)
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
) -> Tensor:
    """Computes ROADMAP: (1 - weight) Sup-AP + weight decomposability.

    Args:
        embeddings: (B, D) of unit length.
        labels: (B, L) integers, column 0 the finest level.
        ref_embeddings: (N, D) items to rank instead of the batch; gradients flow to them too.
        ref_labels: (N, L).
        level: column of the labels: items that share it, and all coarser ones, are positive.
        weight: lambda, in [0, 1].
        alpha: similarity that positives should reach, see `decomposability_loss`.
        beta: similarity that negatives should not exceed.

    Returns:
        A scalar of the embeddings' dtype, float32 at least.

    Raises:
        ValueError: shapes or settings that make no sense.
        TypeError: embeddings that are not floating point, or labels that are.

    Source:
        ROADMAP, NeurIPS 2021, equation 8.
    """
    if not 0 <= weight <= 1:
        raise ValueError(f"weight must be from 0 to 1, got {weight}")
    ranking = sup_ap_loss(
        embeddings, labels, ref_embeddings=ref_embeddings, ref_labels=ref_labels, level=level
    )
    spread = decomposability_loss(
        embeddings,
        labels,
        ref_embeddings=ref_embeddings,
        ref_labels=ref_labels,
        level=level,
        alpha=alpha,
        beta=beta,
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
        labels: (B, L) integers, column 0 the finest level.
        ref_embeddings: (N, D) items to rank instead of the batch; gradients flow to them too.
        ref_labels: (N, L).
        level: column of the labels: items that share it, and all coarser ones, are positive.
        bins: how many bins cover [-1, 1], at least 2.
        reduction: `mean` or `none`.

    Returns:
        A scalar, or (B,) with reduction `none`; queries without positives as in `sup_hap_loss`.

    Raises:
        ValueError: shapes or settings that make no sense.
        TypeError: embeddings that are not floating point, or labels that are.

    Source:
        Revaud, Almazan, Rezende, de Souza: Learning with Average Precision: Training Image
        Retrieval with a Listwise Loss, ICCV 2019, equations 5 to 9.
    """
    if not bins > 1:
        raise ValueError(f"bins must be at least 2, got {bins}; 20 is the published setting")
    pairs = at_level(compare(embeddings, labels, ref_embeddings, ref_labels), level)
    return row_loss(
        pairs, partial(_one_minus_binned_ap, bins=bins, depth=pairs.labels.shape[1]), reduction
    )


def _one_minus_ap(
    scores: Tensor, level: Tensor, *, depth: int, method: Method, ranks_of: RankFunction
) -> RowValues:
    """1 - AP of each row: H-AP where sharing all `depth` levels is relevant and nothing else is."""
    return one_minus_h_ap(
        scores,
        (level == depth).long(),
        levels=1,
        method=method,
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
    return RowValues(1 - (precision * recall).sum(1), total > 0)
