"""Losses made of smooth ranks alone: discounted gains, and recall among the first k."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from hgld.losses.pairs import at_level, compare, row_loss
from hgld.losses.ranking.ranks import (
    Ranking,
    Reduction,
    RowValues,
    rank_rows,
    smooth_rank,
    sup_rank,
)
from hgld.losses.ranking.steps import sigmoid_step, sup_step
from hgld.losses.ranking.sums import Method


def sup_ndcg_loss(  # noqa: PLR0913 - every constant of the published loss, by its published name
    embeddings: Tensor,
    labels: Tensor,
    *,
    ref_embeddings: Tensor | None = None,
    ref_labels: Tensor | None = None,
    tau: float = 0.01,
    rho: float = 100.0,
    delta: float = 0.05,
    start: float = 0.5,
    offset: float | None = 1.44,
    reduction: Reduction = "mean",
    method: Method = "auto",
) -> Tensor:
    r"""Computes Sup-NDCG, a smooth upper bound of 1 - NDCG, averaged over the batch.

    NDCG(q) = sum_k (2^l_k - 1) / log2(1 + rank(k)) divided by its value for the best order, where
    l_k is how many levels item k shares with q and rank(k) is that of `sup_hap_loss`.

    Args:
        embeddings: (B, D) of unit length.
        labels: (B, L) integers, column 0 the finest level.
        ref_embeddings: (N, D) items to rank instead of the batch; gradients flow to them too.
        ref_labels: (N, L).
        tau: see `sup_hap_loss`, as for the next four.
        rho: slope of the step beyond `delta`.
        delta: where the straight part of the step begins.
        start: jump of the step at 0.
        offset: the step just beyond `delta`; None makes it continuous.
        reduction: `mean` or `none`.
        method: how sums over the step are done.

    Returns:
        A scalar, or (B,) with reduction `none`; queries that share nothing with any item as in
        `sup_hap_loss`.

    Raises:
        ValueError: shapes or settings that make no sense.
        TypeError: embeddings that are not floating point, or labels that are.

    Source:
        Ramzi, Audebert, Rambour, Araujo, Bitot, Thome: Optimization of Rank Losses for Image
        Retrieval, TPAMI 2025, section 3.3.
    """
    pairs = compare(embeddings, labels, ref_embeddings, ref_labels)
    step = sup_step(tau=tau, rho=rho, delta=delta, start=start, offset=offset)
    row = partial(
        _one_minus_ndcg,
        levels=labels.shape[1],
        method=method,
        rank_of=partial(sup_rank, step=step),
    )
    return row_loss(pairs, row, reduction)


def smooth_ndcg_loss(  # noqa: PLR0913 - as sup_ndcg_loss
    embeddings: Tensor,
    labels: Tensor,
    *,
    ref_embeddings: Tensor | None = None,
    ref_labels: Tensor | None = None,
    tau: float = 0.01,
    reduction: Reduction = "mean",
    method: Method = "auto",
) -> Tensor:
    """Computes 1 - NDCG with sigmoid(x / tau) for every step: a baseline for `sup_ndcg_loss`.

    Args:
        embeddings: (B, D) of unit length.
        labels: (B, L) integers, column 0 the finest level.
        ref_embeddings: (N, D) items to rank instead of the batch; gradients flow to them too.
        ref_labels: (N, L).
        tau: width of the sigmoid, in units of similarity.
        reduction: `mean` or `none`.
        method: how sums over the sigmoid are done.

    Returns:
        As `sup_ndcg_loss`.

    Raises:
        ValueError: shapes or settings that make no sense.
        TypeError: embeddings that are not floating point, or labels that are.

    Source:
        Brown et al.: Smooth-AP, ECCV 2020, with the gains of NDCG.
    """
    pairs = compare(embeddings, labels, ref_embeddings, ref_labels)
    row = partial(
        _one_minus_ndcg,
        levels=labels.shape[1],
        method=method,
        rank_of=partial(smooth_rank, step=sigmoid_step(tau)),
    )
    return row_loss(pairs, row, reduction)


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
    method: Method = "auto",
) -> Tensor:
    r"""Computes one minus a smooth recall at k, averaged over `ks` and over the batch.

    R@k(q) = sum_i sigmoid((k - rank(i)) / temperature) / min(k, |positives|) over the positives i,
    with the smooth rank(i) = 1 + sum_{j other than i} sigmoid((s_j - s_i) / tau).

    Args:
        embeddings: (B, D) of unit length.
        labels: (B, L) integers, column 0 the finest level.
        ref_embeddings: (N, D) items to rank instead of the batch; gradients flow to them too.
        ref_labels: (N, L).
        level: column of the labels: items that share it, and all coarser ones, are positive.
        ks: cut-offs, all positive.
        temperature: width of the cut-off, in ranks.
        tau: width of the step, in units of similarity.
        reduction: `mean` or `none`.
        method: how sums over the sigmoid are done.

    Returns:
        A scalar, or (B,) with reduction `none`; queries without positives as in `sup_hap_loss`.

    Raises:
        ValueError: shapes or settings that make no sense.
        TypeError: embeddings that are not floating point, or labels that are.

    Source:
        Patel, Tolias, Matas: Recall@k Surrogate Loss with Large Batches and Similarity Mixup,
        CVPR 2022, equations 4 to 6; divided by min(k, |positives|) as in Ramzi et al., TPAMI 2025.
    """
    if not ks or min(ks) < 1 or not temperature > 0:
        raise ValueError(
            f"ks must be positive whole numbers and temperature positive, got {ks} and "
            f"{temperature}"
        )
    pairs = at_level(compare(embeddings, labels, ref_embeddings, ref_labels), level)
    step = sigmoid_step(tau)

    def row(scores: Tensor, shared: Tensor) -> RowValues:
        ranking = rank_rows(scores, (shared == pairs.labels.shape[1]).long(), 1, method)
        positives = ranking.counts[:, 1]
        rank = smooth_rank(ranking, step)
        recall = torch.zeros_like(scores[:, 0])
        for k in ks:
            found = torch.sigmoid((k - rank) / temperature) * ranking.real
            recall = recall + found.sum(1) / positives.clamp(min=1, max=k)
        return RowValues(1 - recall / len(ks), positives > 0)

    return row_loss(pairs, row, reduction)


def _one_minus_ndcg(
    scores: Tensor,
    level: Tensor,
    *,
    levels: int,
    method: Method,
    rank_of: Callable[[Ranking], Tensor],
) -> RowValues:
    """1 - NDCG of each row, with the given smooth ranks."""
    ranking = rank_rows(scores, level, levels, method)
    gain = 2**ranking.relevant_level - 1  # 0 at the padding
    gained = (gain / torch.log2(1 + rank_of(ranking))).sum(1)
    # In the precision and the order of summation of the published code, to agree in all digits.
    place = level.argsort(dim=1, descending=True).argsort(1)
    ideal = ((2**level - 1) / torch.log2(2 + place.float())).sum(1)
    return RowValues(1 - gained / torch.where(ideal > 0, ideal, 1.0), ideal > 0)
