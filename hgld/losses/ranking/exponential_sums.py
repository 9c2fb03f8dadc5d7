r"""Sums of sigmoids over a sorted list, by prefix sums of exponentials.

For y <= 0 the sigmoid is z / (1 + z) with z = exp(y) in (0, 1], and there a polynomial
sum_m c_m z^m of degree 14 equals it to 2e-11; another equals its derivative. Each power factors,
exp(m (s_j - s_k) / tau) = exp(m s_j / tau) exp(-m s_k / tau), so one prefix sum of
exp(m s_j / tau) along the sorted list serves every k. For y > 0, sigmoid(y) = 1 - sigmoid(-y).

Exponentials of a whole list would overflow, so items are taken in stretches of about 66 tau; what
lies more than 25 tau below a stretch has sigmoid < 2e-11 and counts as zero.
"""

import functools
import math
from collections.abc import Sequence

import torch
from numpy.polynomial import Chebyshev, Polynomial
from torch import Tensor

# Powers of z: 14 leave an error of 2e-11 in sigmoid(y) and 2e-10 in its derivative.
_DEGREE = 14
# Largest |m x / tau| that is exponentiated: exp(640) and its sum over a million items stay finite,
# exp(-640) times a small weight stays a normal number.
_LARGEST_EXPONENT = 640.0
# In units of tau: sigmoid(-25) = 1.4e-11.
_NEGLIGIBLE = 25.0
_REACH = _LARGEST_EXPONENT / _DEGREE
_STRETCH = 2 * _REACH - _NEGLIGIBLE


def stretches(targets: Tensor, sources: Tensor, tau: float, cut: float) -> tuple[Tensor, int]:
    """Divides the targets' range into stretches, each of which takes a pass over the lists.

    Args:
        targets: (R, K) float64 t, ascending in each row; padding is infinite, at either end.
        sources: (R, S) float64 s, as the targets.
        tau: width of the sigmoid.
        cut: the largest x that counts.

    Returns:
        (R, 1) where the first stretch of each row begins; how many the longest row has. What is
        not a number has no place: it counts as one.
    """
    lowest, highest = _extent(targets)
    first, last = _extent(sources)
    # Targets beyond have no source in the first two pieces, or none but far below.
    lowest = lowest.fmax(first - cut)
    highest = highest.minimum(last + _NEGLIGIBLE * tau)
    span = (highest - lowest).nan_to_num(nan=0, posinf=0, neginf=0).clamp(min=0).amax().item()
    return lowest.masked_fill(lowest.isinf(), 0), 1 + int(span / (_STRETCH * tau))


def sigmoid_sums(  # noqa: PLR0913 - two lists, f, where its pieces end, and what to do
    targets: Tensor,
    sources: Tensor,
    weight: Tensor,
    tau: float,
    cut: float,
    ends: tuple[Tensor, Tensor],
    *,
    of_value: bool,
) -> tuple[Tensor, Tensor]:
    """Sums the slope of sigmoid(x / tau), and its value, over the sources with x <= cut.

    x = s_j - t_k. The value lacks a 1 for each source with x > 0: what is summed there is
    sigmoid(x / tau) - 1 = -sigmoid(-x / tau).

    Args:
        targets: (R, K) float64 t, ascending in each row; padding is infinite, at either end.
        sources: (R, S) float64 s, ascending in each row; padding is infinite, at either end.
        weight: (R, S) of each source, 0 at the padding.
        tau: width of the sigmoid.
        cut: the largest x that counts.
        ends: two (R, K): how many sources have x <= 0, and how many x <= cut.
        of_value: whether the second sum is wanted.

    Returns:
        (R, K) weighted sums of the slope and of the value (of no use unless `of_value`); at padded
        targets anything.
    """
    lowest, passes = stretches(targets, sources, tau, cut)
    stretch = _STRETCH * tau
    slope, value = torch.zeros_like(targets), torch.zeros_like(targets)
    for index in range(passes):
        bottom = lowest + index * stretch
        y_at, y = (targets - bottom) / tau, (sources - bottom) / tau
        found = _stretch_sums(y_at, y, weight, ends, cut / tau, of_value=of_value)
        here = (targets >= bottom) & (targets < bottom + stretch)
        slope = torch.where(here, found[0][0] + found[0][1], slope)
        if of_value:
            value = torch.where(here, found[1][0] - found[1][1], value)
    return slope / tau, value


