"""What callers pass: tensors, labels of one or more levels, words from a short list."""

import math
from collections.abc import Sequence
from typing import get_args

import torch
from torch import Tensor


def check_tensors(**values: object) -> None:
    """Refuses what is not a tensor, such as a numpy array or a list.

    Args:
        **values: what was passed, by the name of its argument.

    Raises:
        TypeError: one of them is no tensor.
    """
    for name, value in values.items():
        if not isinstance(value, Tensor):
            kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
            raise TypeError(
                f"{name} must be a torch.Tensor, got {kind}; pass torch.as_tensor({name})"
            )


def label_matrix(name: str, labels: Tensor) -> Tensor:
    """Gives labels a column for each level.

    Args:
        name: of the argument, for errors.
        labels: (n, L) integers, column 0 the finest level; (n,) where there is one level.

    Returns:
        (n, L), of the same memory. Other shapes come back as they are.

    Raises:
        TypeError: no tensor, or no integers.
    """
    check_tensors(**{name: labels})
    check_integers(name, labels)
    return labels[:, None] if labels.ndim == 1 else labels


def check_integers(name: str, labels: Tensor) -> None:
    """Refuses labels, or numbers of levels, that count nothing.

    Args:
        name: of the argument, for errors.
        labels: of any shape.

    Raises:
        TypeError: floating point, complex or bool.
    """
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise TypeError(
            f"{name} must be integers, got {labels.dtype}; number the labels of a level"
        )


def can_weigh(weights: Sequence[float]) -> bool:
    """Says whether a mean can be weighted so: all finite, none negative, not all 0.

    Args:
        weights: any numbers.
    """
    return all(0 <= weight < math.inf for weight in weights) and any(weights)


def check_choice(name: str, value: object, choices: object) -> None:
    """Refuses a word that is not one of a `Literal`'s.

    Args:
        name: of the argument or field.
        value: what was passed.
        choices: the `Literal` type.

    Raises:
        ValueError: another word; its text names them all.
    """
    words = get_args(choices)
    if value not in words:
        *others, last = map(repr, words)
        raise ValueError(f"{name} must be {', '.join(others)} or {last}, got {value!r}")
