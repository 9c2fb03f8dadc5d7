"""What may be chosen about an evaluation."""

import math
from dataclasses import dataclass
from typing import Literal

from hgld.metrics.arguments import can_weigh, check_choice

Convention = Literal["standard", "published"]
Relevance = Literal["decay", "map"]


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
    recall_at: tuple[int, ...] = (1, 5, 10)
    average_precision_at: tuple[int, ...] = (100,)
    mistake_severity_at: tuple[int, ...] = (1, 10)
    memory_bytes: int = 1 << 30

    def __post_init__(self) -> None:
        """Refuses settings that mean nothing."""
        check_choice("relevance", self.relevance, Relevance)
        check_choice("convention", self.convention, Convention)
        if not self.alpha >= 0 or math.isnan(self.alpha):
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
        if self.memory_bytes < 1:
            raise ValueError(f"memory_bytes must be positive, got {self.memory_bytes}")


DEFAULT_SETTINGS = EvaluationSettings()
