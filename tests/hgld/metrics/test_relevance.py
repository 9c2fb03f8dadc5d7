import math
from collections.abc import Callable, Sequence
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from hgld.metrics.relevance import (
    decay_relevance,
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
    assert shared_levels(query[0], index[:, :1]).tolist() == [[1, 0, 1, 1, 1], [0] * 5, [0] * 5]
    for other in (index[:, :2], index[:, :, None]):
        with pytest.raises(ValueError, match="same L"):
            shared_levels(query, other)
    for name, labels in (("labels", (query.float(), index)), ("ref_labels", (query, index / 2))):
        with pytest.raises(TypeError, match=f"^{name} "):
            shared_levels(*labels)


def test_items_of_each_level_are_counted() -> None:
    level = torch.tensor([[0, 2, 1, 2], [1, 1, 1, 1]])
    for dtype in (torch.int64, torch.int32, torch.uint8):
        assert level_counts(level.to(dtype), 2).tolist() == [[1, 1, 2], [0, 4, 0]]
    for wrong in (level.float(), level.bool()):
        with pytest.raises(TypeError, match="level"):
            level_counts(wrong, 2)
    with pytest.raises(ValueError, match="level"):
        level_counts(level[0], 2)


@pytest.mark.parametrize(
    ("relevance", "expected"),
    [
        # (1/3) / 4, nothing at the empty level 2, 1 / 2; then (1/3) / 1, (2/3) / 1, 1 / 1
        (decay_relevance, [[0, 1 / 12, 0, 1 / 2], [0, 1 / 3, 2 / 3, 1]]),
        (partial(decay_relevance, alpha=0.0), [[0, 1 / 4, 0, 1 / 2], [0, 1, 1, 1]]),
        (partial(decay_relevance, alpha=math.inf), [[0, 0, 0, 1 / 2], [0, 0, 0, 1]]),
        (partial(published_decay_relevance, alpha=math.inf), [[0, 0, 0, 1 / 2], [0, 0, 0, 1]]),
        # at least 1, 2, 3 levels: 6, 2, 2 items; then 3, 2, 1
        (
            partial(map_relevance, weights=[0.2, 0.3, 0.5]),
            [
                [0, 0.2 / 6, 0.2 / 6 + 0.3 / 2, 0.2 / 6 + 0.3 / 2 + 0.5 / 2],
                [0, 0.2 / 3, 0.2 / 3 + 0.3 / 2, 0.2 / 3 + 0.3 / 2 + 0.5],
            ],
        ),
        (map_relevance, [[0, 1 / 18, 2 / 9, 7 / 18], [0, 1 / 9, 5 / 18, 11 / 18]]),
    ],
)
def test_equals_the_hand_computed_values(
    relevance: Callable[[Tensor], Tensor], expected: Sequence[Sequence[float]]
) -> None:
    torch.testing.assert_close(relevance(COUNTS).double(), torch.tensor(expected).double())


@given(
    counts=st.lists(st.integers(0, 1000), min_size=2, max_size=7),
    alpha=st.floats(0, 20) | st.just(70.0),
)
def test_the_published_relevance_is_the_same_up_to_a_scale(counts: list[int], alpha: float) -> None:
    table = torch.tensor([counts])
    exact, published = decay_relevance(table, alpha), published_decay_relevance(table, alpha)
    assert published.dtype == torch.float32
    assert torch.equal(exact > 1e-38, published > 1e-38) or alpha > 10
    if exact.sum() > 1e-30:  # far from the end of single precision
        step = 2.0**-149 / float(exact.sum())  # between the smallest numbers of single precision
        scaled, published = exact / exact.sum(), published.double() / published.double().sum()
        torch.testing.assert_close(published, scaled, rtol=1e-6, atol=step)


@pytest.mark.parametrize(
    "weights",
    [[1.0], [1.0, 1.0, -1.0], [], [1.0, math.nan, 1.0], [math.inf, 1.0, 1.0], [0.0, 0.0, 0.0]],
)
def test_map_wants_a_weight_a_level_that_makes_a_mean(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="3 levels"):
        map_relevance(COUNTS, weights)
    assert map_relevance(COUNTS, [0.0, 0.0, 1.0])[1, 3] == 1


@pytest.mark.parametrize("function", [decay_relevance, published_decay_relevance, map_relevance])
def test_counts_of_another_shape_and_a_negative_alpha_are_refused(
    function: Callable[..., Tensor],
) -> None:
    for shape in ((4,), (3, 1), (2, 3, 4)):
        with pytest.raises(ValueError, match="counts"):
            function(torch.ones(shape, dtype=torch.int64))
    for alpha in (-1.0, math.nan) if function is not map_relevance else ():
        with pytest.raises(ValueError, match="alpha"):
            function(COUNTS, alpha)
