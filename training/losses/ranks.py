"""What the ranking losses share: rows taken in parts, items grouped by level, smooth ranks.

A query's loss depends on its own row of similarities alone. So `by_row` takes a few rows at a
time, differentiates them on the spot and keeps only the gradient: memory is that of one matrix of
B x N however much a loss needs on the way. Inside, all is double precision, since a rank adds up
thousands of terms and the loss is a small difference.

On a processor the parts are shared out among threads. Torch would share out each operation, of
which there are a thousand to a part, and wait for the slowest thread after every one of them: with
another process on one of the two cores that made B = 4096 take 290 s, and this 20 s.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, NamedTuple, TypeVar

import torch
from torch import Tensor

from training.relevance import level_counts, shared_levels
from training.summation import Method, Step, step_sums

Reduction = Literal["mean", "none"]

# Items of a part of the rows. On a processor a quarter of a megabyte a tensor: it stays in the
# cache, and torch runs an operation on up to 32,768 elements in the thread that calls it. On a GPU
# 32 MB, so that the work of an operation outweighs its launch.
_ITEMS_AT_ONCE, _ITEMS_AT_ONCE_ON_A_GPU = 1 << 15, 1 << 22
_FEWEST_PARTS = 4


class RowValues(NamedTuple):
    """A part of the rows: a value each, and whether the query has any relevant item."""

    value: Tensor
    defined: Tensor


RowFunction = Callable[[Tensor, Tensor], RowValues]
"""From similarities (R, N) float64 and shared levels (R, N) to a value for each row."""


class ByRow(torch.autograd.Function):
    """Applies a function to each row of a matrix, a part of the rows at a time; see `by_row`."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - the context has no public type
        scores: Tensor,
        labels: Tensor,
        ref_labels: Tensor,
        function: RowFunction,
    ) -> tuple[Tensor, Tensor]:
        """Computes the values and, where they are needed, the gradients of all rows."""
        needs_gradient = ctx.needs_input_grad[0]
        values = scores.new_empty(len(scores), dtype=torch.float64)
        defined = torch.empty_like(values, dtype=torch.bool)
        gradient = torch.empty_like(scores) if needs_gradient else None

        def compute(rows: slice) -> tuple[RowValues, Tensor | None]:
            level = shared_levels(labels[rows], ref_labels)
            # Also a new thread's own switch, which is on at first.
            with torch.set_grad_enabled(needs_gradient):
                leaf = scores[rows].detach().double().requires_grad_(needs_gradient)
                value, has_relevant = function(leaf, level)
                # Not a number in, not a number out: a sort would hide it.
                value = value * (1 + 0 * leaf.sum(1))
            part = None
            if needs_gradient:
                (part,) = torch.autograd.grad(value, leaf, torch.ones_like(value))
                part = part.to(scores.dtype)
            return RowValues(value.detach(), has_relevant), part

        for rows, (found, part) in _for_parts(scores, compute):
            values[rows], defined[rows] = found
            if gradient is not None and part is not None:
                gradient[rows] = part
        ctx.save_for_backward(gradient)
        ctx.mark_non_differentiable(defined)
        return values, defined

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(
        ctx: Any,  # noqa: ANN401 - as above
        weight: Tensor,
        _: Tensor,
    ) -> tuple[Tensor, None, None, None]:
        """Scales each row's gradient."""
        (gradient,) = ctx.saved_tensors
        return gradient * weight[:, None].to(gradient.dtype), None, None, None


def by_row(scores: Tensor, labels: Tensor, ref_labels: Tensor, function: RowFunction) -> RowValues:
    """Applies a differentiable function to each query's row of similarities.

    Args:
        scores: (B, N) similarities, float32 or float64.
        labels: (B, L) int64 of the queries.
        ref_labels: (N, L) int64 of the ranked items.
        function: of (R, N) float64 similarities and (R, N) int64 shared levels.

    Returns:
        (B,) float64 values, differentiable once; (B,) bool, which queries have a relevant item.
    """
    apply: Callable[..., tuple[Tensor, Tensor]] = ByRow.apply  # torch leaves it untyped
    with torch.autocast(scores.device.type, enabled=False):
        return RowValues(*apply(scores, labels, ref_labels, function))


Part = TypeVar("Part")


