"""What the ranking losses share: rows taken in parts, items sorted and counted, smooth ranks.

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

from hgld.losses.ranking.sums import Method, Step, step_sums
from hgld.metrics.relevance import level_counts, shared_levels

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

        def compute(rows: Tensor) -> tuple[RowValues, Tensor]:
            level = shared_levels(labels[rows], ref_labels)
            # Each thread has a switch of its own, which is on at first.
            with torch.set_grad_enabled(needs_gradient):
                leaf = scores.detach()[rows].double().requires_grad_(needs_gradient)
                value, has_relevant = function(leaf, level)
                # Not a number in, not a number out: a sort would hide it.
                value = value * (1 + 0 * leaf.sum(1))
            if not needs_gradient:
                return RowValues(value, has_relevant), leaf
            (part,) = torch.autograd.grad(value, leaf, torch.ones_like(value))
            return RowValues(value.detach(), has_relevant), part.to(scores.dtype)

        for rows, (found, part) in _for_parts(scores, labels, compute):
            values[rows], defined[rows] = found
            if gradient is not None:
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


def _for_parts(
    scores: Tensor, labels: Tensor, compute: Callable[[Tensor], Part]
) -> Iterator[tuple[Tensor, Part]]:
    """Computes part after part of the rows, by as many threads as torch uses."""
    on_cpu = scores.device.type == "cpu"
    items = _ITEMS_AT_ONCE if on_cpu else _ITEMS_AT_ONCE_ON_A_GPU
    size = max(1, items // max(1, scores.shape[1]))
    if size < len(scores):  # however many threads: the same parts give the same bits
        size = min(size, max(1, len(scores) // _FEWEST_PARTS))
    parts = torch.split(_by_branch(labels), size)
    threads = min(torch.get_num_threads(), len(parts)) if on_cpu else 1
    if threads == 1:
        yield from zip(parts, map(compute, parts), strict=True)
        return
    with ThreadPoolExecutor(threads) as pool:
        yield from zip(parts, pool.map(compute, parts), strict=True)


def _by_branch(labels: Tensor) -> Tensor:
    """(B,) the queries in the order of the tree: neighbours have as many items of each level.

    Rows of a part are padded to the longest, so that saves work.
    """
    order = torch.arange(len(labels), device=labels.device)
    for column in labels.T:
        order = order[column[order].argsort(stable=True)]
    return order


class Ranking(NamedTuple):
    """What some queries rank, each row in ascending order of similarity."""

    scores: Tensor  # (R, N)
    level: Tensor  # (R, N) shared levels
    counts: Tensor  # (R, L + 1) items of each level
    relevant: Tensor  # (R, K) those scores with a level above 0, padded with +inf
    relevant_level: Tensor  # (R, K), 0 at the padding
    ahead: list[Tensor]  # L + 1 of (R, K): items of that level as similar or more, itself included
    method: Method

    @property
    def real(self) -> Tensor:
        """(R, K) bool, False at the padding."""
        return self.relevant_level > 0


def rank_rows(scores: Tensor, level: Tensor, levels: int, method: Method) -> Ranking:
    """Sorts each query's items and counts who is ahead of the relevant ones.

    Args:
        scores: (R, N) float64 similarities.
        level: (R, N) int64 in [0, L].
        levels: L.
        method: how sums over steps are done, see `step_sums`.
    """
    counts = level_counts(level, levels)
    order = scores.detach().argsort(1)
    scores, level = scores.gather(1, order), level.gather(1, order)
    place, padding = _marked(level > 0)
    relevant = scores.gather(1, place).masked_fill(padding, torch.inf)
    # The first of the items as similar: those before it are behind, whatever the order of ties.
    first = torch.searchsorted(scores.detach().contiguous(), relevant.detach())
    ahead = []
    for each in range(levels + 1):
        smaller = torch.nn.functional.pad((level == each).cumsum(1), (1, 0))
        ahead.append((counts[:, each, None] - smaller.gather(1, first)).to(scores.dtype))
    relevant_level = level.gather(1, place).masked_fill(padding, 0)
    return Ranking(scores, level, counts, relevant, relevant_level, ahead, method)


def sup_rank(ranking: Ranking, step: Step) -> Tensor:
    """Ranks the relevant items by the upper bound `step` where it counts less relevant ones.

    Items of the same or a higher level ahead count 1, without gradient: pushing them back would
    gain nothing.

    Returns:
        (R, K) float64; 1 at the padding.
    """
    rank = torch.zeros_like(ranking.ahead[0])
    for level, ahead in enumerate(ranking.ahead):
        rank = rank + ahead * (ranking.relevant_level <= level)
        rank = _add_steps(rank, ranking, level, ranking.relevant_level > level, step)
    return torch.where(ranking.real, rank, 1.0)


def hard_h_rank(ranking: Ranking, relevance: Tensor) -> Tensor:
    """H-rank(k) = rel_k + sum over the items j ahead of min(rel_k, rel_j), without gradient.

    Args:
        ranking: the items.
        relevance: (R, L + 1) of each level.

    Returns:
        (R, K) float64; 0 at the padding.
    """
    own = relevance.gather(1, ranking.relevant_level) * ranking.real
    h_rank = torch.zeros_like(own)
    for level, ahead in enumerate(ranking.ahead):
        h_rank.addcmul_(torch.minimum(own, relevance[:, level, None]), ahead)
    return h_rank


def smooth_h_rank(ranking: Ranking, relevance: Tensor, step: Step) -> Tensor:
    """H-rank with `step` in place of the count where the items ahead are more relevant.

    Returns:
        (R, K) float64; 0 at the padding.
    """
    own = relevance.gather(1, ranking.relevant_level) * ranking.real
    h_rank = torch.zeros_like(own)
    for level, ahead in enumerate(ranking.ahead):
        shared = torch.minimum(own, relevance[:, level, None])
        counted = ahead * (ranking.relevant_level >= level)
        lower = ranking.real & (ranking.relevant_level < level)
        h_rank = h_rank + shared * _add_steps(counted, ranking, level, lower, step)
    return h_rank


def smooth_rank(ranking: Ranking, step: Step) -> Tensor:
    """Rank with `step`, symmetric about step(0) = 1 / 2, whatever the levels of the two items.

    Returns:
        (R, K) float64; 1 at the padding.
    """
    # Among the items is k itself, which counts step(0): the other half makes it 1.
    rank = 0.5 + step_sums(ranking.relevant, ranking.scores, step, method=ranking.method)
    return torch.where(ranking.real, rank, 1.0)


def smooth_ranks(ranking: Ranking, relevance: Tensor, step: Step) -> tuple[Tensor, Tensor]:
    """`smooth_rank`, and H-rank with the same step.

    Returns:
        Two (R, K) float64 tensors; rank is 1 and H-rank 0 at the padding.
    """
    own = relevance.gather(1, ranking.relevant_level) * ranking.real
    h_rank = 0.5 * own
    for level in range(1, len(ranking.ahead)):
        shared = torch.minimum(own, relevance[:, level, None])
        sums = _add_steps(torch.zeros_like(own), ranking, level, ranking.real, step)
        h_rank = h_rank + shared * sums
    return smooth_rank(ranking, step), h_rank


def _add_steps(to: Tensor, ranking: Ranking, level: int, mask: Tensor, step: Step) -> Tensor:
    """Adds to the marked relevant items the step of what lies between them and one level."""
    place, padding = _marked(ranking.level == level)
    if not (mask.any() and place.shape[1]):
        return to
    others = ranking.scores.gather(1, place).masked_fill(padding, torch.inf)
    place, padding = _marked(mask)
    targets = ranking.relevant.gather(1, place).masked_fill(padding, torch.inf)
    # A padded target points to the first place, and its sum is 0.
    return to.scatter_add(1, place, step_sums(targets, others, step, method=ranking.method))


def _marked(mask: Tensor) -> tuple[Tensor, Tensor]:
    """(R, K) the marked places of each row in their order, and which are padding, at 0."""
    count = mask.sum(1)
    width = int(count.amax())
    place = torch.where(mask, mask.cumsum(1) - 1, width)
    index = torch.zeros(len(mask), width + 1, dtype=torch.int64, device=mask.device)
    index.scatter_(1, place, torch.arange(mask.shape[1], device=mask.device).expand_as(place))
    return index[:, :width], torch.arange(width, device=mask.device) >= count[:, None]
