"""What every loss does first and last: check its input, compare all with all, average."""

import logging
from typing import NamedTuple

import torch
from torch import Tensor

from hgld.losses.ranking.ranks import Reduction, RowFunction, by_row

logger = logging.getLogger(__name__)


class Pairs(NamedTuple):
    """The queries of a batch and the items they rank, compared."""

    scores: Tensor  # (B, N)
    labels: Tensor  # (B, L)
    ref_labels: Tensor  # (N, L)


def compare(
    embeddings: Tensor,
    labels: Tensor,
    ref_embeddings: Tensor | None = None,
    ref_labels: Tensor | None = None,
) -> Pairs:
    """Checks a batch and computes its similarities, in single precision or better.

    Args:
        embeddings: (B, D) floating point.
        labels: (B, L) integers, column 0 the finest level.
        ref_embeddings: (N, D) the items to rank; None: the batch itself.
        ref_labels: (N, L); given with `ref_embeddings` or not at all.

    Returns:
        The similarities and the labels of both sides.

    Raises:
        ValueError: shapes that do not fit together, or references without labels.
        TypeError: embeddings that are not floating point, or labels that are.
    """
    check_batch(embeddings, labels)
    if ref_embeddings is None and ref_labels is None:
        ref_embeddings, ref_labels = embeddings, labels
    if ref_embeddings is None or ref_labels is None:
        raise ValueError("ref_embeddings and ref_labels must be given together; one is None")
    check_batch(ref_embeddings, ref_labels, name="ref_")
    for name, one, other in (("D", embeddings, ref_embeddings), ("L", labels, ref_labels)):
        if one.shape[1] != other.shape[1]:
            raise ValueError(
                f"batch and references must have the same {name}, got {one.shape[1]} and "
                f"{other.shape[1]}"
            )
    # Half precision holds a similarity to 1e-3, a tenth of tau: the product is done in single.
    with torch.autocast(embeddings.device.type, enabled=False):
        scores = at_least_single(embeddings) @ at_least_single(ref_embeddings).T
    return Pairs(scores, labels, ref_labels)


def at_level(pairs: Pairs, level: int) -> Pairs:
    """Forgets the levels finer than a column of the labels.

    Raises:
        ValueError: no such column.
    """
    levels = pairs.labels.shape[1]
    if not 0 <= level < levels:
        raise ValueError(f"level must be a column of labels, 0 to {levels - 1}, got {level}")
    return Pairs(pairs.scores, pairs.labels[:, level:], pairs.ref_labels[:, level:])


def check_batch(embeddings: Tensor, labels: Tensor, *, name: str = "") -> None:
    """Refuses a batch whose shapes or types cannot be meant.

    Raises:
        ValueError: not (B, D) and (B, L) with the same B > 0 and L > 0.
        TypeError: embeddings that are not floating point, or labels that are.
    """
    shapes = embeddings.shape, labels.shape
    if [len(shape) for shape in shapes] != [2, 2] or len(embeddings) != len(labels):
        raise ValueError(
            f"{name}embeddings and {name}labels must have shapes (B, D) and (B, L), got "
            f"{tuple(embeddings.shape)} and {tuple(labels.shape)}; where there is one level, pass "
            "labels[:, None]"
        )
    if 0 in labels.shape:
        raise ValueError(f"{name}labels must not be empty, got shape {tuple(labels.shape)}")
    if not embeddings.is_floating_point():
        raise TypeError(f"{name}embeddings must be floating point, got {embeddings.dtype}")
    if labels.is_floating_point() or labels.is_complex():
        raise TypeError(f"{name}labels must be integers, got {labels.dtype}")


def at_least_single(tensor: Tensor) -> Tensor:
    """Half-precision tensors as float32, all others as they are."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def row_loss(pairs: Pairs, function: RowFunction, reduction: Reduction) -> Tensor:
    """Applies a loss to each query's row and averages over the queries.

    A query without any relevant item has no loss. `mean` leaves it out of the average; where that
    leaves no query, the loss is 0 with zero gradients and a warning is logged, so that one such
    batch neither stops a run nor spoils its weights. `none` has NaN for it, as metrics have.

    Args:
        pairs: the batch, compared.
        function: gives each row its loss.
        reduction: `mean` or `none`.

    Returns:
        A scalar, or (B,); of the dtype of the similarities.

    Raises:
        ValueError: another reduction.
    """
    values, defined = by_row(pairs.scores, pairs.labels, pairs.ref_labels, function)
    if reduction == "none":
        loss = torch.where(defined, values, torch.nan)
    elif reduction == "mean":
        count = int(defined.sum())
        if count < len(defined):
            logger.log(
                logging.DEBUG if count else logging.WARNING,
                "%d of %d queries have no relevant item among the %d they rank",
                len(defined) - count,
                len(defined),
                len(pairs.ref_labels),
            )
        loss = torch.where(defined, values, 0.0).sum() / max(1, count)
    else:
        raise ValueError(f"reduction must be 'mean' or 'none', got {reduction!r}")
    return loss.to(pairs.scores.dtype)
