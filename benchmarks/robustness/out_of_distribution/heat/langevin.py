"""Langevin steps: rows moved down an energy, with noise."""

from collections.abc import Callable

import torch
from torch import Tensor

Energy = Callable[[Tensor], Tensor]
"""From rows (N, D) to an energy of each, (N,)."""


def langevin_steps(
    energy: Energy,
    start: Tensor,
    *,
    steps: int,
    step_size: float,
    noise: float,
    generator: torch.Generator,
) -> Tensor:
    """Walks rows down an energy: z <- z - step_size grad E(z) + noise e, e ~ N(0, 1).

    With noise = sqrt(2 step_size) and small steps the rows come to be samples of exp(-E). Those
    who train with it take other noise, as HEAT's settings do: a walk of a few steps is no sample.

    Args:
        energy: differentiable.
        start: (N, D), where each row begins; it is left as it is.
        steps: >= 0; 0 gives the start.
        step_size: > 0, how far a step follows the gradient.
        noise: >= 0, standard deviation of what is added to every coordinate.
        generator: of the noise, on the CPU.

    Returns:
        (N, D) of the start's type, without a graph.

    Raises:
        ValueError: a setting is out of its range, or a walk left the finite numbers.

    Example:
        >>> hill = lambda z: z.square().sum(dim=1) / 2  # each step takes a tenth of what is left
        >>> walk = {"steps": 2, "step_size": 0.1, "noise": 0.0, "generator": torch.Generator()}
        >>> langevin_steps(hill, torch.ones(1, 1), **walk).item()
        0.81...

    Source:
        Welling, Teh: Bayesian Learning via Stochastic Gradient Langevin Dynamics, ICML 2011;
        step and noise apart as Du, Mordatch: Implicit Generation and Modeling with Energy-Based
        Models, NeurIPS 2019.
    """
    if steps < 0 or not step_size > 0 or not noise >= 0:
        raise ValueError(
            f"steps and noise must be 0 or more and step_size above 0, got steps {steps}, noise "
            f"{noise}, step_size {step_size}"
        )
    rows = start.detach().clone()
    for _ in range(steps):
        rows.requires_grad_()
        (slope,) = torch.autograd.grad(energy(rows).sum(), rows)
        shaken = torch.randn(rows.shape, generator=generator, dtype=rows.dtype)
        rows = rows.detach() - step_size * slope + noise * shaken
    if not bool(rows.isfinite().all()):
        raise ValueError(
            f"a Langevin walk left the finite numbers after {steps} steps of {step_size}; take a "
            f"smaller step_size"
        )
    return rows
