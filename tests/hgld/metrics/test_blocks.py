"""Blocks of queries, of the index and of ranks change no number; nor do devices and precision."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from hgld.metrics import EvaluationSettings, evaluate, evaluation, ranking, similarity, streamed
from hgld.metrics.ranking import RankedIndex, in_threads
from hgld.metrics.similarity import (
    descending_bits,
    from_descending_bits,
    own_positions,
    similarity_dtype,
)
from hgld.metrics.streamed import Lists
from tests.worlds.plain.metric_cases import SETTINGS, Case, assert_same, cases, random_case


@given(cases(), st.integers(1, 9), st.integers(1, 9))
@settings(deadline=None, max_examples=40)
def test_blocks_of_any_size_give_the_same(case: Case, counts: int, columns: int) -> None:
    whole = case.evaluate()
    small = replace(SETTINGS, memory_bytes=40 * len(case.index))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streamed, "_CPU_COUNTS", counts)
        patch.setattr(similarity, "BLOCK_COLUMNS", columns)
        patch.setattr(ranking, "BLOCK_COLUMNS", columns)
        for dtype in (torch.float32, torch.float64):
            assert_same(case.evaluate(dtype, small), whole)


def normal_case(queries: int, items: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    query, index = (torch.randn(n, 64, generator=generator) for n in (queries, items))
    _, query_labels, _, index_labels = random_case(queries, items)
    return query, query_labels, index, index_labels


def test_blocks_do_not_change_the_rounding_of_similarities() -> None:
    case = normal_case(70, 5_000)
    case[2][1::2] = case[2][::2]  # each item twice: a tie, unless rounding tells them apart
    one = evaluate(*case)
    for queries in (1, 3, 16, 50):
        chosen = EvaluationSettings(memory_bytes=queries * 8 * 5_000)
        assert_same(one, evaluate(*case, settings=chosen))


def test_settings_of_training_do_not_reach_the_similarities() -> None:
    query, *rest = normal_case(20, 300)
    expected = evaluate(query, *rest)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            result = evaluate(query.clone().requires_grad_(), *rest)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
    assert_same(expected, result, 0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_gpu_gives_the_same(dtype: torch.dtype) -> None:
    query, query_labels, index, index_labels = random_case(37, 10_000)
    expected = evaluate(query, query_labels, index, index_labels)
    for place in ("cpu", "cuda"):  # where the index stands
        result = evaluate(
            query.to("cuda", dtype), query_labels, index.to(place, dtype), index_labels.to(place)
        )
        assert_same(expected, result)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_threads_change_no_number(dtype: torch.dtype, set_threads: Callable[[int], None]) -> None:
    query, query_labels, index, index_labels = random_case(37, 3_000)
    results = []
    for count in (1, 2, 5):
        set_threads(count)
        results.append(evaluate(query.to(dtype), query_labels, index.to(dtype), index_labels))
    for result in results[1:]:
        assert_same(results[0], result)


def test_a_thread_of_ours_runs_torch_with_one_and_later_ones_as_before(
    set_threads: Callable[[int], None],
) -> None:
    set_threads(3)
    used = []

    def note(part: int) -> None:
        used.append(torch.get_num_threads())
        raise KeyError(part)

    with suppress(KeyError):
        list(in_threads(2, note, range(2)))
    assert set(used) == {1}
    assert torch.get_num_threads() == 3
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == 3


def test_an_error_in_one_thread_is_raised_and_ends_the_others(
    monkeypatch: pytest.MonkeyPatch, set_threads: Callable[[int], None]
) -> None:
    set_threads(2)
    read, begun, raised = evaluation._read_lists, [], threading.Event()

    def fail_once(*block: Any) -> Lists:  # noqa: ANN401 - as it gets them
        begun.append(block)
        if len(begun) == 1:
            raised.set()
            raise OSError("the first block")
        raised.wait()
        return read(*block)

    monkeypatch.setattr(evaluation, "_read_lists", fail_once)
    chosen = EvaluationSettings(memory_bytes=2 * 8 * 100)  # one query a block, 100 blocks
    with pytest.raises(OSError, match="first"):
        evaluate(*random_case(100, 100), settings=chosen)
    assert len(begun) < 50


def test_memory_is_shared_by_the_threads_and_every_query_has_a_block() -> None:
    query, query_labels, index, index_labels = random_case(50, 100)
    ranked = RankedIndex(query, index, query_labels, index_labels, torch.full((50,), -1))
    bound = 6 * 8 * 100  # six queries
    blocks, workers = ranked.plan(ranked.counts(), bound)
    assert max(len(block) for block in blocks) * workers * 8 * 100 <= bound
    assert torch.cat(blocks).sort().values.tolist() == list(range(50))


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
