from contextlib import suppress

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hgld.metrics.similarity import (
    descending_bits,
    from_descending_bits,
    full_precision,
    own_positions,
    pad_queries,
    similarity_blocks,
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


@pytest.mark.parametrize("items", [1, 63, 64, 65, 2048, 2049, 9000])
def test_blocks_cover_the_index_once_and_in_order(items: int) -> None:
    generator = torch.Generator().manual_seed(0)
    queries, index = (torch.randint(-9, 9, (n, 5), generator=generator).float() for n in (3, items))
    starts, blocks = [], []
    for start, block in similarity_blocks(pad_queries(queries), index):
        starts.append(start)
        blocks.append(block[:3].clone())
    assert starts == list(range(0, items, 2048))
    assert torch.equal(torch.cat(blocks, dim=1), queries @ index.T)


def test_similarities_do_not_depend_on_the_block_they_are_computed_in() -> None:
    generator = torch.Generator().manual_seed(0)
    queries, index = (torch.randn(n, 100, generator=generator) for n in (40, 5000))

    def similarities(chosen: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        blocks = similarity_blocks(pad_queries(chosen), items)
        return torch.cat([block[: len(chosen)].clone() for _, block in blocks], dim=1)

    with full_precision():
        whole = similarities(queries, index)
        for rows in (1, 2, 7, 16, 17):
            parts = [similarities(part, index) for part in queries.split(rows)]  # type: ignore[no-untyped-call] # untyped in torch
            assert torch.equal(torch.cat(parts), whole)
        for columns in (64, 640, 2048):
            parts = [similarities(queries, index[i : i + columns]) for i in range(0, 5000, columns)]
            assert torch.equal(torch.cat(parts, dim=1), whole)


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


def test_products_are_in_full_precision_whatever_was_set() -> None:
    generator = torch.Generator().manual_seed(0)
    queries, index = (torch.randn(n, 512, generator=generator) for n in (64, 2048))

    def product() -> torch.Tensor:
        return next(similarity_blocks(queries, index))[1].clone()

    before = torch.get_float32_matmul_precision()
    expected = product()
    try:
        torch.set_float32_matmul_precision("medium")
        coarse = product()
        with suppress(KeyError), full_precision():
            assert torch.equal(product(), expected)
            raise KeyError
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
    if torch.equal(coarse, expected):
        pytest.skip("needs a processor that multiplies in bfloat16 when it may")
