"""The definitions against plain loops; their examples are the hand-computed values."""

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hgld import metrics
from tests.worlds.plain import metrics as plain

LEVELS = 3
AT = metrics.average_precision_at_k
GRADED: dict[str, Callable[[Tensor], Tensor]] = {
    "h_ap": metrics.hierarchical_average_precision,
    "ndcg": metrics.ndcg,
    "asi": metrics.average_set_intersection,
    "exclusive_ap": partial(metrics.exclusive_average_precision, level=1),
    "level_recall": partial(metrics.level_recall_at_k, k=3, level=1),
    "hops": metrics.hierarchically_ordered_preference_score,
    "severity": partial(metrics.mistake_severity, levels=LEVELS),
}
BINARY: dict[str, Callable[[Tensor], Tensor]] = {
    "ap": metrics.average_precision,
    "ap_at_k": partial(AT, k=5),
    "ap_at_r": metrics.average_precision_at_r,
    "p_at_1": metrics.precision_at_1,
    "r_at_k": partial(metrics.recall_at_k, k=5),
}


def assert_close(actual: Tensor, *expected: float) -> None:
    wanted = torch.tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(actual, wanted, rtol=0, atol=1e-9, equal_nan=True)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]) | st.floats(0, 1), min_size=1, max_size=10)
)
def test_h_ap_equals_the_double_loop(relevances: list[float]) -> None:
    ranked = torch.tensor([relevances], dtype=torch.float64)
    assert_close(metrics.hierarchical_average_precision(ranked), plain.plain_h_ap(relevances))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, LEVELS), min_size=1, max_size=12),
    st.integers(1, 15),
    st.integers(1, LEVELS),
    st.sampled_from([torch.int64, torch.uint8, torch.float32]),
)
def test_metrics_of_levels_equal_the_loops(
    levels: list[int], k: int, level: int, dtype: torch.dtype
) -> None:
    ranked = torch.tensor([levels], dtype=dtype)
    assert_close(metrics.ndcg(ranked), plain.plain_ndcg(levels))
    assert_close(metrics.average_set_intersection(ranked), plain.plain_asi(levels))
    expected = plain.plain_exclusive_ap(levels, level)
    assert_close(metrics.exclusive_average_precision(ranked, level), expected)
    assert_close(metrics.hierarchically_ordered_preference_score(ranked), plain.plain_hops(levels))
    expected = plain.plain_level_recall(levels, k, level)
    assert_close(metrics.level_recall_at_k(ranked, k, level), expected)
    assert_close(
        metrics.mistake_severity(ranked, LEVELS, k), plain.plain_severity(levels, LEVELS, k)
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=12), st.integers(1, 15))
def test_metrics_of_positives_equal_the_loops(positives: list[bool], k: int) -> None:
    ranked, relevant = torch.tensor([positives]), sum(positives)
    hit, first = (float(any(positives[:n])) if relevant else math.nan for n in (k, 1))
    at_k = plain.plain_ap(positives, first=k, most=k)
    assert_close(metrics.average_precision(ranked), plain.plain_ap(positives))
    assert_close(metrics.average_precision_at_r(ranked), plain.plain_ap(positives, first=relevant))
    assert_close(metrics.precision_at_1(ranked), first)
    # Lists cut short need the number of all positives.
    cut, of_all = ranked[:, :k], torch.tensor([relevant])
    for found in (AT(ranked, k), AT(cut, k, relevant=of_all)):
        assert_close(found, at_k)
    for found in (metrics.recall_at_k(ranked, k), metrics.recall_at_k(cut, k, relevant=of_all)):
        assert_close(found, hit)


def test_gains_of_a_deep_hierarchy_are_exact_beyond_single_precision() -> None:
    levels = [24, 25]  # gains of 24 and 25 bits, where a float32 has 24
    assert_close(metrics.ndcg(torch.tensor([levels])), plain.plain_ndcg(levels))


@pytest.mark.parametrize("name", GRADED | BINARY)
def test_the_ideal_order_is_one_and_nothing_relevant_nan(name: str) -> None:
    metric = (GRADED | BINARY)[name]
    lists = torch.tensor([[3, 3, 1, 0], [0, 0, 0, 0]])
    lists = lists if name in GRADED else lists > 0
    assert_close(metric(lists), 0.0 if name == "severity" else 1.0, math.nan)
    assert_close(metric(lists[:, :0]), math.nan, math.nan)
    assert metric(lists[:0]).shape == (0,)


def test_hops_sees_the_order_of_wrong_answers_and_severity_does_not() -> None:
    hops = metrics.hierarchically_ordered_preference_score
    # Ideal 2 2 1 0 with weights 4, 4, 2, 1 of the levels 2, 1 and 0: of the last list
    # 4|2-0| + 4|2-1| + 2|1-2| + 1|0-2| = 16, the most that is: reversed, 8 + 4 + 2 + 2 too.
    lists = torch.tensor([[2, 2, 1, 0], [2, 2, 0, 1], [1, 2, 2, 0], [0, 1, 2, 2]])
    assert_close(hops(lists), 1, 1 - (2 + 1) / 16, 1 - (4 + 2) / 16, 0)
    # Two items of level 1: weights 4, then 2 and 1.5 on the way to 1.
    lists = torch.tensor([[2, 1, 0, 1], [2, 0, 1, 1], [1, 1, 1, 1]])
    most = 4 * 2 + 0 + 0 + 1 * 2  # [0, 1, 1, 2]
    assert_close(hops(lists), 1 - (1.5 + 1) / most, 1 - (2 + 1) / most, math.nan)
    severity = metrics.mistake_severity(lists[:2], LEVELS, k=4)
    assert severity[0] == severity[1]


@pytest.mark.parametrize(
    ("metric", "ranked", "word"),
    [
        (metrics.hierarchical_average_precision, [[1.0, -0.1]], "ranked_relevance"),
        (metrics.hierarchical_average_precision, [[1.0, math.inf]], "ranked_relevance"),
        (metrics.ndcg, [[0.5, 1.0]], "ranked_level"),
        (metrics.average_set_intersection, [[-1, 1]], "ranked_level"),
        (partial(metrics.mistake_severity, levels=2), [[3]], "levels"),
        (partial(metrics.exclusive_average_precision, level=0), [[1]], "level"),
        (partial(metrics.level_recall_at_k, k=1, level=0), [[1]], "level"),
        (partial(metrics.level_recall_at_k, k=0, level=1), [[1]], "k must"),
        (metrics.hierarchically_ordered_preference_score, [[-1, 1]], "ranked_level"),
        (metrics.average_precision, [True, False], r"\(2,\)"),
        (metrics.average_precision, [[2, 0]], "ranked_positive"),
        (partial(metrics.recall_at_k, k=0), [[True]], "k must"),
        (partial(AT, k=1, relevant=torch.tensor([1, 2])), [[True]], "relevant"),
    ],
)
def test_lists_and_numbers_that_make_no_sense_are_refused(
    metric: Callable[[Tensor], Tensor], ranked: object, word: str
) -> None:
    with pytest.raises(ValueError, match=word):
        metric(torch.tensor(ranked))
