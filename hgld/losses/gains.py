"""Losses of discounted gains, made of smooth ranks alone: NDCG."""

from collections.abc import Callable
from functools import partial
from typing import Unpack

import torch
from torch import Tensor

from hgld.losses.pairs import Reduction, compare, row_loss
from hgld.losses.ranking.ranks import Ranking, rank_rows, smooth_rank, sup_rank
from hgld.losses.ranking.rows import RowValues
from hgld.losses.ranking.steps import SupConstants, SupStep, sigmoid_step


def sup_ndcg_loss(
    embeddings: Tensor,
    labels: Tensor,
    *,
    ref_embeddings: Tensor | None = None,
    ref_labels: Tensor | None = None,
    reduction: Reduction = "mean",
    **constants: Unpack[SupConstants],
) -> Tensor:
    r"""Computes Sup-NDCG, a smooth upper bound of 1 - NDCG, averaged over the batch.

    NDCG(q) = sum_k (2^l_k - 1) / log2(1 + rank(k)) divided by its value for the best order, where
    l_k is how many levels item k shares with q and rank(k) is that of `sup_hap_loss`.

    Args:
        embeddings: (B, D) of unit length.
        labels: (B, L) integers, column 0 the finest level; (B,) where there is one level.
        ref_embeddings: (N, D) items to rank instead of the batch; gradients flow to them too.
        ref_labels: (N, L) or (N,).
        reduction: `mean` or `none`.
        **constants: tau, rho, delta, start and offset of the step, see
            `hgld.losses.ranking.steps.SupStep`.

    Returns:
        A scalar, or (B,) with reduction `none`; queries that share nothing with any item as in
        `sup_hap_loss`.

    Raises:
        ValueError: shapes or settings that make no sense.
        TypeError: embeddings that are not floating point, labels that are, or an unknown setting.

    Example:
        >>> embeddings = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8]])
        >>> labels = torch.tensor([[0, 0], [1, 1], [2, 0]])
        >>> round(float(sup_ndcg_loss(embeddings, labels)), 4)
        0.0843

    Source:
        Ramzi, Audebert, Rambour, Araujo, Bitot, Thome: Optimization of Rank Losses for Image
        Retrieval, TPAMI 2025, section 3.3.
    """
    pairs = compare(embeddings, labels, ref_embeddings, ref_labels)
    rank_of = partial(sup_rank, step=SupStep(**constants).step)
    row = partial(_one_minus_ndcg, levels=pairs.labels.shape[1], rank_of=rank_of)
    return row_loss(pairs, row, reduction)


def smooth_ndcg_loss(
    embeddings: Tensor,
    labels: Tensor,
    *,
    ref_embeddings: Tensor | None = None,
    ref_labels: Tensor | None = None,
    tau: float = 0.01,
    reduction: Reduction = "mean",
) -> Tensor:
    """Computes 1 - NDCG with sigmoid(x / tau) for every step: a baseline for `sup_ndcg_loss`.

    Args:
        embeddings: (B, D) of unit length.
        labels: (B, L) integers, column 0 the finest level; (B,) where there is one level.
        ref_embeddings: (N, D) items to rank instead of the batch; gradients flow to them too.
        ref_labels: (N, L) or (N,).
        tau: width of the sigmoid, in units of similarity.
        reduction: `mean` or `none`.

    Returns:
        As `sup_ndcg_loss`.

    Raises:
        ValueError: shapes or settings that make no sense.
        TypeError: embeddings that are not floating point, or labels that are.

    Example:
        >>> embeddings = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8]])
        >>> labels = torch.tensor([[0, 0], [1, 1], [2, 0]])
        >>> round(float(smooth_ndcg_loss(embeddings, labels)), 4)
        0.0318

    Source:
        Brown et al.: Smooth-AP, ECCV 2020, with the gains of NDCG.
    """
    pairs = compare(embeddings, labels, ref_embeddings, ref_labels)
    rank_of = partial(smooth_rank, step=sigmoid_step(tau))
    row = partial(_one_minus_ndcg, levels=pairs.labels.shape[1], rank_of=rank_of)
    return row_loss(pairs, row, reduction)


def _one_minus_ndcg(
    scores: Tensor,
    level: Tensor,
    *,
    levels: int,
    rank_of: Callable[[Ranking], Tensor],
) -> RowValues:
    """1 - NDCG of each row, with the given smooth ranks."""
    ranking = rank_rows(scores, level, levels)
    gain = 2**ranking.level - 1  # 0 where nothing is relevant
    gained = (gain / torch.log2(1 + rank_of(ranking))).sum(1)
    # In the precision and the order of summation of the published code, to agree in all digits.
    place = level.argsort(dim=1, descending=True).argsort(1)
    ideal = ((2**level - 1) / torch.log2(2 + place.float())).sum(1)
    return RowValues(1 - gained / torch.where(ideal > 0, ideal, 1.0), ideal > 0)
