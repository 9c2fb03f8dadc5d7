"""How relevant an index item is to a query: shared levels, counted and weighted.

Two steps, because a table of a few numbers a query is all that a stream over a large index needs:
count the items at every level (`level_counts`), then give each level its relevance
(`decay_relevance`, `map_relevance`). Items look theirs up by level (`item_relevance`): levels are
told apart by number and never by comparing floats, since two of them may weigh the same.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from hgld.metrics.arguments import can_weigh, check_integers, check_tensors, label_matrix

# Above this the published scale (l / (L - 1))^alpha nears the end of single precision.
_LARGEST_PUBLISHED_ALPHA = 64.0

UNKNOWN = -1
"""The label of a level that is not known."""


def has_unknown(*labels: Tensor) -> bool:
    """Says whether a label is unknown."""
    return any(bool((one == UNKNOWN).any()) for one in labels)


def shared_levels(labels: Tensor, ref_labels: Tensor) -> Tensor:
    """Counts how many levels of the tree two items share, from the coarsest down.

    A level counts only where all coarser ones are shared too, so labels need not be unique across
    branches: two `tower` under different roots share nothing.

    Args:
        labels: (Q, L) integers, column 0 the finest level; (Q,) where there is one level. Where -1,
            for unknown, is among them, levels count that are known to be shared.
        ref_labels: (N, L) or (N,).

    Returns:
        (Q, N) int64 in [0, L], 0 where nothing is shared.

    Raises:
        ValueError: not two matrices with the same number of levels.
        TypeError: no tensors, or no integers.

    Example:
        >>> labels = torch.tensor([[7, 2, 0], [7, 2, 0], [5, 2, 0], [7, 3, 0], [7, 2, 1]])
        >>> shared_levels(labels[:1], labels).tolist()
        [[3, 3, 2, 1, 0]]
    """
    labels, ref_labels = _label_matrices(labels, ref_labels)
    if has_unknown(labels, ref_labels):
        return bounds_of_shared_levels(labels, ref_labels)[0]
    depth = torch.zeros(len(labels), len(ref_labels), dtype=torch.int64, device=labels.device)
    shared = torch.ones_like(depth, dtype=torch.bool)
    for column in reversed(range(labels.shape[1])):
        shared &= labels[:, None, column] == ref_labels[None, :, column]  # (Q, N)
        depth += shared
    return depth


def bounds_of_shared_levels(labels: Tensor, ref_labels: Tensor) -> tuple[Tensor, Tensor]:
    """Counts how many levels two items share at least and at most, where some are unknown.

    Two labels of a level agree or differ only where both are known; below a level that is known to
    differ nothing is shared, and above one that is known to agree all is. So least and most are the
    same where every level finer than the finest agreement is known to differ, and both are then
    `shared_levels`.

    Args:
        labels: (Q, L) integers, column 0 the finest level; -1 stands for unknown.
        ref_labels: (N, L).

    Returns:
        (Q, N) int64 each, in [0, L].

    Raises:
        ValueError: not two matrices with the same number of levels.
        TypeError: no tensors, or no integers.

    Example:
        >>> labels = torch.tensor([[7, 2, 0], [7, -1, -1], [8, -1, 0], [8, -1, 1], [8, 3, -1]])
        >>> least, most = bounds_of_shared_levels(labels[:1], labels)
        >>> least.tolist(), most.tolist()
        ([[3, 3, 1, 0, 0]], [[3, 3, 2, 0, 1]])
    """
    labels, ref_labels = _label_matrices(labels, ref_labels)
    least = torch.zeros(len(labels), len(ref_labels), dtype=torch.int64, device=labels.device)
    most = torch.zeros_like(least)
    may_go_on = torch.ones_like(least, dtype=torch.bool)
    for depth, column in enumerate(reversed(range(labels.shape[1])), start=1):
        one, other = labels[:, None, column], ref_labels[None, :, column]
        is_known = (one != UNKNOWN) & (other != UNKNOWN)
        is_same = one == other
        may_go_on &= is_same | ~is_known
        least.masked_fill_(may_go_on & is_same & is_known, depth)
        most.masked_fill_(may_go_on, depth)
    return least, most


def _label_matrices(labels: Tensor, ref_labels: Tensor) -> tuple[Tensor, Tensor]:
    labels, ref_labels = label_matrix("labels", labels), label_matrix("ref_labels", ref_labels)
    if {labels.ndim, ref_labels.ndim} != {2} or labels.shape[1] != ref_labels.shape[1]:
        raise ValueError(
            "labels must have shapes (Q, L) and (N, L) with the same L, got "
            f"{tuple(labels.shape)} and {tuple(ref_labels.shape)}; "
            "where there is one level, pass labels[:, None] or labels of shape (n,) on both sides"
        )
    return labels, ref_labels


def level_counts(level: Tensor, levels: int) -> Tensor:
    """Counts the items at every level of each query, |Omega^(l)|.

    Args:
        level: (Q, N) integers in [0, L], from `shared_levels`.
        levels: L.

    Returns:
        (Q, L + 1) int64: how many of the N items share exactly l levels with the query.

    Raises:
        ValueError: another shape.
        TypeError: no tensor, or no integers.

    Example:
        >>> level_counts(torch.tensor([[2, 0, 1, 0]]), levels=2).tolist()
        [[2, 1, 1]]
    """
    check_tensors(level=level)
    check_integers("level", level)
    if level.ndim != 2:  # noqa: PLR2004 - (Q, N)
        raise ValueError(
            f"level must have shape (Q, N), got {tuple(level.shape)}; add the query dimension with "
            "level[None]"
        )
    level = level.long()  # the only integers that torch scatters by
    counts = torch.zeros(len(level), levels + 1, dtype=torch.int64, device=level.device)
    return counts.scatter_add_(1, level, torch.ones_like(level))


def decay_relevance(counts: Tensor, alpha: float = 1.0) -> Tensor:
    r"""Gives each level the relevance rel(l) = (l / L)^alpha / |Omega^(l)|, rel(0) = 0.

    The items of a level share (l / L)^alpha among them, so a large coarse level does not drown a
    small fine one. alpha = infinity leaves only the finest level: H-AP is then its AP.

    Args:
        counts: (Q, L + 1) items at each level, from `level_counts`.
        alpha: how fast relevance falls towards coarse levels, at least 0.

    Returns:
        (Q, L + 1) float64, in [0, 1]; 0 at a level that no item of the query has.

    Raises:
        ValueError: a negative alpha, or another shape.
        TypeError: no tensor.

    Example:
        >>> decay_relevance(torch.tensor([[5, 4, 2]])).tolist()
        [[0.0, 0.125, 0.5]]

    Source:
        Ramzi, Audebert, Thome, Rambour, Bitot: Hierarchical Average Precision Training for
        Pertinent Image Retrieval (HAPPIER), ECCV 2022, equation 2 and section 4.1.
    """
    return _decayed(counts, alpha, base=_levels(counts), dtype=torch.float64)


def published_decay_relevance(counts: Tensor, alpha: float = 1.0) -> Tensor:
    """Gives each level its relevance in the scale and precision of the published code.

    As `decay_relevance`, with (l / (L - 1))^alpha and rounded to single precision. H-AP is the
    same for any scale; with this rounding a loss in double precision agrees with the published
    one to its last digits instead of to 1e-8.

    Args:
        counts: (Q, L + 1) items at each level.
        alpha: how fast relevance falls towards coarse levels, at least 0. Above 64 the scale is
            that of `decay_relevance`, as the published one would overflow.

    Returns:
        (Q, L + 1) float32; 0 at a level that no item of the query has.

    Raises:
        ValueError: a negative alpha, or another shape.
    """
    levels = _levels(counts)
    base = levels - 1 if levels > 1 and alpha <= _LARGEST_PUBLISHED_ALPHA else levels
    return _decayed(counts, alpha, base=base, dtype=torch.float32)


def map_relevance(counts: Tensor, weights: Sequence[float] | None = None) -> Tensor:
    r"""Gives each level the relevance rel(l) = sum_{p <= l} w_p / |items with at least p levels|.

    With it H-AP is the weighted mean of the average precisions of the levels,
    sum_p w_p AP^(p) / sum_p w_p, where AP^(p) takes items sharing at least p levels as positive.

    Args:
        counts: (Q, L + 1) items at each level, from `level_counts`.
        weights: w_1 (coarsest) to w_L (finest), none negative; by default all 1 / L.

    Returns:
        (Q, L + 1) float64; a level p without any item adds nothing.

    Raises:
        ValueError: not one weight a level, one that is negative or not finite, nothing but zeros,
            or another shape.
        TypeError: no tensor.

    Example:
        >>> map_relevance(torch.tensor([[5, 3, 2]]), [0.5, 0.5]).tolist()
        [[0.0, 0.1, 0.35]]

    Source:
        HAPPIER, ECCV 2022, supplementary section A.
    """
    levels = _levels(counts)
    chosen = [1.0 / levels] * levels if weights is None else [float(weight) for weight in weights]
    if len(chosen) != levels or not can_weigh(chosen):
        raise ValueError(
            f"weights must be finite, none negative and not all 0, one for each of the {levels} "
            f"levels, got {chosen}; start with the coarsest level"
        )
    weight = torch.tensor([0.0, *chosen], dtype=torch.float64, device=counts.device)
    at_least = counts.flip(1).cumsum(1).flip(1)
    return _shared_out(weight, at_least).cumsum(1)


def item_relevance(level: Tensor, table: Tensor) -> Tensor:
    """Looks up the relevance of every item by its level.

    Args:
        level: (Q, N) int64 in [0, L].
        table: (Q, L + 1) relevance of each level.

    Returns:
        (Q, N) relevance, of the table's dtype.

    Raises:
        TypeError: no tensors.

    Example:
        >>> item_relevance(torch.tensor([[2, 0, 1]]), torch.tensor([[0.0, 0.5, 1.0]])).tolist()
        [[1.0, 0.0, 0.5]]
    """
    check_tensors(level=level, table=table)
    return table.gather(1, level)


def _levels(counts: Tensor) -> int:
    """L, of (Q, L + 1) counts."""
    check_tensors(counts=counts)
    if counts.ndim != 2 or counts.shape[1] < 2:  # noqa: PLR2004 - (Q, L + 1), L >= 1
        raise ValueError(
            f"counts must have shape (Q, L + 1) with L >= 1, got {tuple(counts.shape)}; count with "
            "level_counts, or add the query dimension with counts[None]"
        )
    return counts.shape[1] - 1


def _decayed(counts: Tensor, alpha: float, *, base: int, dtype: torch.dtype) -> Tensor:
    """(Q, L + 1): (l / base)^alpha shared by the items of a level, 0 at l = 0 whatever alpha is."""
    if not alpha >= 0:
        raise ValueError(f"alpha must be at least 0, got {alpha}; 1 is the published setting")
    weights = [0.0] + [(level / base) ** alpha for level in range(1, counts.shape[1])]
    return _shared_out(torch.tensor(weights, dtype=dtype, device=counts.device), counts)


def _shared_out(weight: Tensor, counts: Tensor) -> Tensor:
    """(Q, L + 1): a level's weight shared by its items, 0 where it has none."""
    share = weight / counts.clamp(min=1).to(weight.dtype)
    return torch.where(counts > 0, share, torch.zeros_like(share))
