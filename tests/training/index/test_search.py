import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hgld.metrics import similarity
from hgld.training.index import search as search_module
from hgld.training.index.search import top_k
from tests.worlds.plain import metrics as plain
from tests.worlds.plain.metric_cases import random_case


@st.composite
def searches(draw: st.DrawFn) -> tuple[list[list[int]], list[list[int]], list[int], int]:
    """Queries, index, the position of each query in the index or -1, and k."""
    vectors = st.lists(st.integers(-2, 2), min_size=2, max_size=2)
    index = draw(st.lists(vectors, min_size=2, max_size=9))
    own = draw(st.lists(st.integers(-1, len(index) - 1), min_size=1, max_size=4))
    queries = [index[place] if place >= 0 else draw(vectors) for place in own]
    return queries, index, own, draw(st.integers(1, len(index) - 1))


@given(
    searches(), st.sampled_from([torch.float16, torch.float32, torch.float64]), st.integers(1, 9)
)
@settings(deadline=None, max_examples=50)
def test_finds_what_sorting_the_whole_index_finds(
    search: tuple[list[list[int]], list[list[int]], list[int], int],
    dtype: torch.dtype,
    columns: int,
) -> None:
    queries, index, own, k = search
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(similarity, "BLOCK_COLUMNS", columns)
        patch.setattr(search_module, "BLOCK_COLUMNS", columns)
        found = top_k(
            torch.tensor(queries, dtype=dtype),
            torch.tensor(index, dtype=dtype),
            k,
            query_ids=[place if place >= 0 else 100 + q for q, place in enumerate(own)],
            index_ids=range(len(index)),
        )
    for query, (vector, place) in enumerate(zip(queries, own, strict=True)):
        order = plain.plain_order(vector, index, place)[:k]
        assert found.indices[query].tolist() == order
        expected = [float(sum(a * b for a, b in zip(vector, index[i], strict=True))) for i in order]
        assert found.values[query].tolist() == expected
    assert found.values.dtype == torch.float32


@pytest.mark.parametrize(("queries", "k"), [(0, 2), (1, 1), (3, 9_000), (257, 50)])
def test_searches_an_index_of_many_blocks_for_queries_of_many_blocks(queries: int, k: int) -> None:
    query, _, index, _ = random_case(max(queries, 1), 9_000)
    query = query[:queries].requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = top_k(query, index, k)
    expected = (query.detach() @ index.T).sort(dim=1, descending=True, stable=True)
    assert torch.equal(found.indices, expected.indices[:, :k])
    assert torch.equal(found.values, expected.values[:, :k])
    assert not found.values.requires_grad


def test_refuses_what_cannot_be() -> None:
    query, index, ids = torch.ones(1, 2), torch.ones(3, 2), ["a", "b", "c"]
    for k in (0, 4):
        with pytest.raises(ValueError, match="k must"):
            top_k(query, index, k)
    with pytest.raises(ValueError, match="k must"):  # the query itself is not found
        top_k(query, index, 3, query_ids=["b"], index_ids=ids)
    with pytest.raises(ValueError, match="same D"):
        top_k(query, torch.ones(3, 3), 1)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_finds_the_same() -> None:
    query, _, index, _ = random_case(300, 10_000)
    expected = top_k(query, index, 20)
    for place in ("cpu", "cuda"):  # where the index is
        found = top_k(query.cuda(), index.to(place), 20)
        assert torch.equal(found.indices.cpu(), expected.indices)
