"""The pass over a whole index, against loops that rank and score one list at a time."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hgld.metrics import Evaluation, EvaluationSettings, evaluate
from tests.worlds.plain.metric_cases import Case, assert_same, cases, expected_of, random_case

TOLERANCE = 1e-12


class TestValues:
    @given(cases(), st.sampled_from([torch.float32, torch.float64, torch.float16]))
    @settings(deadline=None)
    def test_equal_the_loops_for_each_query(self, case: Case, dtype: torch.dtype) -> None:
        evaluation = case.evaluate(dtype)
        for query in range(len(case.queries)):
            levels = case.ranked_levels(query)
            expected = expected_of(levels, len(case.index_labels[0]))
            actual = {key: float(values[query]) for key, values in evaluation.per_query.items()}
            assert actual == pytest.approx(expected, abs=TOLERANCE, nan_ok=True)

    def test_equal_the_hand_computed_worked_case(self) -> None:
        # relevances 1/3, 1, 0, 2/3, 1 in ranked order, from three levels with weights of `map`:
        # one item shares 1, one 2, two share 3 levels
        index = torch.tensor([[5.0], [4.0], [3.0], [2.0], [1.0]])
        labels = torch.tensor([[9, 9, 0], [1, 1, 0], [9, 9, 9], [9, 1, 0], [1, 1, 0]])
        weights = (4 / 3, 3 / 3, 2 / 3)  # times 1/4, 1/3, 1/2 items: a third for each level
        evaluation = evaluate(
            torch.ones(1, 1),
            torch.tensor([[1, 1, 0]]),
            index,
            labels,
            settings=EvaluationSettings(relevance="map", level_weights=weights),
        )
        expected = (1 / 3 + 4 / 3 / 2 + 5 / 3 / 4 + 3 / 5) / 3
        assert evaluation.means()["h_ap"] == pytest.approx(expected, abs=1e-12)

    def test_the_ideal_order_gives_one_everywhere_and_no_mistakes(self) -> None:
        # 1, 1 and 2 items of relevance 1, 2/3 and 1/6: the order of levels is that of relevance
        labels = torch.tensor([[0, 0, 0], [1, 0, 0], [2, 1, 0], [3, 2, 0], [4, 3, 1]])
        index = torch.tensor([[5.0], [4.0], [3.0], [2.0], [1.0]])
        chosen = EvaluationSettings(mistake_severity_at=(1,))
        values = evaluate(torch.ones(1, 1), labels[:1], index, labels, settings=chosen).means()
        assert values.pop("mistake_severity_at_1") == 0
        assert values == pytest.approx(dict.fromkeys(values, 1.0), abs=1e-12)

    def test_two_levels_of_equal_relevance_count_once(self) -> None:
        # two items share both levels, one shares one: (2/2)/2 = (1/2)/1
        labels = torch.tensor([[0, 0], [0, 0], [1, 0], [2, 1]])
        index = torch.tensor([[4.0], [3.0], [2.0], [1.0]])
        values = evaluate(torch.ones(1, 1), labels[:1], index, labels).means()
        assert values["h_ap"] == pytest.approx(1.0, abs=1e-12)

    def test_equal_similarities_are_ordered_by_position(self) -> None:
        labels = torch.tensor([[1], [0], [1], [0]])
        values = evaluate(torch.ones(1, 1), torch.tensor([[0]]), torch.ones(4, 1), labels).means()
        assert values["ap_level0"] == pytest.approx((1 / 2 + 2 / 4) / 2, abs=1e-12)

    def test_zero_and_negative_zero_are_equal_similarities(self) -> None:
        labels = torch.tensor([[1], [0]])
        index = torch.tensor([[-0.0], [0.0]])
        values = evaluate(torch.ones(1, 1), torch.tensor([[0]]), index, labels).means()
        assert values["ap_level0"] == pytest.approx(1 / 2)

    def test_one_level_gives_average_precision(self) -> None:
        query, query_labels, index, index_labels = random_case(5, 200)
        result = evaluate(query, query_labels[:, :1], index, index_labels[:, :1]).per_query
        torch.testing.assert_close(result["h_ap"], result["ap_level0"])

    def test_map_relevance_gives_the_weighted_mean_of_level_aps(self) -> None:
        weights = (0.2, 0.3, 0.5)
        chosen = EvaluationSettings(relevance="map", level_weights=weights)
        result = evaluate(*random_case(5, 500), settings=chosen).per_query
        aps = torch.stack([result[f"ap_level{column}"] for column in (2, 1, 0)])
        assert not aps.isnan().any()
        expected = (torch.tensor(weights, dtype=torch.float64)[:, None] * aps).sum(dim=0)
        torch.testing.assert_close(result["h_ap"], expected, rtol=0, atol=1e-12)

    def test_the_order_of_queries_and_of_the_index_does_not_matter(self) -> None:
        generator = torch.Generator().manual_seed(3)
        query, index = (torch.randn(n, 8, generator=generator) for n in (6, 300))
        _, query_labels, _, index_labels = random_case(6, 300)
        queries, items = (torch.randperm(n, generator=generator) for n in (6, 300))
        one = evaluate(query, query_labels, index, index_labels)
        other = evaluate(query[queries], query_labels[queries], index[items], index_labels[items])
        assert_same(Evaluation({k: v[queries] for k, v in one.per_query.items()}), other)


class TestOwnItem:
    def test_is_left_out_by_id_wherever_it_stands(self) -> None:
        index = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.8, 0.6]])
        labels = torch.tensor([[1], [0], [0]])
        values = evaluate(
            index[2:], labels[2:], index, labels, query_ids=["c"], index_ids=["a", "b", "c"]
        ).means()
        assert values["ap_level0"] == pytest.approx(1 / 2)  # c itself would have come first

    def test_counts_in_no_metric_even_where_it_would_come_last(self) -> None:
        index = torch.tensor([[1.0], [-1.0]])
        labels = torch.tensor([[0], [0]])
        ids = torch.tensor([7, 8])
        result = evaluate(-index[:1], labels[:1], index, labels, query_ids=ids[:1], index_ids=ids)
        assert result.means()["ap_level0"] == 1.0
        assert result.means()["mistake_severity_at_10"] == 0.0

    def test_alone_leaves_nothing_to_find(self) -> None:
        labels, ids = torch.tensor([[3]]), ["only"]
        result = evaluate(
            torch.ones(1, 1), labels, torch.ones(1, 1), labels, query_ids=ids, index_ids=ids
        )
        assert set(result.undefined().values()) == {1}

    def test_ids_may_be_numbers_or_strings(self) -> None:
        query, labels, _, _ = random_case(20, 1)
        numbers = torch.arange(20)
        words = [f"id{number}" for number in range(20)]
        one = evaluate(query, labels, query, labels, query_ids=numbers, index_ids=numbers)
        other = evaluate(query, labels, query, labels, query_ids=words, index_ids=words)
        assert_same(one, other, 0)


class TestUndefined:
    def test_queries_are_counted_and_left_out_of_the_mean(self) -> None:
        labels = torch.tensor([[0], [1]])
        result = evaluate(torch.ones(2, 1), torch.tensor([[0], [5]]), torch.ones(2, 1), labels)
        assert set(result.undefined().values()) == {1}
        assert result.means()["ap_level0"] == 1.0
        assert result.per_query["ap_level0"].isnan().tolist() == [False, True]

    def test_is_only_the_level_that_has_nothing_to_find(self) -> None:
        labels = torch.tensor([[0, 0], [1, 0]])
        result = evaluate(torch.ones(1, 1), torch.tensor([[5, 0]]), torch.ones(2, 1), labels)
        assert result.undefined()["ap_level0"] == 1
        assert result.undefined()["ap_level1"] == 0
        assert result.undefined()["h_ap"] == 0

    def test_is_everything_for_an_empty_index(self) -> None:
        nothing = torch.zeros((0, 1), dtype=torch.int64)
        result = evaluate(torch.ones(2, 1), torch.tensor([[0], [1]]), torch.ones(0, 1), nothing)
        assert set(result.undefined().values()) == {2}

    def test_no_queries_give_empty_results(self) -> None:
        nothing = torch.zeros((0, 1), dtype=torch.int64)
        result = evaluate(torch.ones(0, 1), nothing, torch.ones(2, 1), torch.tensor([[0], [1]]))
        assert all(values.shape == (0,) for values in result.per_query.values())
        assert math.isnan(result.means()["h_ap"])
