"""Losses that rank a batch by all levels of the hierarchy: H-AP and NDCG, Sup and smooth."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Unpack

import torch
from torch import Tensor

from hgld.losses.pairs import Reduction, Unknown, compare, row_loss
from hgld.losses.ranking.rows import RowValues
from hgld.losses.ranking.steps import SupConstants, SupStep, h_rank_step, sigmoid_step
from hgld.losses.ranking.sums import (
    Ranking,
    rank_rows,
    smooth_rank,
    smooth_ranks,
    sup_rank,
    sup_ranks,
)
from hgld.metrics.arguments import Relevance, check_choice
from hgld.metrics.relevance import map_relevance, published_decay_relevance


def sup_hap_loss(  # noqa: PLR0913 - every constant of the published loss, by its published name
    embeddings: Tensor,
    labels: Tensor,
    *,
    ref_embeddings: Tensor | None = None,
    ref_labels: Tensor | None = None,
    alpha: float = 1.0,
    relevance: Relevance = "decay",
    weights: Sequence[float] | None = None,
    smooth_h_ranks: bool = False,
    leak: float = 10.0,
    beta: float = 25.0,
    gamma: float = 0.5,
    unknown: Unknown = "leave_out",
    reduction: Reduction = "mean",
    **constants: Unpack[SupConstants],
) -> Tensor:
    r"""Computes Sup-H-AP, a smooth upper bound of 1 - H-AP, averaged over the batch.

    1 - H-AP(q) = 1 - (1 / sum_k rel_k) sum_{k: rel_k > 0} H-rank(k) / rank(k) where, over the
    items j other than k and with x = s_j - s_k,

    * rank(k) = 1 + sum_j f(x) for j that shares fewer levels with q than k does, f as in
      `hgld.losses.ranking.steps.SupStep`; for the other j the step [x >= 0], without gradient;
    * H-rank(k) = rel_k + sum_j min(rel_k, rel_j) [x >= 0], without gradient. With `smooth_h_ranks`
      the j that share more levels than k count g(x) in place of the step, g as in
      `hgld.losses.ranking.steps.h_rank_step`.

    With one level it is Sup-AP. Without references each query is among the items it ranks, as
    published. Costs O(B N) memory and O(B N log N) time.

    Args:
        embeddings: (B, D) of unit length. Half precision is computed in single.
        labels: (B, L) integers, column 0 the finest level; (B,) where there is one level. -1 stands
            for unknown.
        ref_embeddings: (N, D) items to rank instead of the batch, such as a cross-batch memory or
            the gathered batches of all processes; gradients flow to them too.
        ref_labels: (N, L) or (N,).
        alpha: exponent of the decay relevance (l / L)^alpha / |Omega^(l)|, at least 0.
        relevance: `decay`, or `map`: H-AP is then the weighted mean of the levels' AP.
        weights: for `map`, those weights from the coarsest level to the finest; None: all equal.
        smooth_h_ranks: gives H-rank a gradient as well.
        leak: slope of g for x <= 0.
        beta: slope of g for x > 0, until it reaches 1.
        gamma: g just above 0.
        unknown: of pairs whose shared levels are uncertain, since labels are -1: `leave_out` or
            `depth` (`hgld.losses.pairs.Unknown`).
        reduction: `mean`: a scalar; `none`: (B,), one value a query.
        **constants: tau, rho, delta, start and offset of the step f, see
            `hgld.losses.ranking.steps.SupStep`.

    Returns:
        A scalar of the embeddings' dtype, float32 at least. A query whose references hold nothing
        relevant is left out of the mean (NaN with `none`); where that leaves none, 0.

    Raises:
        ValueError: shapes or settings that make no sense.
        TypeError: embeddings that are not floating point, labels that are, or an unknown setting.

    Example:
        >>> angle = torch.tensor([0.0, 0.1, 0.5, 2.0])
        >>> labels = torch.tensor([[0, 0], [0, 0], [1, 0], [2, 1]])
        >>> ranked_well = torch.stack([angle.cos(), angle.sin()], dim=1)
        >>> round(float(sup_hap_loss(ranked_well, labels)), 4)
        0.0001
        >>> ranked_badly = ranked_well[[0, 3, 2, 1]]
        >>> round(float(sup_hap_loss(ranked_badly, labels)), 4)
        0.3774

    Source:
        Ramzi, Audebert, Thome, Rambour, Bitot: Hierarchical Average Precision Training for
        Pertinent Image Retrieval (HAPPIER), ECCV 2022, equations 3 to 7.
    """
    check_choice("unknown", unknown, Unknown)
    pairs = compare(embeddings, labels, ref_embeddings, ref_labels)
    step = SupStep(**constants).step
    ahead = h_rank_step(leak=leak, beta=beta, gamma=gamma)
    row = partial(
        one_minus_h_ap,
        levels=pairs.labels.shape[1],
        relevance_of=_relevance_function(relevance, alpha, weights),
        ranks_of=partial(sup_ranks, step=step, ahead=ahead if smooth_h_ranks else None),
    )
    return row_loss(pairs, row, reduction, doubt=unknown)


def smooth_hap_loss(  # noqa: PLR0913 - as sup_hap_loss
    embeddings: Tensor,
    labels: Tensor,
    *,
    ref_embeddings: Tensor | None = None,
    ref_labels: Tensor | None = None,
    alpha: float = 1.0,
    tau: float = 0.01,
    relevance: Relevance = "decay",
    weights: Sequence[float] | None = None,
    unknown: Unknown = "leave_out",
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Computes 1 - H-AP with sigmoid(x / tau) for every step, no bound of 1 - H-AP.

    rank(k) = 1 + sum_j sigmoid(x / tau), H-rank(k) = rel_k + sum_j min(rel_k, rel_j)
    sigmoid(x / tau), over all j other than k, x = s_j - s_k. With one level it is Smooth-AP. A
    baseline for `sup_hap_loss`.

    Args:
        embeddings: (B, D) of unit length.
        labels: (B, L) integers, column 0 the finest level; (B,) where there is one level. -1 stands
            for unknown.
        ref_embeddings: (N, D) items to rank instead of the batch; gradients flow to them too.
        ref_labels: (N, L) or (N,).
        alpha: exponent of the decay relevance, at least 0.
        tau: width of the sigmoid, in units of similarity.
        relevance: `decay` or `map`, as `sup_hap_loss`.
        weights: for `map`, from the coarsest level to the finest; None: all equal.
        unknown: as `sup_hap_loss`.
        reduction: `mean` or `none`.

    Returns:
        As `sup_hap_loss`.

    Raises:
        ValueError: shapes or settings that make no sense.
        TypeError: embeddings that are not floating point, or labels that are.

    Example:
        >>> embeddings = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8]])
        >>> labels = torch.tensor([[0, 0], [1, 0], [2, 1]])
        >>> round(float(smooth_hap_loss(embeddings, labels)), 4)
        0.0469

    Source:
        Brown et al.: Smooth-AP, ECCV 2020, with the relevances of HAPPIER, ECCV 2022.
    """
    check_choice("unknown", unknown, Unknown)
    pairs = compare(embeddings, labels, ref_embeddings, ref_labels)
    row = partial(
        one_minus_h_ap,
        levels=pairs.labels.shape[1],
        relevance_of=_relevance_function(relevance, alpha, weights),
        ranks_of=partial(smooth_ranks, step=sigmoid_step(tau)),
    )
    return row_loss(pairs, row, reduction, doubt=unknown)


