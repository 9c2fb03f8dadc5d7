"""Functions of similarities applied row by row, by threads, each differentiated on the spot.

A query's loss depends on its own row of similarities alone. So `by_row` takes a few rows at a
time, differentiates them on the spot and keeps only the gradient: memory is that of one matrix of
B x N however much a loss needs on the way. Inside, all is double precision, since a rank adds up
thousands of terms and the loss is a small difference.

On a processor the parts are shared out among threads, for the reasons that `hgld.metrics.ranking`
gives: with another process on one of the two cores B = 4096 took 290 s by torch's threads, and 20 s
so.

The gradient is kept as numbers. What torch makes of them in a second derivative lacks the part that
runs through these numbers, and torch does not notice it where the incoming gradient is a constant
(`torch.autograd.function.once_differentiable`). So a second derivative is refused here.
"""

from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from hgld.losses.ranking.sums import is_compiled
from hgld.metrics.ranking import in_threads
from hgld.metrics.relevance import bounds_of_shared_levels, has_unknown, shared_levels

# Numbers in the tensors that hold a part of the rows. On a processor 512 kB: of larger ones malloc
# gives the memory back and asks for it anew, which doubles the time of `soft_bin_ap_loss`. On a GPU
# 32 MB, so that the work of an operation outweighs its launch.
_NUMBERS_AT_ONCE, _NUMBERS_AT_ONCE_ON_A_GPU = 1 << 16, 1 << 22
# For fewer (B = 256) a second thread gains nothing on two cores: one that torch has used spins on
# its core for some milliseconds more, and small operations wait for their turn in Python. There
# `soft_bin_ap_loss` takes 35 ms on two threads and 22 on one, `sup_hap_loss` without numba 95 and
# 59.
_SIMILARITIES_FOR_A_THREAD = 1 << 16
_NUMBERS_OF_PREFIX_SUMS = 16  # an item: 14 powers at each level, less what the cache gains
_NUMBERS_OF_COMPILED_SUMS = 2  # an item: what is kept of it beside them


class RowValues(NamedTuple):
    """A part of the rows: a value each, and whether the query has any relevant item."""

    value: Tensor
    defined: Tensor


RowFunction = Callable[[Tensor, Tensor], RowValues]
"""From similarities (R, N) float64 and shared levels (R, N) to a value for each row."""


Doubt = Literal["leave_out", "depth", "finest"]
"""What becomes of a pair that shares an uncertain number of levels, since labels of it are -1. It
is left out of that row; or counts by the levels that are known to be shared; or is left out only
where it is uncertain whether it shares all."""


class ByRow(torch.autograd.Function):
    """Applies a function to each row of a matrix, a part of the rows at a time; see `by_row`."""

    @staticmethod
    def forward(  # noqa: PLR0913, PLR0917 - torch passes by position what `by_row` takes
        ctx: Any,  # noqa: ANN401 - the context has no public type
        scores: Tensor,
        witness: Tensor,
        labels: tuple[Tensor, Tensor],
        function: RowFunction,
        numbers: int,
        doubt: Doubt,
    ) -> tuple[Tensor, Tensor]:
        """Computes the values and, where they are needed, the gradients of all rows."""
        is_partial = has_unknown(*labels)
        needs_gradient = ctx.needs_input_grad[0]
        values = scores.new_empty(len(scores), dtype=torch.float64)
        defined = torch.empty_like(values, dtype=torch.bool)
        gradient = torch.empty_like(scores) if needs_gradient else None

        def compute(rows: slice) -> tuple[RowValues, Tensor]:
            level, kept = shared_levels(labels[0][rows], labels[1]), None
            if is_partial:
                level, kept = _certain_levels(labels[0][rows], labels[1], doubt)
            # Each thread has a switch of its own, which is on at first.
            with torch.set_grad_enabled(needs_gradient):
                leaf = scores.detach()[rows].double().requires_grad_(needs_gradient)
                value, has_relevant = (
                    function(leaf, level) if kept is None else _of_kept(function, leaf, level, kept)
                )
                # Not a number in, not a number out: a sort would hide it.
                value = value + 0 * leaf.detach().sum(1)
            if not needs_gradient:
                return RowValues(value, has_relevant), leaf
            (part,) = torch.autograd.grad(value, leaf, torch.ones_like(value))
            return RowValues(value.detach(), has_relevant), part

        for rows, (found, part) in _for_parts(scores, compute, numbers):
            values[rows], defined[rows] = found
            if gradient is not None:
                gradient[rows] = part
                gradient[rows].masked_fill_(found.value.isnan()[:, None], torch.nan)
        ctx.save_for_backward(gradient, witness)
        ctx.mark_non_differentiable(defined)
        return values, defined

    @staticmethod
    def backward(
        ctx: Any,  # noqa: ANN401 - as above
        weight: Tensor,
        _: Tensor,
    ) -> tuple[Tensor, None, None, None, None, None]:
        """Scales each row's gradient."""
        gradient, witness = ctx.saved_tensors
        scaled = gradient * weight[:, None].to(gradient.dtype)
        if torch.is_grad_enabled():
            # A graph that leads to the witness. That of a plain operation is kept where torch runs
            # the backward pass for a batch, too.
            scaled = torch.where(torch.ones_like(witness, dtype=torch.bool), scaled, witness)
        return scaled, None, None, None, None, None


