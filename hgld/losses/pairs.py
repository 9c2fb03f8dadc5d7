"""What every loss does first and last: check its input, compare all with all, average."""

import functools
import logging
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from hgld.losses.ranking.rows import Doubt, RowFunction, by_row
from hgld.metrics.arguments import check_choice, check_tensors, label_matrix

logger = logging.getLogger(__name__)

Reduction = Literal["mean", "none"]
Unknown = Literal["leave_out", "depth"]
"""Of a pair that shares an uncertain number of levels, since labels of it are -1: it is left out of
that query's list, or counts by the levels that are known to be shared."""

# A norm that is off by so much is no rounding: half precision is off by less than 0.01.
_NORM_TOLERANCE = 0.1


class Pairs(NamedTuple):
    """The queries of a batch and the items they rank, compared."""

    scores: Tensor  # (B, N)
    labels: Tensor  # (B, L)
    ref_labels: Tensor  # (N, L)


def compare(
    embeddings: Tensor,
    labels: Tensor,
    ref_embeddings: Tensor | None,
    ref_labels: Tensor | None,
    *,
    level: int = 0,
    normalized: bool = False,
) -> Pairs:
    """Checks a batch and computes its similarities, in single precision or better.

    Args:
        embeddings: (B, D) floating point.
        labels: (B, L) integers, column 0 the finest level; (B,) where there is one level. -1 stands
            for unknown.
        ref_embeddings: (N, D) the items to rank; None: the batch itself.
        ref_labels: (N, L) or (N,); given with `ref_embeddings` or not at all.
        level: column of the labels; finer ones are left out.
        normalized: embeddings are given unit length, in place of a warning where they have not.

    Returns:
        The similarities and the labels of both sides, a column for each level.

    Raises:
        ValueError: shapes that do not fit together, references without labels, or no such level.
        TypeError: embeddings that are not floating point, labels that are, what is no tensor, or
            references of another precision.
    """
    labels = batch_labels(embeddings, labels)
    within = ref_embeddings is None and ref_labels is None
    if within:
        ref_embeddings, ref_labels = embeddings, labels
    if ref_embeddings is None or ref_labels is None:
        raise ValueError("ref_embeddings and ref_labels must be given together; one is None")
    ref_labels = batch_labels(ref_embeddings, ref_labels, name="ref_")
    for name, one, other in (("D", embeddings, ref_embeddings), ("L", labels, ref_labels)):
        if one.shape[1] != other.shape[1]:
            raise ValueError(
                f"batch and references must have the same {name}, got {one.shape[1]} and "
                f"{other.shape[1]}"
            )
    if not 0 <= level < labels.shape[1]:
        raise ValueError(
            f"level must be a column of labels, 0 to {labels.shape[1] - 1}, got {level}"
        )
    sides = [embeddings] if within else [embeddings, ref_embeddings]
    if normalized:
        sides = [functional.normalize(at_least_single(side)) for side in sides]
    else:
        for side in sides:
            expect_unit_length(side)
    scores = inner_products(*sides, name="ref_embeddings")
    return Pairs(scores, labels[:, level:], ref_labels[:, level:])


def batch_labels(embeddings: Tensor, labels: Tensor, *, name: str = "") -> Tensor:
    """Refuses a batch whose shapes or types cannot be meant.

    Args:
        embeddings: (B, D) floating point.
        labels: (B, L) integers; (B,) where there is one level.
        name: what the names of the two arguments begin with.

    Returns:
        The labels, (B, L).

    Raises:
        ValueError: not (B, D) and (B, L) with the same B > 0 and L > 0.
        TypeError: embeddings that are not floating point, labels that are, or what is no tensor.
    """
    check_tensors(**{f"{name}embeddings": embeddings})
    matrix = label_matrix(f"{name}labels", labels)
    if [embeddings.ndim, matrix.ndim] != [2, 2] or len(embeddings) != len(matrix):
        raise ValueError(
            f"{name}embeddings and {name}labels must have shapes (B, D) and (B, L), got "
            f"{tuple(embeddings.shape)} and {tuple(labels.shape)}; give each item a row of both"
        )
    if 0 in matrix.shape:
        raise ValueError(f"{name}labels must not be empty, got shape {tuple(labels.shape)}")
    if not embeddings.is_floating_point():
        raise TypeError(f"{name}embeddings must be floating point, got {embeddings.dtype}")
    return matrix


