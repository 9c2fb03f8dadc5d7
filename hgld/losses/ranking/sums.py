r"""Ranks, which are sums of a step function: in time that grows with the items and not the pairs.

A ranking loss needs, for every item i, V(i) = sum_j a(l_i, l_j) f(s_j - s_i) over the items j of a
query, where f is a smooth stand-in for the step that counts who is ranked before i, and a says by
the levels of the two what j counts. Pair by pair that is N^2 terms a query and N^3 a batch.
`step_sums` sorts once and needs O(N): see `prefix_sums` for how, and `compiled` for how fast. The
gradient with respect to s_i is the same sum with f' for f; with respect to s_j it is
sum_i w_i a(l_i, l_j) f'(s_j - s_i): the same sum again, seen from the list's other end.

Example:
    With a pencil: the similarities 1, 4, 6 and 8, and f(x) = 0 up to x = 0, x + 1 up to the cut at
    3, and 10 beyond. Prefix sums of how many there are and of what they add up to, a zero in front:

    >>> scores, zero = torch.tensor([1.0, 4.0, 6.0, 8.0]), torch.zeros(1)
    >>> count = torch.cat([zero, torch.ones(4).cumsum(0)])  # 0 1 2 3 4
    >>> total = torch.cat([zero, scores.cumsum(0)])  # 0 1 5 11 19

    From the item at 4 they are x = -3, 0, 2 and 4 away: two lie up to 4, three up to the cut at
    4 + 3. So the middle piece has the third alone, the last piece what is left, and whatever the
    length of the list, a piece is a difference of two prefix sums:

    >>> first, second = torch.searchsorted(scores, torch.tensor([4.0, 4.0 + 3.0]), right=True)
    >>> middle = (total[second] - total[first]) - (4.0 - 1.0) * (count[second] - count[first])
    >>> beyond = 10 * (count[4] - count[second])
    >>> float(middle), float(beyond)  # (2 + 1) and 10
    (3.0, 10.0)

    `step_sums` does the same for all items at once:

    >>> lines = {"below": Line(), "middle": Line(slope=1, intercept=1), "above": Line(intercept=10)}
    >>> level, table = torch.zeros(1, 4, dtype=torch.int64), torch.ones(1, 1, 1).double()
    >>> step_sums(scores[None].double(), level, table, Step(**lines, cut=3.0)).tolist()
    [[24.0, 13.0, 3.0, 0.0]]
"""

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from hgld.losses.ranking import prefix_sums
from hgld.losses.ranking.steps import Line, Step  # noqa: F401 - Line: the example
from hgld.metrics.relevance import level_counts


class StepSums(torch.autograd.Function):
    """The sums with their gradient; see `step_sums`."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - the context has no public type
        scores: Tensor,
        level: Tensor,
        table: Tensor,
        step: Step,
    ) -> Tensor:
        """Sums f, and f' for the backward pass."""
        ones = torch.ones_like(scores[:1])
        value: Tensor
        slope, value = _ways(scores).weighted_sums(scores, level, ones, table, step)
        ctx.save_for_backward(scores, level, table, slope)
        ctx.step = step
        return value

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any,  # noqa: ANN401 - as above
        weight: Tensor,
    ) -> tuple[Tensor, None, None, None]:
        """Sums w_i f'(s_j - s_i) over i: the items swap parts, seen from the other end."""
        scores, level, table, slope = ctx.saved_tensors
        swapped = table.transpose(1, 2)
        pull: Tensor = _ways(scores).pulls(scores, level, weight, swapped, ctx.step)
        return pull.addcmul_(weight, slope, value=-1), None, None, None


def step_sums(scores: Tensor, level: Tensor, table: Tensor, step: Step) -> Tensor:
    r"""Sums a step function of the differences to all items, for every item.

    V(r, i) = sum_j a(l_ri, l_rj) f(s_rj - s_ri), in each row r by itself; j = i is among them.

    Args:
        scores: (R, N) float64 s, ascending in each row.
        level: (R, N) int64 l in [0, L].
        table: (R or 1, L + 1, L + 1) float64 a.
        step: f.

    Returns:
        (R, N) float64, with an error below 1e-10 a pair where f has a sigmoid and none but rounding
        where it has not. Differentiable once with respect to the scores; a jump of f contributes no
        gradient.

    Example:
        >>> step = Step(below=Line(), middle=Line(intercept=1), above=Line(intercept=2), cut=0.5)
        >>> scores = torch.tensor([[0.0, 0.2, 0.9]], dtype=torch.float64)
        >>> level = torch.tensor([[1, 0, 0]])
        >>> table = torch.tensor([[[0.0, 0.0], [1.0, 0.0]]], dtype=torch.float64)  # 1 counts the 0
        >>> step_sums(scores, level, table, step).tolist()
        [[3.0, 0.0, 0.0]]
    """
    apply: Callable[..., Tensor] = StepSums.apply  # torch leaves it untyped
    return apply(scores, level, table, step)


