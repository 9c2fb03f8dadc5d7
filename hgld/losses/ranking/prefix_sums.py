r"""The sums of `hgld.losses.ranking.sums` in torch, by prefix sums: for a GPU, or without numba.

A sorted list needs one prefix sum for all its items: what a piece of f counts is the difference of
two of its entries. Of the straight pieces it is that of the weights, and of the weighted
similarities. The sigmoid is a polynomial in z = exp(x / tau), x <= 0, whose powers factor,
exp(m (s_j - s_k) / tau) = exp(m s_j / tau) exp(-m s_k / tau), so a prefix sum of exp(m s_j / tau)
serves every k. For x > 0 it is 1 - sigmoid(-x / tau).

Exponentials of a whole list would overflow, so items are taken in stretches of about 66 tau; what
lies more than 25 tau below a stretch has sigmoid < 2e-11 and counts as zero.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from hgld.losses.ranking.steps import Step, sigmoid_polynomials

# Powers of z: 14 leave an error of 2e-11 in sigmoid(y) and 2e-10 in its derivative.
_DEGREE = 14
# Largest |m x / tau| that is exponentiated: exp(640) and its sum over a million items stay finite,
# exp(-640) times a small weight stays a normal number.
_REACH = 640.0 / _DEGREE
# In units of tau: sigmoid(-25) = 1.4e-11.
_NEGLIGIBLE = 25.0
_STRETCH = 2 * _REACH - _NEGLIGIBLE


def weighted_sums(
    scores: Tensor,
    level: Tensor,
    weight: Tensor,
    table: Tensor,
    step: Step,
    *,
    mirrored: bool,
) -> tuple[Tensor, Tensor]:
    """Sums f and f' of the differences to all items, for every item.

    Args:
        scores: (R, N) float64, ascending in each row.
        level: (R, N) int64 in [0, L].
        weight: (R, N) w.
        table: (R or 1, L + 1, L + 1) a.
        step: f.
        mirrored: x is s_i - s_j, not s_j - s_i.

    Returns:
        (R, N) sum_j a[l_i, l_j] w_j f'(x), and the same of f.
    """
    if mirrored:
        lists = (-scores.flip(1), level.flip(1), weight.flip(1))
        slope, value = weighted_sums(*lists, table, step, mirrored=False)
        return slope.flip(1), value.flip(1)
    weights = _weights_by_level(level, table) * weight[:, None]  # (R, L + 1, N)
    ends = (  # how many items lie in the first piece, and in the first two
        torch.searchsorted(scores, scores, right=True),
        torch.searchsorted(scores, _last_within(scores, step.cut), right=True),
    )
    prefix = _prefix(torch.stack([weights, weights * scores[:, None]]))
    first, second, total = (_read(prefix, level, end) for end in (*ends, _length(level)))
    lines = list(zip(step.lines, (first, second - first, total - second), strict=True))
    slope, value = torch.zeros_like(scores), torch.zeros_like(scores)
    for line, (count, moment) in lines:
        if line.slope:
            slope.add_(count, alpha=line.slope)
            value.add_(moment.addcmul(count, scores, value=-1), alpha=line.slope)
        if line.intercept:
            value.add_(count, alpha=line.intercept)
    if step.tau is not None:
        value.add_(lines[1][1][0])  # the 1
        of_slope = torch.zeros_like(slope)
        _add_sigmoids(of_slope, value, scores / step.tau, level, weights, ends)
        slope.add_(of_slope, alpha=1 / step.tau)
    return slope, value


def counts_ahead(scores: Tensor, level: Tensor, table: Tensor) -> Tensor:
    """Counts the items that are as similar as an item or more, itself included, for every item.

    Args:
        scores: (R, N) float64, ascending in each row.
        level: (R, N) int64 in [0, L].
        table: (R or 1, L + 1, L + 1) a.

    Returns:
        (R, N) sum_j a[l_i, l_j] [s_j >= s_i].
    """
    prefix = _prefix(_weights_by_level(level, table))
    behind = torch.searchsorted(scores, scores)
    return _read(prefix, level, _length(level)) - _read(prefix, level, behind)


def _weights_by_level(level: Tensor, table: Tensor) -> Tensor:
    """(R, L + 1, N): what each item weighs for the items of each level."""
    rows, levels = len(level), table.shape[1]
    return table.expand(rows, -1, -1).gather(2, level[:, None].expand(-1, levels, -1))


def _length(level: Tensor) -> Tensor:
    return torch.full_like(level, level.shape[1])


def _prefix(x: Tensor) -> Tensor:
    """(..., N + 1): entry i is the sum of the first i."""
    return functional.pad(x, (1, 0)).cumsum_(-1)


def _read(prefix: Tensor, level: Tensor, end: Tensor) -> Tensor:
    """(..., R, N): for each item the entry at its `end` of the list for items of its level."""
    place = level * prefix.shape[-1] + end
    return prefix.flatten(-2).gather(-1, place.expand(*prefix.shape[:-3], -1, -1))


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


def _add_sigmoids(
    slope: Tensor,
    value: Tensor,
    y: Tensor,
    level: Tensor,
    weights: Tensor,
    ends: tuple[Tensor, Tensor],
) -> None:
    """Adds the derivative of sigmoid(y) and itself, less 1 where y > 0, of the first two pieces."""
    size, polynomials = y.shape[1], y.new_tensor(sigmoid_polynomials(_DEGREE)).T
    space = y.new_zeros(
        _DEGREE, *weights.shape[:2], size + 1
    )  # to make it anew takes half the time
    done = level.new_zeros(len(level), 1)
    while int(done.amin()) < size:
        here = y - y.gather(1, done.clamp(max=size - 1))
        # A row that is done waits for the others. What is not a number is done with.
        inside = (here >= 0) & (here < _STRETCH) & (done < size)
        near = (here >= -_NEGLIGIBLE) & (here <= _STRETCH + _NEGLIGIBLE) & (done < size)
        done = (~(here >= _STRETCH)).sum(1, keepdim=True)
        first, last = _columns(near)
        part = slice(first, last)
        here, own, lists = here[:, part], level[:, part], weights[..., part]
        low, high = ((end[:, part] - first).clamp_(0, last - first) for end in ends)
        # Up to an item exp(y) is summed from the start of the list. It is shifted so as to be
        # representable from 25 below the first item of the stretch to the last one. Beyond it is
        # exp(-y) from the end of the list, from that first item to 25 above the last one. Each sum
        # has its smallest terms first: as a difference of sums from the other end it would cancel.
        up, down = here - (_REACH - _NEGLIGIBLE), _REACH - here
        prefix = space[..., : last - first + 1]
        torch.mul(_powers(up)[:, :, None], lists, out=prefix[..., 1:])
        prefix.cumsum_(-1)
        below = (_read(space, own, low).mul_(_powers(-up)).flatten(1).T @ polynomials).T
        torch.mul(_powers(down.flip(1))[:, :, None], lists.flip(-1), out=prefix[..., 1:])
        prefix.cumsum_(-1)
        found = _read(space, own, last - first - low) - _read(space, own, last - first - high)
        above = (found.mul_(_powers(-down)).flatten(1).T @ polynomials).T
        slope[:, part].addcmul_((below[0] + above[0]).view_as(here), inside[:, part])
        value[:, part].addcmul_((below[1] - above[1]).view_as(here), inside[:, part])


def _columns(mask: Tensor) -> tuple[int, int]:
    """The columns from the first to the last that have a mark in any row."""
    marked = mask.any(0).nonzero()
    return (int(marked[0]), int(marked[-1]) + 1) if len(marked) else (0, 0)


def _powers(y: Tensor) -> Tensor:
    """(14, ...) of exp(y), which is 0 below the reach, and no larger than at its end."""
    z = functional.threshold(y.clamp(max=_REACH).exp(), math.exp(-_REACH - 1e-6), 0)
    return z.expand(_DEGREE, *y.shape).cumprod(0)
