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
) -> tuple[Tensor, Tensor]:
    """Sums f and f' of the differences to all items, for every item.

    Args:
        scores: (R, N) float64, ascending in each row.
        level: (R, N) int64 in [0, L].
        weight: (R or 1, N) w.
        table: (R or 1, L + 1, L + 1) a.
        step: f.

    Returns:
        (R, N) sum_j a[l_i, l_j] w_j f'(s_j - s_i), and the same of f.
    """
    weights = _weights_by_level(level, table) * weight[:, None]  # (R, L + 1, N)
    ends = (  # how many items lie in the first piece, and in the first two
        torch.searchsorted(scores, scores, right=True),
        torch.searchsorted(scores, _last_within(scores, step.cut), right=True),
    )
    prefix = _prefix(torch.stack([weights, weights * scores[:, None]]))
    row = level * prefix.shape[-1]  # where the list for items of this level begins
    first, second, total = (_read(prefix, row + end) for end in (*ends, scores.shape[1]))
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


def pulls(scores: Tensor, level: Tensor, weight: Tensor, table: Tensor, step: Step) -> Tensor:
    """Sums f' of the differences from all items, for every item.

    Args:
        scores: (R, N) float64, ascending in each row.
        level: (R, N) int64 in [0, L].
        weight: (R, N) w.
        table: (R or 1, L + 1, L + 1) a.
        step: f.

    Returns:
        (R, N) sum_j a[l_i, l_j] w_j f'(s_i - s_j).
    """
    lists = (-scores.flip(1), level.flip(1), weight.flip(1))
    slope, _ = weighted_sums(*lists, table, step)
    return slope.flip(1)


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
    row, behind = level * prefix.shape[-1], torch.searchsorted(scores, scores)
    return _read(prefix, row + scores.shape[1]) - _read(prefix, row + behind)


def _weights_by_level(level: Tensor, table: Tensor) -> Tensor:
    """(R, L + 1, N): what each item weighs for the items of each level."""
    rows, levels = len(level), table.shape[1]
    return table.expand(rows, -1, -1).gather(2, level[:, None].expand(-1, levels, -1))


def _prefix(x: Tensor) -> Tensor:
    """(..., N + 1): entry i is the sum of the first i."""
    return functional.pad(x, (1, 0)).cumsum_(-1)


def _read(prefix: Tensor, place: Tensor) -> Tensor:
    """(..., R, N): the entries at these places of all lists of a row, one after the other."""
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
    size, row = y.shape[1], level * (y.shape[1] + 1)
    # Either side is a product of powers of exp(y) and of exp(-y), shifted as below: 25 in all.
    shift = [math.exp(-_NEGLIGIBLE * m) for m in range(1, _DEGREE + 1)]
    of_slope, of_value = y.new_tensor(sigmoid_polynomials(_DEGREE)) * y.new_tensor(shift)
    space = y.new_zeros(
        _DEGREE, *weights.shape[:2], size + 1
    )  # to make it anew takes half the time
    padded, places = functional.pad(y, (0, 1), value=math.inf), torch.stack(ends)
    done = level.new_zeros(len(level), 1)
    while int(done.amin()) < size:
        here = y - padded.gather(1, done)  # a row that is done lies far below
        first, last = _columns((here >= -_NEGLIGIBLE) & (here <= _STRETCH + _NEGLIGIBLE))
        beyond = here >= _STRETCH
        inside = (here >= 0) ^ beyond
        done = size - beyond.sum(1, keepdim=True)  # what is not a number is done with
        part = slice(first, last)
        here, own, inside, lists = here[:, part], row[:, part], inside[:, part], weights[..., part]
        low, high = (places[..., part] - first).clamp_(0, last - first)
        # Up to an item exp(y) is summed from the start of the list. It is shifted so as to be
        # representable from 25 below the first item of the stretch to the last one. Beyond it is
        # exp(-y) from the end of the list, from that first item to 25 above the last one. Each sum
        # has its smallest terms first: as a difference of sums from the other end it would cancel.
        up, down = _powers(here - (_REACH - _NEGLIGIBLE)), _powers(_REACH - here)
        prefix = space[..., : last - first + 1]
        torch.mul(up[:, :, None], lists, out=prefix[..., 1:])
        prefix.cumsum_(-1)
        below = _read(space, own + low).mul_(down)
        torch.mul(down.flip(-1)[:, :, None], lists.flip(-1), out=prefix[..., 1:])
        prefix.cumsum_(-1)
        above = _read(space, own + (last - first - low)) - _read(space, own + (last - first - high))
        above.mul_(up)
        for total, sums, factors in (
            (slope, below + above, of_slope),
            (value, below - above, of_value),
        ):
            total[:, part].addcmul_(torch.tensordot(factors, sums, 1), inside)


def _columns(mask: Tensor) -> tuple[int, int]:
    """The columns from the first to the last that have a mark in any row."""
    marked = mask.any(0).nonzero()
    return (int(marked[0]), int(marked[-1]) + 1) if len(marked) else (0, 0)


def _powers(y: Tensor) -> Tensor:
    """(14, ...) of exp(y), which is 0 below the reach, and no larger than at its end."""
    z = functional.threshold(y.clamp(max=_REACH).exp(), math.exp(-_REACH - 1e-6), 0)
    return z.expand(_DEGREE, *y.shape).cumprod(0)