def counts_ahead(scores: Tensor, level: Tensor, table: Tensor) -> Tensor:
    """Counts the items as similar or more: `step_sums` with the step itself, without gradient.

    Args:
        scores: (R, N) float64, ascending in each row.
        level: (R, N) int64 in [0, L].
        table: (R or 1, L + 1, L + 1) float64 a.

    Returns:
        (R, N) float64 sum_j a(l_i, l_j) [s_j >= s_i], i itself included.
    """
    scores = scores.detach()
    counts: Tensor = _ways(scores).counts_ahead(scores, level, table)
    return counts


def is_compiled(scores: Tensor) -> bool:
    """Says whether numba does the sums: on a processor, where it is installed."""
    return scores.device.type == "cpu" and _compiled() is not None


def _ways(scores: Tensor) -> ModuleType:
    return (_compiled() if is_compiled(scores) else None) or prefix_sums


@functools.cache
def _compiled() -> ModuleType | None:
    try:
        from hgld.losses.ranking import compiled
    except ImportError:  # not installed, or not for this Python or numpy
        return None
    return compiled


class Ranking(NamedTuple):
    """What some queries rank, each row in ascending order of similarity."""

    scores: Tensor  # (R, N)
    level: Tensor  # (R, N) shared levels
    counts: Tensor  # (R, L + 1) items of each level


def rank_rows(scores: Tensor, level: Tensor, levels: int) -> Ranking:
    """Sorts each query's items.

    Args:
        scores: (R, N) float64 similarities.
        level: (R, N) int64 in [0, L].
        levels: L.
    """
    if scores.device.type == "cpu":  # numpy sorts rows of 256 six times faster than torch
        order = torch.from_numpy(np.argsort(scores.detach().numpy(), axis=1))
    else:
        order = scores.detach().argsort(1)
    return Ranking(scores.gather(1, order), level.gather(1, order), level_counts(level, levels))


def sup_rank(ranking: Ranking, step: Step) -> Tensor:
    """Ranks the relevant items by the upper bound `step` where it counts less relevant ones.

    Items of the same or a higher level ahead count 1, without gradient: pushing them back would
    gain nothing.

    Returns:
        (R, N) float64, at least 1.
    """
    scores, level, counts = ranking
    every = scores.new_ones(1, counts.shape[1], counts.shape[1])
    lower = every.tril(-1)  # a level below that of the item
    return step_sums(scores, level, lower, step) + counts_ahead(scores, level, every - lower)


def sup_ranks(
    ranking: Ranking, relevance: Tensor, *, step: Step, ahead: Step | None
) -> tuple[Tensor, Tensor]:
    """`sup_rank`, and H-rank(k) = rel_k + sum over the items j before k of min(rel_k, rel_j).

    Args:
        ranking: the items.
        relevance: (R, L + 1) of each level, 0 at level 0.
        step: of the rank.
        ahead: stands for the step where j is more relevant than k. None: H-rank has no gradient.

    Returns:
        Two (R, N) float64 tensors; H-rank is 0 where nothing is relevant.
    """
    scores, level, _ = ranking
    shared = _shared(relevance)
    if ahead is None:
        return sup_rank(ranking, step), counts_ahead(scores, level, shared)
    counted = counts_ahead(scores, level, shared.tril())
    h_rank = counted + step_sums(scores, level, shared.triu(1), ahead)
    return sup_rank(ranking, step), h_rank


def smooth_rank(ranking: Ranking, step: Step) -> Tensor:
    """Rank with `step`, symmetric about step(0) = 1 / 2, whatever the levels of the two items.

    Returns:
        (R, N) float64, at least 1.
    """
    one, every = torch.zeros_like(ranking.level), ranking.scores.new_ones(1, 1, 1)
    # Among the items is k itself, which counts step(0): the other half makes it 1.
    return 0.5 + step_sums(ranking.scores, one, every, step)


def smooth_ranks(ranking: Ranking, relevance: Tensor, step: Step) -> tuple[Tensor, Tensor]:
    """`smooth_rank`, and H-rank with the same step.

    Returns:
        Two (R, N) float64 tensors; H-rank is 0 where nothing is relevant.
    """
    own = relevance.gather(1, ranking.level)
    h_rank = 0.5 * own + step_sums(ranking.scores, ranking.level, _shared(relevance), step)
    return smooth_rank(ranking, step), h_rank


def _shared(relevance: Tensor) -> Tensor:
    """(R, L + 1, L + 1) min(rel_k, rel_j) by the levels of k and j."""
    return torch.minimum(relevance[:, :, None], relevance[:, None, :])
