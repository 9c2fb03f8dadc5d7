"""Retrieval metrics on ranked lists, and their evaluation over a whole index.

Every function gives one value per query, float64, and NaN for a query with no relevant item: the
caller averages and says how many were undefined (`Evaluation.means`, `Evaluation.undefined`).
"""

from typing import TYPE_CHECKING

from hgld.errors import needing

with needing("train", "hgld.metrics", kind=ModuleNotFoundError):
    from hgld.metrics.arguments import EvaluationSettings
from hgld.metrics.evaluation import Evaluation, evaluate
from hgld.metrics.ranked import (
    average_precision,
    average_precision_at_k,
    average_precision_at_r,
    average_set_intersection,
    exclusive_average_precision,
    hierarchical_average_precision,
    hierarchically_ordered_preference_score,
    level_recall_at_k,
    mistake_severity,
    ndcg,
    precision_at_1,
    recall_at_k,
)
from hgld.metrics.relevance import (
    bounds_of_shared_levels,
    decay_relevance,
    item_relevance,
    level_counts,
    map_relevance,
    shared_levels,
)
from hgld.metrics.revisited import GroundTruth, evaluate_revisited

if TYPE_CHECKING:  # not in __all__: `import *` needs no torchmetrics
    from hgld.metrics.collected import HierarchicalAveragePrecision as HierarchicalAveragePrecision

__all__ = [
    "Evaluation",
    "EvaluationSettings",
    "GroundTruth",
    "average_precision",
    "average_precision_at_k",
    "average_precision_at_r",
    "average_set_intersection",
    "bounds_of_shared_levels",
    "decay_relevance",
    "evaluate",
    "evaluate_revisited",
    "exclusive_average_precision",
    "hierarchical_average_precision",
    "hierarchically_ordered_preference_score",
    "item_relevance",
    "level_counts",
    "level_recall_at_k",
    "map_relevance",
    "mistake_severity",
    "ndcg",
    "precision_at_1",
    "recall_at_k",
    "shared_levels",
]


def __getattr__(name: str) -> object:
    """Imports what needs torchmetrics, the extra of that name, when it is asked for."""
    if name != "HierarchicalAveragePrecision":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from hgld.metrics.collected import HierarchicalAveragePrecision

    return HierarchicalAveragePrecision
