"""Every metric of every query over a whole index."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from training.metrics import binary, graded

Convention = Literal["standard", "published"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationSettings:
    """How to evaluate."""

    recall_at: tuple[int, ...] = (1, 5, 10)
    average_precision_at: tuple[int, ...] = (100,)
    mistake_severity_at: tuple[int, ...] = (1, 10)
    alpha: float = 1.0
    convention: Convention = "standard"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Metrics of each query: `per_query[key]` is (Q,) float64, NaN where undefined."""

    per_query: dict[str, Tensor]

    def means(self) -> dict[str, float]:
        """The mean of each metric over the queries where it is defined (NaN where none is)."""
        return {key: float(value.nanmean()) for key, value in self.per_query.items()}

    def undefined(self) -> dict[str, int]:
        """For how many queries each metric is undefined."""
        return {key: int(value.isnan().sum()) for key, value in self.per_query.items()}


DEFAULT_SETTINGS = EvaluationSettings()

Ids = Tensor | Sequence[int] | Sequence[str]


def evaluate(  # noqa: PLR0913 - two sets, each of embeddings, labels and ids, name its arguments
    query_embeddings: Tensor,
    query_labels: Tensor,
    index_embeddings: Tensor,
    index_labels: Tensor,
    *,
    query_ids: Ids | None = None,
    index_ids: Ids | None = None,
    level_names: Sequence[str] | None = None,
    settings: EvaluationSettings = DEFAULT_SETTINGS,
) -> Evaluation:
    """Rank the index for every query and compute every metric."""
    levels = query_labels.shape[1]
    names = tuple(level_names or (f"level{column}" for column in range(levels)))
    shared = _shared_levels(query_labels, index_labels)
    similarity = query_embeddings @ index_embeddings.T
    counts = torch.stack([(shared == level).sum(1) for level in range(levels + 1)], dim=1)
    if query_ids is not None and index_ids is not None:
        own = _same(query_ids, index_ids)
        if settings.convention == "standard":
            counts[:, -1] -= own.any(1).long()
        similarity = similarity.masked_fill(own, -torch.inf)
        shared = shared.masked_fill(own, 0)
    order = similarity.sort(dim=1, descending=True, stable=True).indices
    ranked_level = shared.gather(1, order)
    fraction = torch.arange(levels + 1, dtype=torch.float64) / levels
    relevance = (fraction**settings.alpha / counts).masked_fill(counts == 0, 0)
    per_query = {
        "h_ap": graded.hierarchical_average_precision(relevance.gather(1, ranked_level)),
        "ndcg": graded.ndcg(ranked_level),
        "asi": graded.average_set_intersection(ranked_level),
    }
    for k in settings.mistake_severity_at:
        per_query[f"mistake_severity_at_{k}"] = graded.mistake_severity(ranked_level, levels, k)
    for column, name in enumerate(names):
        positive = ranked_level >= levels - column
        for k in settings.average_precision_at:
            per_query[f"map_at_{k}_{name}"] = binary.average_precision_at_k(positive, k)
        per_query[f"ap_{name}"] = binary.average_precision(positive)
        per_query[f"map_at_r_{name}"] = binary.average_precision_at_r(positive)
        per_query[f"p_at_1_{name}"] = binary.precision_at_1(positive)
        for k in settings.recall_at:
            per_query[f"r_at_{k}_{name}"] = binary.recall_at_k(positive, k)
    return Evaluation(per_query)


def _shared_levels(query_labels: Tensor, index_labels: Tensor) -> Tensor:
    """(Q, N) how many levels are shared, counted from the coarsest."""
    equal = query_labels[:, None] == index_labels[None]
    return equal.flip(-1).cumprod(dim=-1).sum(dim=-1)


def _same(query_ids: Ids, index_ids: Ids) -> Tensor:
    """(Q, N) whether the index item is the query itself."""
    queries = query_ids.tolist() if isinstance(query_ids, Tensor) else list(query_ids)
    index = index_ids.tolist() if isinstance(index_ids, Tensor) else list(index_ids)
    return torch.tensor([[query == item for item in index] for query in queries])