def _extent(values: Tensor) -> tuple[Tensor, Tensor]:
    """(R, 1) the smallest and the largest of each row; inf and -inf where all is padding."""
    padding = values.isinf()
    lowest = values.masked_fill(padding, math.inf).amin(1, keepdim=True)
    return lowest, values.masked_fill(padding, -math.inf).amax(1, keepdim=True)


def _stretch_sums(
    at: Tensor,
    sources: Tensor,
    weight: Tensor,
    ends: tuple[Tensor, Tensor],
    cut: float,
    *,
    of_value: bool,
) -> list[Tensor]:
    """Sums of the derivative of sigmoid(-|y|) and of itself, y and `cut` in units of tau.

    Right for the targets from 0 to _STRETCH; what the others get is of no use.

    Returns:
        One or two tensors (2, R, K): the sums over the first piece and over the second.
    """
    # Over the first piece exp(y) is summed from the start of the list. It is shifted so as to be
    # representable from 25 below the first target to the last one. Over the second it is exp(-y)
    # from the end of the list, from the first target to 25 above the last one. Each sum has its
    # smallest terms first: as a difference of sums from the other end it would cancel.
    size, shift = sources.shape[1], _REACH - _NEGLIGIBLE
    factors = torch.stack([_exp(shift - at), _exp(at - _REACH)])
    powers = torch.stack([_exp(sources - shift), _exp(_REACH - sources.flip(1))])
    low = torch.stack([torch.zeros_like(ends[0]), size - ends[1]])
    high = torch.stack([ends[0], size - ends[0]])
    weights = torch.stack([weight, weight.flip(1)])
    # Beyond the cut exp(-m y) counts for small powers m alone.
    between = low, high, int(_NEGLIGIBLE / max(cut, 1e-9))
    return _polynomial_sums(factors, powers, weights, between, _polynomials()[: 1 + of_value])


def _exp(y: Tensor) -> Tensor:
    """exp(y), 0 below the reach, and no larger than at its end."""
    return y.clamp(max=_REACH).exp().masked_fill_(y < -_REACH, 0)


def _polynomial_sums(
    at: Tensor,
    sources: Tensor,
    weight: Tensor,
    between: tuple[Tensor, Tensor, int],
    polynomials: Sequence[tuple[float, ...]],
) -> list[Tensor]:
    """Polynomials of at_k * source_j without constant terms, summed over low <= j < high.

    Powers above the given one are summed over all j < high.
    """
    low, high, powers_from_low = between
    sums = [torch.zeros_like(at) for _ in polynomials]
    factor = torch.ones_like(at)
    # With a leading zero, entry i of a running sum is the sum of the first i. (2, R, S + 1)
    power, sources = (torch.nn.functional.pad(item, (1, 0)) for item in (weight, sources))
    for exponent, coefficients in enumerate(zip(*polynomials, strict=True), start=1):
        power.mul_(sources)
        factor.mul_(at)
        prefix = power.cumsum(2)
        part = prefix.gather(2, high)
        if exponent <= powers_from_low:
            part -= prefix.gather(2, low)
        part.mul_(factor)
        for total, coefficient in zip(sums, coefficients, strict=True):
            total.add_(part, alpha=coefficient)
    return sums


@functools.cache
def _polynomials() -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Coefficients of z, z^2, ... for z / (1 + z)^2 and for z / (1 + z), on [0, 1].

    With z = exp(y), y <= 0, these are the derivative of sigmoid(y) and itself. The factor z is
    kept apart, so that both vanish far below.
    """
    slope, value = (
        Chebyshev.interpolate(rest, _DEGREE - 1, domain=[0, 1]).convert(kind=Polynomial)
        for rest in (lambda z: 1 / (1 + z) ** 2, lambda z: 1 / (1 + z))
    )
    return tuple(map(float, slope.coef)), tuple(map(float, value.coef))
