"""The published evaluation: its conventions behind an option, its numbers reproduced."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hgld import metrics
from hgld.metrics import EvaluationSettings, evaluate
from tests.worlds.plain.losses import scored_batch

PUBLISHED = EvaluationSettings(convention="published")


@pytest.mark.parametrize(
    ("levels", "own", "published", "standard"),
    [
        # Each item of level 1 has (1/2) / 2, that of level 2 has 1 / 1, or 1 / 2 with the query.
        ([1, 2, 1, 2], 3, 1 / 4 + (1 / 4 + 1 / 2) / 2 + 1 / 4, (1 / 4 + 5 / 8 + 1 / 4) / 1.5),
        # (2/2) / 2 = (1/2) / 1: levels of equal relevance count once for each. The last is lost.
        ([2, 2, 1, 0, 0], None, 2.0, 1.0),
        ([2, 0, 2], None, 1.0, (1 + 2 / 3) / 2),
    ],
)
def test_its_ways_are_those_of_the_published_code(
    levels: list[int], own: int | None, published: float, standard: float
) -> None:
    """Its own finest level has the query, and the item ranked last is lost where that is apart."""
    case = scored_batch([0.9 - k / 10 for k in range(len(levels))], levels, depth=2)
    ids: dict[str, Any] = {"query_ids": [own], "index_ids": range(len(levels))}
    for settings, expected in ((PUBLISHED, published), (EvaluationSettings(), standard)):
        result = evaluate(*case, settings=settings, **(ids if own else {}))
        assert result.means()["h_ap"] == pytest.approx(expected, abs=1e-6)


def test_the_lost_item_is_not_missed() -> None:
    case = scored_batch([0.9, 0.8, 0.7], [2, 1, 1], depth=2)
    found = evaluate(*case, settings=PUBLISHED).means()
    assert found["ap_level0"] == found["ap_level1"] == 1.0


def oracle_fields(levels: int) -> dict[str, str]:
    """Our keys and the published names of the same metrics."""
    fields = {"h_ap": "hap", "ndcg": "ndcg", "asi": "asi"}
    for level in range(levels):
        for name in ("ap", "p_at_1", "r_at_1", "r_at_5", "r_at_10"):
            fields[f"{name}_level{level}"] = f"{name}_level{level}"
        fields[f"map_at_r_level{level}"] = f"map_at_R_level{level}"
    return fields


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("case", ["metric00", "metric01"])
def test_agrees_with_the_published_evaluation(shared: Path, case: str, dtype: torch.dtype) -> None:
    oracle = np.load(shared / "oracle" / "metrics.npz")
    embeddings = torch.from_numpy(oracle[f"{case}/emb"]).to(dtype)
    labels = torch.from_numpy(oracle[f"{case}/labels"])
    case_of, ids = (embeddings, labels, embeddings, labels), range(len(labels))
    published, standard = (
        evaluate(*case_of, query_ids=ids, index_ids=ids, settings=chosen).per_query
        for chosen in (PUBLISHED, EvaluationSettings())
    )
    for key, field in oracle_fields(labels.shape[1]).items():
        expected = torch.from_numpy(oracle[f"{case}/{field}"]).double()
        torch.testing.assert_close(published[key], expected, rtol=0, atol=1e-6, msg=key)
        if key != "h_ap":  # the conventions differ in no other metric here
            torch.testing.assert_close(standard[key], published[key], rtol=0, atol=0, msg=key)
    assert not torch.allclose(standard["h_ap"], published["h_ap"], atol=1e-3)


@pytest.mark.parametrize("case", ["metric00", "metric01"])
def test_what_is_no_part_of_an_evaluation_agrees_too(shared: Path, case: str) -> None:
    oracle = np.load(shared / "oracle" / "metrics.npz")
    level = torch.from_numpy(oracle[f"{case}/sorted_target"]).long()
    levels = oracle[f"{case}/labels"].shape[1]
    for column in range(levels):
        asi = metrics.average_set_intersection(level >= levels - column)
        exclusive = metrics.exclusive_average_precision(level, column + 1).nanmean()
        for field, value in ((f"asi_level{column}", asi), (f"ap_exclude_{column + 1}", exclusive)):
            expected = torch.as_tensor(oracle[f"{case}/{field}"]).double()
            torch.testing.assert_close(value, expected, rtol=0, atol=1e-6, msg=field)
