r"""The stand-ins for the step function that counts who is ranked before whom.

x = s_j - s_k is how far item j is ahead of item k. The rank of k counts the x >= 0, which has no
gradient; each function here has one. `docs/losses.md` shows their graphs.
"""

import functools
import math
from dataclasses import dataclass
from typing import TypedDict

import torch
from numpy.polynomial import Chebyshev, Polynomial
from torch import Tensor


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
        if self.tau is not None:
            _check_width(self.tau)

    def value(self, x: Tensor) -> Tensor:
        """f(x), element by element."""
        pieces = [line.slope * x + line.intercept for line in self.lines]
        if self.tau is not None:
            sigmoid = torch.sigmoid(x / self.tau)
            pieces[:2] = [piece + sigmoid for piece in pieces[:2]]
        return self._choose(x, pieces)

    def slope(self, x: Tensor) -> Tensor:
        """f'(x), element by element; at a jump the slope of the piece on its left."""
        pieces = [torch.full_like(x, line.slope) for line in self.lines]
        if self.tau is not None:
            sigmoid = torch.sigmoid(x / self.tau)
            slope = sigmoid * (1 - sigmoid) / self.tau
            pieces[:2] = [piece + slope for piece in pieces[:2]]
        return self._choose(x, pieces)

    @property
    def lines(self) -> tuple[Line, Line, Line]:
        """The straight parts of the three pieces."""
        return (self.below, self.middle, self.above)

    def _choose(self, x: Tensor, pieces: list[Tensor]) -> Tensor:
        upper = torch.where(x <= self.cut, pieces[1], pieces[2])
        return torch.where(x <= 0, pieces[0], upper)


class SupConstants(TypedDict, total=False):
    """The constants of `SupStep` as keywords, for a loss that hands them on to it."""

    tau: float
    rho: float
    delta: float
    start: float
    offset: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SupStep:
    r"""The step of Sup-H-AP, which bounds the step from above and keeps pushing far violations.

    f(x) = sigmoid(x / tau) for x <= 0, start + sigmoid(x / tau) for 0 < x <= delta, and
    rho (x - delta) + offset for x > delta. The defaults are the published constants.

    Raises:
        ValueError: a tau that is not positive and finite, a negative delta, a rho that is not at
            least 0 and finite, or a start or offset that is no finite number.

    Example:
        >>> step = SupStep(tau=0.01).step
        >>> [round(float(step.value(torch.tensor(x))), 4) for x in (-0.1, 0.0, 0.01, 0.06)]
        [0.0, 0.5, 1.2311, 2.44]

    Source:
        Ramzi et al.: Robust and Decomposable Average Precision for Image Retrieval (ROADMAP),
        NeurIPS 2021, equation 4; HAPPIER, ECCV 2022, equation 6.
    """

    tau: float = 0.01
    """Width of the sigmoid, in units of similarity."""
    rho: float = 100.0
    """Slope beyond delta, per unit of similarity."""
    delta: float = 0.05
    """Where the straight part begins, at least 0; infinity: nowhere."""
    start: float = 0.5
    """Jump at x = 0. 1 / 2 makes f an upper bound of the step; with 0 and an infinite delta it is
    the plain sigmoid."""
    offset: float | None = 1.44
    """f just beyond delta; None: start + sigmoid(delta / tau), which makes f continuous."""

    def __post_init__(self) -> None:
        """Refuses constants that make no step."""
        _check_width(self.tau)
        if not self.delta >= 0:
            raise ValueError(f"delta: the cut must be at least 0, got {self.delta}")
        if not 0 <= self.rho < math.inf:
            raise ValueError(f"rho must be at least 0 and finite, got {self.rho}; 100 is published")
        for name, value in (("start", self.start), ("offset", self.offset or 0.0)):
            if not math.isfinite(value):
                raise ValueError(f"{name} must be a finite number, got {value}")

    @property
    def step(self) -> Step:
        """The three pieces of f."""
        middle = Line(intercept=self.start)
        if math.isinf(self.delta):
            return Step(below=Line(), middle=middle, above=Line(), cut=self.delta, tau=self.tau)
        offset = self.offset
        if offset is None:
            # In single precision, as published: losses then agree to more than 9 digits.
            delta = torch.tensor(self.delta, dtype=torch.float32)
            offset = self.start + float(1 / (1 + (-delta / self.tau).exp()))
        above = Line(slope=self.rho, intercept=offset - self.rho * self.delta)
        return Step(below=Line(), middle=middle, above=above, cut=self.delta, tau=self.tau)


def sigmoid_step(tau: float) -> Step:
    """sigmoid(x / tau) everywhere: the step of Smooth-AP, which has no slope far from 0.

    Args:
        tau: width of the sigmoid, in units of similarity.

    Raises:
        ValueError: a tau that is not positive and finite.

    Source:
        Brown, Xie, Kalogeiton, Zisserman: Smooth-AP, ECCV 2020, equation 5.
    """
    return Step(below=Line(), middle=Line(), above=Line(), cut=math.inf, tau=tau)


def h_rank_step(*, leak: float, beta: float, gamma: float) -> Step:
    r"""Bounds the step from below: credit for a more relevant item that comes nearer to k.

    g(x) = leak x for x <= 0, min(beta x + gamma, 1) for x > 0.

    Args:
        leak: slope for x <= 0, per unit of similarity.
        beta: slope for x > 0, positive, per unit of similarity.
        gamma: value just above 0, at most 1.

    Raises:
        ValueError: a beta that is not positive, or a constant that is no finite number.

    Source:
        HAPPIER, ECCV 2022, supplementary section A.3.
    """
    if not 0 < beta < math.inf:
        raise ValueError(f"beta must be positive, got {beta}; 25 is the published setting")
    for name, value in (("leak", leak), ("gamma", gamma)):
        if not math.isfinite(value):
            raise ValueError(f"{name} must be a finite number, got {value}")
    return Step(
        below=Line(slope=leak),
        middle=Line(slope=beta, intercept=gamma),
        above=Line(intercept=1.0),
        cut=max(0.0, (1 - gamma) / beta),
    )


@functools.cache
def sigmoid_polynomials(degree: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Interpolates the sigmoid at y <= 0 by polynomials in z = exp(y) in (0, 1].

    z / (1 + z)^2 is its derivative, z / (1 + z) itself. The factor z is kept apart, so that both
    vanish far below.

    Args:
        degree: of the polynomials; each one more makes the error six times smaller.

    Returns:
        The coefficients of z, z^2, ... z^degree, of the derivative and of the sigmoid.
    """
    slope, value = (
        Chebyshev.interpolate(rest, degree - 1, domain=[0, 1]).convert(kind=Polynomial)
        for rest in (lambda z: 1 / (1 + z) ** 2, lambda z: 1 / (1 + z))
    )
    return tuple(map(float, slope.coef)), tuple(map(float, value.coef))


def _check_width(tau: float) -> None:
    if not 0 < tau < math.inf:
        raise ValueError(f"tau must be positive and finite, got {tau}; 0.01 is published")
