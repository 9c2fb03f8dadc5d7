import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from hgld.metrics.relevance import (
    decay_relevance,
    item_relevance,
    level_counts,
    map_relevance,
    published_decay_relevance,
    shared_levels,
)

COUNTS = torch.tensor([[5, 4, 0, 2], [0, 1, 1, 1]])


def test_a_level_counts_only_if_all_coarser_ones_are_shared() -> None:
    query = torch.tensor([[7, 2, 0]])
    index = torch.tensor([[7, 2, 0], [8, 2, 0], [7, 3, 0], [7, 2, 1], [7, 3, 1]])
    assert shared_levels(query, index).tolist() == [[3, 2, 1, 0, 0]]


def test_shared_levels_refuses_labels_of_another_depth() -> None:
    with pytest.raises(ValueError, match="same L"):
        shared_levels(torch.zeros(2, 3), torch.zeros(4, 2))
    with pytest.raises(ValueError, match=r"labels\[:, None\]"):
        shared_levels(torch.zeros(2), torch.zeros(4))


def test_counts_are_those_of_a_double_loop() -> None:
    level = torch.tensor([[0, 2, 1, 2], [1, 1, 1, 1]])
    expected = [
        [sum(item == depth for item in row) for depth in range(3)] for row in level.tolist()
    ]
    assert level_counts(level, 2).tolist() == expected


def test_the_query_counts_at_its_own_finest_level_only_when_asked() -> None:
    level = torch.tensor([[0, 2, 1]])
    assert level_counts(level, 2).tolist() == [[1, 1, 1]]
    assert level_counts(level, 2, count_query=True).tolist() == [[1, 1, 2]]


def test_decay_equals_the_hand_computed_values() -> None:
    # (1/3) / 4, nothing at the empty level 2, 1 / 2; then (1/3) / 1, (2/3) / 1, 1 / 1
    expected = [[0, 1 / 12, 0, 1 / 2], [0, 1 / 3, 2 / 3, 1]]
    torch.testing.assert_close(decay_relevance(COUNTS), torch.tensor(expected).double())
    squared = [[0, 1 / 36, 0, 1 / 2], [0, 1 / 9, 4 / 9, 1]]
    torch.testing.assert_close(decay_relevance(COUNTS, 2.0), torch.tensor(squared).double())


def test_an_infinite_alpha_leaves_the_finest_level() -> None:
    expected = [[0, 0, 0, 1 / 2], [0, 0, 0, 1]]
    assert decay_relevance(COUNTS, math.inf).tolist() == expected
    assert published_decay_relevance(COUNTS, math.inf).tolist() == expected


def test_no_shared_level_is_irrelevant_even_at_alpha_zero() -> None:
    assert decay_relevance(COUNTS, 0.0)[:, 0].tolist() == [0, 0]


@pytest.mark.parametrize("alpha", [-1.0, math.nan])
def test_alpha_must_not_be_negative(alpha: float) -> None:
    for function in (decay_relevance, published_decay_relevance):
        with pytest.raises(ValueError, match="alpha"):
            function(COUNTS, alpha)


@given(
    counts=st.lists(st.integers(0, 1000), min_size=2, max_size=7),
    alpha=st.floats(0, 100, allow_nan=False),
)
def test_the_published_relevance_is_the_same_up_to_a_scale(counts: list[int], alpha: float) -> None:
    table = torch.tensor([counts])
    exact, published = decay_relevance(table, alpha), published_decay_relevance(table, alpha)
    assert published.dtype == torch.float32
    assert torch.equal(exact > 1e-38, published > 1e-38) or alpha > 10
    if exact.sum() > 0:
        torch.testing.assert_close(
            published.double() / published.double().sum(),
            exact / exact.sum(),
            rtol=1e-6,
            atol=1e-30,
        )


def test_map_equals_the_hand_computed_values() -> None:
    # at least 1, 2, 3 levels: 6, 2, 2 items; then 3, 2, 1. Weights 0.2, 0.3, 0.5.
    first = [0, 0.2 / 6, 0.2 / 6 + 0.3 / 2, 0.2 / 6 + 0.3 / 2 + 0.5 / 2]
    second = [0, 0.2 / 3, 0.2 / 3 + 0.3 / 2, 0.2 / 3 + 0.3 / 2 + 0.5]
    table = map_relevance(COUNTS, [0.2, 0.3, 0.5])
    torch.testing.assert_close(table, torch.tensor([first, second]).double())


def test_map_weighs_all_levels_the_same_by_default() -> None:
    assert torch.equal(map_relevance(COUNTS), map_relevance(COUNTS, [1 / 3] * 3))


@pytest.mark.parametrize("weights", [[1.0], [1.0, 1.0, -1.0], []])
def test_map_wants_one_weight_a_level(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="3 levels"):
        map_relevance(COUNTS, weights)


def test_two_levels_of_equal_relevance_stay_apart() -> None:
    # Level 1 has one item and level 2 two: (1/2) / 1 and 1 / 2.
    level = torch.tensor([[2, 2, 1, 0]])
    table = decay_relevance(level_counts(level, 2))
    assert table.tolist() == [[0, 0.5, 0.5]]
    assert item_relevance(level, table).tolist() == [[0.5, 0.5, 0.5, 0]]


def test_the_relevance_of_a_level_is_shared_by_its_items() -> None:
    level = torch.tensor([[3, 3, 1, 0, 2, 1, 1]])
    items = item_relevance(level, decay_relevance(level_counts(level, 3)))
    totals = [float(items[level == depth].sum()) for depth in range(4)]
    assert totals == pytest.approx([0, 1 / 3, 2 / 3, 1])


@pytest.mark.parametrize("bad", [[1.0, math.nan, 1.0], [math.inf, 1.0, 1.0], [0.0, 0.0, 0.0]])
def test_map_wants_weights_that_make_a_mean(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        map_relevance(COUNTS, bad)
    assert map_relevance(COUNTS, [0.0, 0.0, 1.0])[1, 3] == 1


def test_labels_of_shape_n_are_one_level() -> None:
    labels, ref_labels = torch.tensor([4, 5]), torch.tensor([5, 4, 4])
    expected = [[0, 1, 1], [1, 0, 0]]
    assert shared_levels(labels, ref_labels).tolist() == expected
    assert shared_levels(labels[:, None], ref_labels).tolist() == expected
    with pytest.raises(ValueError, match="same L"):
        shared_levels(labels, torch.zeros((3, 2), dtype=torch.int64))


@pytest.mark.parametrize("shape", [(4,), (3, 1), (2, 3, 4)])
@pytest.mark.parametrize("function", [decay_relevance, published_decay_relevance, map_relevance])
def test_counts_of_another_shape_are_refused(
    function: Callable[[Tensor], Tensor], shape: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="counts"):
        function(torch.ones(shape, dtype=torch.int64))


def test_levels_may_be_any_integers_and_nothing_else() -> None:
    level = torch.tensor([[0, 2, 1]])
    for dtype in (torch.int32, torch.uint8):
        assert level_counts(level.to(dtype), 2).tolist() == [[1, 1, 1]]
    for dtype in (torch.float32, torch.bool):
        with pytest.raises(TypeError, match="level"):
            level_counts(level.to(dtype), 2)
    with pytest.raises(ValueError, match="level"):
        level_counts(level[0], 2)
