r"""The stand-ins for the step function that counts who is ranked before whom.

x = s_j - s_k is how far item j is ahead of item k. The rank of k counts the x >= 0, which has no
gradient; each function here has one. `docs/losses.md` shows their graphs.
"""

import math

import torch

from hgld.losses.ranking.sums import Line, Step


def sup_step(*, tau: float, rho: float, delta: float, start: float, offset: float | None) -> Step:
    r"""Bounds the step from above and keeps pushing far violations: the step of Sup-H-AP.

    f(x) = sigmoid(x / tau) for x <= 0, start + sigmoid(x / tau) for 0 < x <= delta, and
    rho (x - delta) + offset for x > delta.

    Args:
        tau: width of the sigmoid, in units of similarity.
        rho: slope beyond delta, per unit of similarity.
        delta: where the straight part begins, at least 0; infinity: nowhere.
        start: jump at x = 0; 1 / 2 makes f an upper bound of the step.
        offset: f just beyond delta; None: start + sigmoid(delta / tau), which makes f continuous.

    Raises:
        ValueError: a tau that is not positive and finite, or a negative delta.

    Example:
        >>> step = sup_step(tau=0.01, rho=100.0, delta=0.05, start=0.5, offset=1.44)
        >>> [round(float(step.value(torch.tensor(x))), 4) for x in (-0.1, 0.0, 0.01, 0.06)]
        [0.0, 0.5, 1.2311, 2.44]

    Source:
        Ramzi et al.: Robust and Decomposable Average Precision for Image Retrieval (ROADMAP),
        NeurIPS 2021, equation 4; HAPPIER, ECCV 2022, equation 6.
    """
    middle = Line(intercept=start)
    if math.isinf(delta):
        return Step(below=Line(), middle=middle, above=Line(), cut=delta, tau=tau)
    if offset is None:
        # In single precision, as published: losses then agree to more than 9 digits.
        offset = start + float(1 / (1 + (-torch.tensor(delta, dtype=torch.float32) / tau).exp()))
    above = Line(slope=rho, intercept=offset - rho * delta)
    return Step(below=Line(), middle=middle, above=above, cut=delta, tau=tau)


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
        ValueError: a beta that is not positive.

    Source:
        HAPPIER, ECCV 2022, supplementary section A.3.
    """
    if not beta > 0:
        raise ValueError(f"beta must be positive, got {beta}; 25 is the published setting")
    return Step(
        below=Line(slope=leak),
        middle=Line(slope=beta, intercept=gamma),
        above=Line(intercept=1.0),
        cut=max(0.0, (1 - gamma) / beta),
    )
