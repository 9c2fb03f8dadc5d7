"""What callers pass: tensors, labels of one or more levels, words from a short list, settings."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

Convention = Literal["standard", "published"]
Relevance = Literal["decay", "map"]
Unknown = Literal["leave_out", "differs", "agrees"]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationSettings:
    """Which metrics to compute, and how.

    Attributes:
        relevance: how relevant an item is by its level for H-AP, `hgld.metrics.relevance`: `decay`,
            (l / L)^alpha shared by the items of a level, or `map`, with which H-AP is the weighted
            mean of the average precisions of the levels.
        alpha: how fast `decay` falls towards coarse levels, >= 0.
        level_weights: w_1 (coarsest) to w_L (finest) of `map`; equal by default.
        convention: `standard`, the definitions. `published`, what the published evaluation code
            of HAPPIER and SupRank does, to reproduce numbers printed with it: a query that is in
            the index counts among its own |Omega^(L)| although it is left out of its list;
            relevances are single precision and told apart by value, so that levels of equal
            relevance count once for each such level in H-AP; and where queries are not in the
            index, the item ranked last is lost.
        unknown: what becomes of a pair whose shared levels are uncertain, since labels of it are -1
            (`bounds_of_shared_levels`): `leave_out` takes the item out of that query's list, as
            Revisited Oxford does with junk; `differs` and `agrees` count the levels that are shared
            at least, or at most.
        recall_at: k of R@k.
        average_precision_at: k of mAP@k.
        mistake_severity_at: k of mistake severity.
        memory_bytes: working memory for ranked lists. Beyond it and the embeddings come about 100
            bytes an index item and 30 MB a thread. More than 256 queries a thread need is not
            used. Results do not depend on it.

    Raises:
        ValueError: settings that mean nothing.

    Example:
        >>> settings = EvaluationSettings(alpha=0.5, recall_at=(1, 20))
        >>> settings.relevance, settings.recall_at
        ('decay', (1, 20))
    """

    relevance: Relevance = "decay"
    alpha: float = 1.0
    level_weights: tuple[float, ...] | None = None
    convention: Convention = "standard"
    unknown: Unknown = "leave_out"
    recall_at: tuple[int, ...] = (1, 5, 10)
    average_precision_at: tuple[int, ...] = (100,)
    mistake_severity_at: tuple[int, ...] = (1, 10)
    memory_bytes: int = 1 << 30

    def __post_init__(self) -> None:
        """Refuses settings that mean nothing."""
        check_choice("relevance", self.relevance, Relevance)
        check_choice("convention", self.convention, Convention)
        check_choice("unknown", self.unknown, Unknown)
        if not self.alpha >= 0:
            raise ValueError(f"alpha must be at least 0, got {self.alpha}; 1 is usual")
        if self.level_weights is not None and self.relevance != "map":
            raise ValueError("level_weights need relevance='map', got relevance='decay'")
        if self.level_weights is not None and not can_weigh(self.level_weights):
            raise ValueError(
                "level_weights must be finite, none negative and not all 0, got "
                f"{self.level_weights}; start with the coarsest level"
            )
        for name in ("recall_at", "average_precision_at", "mistake_severity_at"):
            values: tuple[int, ...] = getattr(self, name)
            if any(k < 1 for k in values) or len(set(values)) < len(values):
                raise ValueError(f"{name} must be different numbers >= 1, got {values}")

    @property
    def most_read(self) -> int:
        """How many first results the metrics read at most, 1 or more."""
        read = (*self.recall_at, *self.average_precision_at, *self.mistake_severity_at)
        return max(read, default=1)
