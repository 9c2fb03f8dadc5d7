r"""Sums of a step function over many items, in time that grows with the items and not the pairs.

A ranking loss needs, for every item k, V(k) = sum_j f(s_j - s_k) over some items j, where f is a
smooth stand-in for the step that counts who is ranked before k. Pair by pair that is N^2 terms a
query and N^3 a batch. `step_sums` sorts once and needs O(N):

* Straight pieces of f: the items of a piece are neighbours in the sorted list, so their number and
  the sum of their similarities come from prefix sums.
* The sigmoid is, on each side of 0, a polynomial in exp(x / tau), whose powers factor into one
  part of s_j and one of s_k: see `hgld.losses.ranking.exponential_sums`.
* The gradient with respect to s_k is the same sum with f' for f. With respect to s_j it is
  sum_k w_k f'(s_j - s_k): the same sum again, with the list seen from its other end.

Example:
    With a pencil: the sources 1, 4, 6 and 8, and f(x) = 0 up to x = 0, x + 1 up to the cut at 3,
    and 10 beyond. Prefix sums of how many there are and of what they add up to, a zero in front:

    >>> sources, zero = torch.tensor([1.0, 4.0, 6.0, 8.0]), torch.zeros(1)
    >>> count = torch.cat([zero, torch.ones(4).cumsum(0)])  # 0 1 2 3 4
    >>> total = torch.cat([zero, sources.cumsum(0)])  # 0 1 5 11 19

    From the target 4 the sources are x = -3, 0, 2 and 4 away: two lie up to 4, three up to the cut
    at 4 + 3. So the middle piece has the third alone, the last piece what is left, and whatever
    the length of the list, a piece is a difference of two prefix sums:

    >>> first, second = torch.searchsorted(sources, torch.tensor([4.0, 4.0 + 3.0]), right=True)
    >>> middle = (total[second] - total[first]) - (4.0 - 1.0) * (count[second] - count[first])
    >>> beyond = 10 * (count[4] - count[second])
    >>> float(middle), float(beyond)  # (2 + 1) and 10
    (3.0, 10.0)

    `step_sums` does the same for all targets at once:

    >>> lines = {"below": Line(), "middle": Line(slope=1, intercept=1), "above": Line(intercept=10)}
    >>> target, sources = torch.tensor([[4.0]]).double(), sources[None].double()
    >>> step_sums(target, sources, Step(**lines, cut=3.0)).tolist()
    [[13.0]]
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor

from hgld.losses.ranking.exponential_sums import sigmoid_sums, stretches
from hgld.losses.ranking.once import once_only
from hgld.losses.ranking.steps import Line, Step
from hgld.metrics.arguments import check_choice

Method = Literal["auto", "exact", "fast"]

# What the fast path does for an item costs about as much as this many pairs, once and in each pass
# over the lists (measured on a CPU: 6 to 10 ns a pair, 100 ns an item and again in each pass).
_PAIRS_PER_ITEM, _PAIRS_PER_PASS = 12, 8
# So few pairs are taken one by one whatever they cost: a batch of 64 is exact to rounding.
_FEW_PAIRS = 64 * 64
# Pairs held at once by the exact path: torch runs an operation on so few in the calling thread.
_PAIRS_AT_ONCE = 1 << 15


class StepSums(torch.autograd.Function):
    """V(t) = sum_j f(s_j - t) with its gradient; see `step_sums`."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - the context has no public type
        targets: Tensor,
        sources: Tensor,
        step: Step,
        method: Method,
    ) -> Tensor:
        """Sums f, and f' for the backward pass."""
        fast = method == "fast" or (method == "auto" and _fast_is_cheaper(targets, sources, step))
        weight = sources.isfinite().to(sources.dtype)
        slope, value = _weighted_sums(targets, sources, weight, step, fast=fast)
        ctx.save_for_backward(targets, sources, slope)
        ctx.step, ctx.fast = step, fast
        return value

    @staticmethod
    def backward(
        ctx: Any,  # noqa: ANN401 - as above
        weight: Tensor,
    ) -> tuple[Tensor, Tensor, None, None]:
        """Sums w_k f'(s_j - t_k) over k: the lists swap places, seen from the other end."""
        targets, sources, slope = ctx.saved_tensors
        with torch.no_grad():
            pushed = weight.masked_fill(targets.isinf(), 0)
            lists = -sources.flip(1), -targets.flip(1), pushed.flip(1)
            pull, _ = _weighted_sums(*lists, ctx.step, fast=ctx.fast, of_value=False)
            gradients = -pushed * slope, pull.flip(1)
        of_targets, of_sources = (once_only(g, weight, targets, sources) for g in gradients)
        return of_targets, of_sources, None, None


def step_sums(targets: Tensor, sources: Tensor, step: Step, *, method: Method = "auto") -> Tensor:
    r"""Sums a step function of the differences to many sources, for many targets.

    V(r, k) = sum_j f(s_rj - t_rk), in each row r by itself.

    Args:
        targets: (R, K) float64 t, ascending in each row, padded with +inf at the end.
        sources: (R, S) float64 s, ascending in each row, padded with +inf at the end.
        step: f.
        method: `exact` takes every pair, O(R K S); `fast` uses prefix sums, O(R (K + S)), with an
            error below 1e-10 a pair where f has a sigmoid and none but rounding where it has not;
            `auto` takes the one that costs less.

    Returns:
        (R, K) float64, 0 at padded targets and where there is no source. Differentiable once with
        respect to both lists; a jump of f contributes no gradient.

    Raises:
        ValueError: another method.

    Example:
        >>> step = Step(below=Line(), middle=Line(intercept=1), above=Line(intercept=2), cut=0.5)
        >>> targets = torch.tensor([[0.0, 1.0]], dtype=torch.float64)
        >>> sources = torch.tensor([[0.2, 0.9, 1.1]], dtype=torch.float64)
        >>> step_sums(targets, sources, step).tolist()
        [[5.0, 1.0]]
    """
    check_choice("method", method, Method)
    apply: Callable[..., Tensor] = StepSums.apply  # torch leaves it untyped
    return apply(targets, sources, step, method)


