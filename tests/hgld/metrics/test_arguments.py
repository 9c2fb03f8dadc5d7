"""What `evaluate` refuses."""

from typing import Any

import pytest
import torch

from hgld.metrics import EvaluationSettings, evaluate

GOOD: dict[str, Any] = {
    "query_embeddings": torch.ones(2, 3),
    "query_labels": torch.zeros((2, 2), dtype=torch.int64),
    "index_embeddings": torch.ones(4, 3),
    "index_labels": torch.zeros((4, 2), dtype=torch.int64),
}


@pytest.mark.parametrize(
    ("wrong", "error", "word"),
    [
        ({"query_embeddings": torch.ones(2, 4)}, ValueError, r"\(2, 4\)"),
        ({"index_embeddings": torch.ones(4)}, ValueError, "same D"),
        (
            {"query_embeddings": torch.ones((2, 3), dtype=torch.int64)},
            TypeError,
            "query_embeddings",
        ),
        ({"index_embeddings": torch.full((4, 3), torch.nan)}, ValueError, "index_embeddings"),
        ({"query_labels": torch.zeros((3, 2), dtype=torch.int64)}, ValueError, "query_labels"),
        ({"index_labels": torch.zeros(4, dtype=torch.int64)}, ValueError, "labels"),
        ({"index_labels": torch.zeros((4, 3), dtype=torch.int64)}, ValueError, "2 and 3"),
        ({"query_labels": torch.zeros(2, dtype=torch.int64)}, ValueError, "1 and 2"),
        ({"query_labels": torch.zeros(2, 2)}, TypeError, "query_labels"),
        ({"query_ids": [1, 2]}, ValueError, "index"),
        ({"index_ids": [1, 2, 3, 4]}, ValueError, "query_ids"),
        ({"query_ids": [1], "index_ids": [1, 2, 3, 4]}, ValueError, "query_ids"),
        ({"query_ids": ["a", "b"], "index_ids": ["a", "a", "b", "a"]}, ValueError, "index_ids"),
        ({"level_names": ["landmark"]}, ValueError, "level_names"),
        ({"level_names": ["a", "a"]}, ValueError, "level_names"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    wrong: dict[str, object], error: type[Exception], word: str
) -> None:
    with pytest.raises(error, match=word):
        evaluate(**{**GOOD, **wrong})


def test_large_embeddings_whose_sum_overflows_are_not_taken_for_infinite() -> None:
    large = torch.full((4, 3), 3e38) * torch.tensor([[1.0], [1.0], [1.0], [-1.0]])
    assert not large.sum().isfinite() or large.isfinite().all()
    evaluate(**{**GOOD, "query_embeddings": torch.zeros(2, 3), "index_embeddings": large})


def test_names_of_levels_are_in_the_keys_finest_first() -> None:
    result = evaluate(**GOOD, level_names=["landmark", "kind"]).per_query
    assert list(result) == [
        "h_ap", "ndcg", "asi", "mistake_severity_at_1", "mistake_severity_at_10",
        "map_at_100_landmark", "ap_landmark", "map_at_r_landmark", "p_at_1_landmark",
        "r_at_1_landmark", "r_at_5_landmark", "r_at_10_landmark",
        "map_at_100_kind", "ap_kind", "map_at_r_kind", "p_at_1_kind",
        "r_at_1_kind", "r_at_5_kind", "r_at_10_kind",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("relevance", "linear"),
        ("convention", "old"),
        ("alpha", -1.0),
        ("alpha", float("nan")),
        ("level_weights", (1.0,)),  # without relevance="map"
        ("recall_at", (0,)),
        ("average_precision_at", (5, 5)),
        ("memory_bytes", 0),
    ],
)
def test_settings_that_mean_nothing_are_refused(setting: str, value: Any) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match=setting):
        EvaluationSettings(**{setting: value})


@pytest.mark.parametrize(
    "bad", [(1.0, float("nan")), (1.0, float("inf")), (1.0, -1.0), (0.0, 0.0), ()]
)
def test_level_weights_that_make_no_mean_are_refused(bad: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="level_weights"):
        EvaluationSettings(relevance="map", level_weights=bad)
