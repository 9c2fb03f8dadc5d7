"""The pass over a whole index, against loops that rank and score one list at a time."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hgld import metrics
from hgld.metrics import EvaluationSettings, evaluate
from hgld.metrics.streamed import Lists
from tests.worlds.commands.readme import ROOT, fenced
from tests.worlds.plain.metric_cases import Case, assert_same, cases, expected_of, random_case


@given(cases(), st.sampled_from([torch.float32, torch.float64, torch.float16]))
@settings(deadline=None)
def test_equals_the_loops_for_each_query(case: Case, dtype: torch.dtype) -> None:
    evaluation = case.evaluate(dtype)
    for query in range(len(case.queries)):
        expected = expected_of(case.ranked_levels(query), len(case.index_labels[0]))
        actual = {key: float(values[query]) for key, values in evaluation.per_query.items()}
        assert actual == pytest.approx(expected, abs=1e-12, nan_ok=True)


def falling(items: int) -> torch.Tensor:
    """(N, 1) embeddings that the query 1 ranks in the order they have."""
    return torch.arange(items, 0, -1.0)[:, None]


@pytest.mark.parametrize("of_queries", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("of_index", [torch.float16, torch.float32, torch.float64])
def test_embeddings_of_two_precisions_are_compared_in_the_finer(
    of_queries: torch.dtype, of_index: torch.dtype
) -> None:
    queries, query_labels, index, index_labels = random_case(9, 40)
    queries, index = queries.to(of_queries), index.to(of_index)
    exact = evaluate(queries.double(), query_labels, index.double(), index_labels)
    assert_same(evaluate(queries, query_labels, index, index_labels), exact, 0)


def test_equals_the_hand_computed_worked_case() -> None:
    # relevances 1/3, 1, 0, 2/3, 1 in ranked order, from three levels with weights of `map`:
    # one item shares 1, one 2, two share 3 levels
    labels = torch.tensor([[9, 9, 0], [1, 1, 0], [9, 9, 9], [9, 1, 0], [1, 1, 0]])
    weights = (4 / 3, 3 / 3, 2 / 3)  # times 1/4, 1/3, 1/2 items: a third for each level
    chosen = EvaluationSettings(relevance="map", level_weights=weights)
    query, label = torch.ones(1, 1), torch.tensor([[1, 1, 0]])
    means = evaluate(query, label, falling(5), labels, settings=chosen).means()
    assert means["h_ap"] == pytest.approx((1 / 3 + 4 / 3 / 2 + 5 / 3 / 4 + 3 / 5) / 3, abs=1e-12)


@pytest.mark.parametrize(
    "labels",
    [
        # 1, 1 and 2 items of relevance 1, 2/3 and 1/6: the order of levels is that of relevance
        [[0, 0, 0], [1, 0, 0], [2, 1, 0], [3, 2, 0], [4, 3, 1]],
        # two items share both levels, one shares one: (2/2)/2 = (1/2)/1, which counts once
        [[0, 0], [0, 0], [1, 0], [2, 1]],
    ],
)
def test_the_ideal_order_gives_one_everywhere_and_no_mistakes(labels: list[list[int]]) -> None:
    index = torch.tensor(labels)
    # Of fewer than all items, the coarser ones have no place.
    chosen = EvaluationSettings(mistake_severity_at=(1,), recall_at=(5,))
    result = evaluate(torch.ones(1, 1), index[:1], falling(len(index)), index, settings=chosen)
    values = result.means()
    assert values.pop("mistake_severity_at_1") == 0
    assert values == pytest.approx(dict.fromkeys(values, 1.0), abs=1e-12)


def test_undefined_queries_are_counted_and_left_out_of_the_mean() -> None:
    labels = torch.tensor([[0], [1]])
    result = evaluate(torch.ones(2, 1), torch.tensor([[0], [5]]), torch.ones(2, 1), labels)
    assert set(result.undefined().values()) == {1}
    assert result.means()["ap_level0"] == 1.0
    assert result.per_query["ap_level0"].isnan().tolist() == [False, True]


def test_the_examples_of_the_page_run() -> None:
    query, query_labels, index, index_labels = random_case(7, 40)
    names: dict[str, Any] = {"Lists": Lists, "Tensor": Tensor, "torch": torch}
    names |= {"query_embeddings": query, "query_labels": query_labels, "query_ids": range(7)}
    names |= {"index_embeddings": index, "index_labels": index_labels, "index_ids": range(7, 47)}
    names["order"] = (query @ index.T).argsort(dim=1, descending=True, stable=True)
    examples = fenced(ROOT / "docs/metrics.md", "python")
    assert len(examples) == 4
    for example in examples:
        exec(example, names)  # noqa: S102 - what a reader would type
    index_of_itself = evaluate(
        *(index, index_labels, index, index_labels), query_ids=range(40), index_ids=range(40)
    )
    assert names["metric"].compute() == index_of_itself.means()["h_ap"]
    # The second example's steps give what the first one's evaluate gives.
    by_hand = metrics.hierarchical_average_precision(
        metrics.item_relevance(names["ranked_level"], names["table"])
    )
    torch.testing.assert_close(by_hand, names["evaluation"].per_query["h_ap"], equal_nan=True)
