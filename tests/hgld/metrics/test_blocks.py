"""Blocks of queries, of the index and of ranks change no number; nor do devices and precision."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hgld.metrics import EvaluationSettings, evaluate, evaluation, similarity
from hgld.metrics.streamed import sums
from hgld.metrics.streamed.lists import Lists
from hgld.metrics.streamed.ranking import Hierarchy, RankedBlock, plan_ranking
from tests.worlds.plain.metric_cases import Case, assert_same, cases, random_case


@pytest.fixture
def threads() -> Iterator[int]:
    """How many threads torch has, put back after the test."""
    before = torch.get_num_threads()
    yield before
    torch.set_num_threads(before)


@given(cases(), st.integers(1, 9), st.integers(1, 9))
@settings(deadline=None, max_examples=40)
def test_blocks_of_any_size_give_the_same(case: Case, counts: int, columns: int) -> None:
    whole = case.evaluate()
    memory_bytes = 40 * len(case.index)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sums, "_CPU_COUNTS", counts)
        patch.setattr(similarity, "BLOCK_COLUMNS", columns)
        patch.setattr("hgld.metrics.streamed.ranking.BLOCK_COLUMNS", columns)
        for dtype in (torch.float32, torch.float64):
            small = EvaluationSettings(
                recall_at=(1, 4),
                average_precision_at=(3,),
                mistake_severity_at=(1, 4),
                memory_bytes=memory_bytes,
            )
            assert_same(case.evaluate(dtype, small), whole)


def test_blocks_of_a_larger_index_give_the_same() -> None:
    arguments = random_case(37, 10_000)
    whole = evaluate(*arguments)
    for memory_bytes in (8 * 10_000, 3 * 8 * 10_000, 20 * 8 * 10_000):
        parts = evaluate(*arguments, settings=EvaluationSettings(memory_bytes=memory_bytes))
        assert_same(whole, parts, 1e-12)


def test_single_and_double_precision_rank_alike() -> None:
    query, query_labels, index, index_labels = random_case(20, 5_000)
    one = evaluate(query, query_labels, index, index_labels)
    other = evaluate(query.double(), query_labels, index.double(), index_labels)
    assert_same(one, other, 0)


def test_blocks_do_not_change_the_rounding_of_similarities() -> None:
    generator = torch.Generator().manual_seed(0)
    query, index = (torch.randn(n, 64, generator=generator) for n in (70, 5_000))
    _, query_labels, _, index_labels = random_case(70, 5_000)
    index[1::2] = index[::2]  # each item twice: a tie, unless rounding tells them apart
    one = evaluate(query, query_labels, index, index_labels)
    for queries in (1, 3, 16, 50):
        chosen = EvaluationSettings(memory_bytes=queries * 8 * 5_000)
        assert_same(one, evaluate(query, query_labels, index, index_labels, settings=chosen), 1e-12)


def test_too_little_memory_for_one_query_is_refused() -> None:
    chosen = EvaluationSettings(memory_bytes=8 * 100 - 1)
    with pytest.raises(ValueError, match="memory_bytes"):
        evaluate(*random_case(2, 100), settings=chosen)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("count", [1, 2])
def test_settings_of_training_do_not_reach_the_similarities(count: int) -> None:
    generator = torch.Generator().manual_seed(0)
    _, query_labels, _, index_labels = random_case(20, 300)
    query, index = (torch.randn(n, 64, generator=generator) for n in (20, 300))
    expected = evaluate(query, query_labels, index, index_labels)
    before = torch.get_float32_matmul_precision()
    torch.set_num_threads(count)
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            trained = query.clone().requires_grad_()
            result = evaluate(trained, query_labels, index, index_labels)
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


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_threads_change_no_number(dtype: torch.dtype) -> None:
    query, query_labels, index, index_labels = random_case(37, 3_000)
    results = []
    for count in (1, 2, 5):
        torch.set_num_threads(count)
        results.append(evaluate(query.to(dtype), query_labels, index.to(dtype), index_labels))
        assert torch.get_num_threads() == count
    for result in results[1:]:
        assert_same(results[0], result)


@pytest.mark.usefixtures("threads")
def test_an_error_in_one_thread_is_raised_and_ends_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.set_num_threads(2)
    read, begun, raised = evaluation._read_lists, [], threading.Event()

    def fail_once(
        block: RankedBlock,
        tree: Hierarchy,
        counts: Tensor,
        chosen: EvaluationSettings,
        rest: Tensor,
    ) -> Lists:
        begun.append(block)
        if len(begun) == 1:
            raised.set()
            raise OSError("the first block")
        raised.wait()
        return read(block, tree, counts, chosen, rest)

    monkeypatch.setattr(evaluation, "_read_lists", fail_once)
    chosen = EvaluationSettings(memory_bytes=2 * 8 * 100)  # one query a block, 100 blocks
    with pytest.raises(OSError, match="first"):
        evaluate(*random_case(100, 100), settings=chosen)
    assert len(begun) < 50


@pytest.mark.usefixtures("threads")
def test_threads_started_later_have_as_many_of_torch_s_threads_as_before() -> None:
    torch.set_num_threads(2)
    evaluate(*random_case(20, 100))
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == 2


def test_memory_is_shared_by_the_threads_and_every_query_has_a_block() -> None:
    query, _, index, _ = random_case(50, 100)
    counts = torch.randint(0, 9, (50, 4))
    bound = 6 * 8 * 100  # six queries
    plan = plan_ranking(query, index, counts, bound)
    assert max(len(block) for block in plan.blocks) * plan.workers * 8 * 100 <= bound
    assert torch.cat(plan.blocks).sort().values.tolist() == list(range(50))
