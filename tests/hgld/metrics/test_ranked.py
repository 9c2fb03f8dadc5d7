"""The definitions, against hand-computed values and plain loops."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hgld.metrics import (
    average_precision,
    average_precision_at_k,
    average_precision_at_r,
    average_set_intersection,
    exclusive_average_precision,
    hierarchical_average_precision,
    mistake_severity,
    ndcg,
    precision_at_1,
    recall_at_k,
)
from hgld.metrics.relevance import decay_relevance, item_relevance, level_counts, map_relevance
from tests.worlds.plain import metrics as plain

LEVELS = 3
level_lists = st.lists(st.integers(0, LEVELS), min_size=1, max_size=12)


def assert_close(actual: Tensor, expected: list[float], tolerance: float = 1e-9) -> None:
    torch.testing.assert_close(
        actual, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=tolerance, equal_nan=True
    )


class TestHierarchicalAveragePrecision:
    def test_equals_the_hand_computed_value(self) -> None:
        # H-rank at ranks 1, 2, 4, 5 = 1/3, 4/3, 5/3, 3; sum of relevances 3
        value = hierarchical_average_precision(torch.tensor([[1 / 3, 1, 0, 2 / 3, 1]]))
        assert_close(value, [(1 / 3 + 4 / 3 / 2 + 5 / 3 / 4 + 3 / 5) / 3], 1e-7)

    def test_equals_another_hand_computed_value(self) -> None:
        # (1/1 + 0 + (1/2 + 0 + 1/2)/3) / 1.5 = 8/9
        assert_close(hierarchical_average_precision(torch.tensor([[1, 0, 0.5]])), [8 / 9])

    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]), min_size=1, max_size=10))
    def test_equals_the_double_loop(self, relevances: list[float]) -> None:
        ranked = torch.tensor([relevances], dtype=torch.float64)
        assert_close(hierarchical_average_precision(ranked), [plain.plain_h_ap(relevances)])

    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.floats(0, 1), min_size=1, max_size=10))
    def test_takes_any_number_of_different_relevances(self, relevances: list[float]) -> None:
        ranked = torch.tensor([relevances], dtype=torch.float64)
        assert_close(hierarchical_average_precision(ranked), [plain.plain_h_ap(relevances)])

    def test_is_one_for_the_ideal_order(self) -> None:
        ranked = torch.tensor([[1.0, 0.5, 0.5, 0.1, 0.0], [0.3, 0.3, 0.3, 0.3, 0.3]])
        assert_close(hierarchical_average_precision(ranked), [1.0, 1.0], 1e-7)

    def test_is_nan_where_nothing_is_relevant_and_leaves_the_others_alone(self) -> None:
        ranked = torch.tensor([[0.0, 0.0], [0.0, 1.0]])
        assert_close(hierarchical_average_precision(ranked), [math.nan, 0.5])

    def test_counts_two_levels_of_equal_relevance_once(self) -> None:
        # decay: 2 items share both levels (1/2 each), 1 shares one ((1/2)/1): all weigh 1/2
        level = torch.tensor([[2, 2, 1, 0]])
        table = decay_relevance(level_counts(level, 2))
        assert table[0, 1] == table[0, 2]
        assert_close(hierarchical_average_precision(item_relevance(level, table)), [1.0])

    def test_hardly_moves_when_two_levels_differ_by_a_rounding_error(self) -> None:
        ranked = torch.tensor([[0.3, 0.0, 0.1 * 3, 0.0]], dtype=torch.float64)
        assert ranked[0, 0] != ranked[0, 2]
        assert_close(hierarchical_average_precision(ranked), [(1 + 2 / 3) / 2])

    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.booleans(), min_size=1, max_size=12))
    def test_is_average_precision_for_one_level(self, positives: list[bool]) -> None:
        ranked = torch.tensor([positives])
        torch.testing.assert_close(
            hierarchical_average_precision(ranked.float()),
            average_precision(ranked),
            equal_nan=True,
        )

    @settings(max_examples=40, deadline=None)
    @given(level_lists, st.lists(st.floats(0.01, 1), min_size=LEVELS, max_size=LEVELS))
    def test_is_the_weighted_mean_of_level_aps_for_map_relevance(
        self, levels: list[int], weights: list[float]
    ) -> None:
        ranked = torch.tensor([levels])
        table = map_relevance(level_counts(ranked, LEVELS), weights)
        aps = [plain.plain_ap([item >= p for item in levels]) for p in range(1, LEVELS + 1)]
        defined = [(w, ap) for w, ap in zip(weights, aps, strict=True) if not math.isnan(ap)]
        expected = (
            sum(w * ap for w, ap in defined) / sum(w for w, _ in defined) if defined else math.nan
        )
        assert_close(hierarchical_average_precision(item_relevance(ranked, table)), [expected])

    @settings(max_examples=40, deadline=None)
    @given(level_lists, st.floats(1e-3, 1e3))
    def test_does_not_change_with_the_scale_of_relevance(
        self, levels: list[int], scale: float
    ) -> None:
        ranked = torch.tensor([levels], dtype=torch.float64) / LEVELS
        torch.testing.assert_close(
            hierarchical_average_precision(ranked),
            hierarchical_average_precision(ranked * scale),
            equal_nan=True,
        )

    def test_alpha_without_bound_gives_the_finest_average_precision(self) -> None:
        level = torch.tensor([[1, 3, 2, 0, 3]])
        table = decay_relevance(level_counts(level, LEVELS), alpha=math.inf)
        value = hierarchical_average_precision(item_relevance(level, table))
        torch.testing.assert_close(value, average_precision(level == LEVELS))

    @pytest.mark.parametrize("wrong", [-0.1, math.nan, math.inf])
    def test_refuses_relevances_that_mean_nothing(self, wrong: float) -> None:
        with pytest.raises(ValueError, match="ranked_relevance"):
            hierarchical_average_precision(torch.tensor([[1.0, wrong]]))


class TestLevels:
    @settings(max_examples=40, deadline=None)
    @given(level_lists)
    def test_ndcg_equals_the_loop(self, levels: list[int]) -> None:
        assert_close(ndcg(torch.tensor([levels])), [plain.plain_ndcg(levels)])

    def test_ndcg_equals_the_hand_computed_value(self) -> None:
        # gains 0, 3, 1: (3/log2(3) + 1/2) / (3 + 1/log2(3))
        expected = (3 / math.log2(3) + 1 / 2) / (3 + 1 / math.log2(3))
        assert_close(ndcg(torch.tensor([[0, 2, 1]])), [expected])

    @settings(max_examples=40, deadline=None)
    @given(level_lists)
    def test_set_intersection_equals_the_loop(self, levels: list[int]) -> None:
        assert_close(average_set_intersection(torch.tensor([levels])), [plain.plain_asi(levels)])

    def test_set_intersection_equals_the_hand_computed_value(self) -> None:
        # ideal 2, 1, 1: (0/1 + (1 of level 2, 1 of level 1)/2 + 2/3 (the 0 is out of place)) / 3
        value = average_set_intersection(torch.tensor([[1, 2, 0, 1]]))
        assert_close(value, [(0 + 2 / 2 + 2 / 3) / 3])

    @settings(max_examples=40, deadline=None)
    @given(level_lists, st.integers(1, LEVELS))
    def test_exclusive_average_precision_equals_the_loop(
        self, levels: list[int], level: int
    ) -> None:
        value = exclusive_average_precision(torch.tensor([levels]), level)
        assert_close(value, [plain.plain_exclusive_ap(levels, level)])

    @settings(max_examples=40, deadline=None)
    @given(level_lists, st.integers(1, 15))
    def test_mistake_severity_equals_the_loop(self, levels: list[int], k: int) -> None:
        value = mistake_severity(torch.tensor([levels]), LEVELS, k)
        assert_close(value, [plain.plain_severity(levels, LEVELS, k)])

    @pytest.mark.parametrize("metric", [ndcg, average_set_intersection])
    def test_are_one_for_the_ideal_order(self, metric: object) -> None:
        assert callable(metric)
        assert_close(metric(torch.tensor([[3, 3, 1, 0], [2, 0, 0, 0]])), [1.0, 1.0])

    def test_mistake_severity_is_zero_for_the_ideal_first_result(self) -> None:
        assert_close(mistake_severity(torch.tensor([[3, 0], [0, 3]]), LEVELS), [0.0, 3.0])

    def test_are_nan_where_nothing_is_shared(self) -> None:
        nothing = torch.zeros((1, 4), dtype=torch.int64)
        values = [
            ndcg(nothing),
            average_set_intersection(nothing),
            exclusive_average_precision(nothing, 1),
            mistake_severity(nothing, LEVELS),
        ]
        assert all(value.isnan().all() for value in values)

    def test_take_whole_numbers_of_any_type(self) -> None:
        levels = torch.tensor([[1, 3, 0, 2]])
        for dtype in (torch.uint8, torch.int8, torch.float32):
            assert torch.equal(ndcg(levels), ndcg(levels.to(dtype)))

    def test_refuse_relevances_given_for_levels(self) -> None:
        with pytest.raises(ValueError, match="ranked_level"):
            ndcg(torch.tensor([[0.5, 1.0]]))

    def test_refuse_negative_levels(self) -> None:
        with pytest.raises(ValueError, match="ranked_level"):
            average_set_intersection(torch.tensor([[-1, 1]]))

    def test_refuse_more_levels_shared_than_there_are(self) -> None:
        with pytest.raises(ValueError, match="levels"):
            mistake_severity(torch.tensor([[3]]), 2)

    def test_refuse_a_level_that_makes_everything_a_positive(self) -> None:
        with pytest.raises(ValueError, match="level"):
            exclusive_average_precision(torch.tensor([[1]]), 0)


class TestPositives:
    positive_lists = st.lists(st.booleans(), min_size=1, max_size=12)

    @settings(max_examples=40, deadline=None)
    @given(positive_lists, st.integers(1, 15))
    def test_equal_the_loops(self, positives: list[bool], k: int) -> None:
        ranked, relevant = torch.tensor([positives]), sum(positives)
        hit = float(any(positives[:k])) if relevant else math.nan
        first = float(positives[0]) if relevant else math.nan
        assert_close(average_precision(ranked), [plain.plain_ap(positives)])
        assert_close(
            average_precision_at_k(ranked, k), [plain.plain_ap(positives, first=k, most=k)]
        )
        assert_close(average_precision_at_r(ranked), [plain.plain_ap(positives, first=relevant)])
        assert_close(recall_at_k(ranked, k), [hit])
        assert_close(precision_at_1(ranked), [first])

    def test_average_precision_equals_the_hand_computed_value(self) -> None:
        assert_close(average_precision(torch.tensor([[0, 1, 0, 1]])), [(1 / 2 + 2 / 4) / 2])

    def test_average_precision_at_k_divides_by_no_more_than_k(self) -> None:
        ranked = torch.tensor([[True, False, True, True]])
        assert_close(average_precision_at_k(ranked, 2), [1 / 2])  # 3 positives, 2 results
        assert_close(average_precision_at_k(ranked, 3), [(1 + 2 / 3) / 3])

    def test_lists_cut_short_need_the_number_of_all_positives(self) -> None:
        whole = torch.tensor([[True, False, True, True], [False, False, False, True]])
        relevant = whole.sum(dim=1)
        torch.testing.assert_close(
            average_precision_at_k(whole[:, :2], 2, relevant=relevant),
            average_precision_at_k(whole, 2),
        )
        assert_close(recall_at_k(whole[:, :2], 2, relevant=relevant), [1.0, 0.0])

    def test_an_empty_list_is_nan(self) -> None:
        empty = torch.zeros((2, 0), dtype=torch.bool)
        values = [
            average_precision(empty),
            average_precision_at_k(empty, 5),
            average_precision_at_r(empty),
            precision_at_1(empty),
            recall_at_k(empty, 5),
            ndcg(empty),
            average_set_intersection(empty),
            hierarchical_average_precision(empty.float()),
            mistake_severity(empty, LEVELS),
        ]
        assert all(value.shape == (2,) and value.isnan().all() for value in values)

    def test_no_queries_give_no_values(self) -> None:
        assert average_precision(torch.zeros((0, 4), dtype=torch.bool)).shape == (0,)
        assert hierarchical_average_precision(torch.zeros((0, 4))).shape == (0,)

    def test_refuse_a_single_list_without_the_query_dimension(self) -> None:
        with pytest.raises(ValueError, match=r"\(2,\)"):
            average_precision(torch.tensor([True, False]))

    def test_refuse_levels_given_for_positives(self) -> None:
        with pytest.raises(ValueError, match="ranked_positive"):
            average_precision(torch.tensor([[2, 0]]))

    def test_refuse_no_results(self) -> None:
        with pytest.raises(ValueError, match="k must"):
            recall_at_k(torch.tensor([[True]]), 0)

    def test_refuse_the_wrong_number_of_positives(self) -> None:
        with pytest.raises(ValueError, match="relevant"):
            average_precision_at_k(torch.tensor([[True]]), 1, relevant=torch.tensor([1, 2]))