def _fast_is_cheaper(targets: Tensor, sources: Tensor, step: Step) -> bool:
    items, pairs = targets.shape[1] + sources.shape[1], targets.shape[1] * sources.shape[1]
    if step.tau is None or pairs <= max(_FEW_PAIRS, (_PAIRS_PER_ITEM + _PAIRS_PER_PASS) * items):
        return False  # without a sigmoid both do the same
    passes = stretches(targets, sources, step.tau, step.cut)[1]
    return pairs > (_PAIRS_PER_ITEM + _PAIRS_PER_PASS * passes) * items


def _weighted_sums(
    targets: Tensor,
    sources: Tensor,
    weight: Tensor,
    step: Step,
    *,
    fast: bool,
    of_value: bool = True,
) -> tuple[Tensor, Tensor]:
    """(R, K) sum_j w_j f'(s_j - t_k) and sum_j w_j f(s_j - t_k), the second only `of_value`.

    Both lists ascend in each row; padding is infinite, at either end, and weighs 0.
    """
    padding = targets.isinf()
    at = targets.masked_fill(padding, 0)
    # How many sources lie in the first piece, and in the first two. (R, K)
    ends = (
        torch.searchsorted(sources, at, right=True),
        torch.searchsorted(sources, _last_within(at, step.cut), right=True),
    )
    lines = [step.below, step.middle, step.above]
    if step.tau is not None and fast:
        # For x > 0 sigmoid(x) = 1 - sigmoid(-x): here is the 1.
        lines[1] = replace(step.middle, intercept=step.middle.intercept + 1)
    slope, value = _straight_sums(at, sources, weight, lines, ends)
    if step.tau is not None and targets.numel() and sources.numel():
        if fast:
            lists = targets, sources, weight
            sigmoid = sigmoid_sums(*lists, step.tau, step.cut, ends, of_value=of_value)
        else:
            sigmoid = _sigmoid_sums_by_pair(at, sources, weight, step.tau, ends[1])
        slope, value = slope + sigmoid[0], value + sigmoid[1]
    return slope.masked_fill_(padding, 0), value.masked_fill_(padding, 0)


def _last_within(at: Tensor, cut: float) -> Tensor:
    """The largest s with s - at <= cut as computed, which at + cut misses by rounding errors.

    So a pair at the cut is on the same side whichever of the two looks at the other.
    """
    if cut in (0.0, math.inf):
        return at + cut
    # All s up to at + (cut + half the step to the next number) round to cut or less.
    last, infinity = at + cut, torch.full_like(at, math.inf)
    last += (at + math.nextafter(cut, math.inf) - last) / 2
    last = torch.where(last - at > cut, torch.nextafter(last, -infinity), last)
    after = torch.nextafter(last, infinity)
    return torch.where(after - at <= cut, after, last)


def _straight_sums(
    at: Tensor,
    sources: Tensor,
    weight: Tensor,
    lines: Sequence[Line],
    ends: tuple[Tensor, Tensor],
) -> tuple[Tensor, Tensor]:
    """The three straight pieces: each needs the weight and the weighted sum of its sources."""
    mass = _sums_by_piece(weight, ends)
    slope, value = torch.zeros_like(at), torch.zeros_like(at)
    if any(line.slope for line in lines):
        moment = _sums_by_piece(weight * sources.masked_fill(sources.isinf(), 0), ends)
        for line, inside, total in zip(lines, mass, moment, strict=True):
            if line.slope:
                slope.add_(inside, alpha=line.slope)
                value.add_(total.addcmul(inside, at, value=-1), alpha=line.slope)
    for line, inside in zip(lines, mass, strict=True):
        if line.intercept:
            value.add_(inside, alpha=line.intercept)
    return slope, value


def _sums_by_piece(x: Tensor, ends: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """(R, K) sums of the sources before the first end, between the two, and after."""
    prefix = torch.nn.functional.pad(x.cumsum(1), (1, 0))  # entry i: the sum of the first i
    first, second = (prefix.gather(1, end) for end in ends)
    return first, second - first, prefix[:, -1:] - second


def _sigmoid_sums_by_pair(
    at: Tensor, sources: Tensor, weight: Tensor, tau: float, end: Tensor
) -> tuple[Tensor, Tensor]:
    """Sums of the derivative of sigmoid(x / tau) over the first two pieces, and of itself."""
    slope, value = torch.empty_like(at), torch.empty_like(at)
    place = torch.arange(sources.shape[1], device=at.device)
    rows = max(1, _PAIRS_AT_ONCE // (at.shape[1] * sources.shape[1]))
    for first in range(0, len(at), rows):
        part = slice(first, first + rows)
        sigmoid = sources[part, None, :] - at[part, :, None]  # (rows, K, S)
        sigmoid.div_(tau).sigmoid_().masked_fill_(place >= end[part, :, None], 0)
        share = weight[part, :, None]
        value[part] = (sigmoid @ share)[:, :, 0]
        slope[part] = (sigmoid.addcmul_(sigmoid, sigmoid, value=-1) @ share)[:, :, 0]
    return slope / tau, value
