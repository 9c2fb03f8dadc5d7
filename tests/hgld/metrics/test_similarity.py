import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hgld.metrics.similarity import (
    descending_bits,
    from_descending_bits,
    own_positions,
    similarity_dtype,
)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=2))
@example([0.0, -0.0])
def test_bits_are_ordered_against_the_numbers_and_give_them_back(values: list[float]) -> None:
    numbers = torch.tensor([values], dtype=torch.float32)
    bits = descending_bits(numbers, torch.empty_like(numbers, dtype=torch.int32))
    first, second = bits[0, :2].tolist()
    assert (first < second) == (values[0] > values[1])
    assert (first == second) == (values[0] == values[1])
    assert from_descending_bits(bits)[0].tolist() == values


def test_half_precision_is_widened_and_double_is_kept() -> None:
    half, single, double = (
        torch.ones(1, 1, dtype=dtype) for dtype in (torch.bfloat16, torch.float32, torch.float64)
    )
    assert similarity_dtype(half, half) == torch.float32
    assert similarity_dtype(single, double) == torch.float64


def test_positions_are_found_by_id_and_missing_ones_marked() -> None:
    numbers = own_positions(torch.tensor([5, 9]), torch.tensor([9, 7, 5]), 2, 3)
    words = own_positions(["x", "b"], ["a", "b"], 2, 2)
    assert numbers.tolist() == [2, 0]
    assert words.tolist() == [-1, 1]
    assert own_positions(None, None, 2, 3).tolist() == [-1, -1]
