r"""Sums of a step function over many items, in time that grows with the items and not the pairs.

A ranking loss needs, for every item k, V(k) = sum_j f(s_j - s_k) over some items j, where f is a
smooth stand-in for the step that counts who is ranked before k. Pair by pair that is N^2 terms a
query and N^3 a batch. `step_sums` sorts once and needs O(N):

* Straight pieces of f: the items of a piece are neighbours in the sorted list, so their number and
  the sum of their similarities come from prefix sums.
* The sigmoid: for x <= 0 it is z / (1 + z) with z = exp(x / tau) in (0, 1], and there a polynomial
  sum_m c_m z^m of degree 14 equals it to 2e-11. Each power factors,
  exp(m (s_j - s_k) / tau) = exp(m s_j / tau) exp(-m s_k / tau), so again a prefix sum of
  exp(m s_j / tau) serves every k. For x > 0 use sigmoid(x) = 1 - sigmoid(-x).
* The gradient with respect to s_k is the same sum with f' for f. With respect to s_j it is
  sum_k w_k f'(s_j - s_k): the same sum again, with the list seen from its other end.

Exponentials of a whole list would overflow, so items are taken in stretches of about 66 tau; what
lies more than 25 tau below a stretch has sigmoid < 2e-11 and counts as zero.
"""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from numpy.polynomial import Chebyshev, Polynomial
from torch import Tensor

Method = Literal["auto", "exact", "fast"]