def inner_products(embeddings: Tensor, others: Tensor | None = None, *, name: str) -> Tensor:
    """Multiplies all with all, in single precision or better.

    Half precision holds a similarity to 1e-3, a tenth of tau: the product is done in single.

    Args:
        embeddings: (B, D) floating point.
        others: (N, D) floating point; None: the embeddings themselves.
        name: of the other argument.

    Returns:
        (B, N).

    Raises:
        TypeError: one side is double precision and the other is not.
    """
    one = at_least_single(embeddings)
    other = one if others is None else at_least_single(others)
    expect_one_precision(one, other, name=name)
    apply: Callable[..., Tensor] = _OwnProducts.apply  # torch leaves it untyped
    with torch.autocast(embeddings.device.type, enabled=False):
        return apply(one) if others is None else one @ other.T


def expect_one_precision(embeddings: Tensor, others: Tensor, *, name: str) -> None:
    """Refuses double precision on one side only, with a TypeError that has the other's name."""
    one, other = (at_least_single(side).dtype for side in (embeddings, others))
    if one != other:
        raise TypeError(
            f"{name} must have the precision of embeddings, {one}, got {other}; convert one of "
            "them with .to()"
        )


class _OwnProducts(torch.autograd.Function):
    """E E^T, whose gradient (G + G^T) E is one product where torch by itself takes two."""

    @staticmethod
    def forward(embeddings: Tensor) -> Tensor:
        return embeddings @ embeddings.T

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:  # noqa: ANN401, ARG004 - torch's
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ANN401 - as above
        embeddings: Tensor = ctx.saved_tensors[0]
        return (gradient + gradient.T) @ embeddings


def expect_unit_length(embeddings: Tensor) -> None:
    """Warns once a process where embeddings are far from unit length.

    Args:
        embeddings: (B, D) of a batch or of its references, for a loss that takes their product for
            a cosine.
    """
    norms = torch.linalg.vector_norm(at_least_single(embeddings.detach()), dim=1)
    if bool(((norms - 1).abs() > _NORM_TOLERANCE).any()):  # what is no number fails elsewhere
        _warn_of_length()


@functools.cache  # once is enough: such a run warns at every step
def _warn_of_length() -> None:
    logger.warning(
        "embeddings should have unit length, those of references too, or similarities are no "
        "cosines and tau, margins and temperatures mean something else; "
        "pass torch.nn.functional.normalize(embeddings, dim=1)"
    )


def at_least_single(tensor: Tensor) -> Tensor:
    """Half-precision tensors as float32, all others as they are."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def row_loss(
    pairs: Pairs,
    function: RowFunction,
    reduction: Reduction,
    *,
    numbers: int = 1,
    doubt: Doubt = "finest",
) -> Tensor:
    """Applies a loss to each query's row and averages over the queries.

    A query without any relevant item has no loss. `mean` leaves it out of the average; where that
    leaves no query, the loss is 0 with zero gradients and a warning is logged, so that one such
    batch neither stops a run nor spoils its weights. `none` has NaN for it, as metrics have. A row
    that is not a number makes the loss NaN, relevant items or not: its gradient is NaN too.

    Args:
        pairs: the batch, compared.
        function: gives each row its loss.
        reduction: `mean` or `none`.
        numbers: how many the function holds for an item at once.
        doubt: what becomes of pairs of unknown labels (`hgld.losses.ranking.rows.Doubt`).

    Returns:
        A scalar, or (B,); of the dtype of the similarities.

    Raises:
        ValueError: another reduction.
    """
    check_choice("reduction", reduction, Reduction)
    values, defined = by_row(
        pairs.scores, pairs.labels, pairs.ref_labels, function, numbers=numbers, doubt=doubt
    )
    if reduction == "none":
        return torch.where(defined, values, torch.nan).to(pairs.scores.dtype)
    count = int(defined.sum())
    if count == 0:
        ranked = len(pairs.ref_labels)
        logger.warning("no query has a relevant item among the %d that it ranks", ranked)
    loss = torch.where(defined | values.isnan(), values, 0.0).sum() / max(1, count)
    return loss.to(pairs.scores.dtype)