def _for_parts(scores: Tensor, compute: Callable[[slice], Part]) -> Iterator[tuple[slice, Part]]:
    """Computes part after part of the rows, by as many threads as torch uses, in their order."""
    on_cpu = scores.device.type == "cpu"
    threads = torch.get_num_threads() if on_cpu else 1
    items = _ITEMS_AT_ONCE if on_cpu else _ITEMS_AT_ONCE_ON_A_GPU
    size = max(1, items // max(1, scores.shape[1]))
    if size < len(scores):  # however many threads: the same parts give the same bits
        size = min(size, max(1, len(scores) // _FEWEST_PARTS))
    parts = [slice(first, first + size) for first in range(0, len(scores), size)]
    if min(threads, len(parts)) == 1:
        yield from zip(parts, map(compute, parts), strict=True)
        return
    with ThreadPoolExecutor(threads) as pool:
        yield from zip(parts, pool.map(compute, parts), strict=True)


class Items(NamedTuple):
    """The ranked items of some queries, each row in ascending order of similarity."""

    scores: Tensor  # (R, N)
    level: Tensor  # (R, N) shared levels
    counts: Tensor  # (R, L + 1) items of each level
    smaller: list[Tensor]  # L + 1 of (R, N + 1): how many of the first i items have that level
    method: Method


class Group(NamedTuple):
    """Those items of each query that share exactly `level` levels with it."""

    level: int
    scores: Tensor  # (R, K) ascending, padded with +inf
    real: Tensor  # (R, K) bool, False at the padding
    ahead: list[Tensor]  # L + 1 of (R, K): items of that level as similar or more, itself included


def sort_items(scores: Tensor, level: Tensor, levels: int, method: Method) -> Items:
    """Sorts each query's items and counts the levels along the list.

    Args:
        scores: (R, N) float64 similarities.
        level: (R, N) int64 in [0, L].
        levels: L.
        method: how sums over steps are done, see `step_sums`.
    """
    order = scores.detach().argsort(1)
    level = level.gather(1, order)
    smaller = [
        torch.nn.functional.pad((level == each).cumsum(1), (1, 0)) for each in range(levels + 1)
    ]
    return Items(scores.gather(1, order), level, level_counts(level, levels), smaller, method)


def relevant_groups(items: Items) -> Iterator[Group]:
    """Yields the items of level 1, 2, ... L, without the levels that no query has."""
    ranked = items.scores.detach().contiguous()
    for level in range(1, len(items.smaller)):
        mask = items.level == level
        if not mask.any():
            continue
        scores = _compact(items.scores, mask)
        real = scores.isfinite()
        place = torch.searchsorted(ranked, scores.detach())
        ahead = [
            (total - smaller.gather(1, place)).to(scores.dtype)
            for total, smaller in zip(items.counts.T[:, :, None], items.smaller, strict=True)
        ]
        yield Group(level, scores, real, ahead)


def sup_rank(items: Items, group: Group, step: Step) -> Tensor:
    """Ranks a group's items by the upper bound `step` where it counts less relevant items.

    Items of the same or a higher level ahead count 1, without gradient: pushing them back would
    gain nothing.

    Returns:
        (R, K) float64; 1 at the padding.
    """
    lower = _compact(items.scores, items.level < group.level)
    rank = step_sums(group.scores, lower, step, method=items.method)
    for ahead in group.ahead[group.level :]:
        rank = rank + ahead
    return torch.where(group.real, rank, 1.0)


def hard_h_rank(group: Group, relevance: Tensor) -> Tensor:
    """H-rank(k) = rel_k + sum over the items j ahead of min(rel_k, rel_j), without gradient.

    Args:
        group: the items k.
        relevance: (R, L + 1) of each level.

    Returns:
        (R, K) float64; 0 at the padding.
    """
    h_rank = torch.zeros_like(group.ahead[0])
    for shared, ahead in zip(_shared_relevance(group, relevance), group.ahead, strict=True):
        h_rank.addcmul_(shared, ahead)
    return h_rank


def smooth_h_rank(items: Items, group: Group, relevance: Tensor, step: Step) -> Tensor:
    """H-rank with `step` in place of the count where the items ahead are more relevant.

    Returns:
        (R, K) float64; 0 at the padding.
    """
    h_rank = torch.zeros_like(group.ahead[0])
    for level, shared in enumerate(_shared_relevance(group, relevance)):
        if level <= group.level:
            h_rank = h_rank + shared * group.ahead[level]
        else:
            higher = _compact(items.scores, items.level == level)
            sums = step_sums(group.scores, higher, step, method=items.method)
            h_rank = h_rank + shared * sums
    return h_rank


def smooth_rank(items: Items, group: Group, step: Step) -> Tensor:
    """Rank with `step`, symmetric about step(0) = 1 / 2, whatever the levels of the two items.

    Returns:
        (R, K) float64; 1 at the padding.
    """
    # Among the items is k itself, which counts step(0): the other half makes it 1.
    rank = 0.5 + step_sums(group.scores, items.scores, step, method=items.method)
    return torch.where(group.real, rank, 1.0)


def smooth_ranks(
    items: Items, group: Group, relevance: Tensor, step: Step
) -> tuple[Tensor, Tensor]:
    """`smooth_rank`, and H-rank with the same step.

    Returns:
        Two (R, K) float64 tensors; rank is 1 and H-rank 0 at the padding.
    """
    h_rank = 0.5 * relevance[:, group.level, None] * group.real
    for level, shared in enumerate(_shared_relevance(group, relevance)):
        if level > 0:
            others = _compact(items.scores, items.level == level)
            sums = step_sums(group.scores, others, step, method=items.method)
            h_rank = h_rank + shared * sums
    return smooth_rank(items, group, step), h_rank


def _shared_relevance(group: Group, relevance: Tensor) -> Iterator[Tensor]:
    """For each level (R, 1): min(rel_k, rel_j) of the group's items k and that level's items j."""
    own = relevance[:, group.level, None]
    for level in range(relevance.shape[1]):
        yield torch.minimum(own, relevance[:, level, None])


def _compact(scores: Tensor, mask: Tensor) -> Tensor:
    """(R, K) the marked items of each row in their order, padded with +inf to the longest row."""
    count = mask.sum(1)
    width = int(count.amax())
    place = torch.where(mask, mask.cumsum(1) - 1, width)
    index = torch.zeros(len(mask), width + 1, dtype=torch.int64, device=mask.device)
    index.scatter_(1, place, torch.arange(mask.shape[1], device=mask.device).expand_as(place))
    beyond = torch.arange(width, device=mask.device) >= count[:, None]
    return scores.gather(1, index[:, :width]).masked_fill(beyond, torch.inf)
