r"""Sums of a step function over many items, in time that grows with the items and not the pairs.

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
from typing import Any

import torch
from torch import Tensor

from hgld.losses.ranking import prefix_sums
from hgld.losses.ranking.once import once_only
from hgld.losses.ranking.steps import Line, Step  # noqa: F401 - Line: the example


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
        ones = torch.ones_like(scores)
        value: Tensor
        slope, value = _ways(scores).weighted_sums(scores, level, ones, table, step)
        ctx.save_for_backward(scores, level, table, slope)
        ctx.step = step
        return value

    @staticmethod
    def backward(
        ctx: Any,  # noqa: ANN401 - as above
        weight: Tensor,
    ) -> tuple[Tensor, None, None, None]:
        """Sums w_i f'(s_j - s_i) over i: the items swap parts, seen from the other end."""
        scores, level, table, slope = ctx.saved_tensors
        with torch.no_grad():
            swapped = table.transpose(1, 2)
            pull = _ways(scores).pulls(scores, level, weight, swapped, ctx.step)
            gradient = pull.addcmul_(weight, slope, value=-1)
        return once_only(gradient, weight, scores), None, None, None


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