def sup_ndcg_loss(
    embeddings: Tensor,
    labels: Tensor,
    *,
    ref_embeddings: Tensor | None = None,
    ref_labels: Tensor | None = None,
    unknown: Unknown = "leave_out",
    reduction: Reduction = "mean",
    **constants: Unpack[SupConstants],
) -> Tensor:
    r"""Computes Sup-NDCG, a smooth upper bound of 1 - NDCG, averaged over the batch.

    NDCG(q) = sum_k (2^l_k - 1) / log2(1 + rank(k)) divided by its value for the best order, where
    l_k is how many levels item k shares with q and rank(k) is that of `sup_hap_loss`.

    Args:
        embeddings: (B, D) of unit length.
        labels: (B, L) integers, column 0 the finest level; (B,) where there is one level. -1 stands
            for unknown.
        ref_embeddings: (N, D) items to rank instead of the batch; gradients flow to them too.
        ref_labels: (N, L) or (N,).
        unknown: as `sup_hap_loss`.
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
    check_choice("unknown", unknown, Unknown)
    pairs = compare(embeddings, labels, ref_embeddings, ref_labels)
    rank_of = partial(sup_rank, step=SupStep(**constants).step)
    row = partial(_one_minus_ndcg, levels=pairs.labels.shape[1], rank_of=rank_of)
    return row_loss(pairs, row, reduction, doubt=unknown)


def smooth_ndcg_loss(  # noqa: PLR0913 - as sup_hap_loss
    embeddings: Tensor,
    labels: Tensor,
    *,
    ref_embeddings: Tensor | None = None,
    ref_labels: Tensor | None = None,
    tau: float = 0.01,
    unknown: Unknown = "leave_out",
    reduction: Reduction = "mean",
) -> Tensor:
    """Computes 1 - NDCG with sigmoid(x / tau) for every step: a baseline for `sup_ndcg_loss`.

    Args:
        embeddings: (B, D) of unit length.
        labels: (B, L) integers, column 0 the finest level; (B,) where there is one level. -1 stands
            for unknown.
        ref_embeddings: (N, D) items to rank instead of the batch; gradients flow to them too.
        ref_labels: (N, L) or (N,).
        tau: width of the sigmoid, in units of similarity.
        unknown: as `sup_hap_loss`.
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
    check_choice("unknown", unknown, Unknown)
    pairs = compare(embeddings, labels, ref_embeddings, ref_labels)
    rank_of = partial(smooth_rank, step=sigmoid_step(tau))
    row = partial(_one_minus_ndcg, levels=pairs.labels.shape[1], rank_of=rank_of)
    return row_loss(pairs, row, reduction, doubt=unknown)


