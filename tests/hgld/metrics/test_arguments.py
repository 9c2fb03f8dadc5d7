"""What `evaluate` and the functions of ranked lists take and refuse."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

from hgld import metrics
from hgld.metrics import EvaluationSettings, evaluate
from hgld.metrics.arguments import Convention, label_matrix
from tests.worlds.plain.metric_cases import assert_same, random_case

LEVEL = torch.tensor([[1, 0, 2]])


@pytest.mark.parametrize(
    "function",
    [
        metrics.average_precision,
        lambda given: metrics.recall_at_k(LEVEL > 0, 1, relevant=given),
        partial(metrics.shared_levels, ref_labels=LEVEL),
        partial(metrics.level_counts, levels=2),
        metrics.decay_relevance,
        partial(metrics.item_relevance, table=LEVEL),
    ],
)
def test_what_is_no_tensor_is_refused_with_advice(function: Callable[..., object]) -> None:
    with pytest.raises(TypeError, match="as_tensor"):
        function([[1, 0, 1]])


def integers(*shape: int) -> torch.Tensor:
    return torch.zeros(shape, dtype=torch.int64)


GOOD: dict[str, Any] = {
    "query_embeddings": torch.ones(2, 3),
    "query_labels": integers(2, 2),
    "index_embeddings": torch.ones(4, 3),
    "index_labels": integers(4, 2),
}


@pytest.mark.parametrize(
    ("wrong", "error", "word"),
    [
        *(({name: value.tolist()}, TypeError, name) for name, value in GOOD.items()),
        ({"query_embeddings": torch.ones(2, 4)}, ValueError, r"\(2, 4\)"),
        ({"index_embeddings": torch.ones(4)}, ValueError, "same D"),
        ({"query_embeddings": integers(2, 3)}, TypeError, "query_embeddings"),
        ({"index_embeddings": torch.full((4, 3), torch.nan)}, ValueError, "^index_emb.*4 of 4"),
        ({"query_embeddings": torch.tensor([[1.0] * 3, [math.inf] * 3])}, ValueError, "1 of 2"),
        ({"query_labels": integers(3, 2)}, ValueError, "query_labels"),
        ({"index_labels": integers(4)}, ValueError, "labels"),
        ({"index_labels": integers(4, 3)}, ValueError, "2 and 3"),
        ({"query_labels": torch.zeros(2, 2)}, TypeError, "query_labels"),
        ({"query_ids": [1, 2]}, ValueError, "only query_ids; pass index_ids"),
        ({"index_ids": [1, 2, 3, 4]}, ValueError, "only index_ids; pass query_ids"),
        ({"query_ids": [1], "index_ids": [1, 2, 3, 4]}, ValueError, "^query_ids "),
        ({"query_ids": ["a", "b"], "index_ids": ["a", "a", "b", "a"]}, ValueError, "index_ids"),
        ({"level_names": ["landmark"]}, ValueError, "level_names"),
        ({"level_names": ["a", "a"]}, ValueError, "level_names"),
        ({"settings": EvaluationSettings(memory_bytes=31)}, ValueError, "memory_bytes"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    wrong: dict[str, object], error: type[Exception], word: str
) -> None:
    with pytest.raises(error, match=word):
        evaluate(**GOOD | wrong)


def test_large_embeddings_whose_sum_overflows_are_not_taken_for_infinite() -> None:
    large = torch.full((4, 3), 3e38) * torch.tensor([[1.0], [1.0], [1.0], [-1.0]])
    assert not large.sum().isfinite()
    evaluate(**GOOD | {"query_embeddings": torch.zeros(2, 3), "index_embeddings": large})


def test_names_of_levels_are_in_the_keys_finest_first() -> None:
    result = evaluate(**GOOD, level_names=["landmark", "kind"]).per_query
    recalls = [f"{recall}_at_{k}" for recall in ("r", "level_recall") for k in (1, 5, 10)]
    of_levels = ("map_at_100", "ap", "map_at_r", "p_at_1", *recalls)
    graded = ["h_ap", "ndcg", "asi", "hops", "mistake_severity_at_1", "mistake_severity_at_10"]
    names = [f"{key}_{level}" for level in ("landmark", "kind") for key in of_levels]
    assert list(result) == graded + names


@pytest.mark.parametrize(
    ("setting", "values"),
    [
        ("relevance", ["linear"]),
        ("convention", ["old"]),
        ("unknown", ["maybe"]),
        ("alpha", [-1.0, math.nan]),
        ("level_weights", [(1.0, math.nan), (1.0, math.inf), (1.0, -1.0), (0.0, 0.0), ()]),
        ("recall_at", [(0,)]),
        ("average_precision_at", [(5, 5)]),
    ],
)
def test_settings_that_mean_nothing_are_refused(setting: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(ValueError, match=rf"\b{setting}\b"):
            EvaluationSettings(**{"relevance": "map", setting: value})
    with pytest.raises(ValueError, match="level_weights"):
        EvaluationSettings(level_weights=(1.0,))  # without relevance="map"


def test_labels_of_shape_n_are_one_level_and_integers() -> None:
    query, query_labels, index, index_labels = random_case(9, 40)
    expected = evaluate(query, query_labels[:, :1], index, index_labels[:, :1])
    for ours in (query_labels[:, 0], query_labels[:, :1]):
        assert_same(evaluate(query, ours, index, index_labels[:, 0]), expected, 0)
    for wrong in (torch.ones(3), torch.tensor([True, False])):
        with pytest.raises(TypeError, match="labels"):
            label_matrix("labels", wrong)


@pytest.mark.parametrize(("queries", "items"), [(0, 0), (0, 3), (3, 0), (1, 1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("convention", ["standard", "published"])
def test_nothing_to_search_for_or_in_is_nan_and_counted(
    queries: int, items: int, dtype: torch.dtype, convention: Convention
) -> None:
    result = evaluate(
        torch.ones(queries, 2, dtype=dtype),
        integers(queries, 2),
        torch.ones(items, 2, dtype=dtype),
        integers(items, 2),
        query_ids=range(queries),
        index_ids=range(items),
        settings=EvaluationSettings(convention=convention),
    )
    assert torch.tensor(list(result.means().values())).isnan().all()
    assert set(result.undefined().values()) == {queries}