# Powers of z: 14 leave an error of 2e-11 in sigmoid(y) and 2e-10 in its derivative.
_DEGREE = 14
# Largest |m x / tau| that is exponentiated: exp(640) and its sum over a million items stay finite,
# exp(-640) times a small weight stays a normal number.
_LARGEST_EXPONENT = 640.0
# In units of tau: sigmoid(-25) = 1.4e-11.
_NEGLIGIBLE = 25.0
_REACH = _LARGEST_EXPONENT / _DEGREE
# One item's prefix sums cost about as much as this many pairs (measured on 2 CPU cores).
_PAIRS_PER_ITEM = 25
# So few pairs are taken one by one whatever they cost: a batch of 64 is exact to rounding.
_FEW_PAIRS = 64 * 64
# Pairs held at once by the exact path: torch runs an operation on so few in the calling thread.
_PAIRS_AT_ONCE = 1 << 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A straight piece slope * x + intercept."""

    slope: float = 0.0
    intercept: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A stand-in for the step function: three pieces, cut at 0 and at `cut`.

    f(x) = below(x) for x <= 0, middle(x) for 0 < x <= cut, above(x) for x > cut, and
    sigmoid(x / tau) added to the first two where `tau` is given.
    """

    below: Line
    middle: Line
    above: Line
    cut: float
    tau: float | None = None

    def __post_init__(self) -> None:
        """Refuses cuts and widths that make no step."""
        if not self.cut >= 0:
            raise ValueError(f"the step's second cut must be at least 0, got {self.cut}")
        if self.tau is not None and not 0 < self.tau < math.inf:
            raise ValueError(f"tau must be positive and finite, got {self.tau}")

    def value(self, x: Tensor) -> Tensor:
        """f(x), element by element."""
        pieces = [line.slope * x + line.intercept for line in self._lines()]
        if self.tau is not None:
            sigmoid = torch.sigmoid(x / self.tau)
            pieces[:2] = [piece + sigmoid for piece in pieces[:2]]
        return self._choose(x, pieces)

    def slope(self, x: Tensor) -> Tensor:
        """f'(x), element by element; at a jump the slope of the piece on its left."""
        pieces = [torch.full_like(x, line.slope) for line in self._lines()]
        if self.tau is not None:
            sigmoid = torch.sigmoid(x / self.tau)
            slope = sigmoid * (1 - sigmoid) / self.tau
            pieces[:2] = [piece + slope for piece in pieces[:2]]
        return self._choose(x, pieces)

    def _lines(self) -> tuple[Line, Line, Line]:
        return (self.below, self.middle, self.above)

    def _choose(self, x: Tensor, pieces: list[Tensor]) -> Tensor:
        upper = torch.where(x <= self.cut, pieces[1], pieces[2])
        return torch.where(x <= 0, pieces[0], upper)


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
        fast = method == "fast" or (method == "auto" and _fast_is_cheaper(targets, sources))
        weight = sources.isfinite().to(sources.dtype)
        slope, value = _weighted_sums(targets, sources, weight, step, fast=fast)
        ctx.save_for_backward(targets, sources, slope)
        ctx.step, ctx.fast = step, fast
        return value

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(
        ctx: Any,  # noqa: ANN401 - as above
        weight: Tensor,
    ) -> tuple[Tensor, Tensor, None, None]:
        """Sums w_k f'(s_j - t_k) over k: the lists swap places, seen from the other end."""
        targets, sources, slope = ctx.saved_tensors
        weight = weight.masked_fill(targets.isinf(), 0)
        lists = -sources.flip(1), -targets.flip(1), weight.flip(1)
        pull, _ = _weighted_sums(*lists, ctx.step, fast=ctx.fast, of_value=False)
        return -weight * slope, pull.flip(1), None, None


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

    Example:
        >>> step = Step(below=Line(), middle=Line(intercept=1), above=Line(intercept=2), cut=0.5)
        >>> targets = torch.tensor([[0.0, 1.0]], dtype=torch.float64)
        >>> sources = torch.tensor([[0.2, 0.9, 1.1]], dtype=torch.float64)
        >>> step_sums(targets, sources, step).tolist()
        [[5.0, 1.0]]
    """
    apply: Callable[..., Tensor] = StepSums.apply  # torch leaves it untyped
    return apply(targets, sources, step, method)


def _fast_is_cheaper(targets: Tensor, sources: Tensor) -> bool:
    count, others = targets.shape[1], sources.shape[1]
    return count * others > max(_FEW_PAIRS, _PAIRS_PER_ITEM * (count + others))


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
    slope, value = _straight_sums(at, sources, weight, step, ends)
    if step.tau is not None and targets.numel() and sources.numel():
        if fast:
            lists = targets, sources, weight
            sigmoid = _sigmoid_sums_fast(*lists, step.tau, step.cut, ends, of_value=of_value)
        else:
            sigmoid = _sigmoid_sums_exact(at, sources, weight, step.tau, ends[1])
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
    for _ in range(2):
        last = torch.where(last - at > cut, torch.nextafter(last, -infinity), last)
    for _ in range(2):
        after = torch.nextafter(last, infinity)
        last = torch.where(after - at <= cut, after, last)
    return last


def _straight_sums(
    at: Tensor, sources: Tensor, weight: Tensor, step: Step, ends: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """The three straight pieces: each needs the weight and the weighted sum of its sources."""
    finite = sources.masked_fill(~sources.isfinite(), 0)
    mass, moment = _prefix_sums(weight), _prefix_sums(weight * finite)  # (R, S + 1)
    bounds = [torch.zeros_like(ends[0]), *ends, torch.full_like(ends[0], sources.shape[1])]
    slope, value = torch.zeros_like(at), torch.zeros_like(at)
    for line, low, high in zip(
        (step.below, step.middle, step.above), bounds[:-1], bounds[1:], strict=True
    ):
        if line == Line():
            continue
        inside = mass.gather(1, high) - mass.gather(1, low)
        value += line.intercept * inside
        if line.slope:
            offset = moment.gather(1, high) - moment.gather(1, low) - inside * at
            value += line.slope * offset
            slope += line.slope * inside
    return slope, value


def _sigmoid_sums_exact(
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


def _sigmoid_sums_fast(  # noqa: PLR0913 - two lists, f, where its pieces end, and what to do
    targets: Tensor,
    sources: Tensor,
    weight: Tensor,
    tau: float,
    cut: float,
    ends: tuple[Tensor, Tensor],
    *,
    of_value: bool,
) -> tuple[Tensor, Tensor]:
    """The same by prefix sums of powers of exp(x / tau), a stretch of targets at a time."""
    sums = [torch.zeros_like(targets), torch.zeros_like(targets)]
    lowest, highest = _extent(targets)
    first, last = _extent(sources)
    # Targets beyond have no source in the first two pieces, or none but far below.
    lowest = lowest.fmax(first - cut)
    highest = highest.minimum(last + _NEGLIGIBLE * tau)
    span = (highest - lowest).clamp(min=0).amax().item()
    stretch = (2 * _REACH - _NEGLIGIBLE) * tau
    # For x > 0 sigmoid(x) = 1 - sigmoid(-x), and the derivative is even.
    signs = (1, -1) if of_value else (1,)
    for index in range(1 + int(span / stretch)):
        bottom = lowest.masked_fill(lowest.isinf(), 0) + index * stretch
        y_at, y = (targets - bottom) / tau, (sources - bottom) / tau
        here = (targets >= bottom) & (targets < bottom + stretch)
        for order, found in enumerate(_stretch_sums(y_at, y, weight, ends, (cut / tau, signs))):
            sums[order] = torch.where(here, found, sums[order])
    if of_value:
        mass = _prefix_sums(weight)
        sums[1] += mass.gather(1, ends[1]) - mass.gather(1, ends[0])
    return sums[0] / tau, sums[1]


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
    pieces: tuple[float, tuple[int, ...]],
) -> list[Tensor]:
    """Sums of the derivative of sigmoid(-|y|) and of itself, y in units of tau.

    Over the first piece plus, with the given signs, over the second, which ends at the given y.
    Right for the targets from 0 to 2 * _REACH - _NEGLIGIBLE; what the others get is of no use.
    """
    cut, signs = pieces
    polynomials = _polynomials()[: len(signs)]
    # Shifted so that exp(y) is representable from 25 below the first target to the last one.
    y_at, y = at - (_REACH - _NEGLIGIBLE), sources - (_REACH - _NEGLIGIBLE)
    between = torch.zeros_like(ends[0]), ends[0], 0
    below = _polynomial_sums(_exp(-y_at), _exp(y), weight, between, polynomials)
    # And here exp(-y) from the first target to 25 above the last one. The sum runs from the end
    # of the list, smallest terms first: as a difference of sums from the start it would cancel.
    y_at, y = at - _REACH, sources - _REACH
    size = sources.shape[1]
    # Beyond the cut exp(-m y) counts for small powers m alone.
    between = size - ends[1], size - ends[0], int(_NEGLIGIBLE / max(cut, 1e-9))
    lists = _exp(y_at), _exp(-y.flip(1)), weight.flip(1)
    above = _polynomial_sums(*lists, between, polynomials)
    return [low + sign * high for low, high, sign in zip(below, above, signs, strict=True)]


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
    # With a leading zero, entry i of a running sum is the sum of the first i. (R, S + 1)
    power, sources = (torch.nn.functional.pad(item, (1, 0)) for item in (weight, sources))
    for exponent, coefficients in enumerate(zip(*polynomials, strict=True), start=1):
        power.mul_(sources)
        factor.mul_(at)
        prefix = power.cumsum(1)
        part = prefix.gather(1, high)
        if exponent <= powers_from_low:
            part -= prefix.gather(1, low)
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


def _prefix_sums(x: Tensor) -> Tensor:
    """(R, S + 1): entry i is the sum of the first i of the row."""
    return torch.nn.functional.pad(x.cumsum(1), (1, 0))