def _relevance_function(
    relevance: Relevance, alpha: float, weights: Sequence[float] | None
) -> Callable[[Tensor], Tensor]:
    check_choice("relevance", relevance, Relevance)
    if relevance == "map":
        return partial(map_relevance, weights=weights)
    if weights is not None:
        raise ValueError("weights belong to relevance='map', got them with 'decay'; use alpha")
    return partial(published_decay_relevance, alpha=alpha)


def one_minus_h_ap(
    scores: Tensor,
    level: Tensor,
    *,
    levels: int,
    relevance_of: Callable[[Tensor], Tensor],
    ranks_of: Callable[[Ranking, Tensor], tuple[Tensor, Tensor]],
) -> RowValues:
    """Computes 1 - H-AP of each row, with the given relevance and the given smooth ranks.

    Args:
        scores: (R, N) float64 similarities.
        level: (R, N) int64 shared levels, at most `levels`.
        levels: L.
        relevance_of: gives each level its relevance, (R, L + 1), by its items, (R, L + 1).
        ranks_of: gives items their ranks and H-ranks, (R, N), by the relevance of the levels.

    Returns:
        (R,) values, 1 where the query has nothing relevant; (R,) whether it has.
    """
    ranking = rank_rows(scores, level, levels)
    table = relevance_of(ranking.counts).double()
    total = (table * ranking.counts).sum(1)
    rank, h_rank = ranks_of(ranking, table)
    found = (h_rank / rank).sum(1)
    defined = total > 0
    return RowValues(1 - found / torch.where(defined, total, 1.0), defined)


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
