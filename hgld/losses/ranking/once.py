"""Gradients that are not differentiated a second time, and say so.

A ranking loss computes its gradient itself, as numbers. What torch makes of them in a second
derivative lacks the part that runs through these numbers, and torch does not notice it where the
incoming gradient is a constant (`torch.autograd.function.once_differentiable`).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class OnceOnly(torch.autograd.Function):
    """Passes a gradient on, and refuses to be differentiated; see `once_only`."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401, ARG004 - the context has no public type
        gradient: Tensor,
        *_: Tensor,
    ) -> Tensor:
        """Passes the gradient on."""
        return gradient

    @staticmethod
    def backward(
        ctx: Any,  # noqa: ANN401, ARG004 - as above
        *_: Tensor,
    ) -> Tensor:
        """Refuses.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError(
            "a ranking loss can be differentiated once, got a second derivative (of a gradient had "
            "with create_graph=True); detach that gradient, or differentiate it numerically"
        )


def once_only(gradient: Tensor, *origins: Tensor) -> Tensor:
    """Makes a gradient refuse a second derivative.

    Args:
        gradient: computed without a graph.
        origins: what it was computed from, or anything that stands in the same graph.

    Returns:
        The same numbers; a graph only where torch asks for one (`create_graph=True`).
    """
    if not torch.is_grad_enabled():
        return gradient
    apply: Callable[..., Tensor] = OnceOnly.apply  # torch leaves it untyped
    return apply(gradient, *origins)
