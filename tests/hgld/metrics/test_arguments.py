"""What `evaluate` refuses, and in which words."""

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
    ("wrong", "error", "words"),
    [
        (
            {"query_embeddings": torch.ones(2, 4)},
            ValueError,
            r"must have the same D, got shapes \(2, 4\) and \(4, 3\); embed both with",
        ),
        ({"index_embeddings": torch.ones(4)}, ValueError, r"must have the same D, got shapes"),
        (
            {"query_embeddings": torch.ones((2, 3), dtype=torch.int64)},
            TypeError,
            r"query_embeddings must be floating point, got torch.int64; convert them with",
        ),
        (
            {"index_embeddings": torch.full((4, 3), torch.nan)},
            ValueError,
            r"index_embeddings must be finite, got NaN or infinity in 4 of 4 rows",
        ),
        (
            {"query_labels": torch.zeros((3, 2), dtype=torch.int64)},
            ValueError,
            r"query_labels must have shape \(n, L\) with n = 2 embeddings .* got \(3, 2\)",
        ),
        (
            {"index_labels": torch.zeros(4, dtype=torch.int64)},
            ValueError,
            r"where there is one level, pass labels\[:, None\]",
        ),
        (
            {"index_labels": torch.zeros((4, 3), dtype=torch.int64)},
            ValueError,
            r"must have the same levels, got 2 and 3; drop what only one side has",
        ),
        ({"query_labels": torch.zeros(2, 2)}, TypeError, r"query_labels must be integers"),
        (
            {"query_ids": [1, 2]},
            ValueError,
            r"must be given together, got only query_ids; pass index",
        ),
        ({"index_ids": [1, 2, 3, 4]}, ValueError, r"got only index_ids; pass query_ids too"),
        (
            {"query_ids": [1], "index_ids": [1, 2, 3, 4]},
            ValueError,
            r"query_ids must have one id for each embedding \(2\), got 1",
        ),
        (
            {"query_ids": ["a", "b"], "index_ids": ["a", "a", "b", "a"]},
            ValueError,
            r"index_ids must be unique, got 2 repeated; drop the repeated items",
        ),
        (
            {"level_names": ["landmark"]},
            ValueError,
            r"level_names must be 2 different names, one a label column, got \['landmark'\]",
        ),
        ({"level_names": ["a", "a"]}, ValueError, r"level_names must be 2 different names"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    wrong: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
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
    ("wrong", "words"),
    [
        ({"relevance": "linear"}, "relevance must be 'decay' or 'map', got 'linear'"),
        ({"convention": "old"}, "convention must be 'standard' or 'published', got 'old'"),
        ({"alpha": -1.0}, "alpha must be at least 0, got -1.0"),
        ({"alpha": float("nan")}, "alpha must be at least 0, got nan"),
        ({"level_weights": (1.0,)}, "level_weights need relevance='map'"),
        ({"recall_at": (0,)}, r"recall_at must be different numbers >= 1, got \(0,\)"),
        ({"average_precision_at": (5, 5)}, "average_precision_at must be different numbers"),
        ({"memory_bytes": 0}, "memory_bytes must be positive, got 0"),
    ],
)
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        EvaluationSettings(**wrong)


@pytest.mark.parametrize(
    "bad", [(1.0, float("nan")), (1.0, float("inf")), (1.0, -1.0), (0.0, 0.0), ()]
)
def test_level_weights_that_make_no_mean_are_refused(bad: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="level_weights must be finite, none negative and not all"):
        EvaluationSettings(relevance="map", level_weights=bad)


def test_one_level_against_two_is_told_that_both_shapes_of_one_level_will_do() -> None:
    labels = torch.zeros(2, dtype=torch.int64)
    with pytest.raises(
        ValueError, match=r"got 1 and 2; .* or labels of shape \(n,\) on both sides"
    ):
        evaluate(**{**GOOD, "query_labels": labels})