def _certain_levels(labels: Tensor, ref_labels: Tensor, doubt: Doubt) -> tuple[Tensor, Tensor]:
    """Returns the (R, N) levels that are known to be shared, and which pairs to keep."""
    least, most = bounds_of_shared_levels(labels, ref_labels)
    match doubt:
        case "leave_out":
            return least, least == most
        case "depth":
            return least, torch.ones_like(least, dtype=torch.bool)
        case "finest":
            depth = labels.shape[1]
            return least, (least == depth) | (most < depth)


def _of_kept(function: RowFunction, scores: Tensor, level: Tensor, kept: Tensor) -> RowValues:
    """Applies a function to what is kept of each (R, N) row, rows that keep the same together."""
    values = scores.sum(1) * 0
    defined = torch.zeros_like(values, dtype=torch.bool)
    patterns, number = torch.unique(kept, dim=0, return_inverse=True)
    for which, pattern in enumerate(patterns):
        if not bool(pattern.any()):
            continue
        rows = (number == which).nonzero().squeeze(1)
        found = function(scores[rows][:, pattern], level[rows][:, pattern])
        values = values.index_put((rows,), found.value)
        defined[rows] = found.defined
    return RowValues(values, defined)


def by_row(
    scores: Tensor,
    labels: Tensor,
    ref_labels: Tensor,
    function: RowFunction,
    *,
    numbers: int = 1,
    doubt: Doubt = "leave_out",
) -> RowValues:
    """Applies a differentiable function to each query's row of similarities.

    Args:
        scores: (B, N) similarities, float32 or float64.
        labels: (B, L) int64 of the queries.
        ref_labels: (N, L) int64 of the ranked items.
        function: of (R, N) float64 similarities and (R, N) int64 shared levels.
        numbers: how many it holds for an item at once.
        doubt: see `Doubt`.

    Returns:
        (B,) float64 values, differentiable once; (B,) bool, which queries have a relevant item.
    """
    apply: Callable[..., tuple[Tensor, Tensor]] = ByRow.apply  # torch leaves it untyped
    # One number of the scores' graph, by which a second derivative is noticed. The scores would be
    # kept until the backward pass, and are the largest tensor there is.
    witness = scores[:1, :1].clone()
    if witness.requires_grad:
        witness.register_hook(_refuse)  # type: ignore[no-untyped-call]  # torch's own
    with torch.autocast(scores.device.type, enabled=False):
        return RowValues(*apply(scores, witness, (labels, ref_labels), function, numbers, doubt))


def _refuse(gradient: Tensor | None) -> None:
    """Refuses a second derivative; a first one has no gradient (None) for a witness."""
    if gradient is not None:
        raise RuntimeError(
            "a ranking loss can be differentiated once, got a second derivative (of a gradient had "
            "with create_graph=True); detach that gradient, or differentiate it numerically"
        )


def _for_parts(
    scores: Tensor, compute: Callable[[slice], tuple[RowValues, Tensor]], numbers: int
) -> Iterator[tuple[slice, tuple[RowValues, Tensor]]]:
    """Computes part after part of the rows, by up to as many threads as torch uses."""
    on_cpu = scores.device.type == "cpu"
    if not is_compiled(scores):
        numbers *= _NUMBERS_OF_PREFIX_SUMS
    at_once = _NUMBERS_AT_ONCE if on_cpu else _NUMBERS_AT_ONCE_ON_A_GPU
    most = at_once // max(numbers, _NUMBERS_OF_COMPILED_SUMS)
    allowed = torch.get_num_threads() if on_cpu else 1
    threads = max(1, min(allowed, scores.numel() // _SIMILARITIES_FOR_A_THREAD))
    size = max(1, min(most // max(1, scores.shape[1]), -(-len(scores) // threads)))
    parts = [slice(first, first + size) for first in range(0, len(scores), size)]
    computed = in_threads(threads if allowed > 1 else 0, compute, parts)
    yield from zip(parts, computed, strict=True)
