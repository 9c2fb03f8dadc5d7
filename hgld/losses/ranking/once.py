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
        ctx: Any,  # noqa: ANN401 - the context has no public type
        gradient: Tensor,
        *origins: Tensor,
    ) -> Tensor:
        """Passes the gradient on."""
        ctx.set_materialize_grads(False)  # None, and no zeros, where nothing is to be derived
        ctx.nothing = (None,) * (1 + len(origins))
        return gradient.view_as(gradient)

    @staticmethod
    def backward(
        ctx: Any,  # noqa: ANN401 - as above
        gradient: Tensor | None,
    ) -> tuple[None, ...]:
        """Refuses what is differentiated.

        Raises:
            RuntimeError: there is something to differentiate.
        """
        if gradient is None:
            nothing: tuple[None, ...] = ctx.nothing
            return nothing
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


def witness(scores: Tensor) -> Tensor:
    """Takes one number from a graph, by which a second derivative is noticed.

    The scores themselves would be kept until the backward pass, and they are the largest tensor
    there is.

    Args:
        scores: (B, N), not empty.

    Returns:
        (1, 1), which refuses to be differentiated.
    """
    return once_only(scores[:1, :1].clone())


def witnessed(gradient: Tensor, by: Tensor) -> Tensor:
    """Makes a gradient refuse a second derivative, one of a batch of gradients too.

    `once_only` does not: where torch runs a backward pass for a batch (`is_grads_batched=True`,
    `vectorize=True`) the graph of a function like it is lost with the batch. Plain operations keep
    theirs, and lead to the witness, which was made outside.

    Args:
        gradient: linear in what it may carry a graph of.
        by: `witness`.

    Returns:
        The same numbers.
    """
    if not torch.is_grad_enabled():
        return gradient
    return torch.where(torch.ones_like(by, dtype=torch.bool), gradient, by)
