import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hgld.losses import CrossBatchMemory
from tests.worlds.plain.losses import tree_batch


@settings(deadline=None, max_examples=40)
@given(size=st.integers(1, 12), batches=st.lists(st.integers(0, 15), max_size=6))
def test_the_memory_holds_the_last_items_in_order_and_goes_on_when_loaded(
    size: int, batches: list[int]
) -> None:
    memory = CrossBatchMemory(size, embedding_dim=2, levels=1)
    everything: list[int] = []
    for count in batches:
        new = list(range(len(everything), len(everything) + count))
        labels = torch.tensor(new, dtype=torch.int64)
        saved, memory = memory, CrossBatchMemory(size, embedding_dim=2, levels=1)
        memory.load_state_dict(saved.state_dict())
        memory.append(labels[:, None].expand(-1, 2).float(), labels)
        everything += new
    embeddings, labels = memory.contents()
    assert labels.flatten().tolist() == everything[-size:]
    assert embeddings[:, 0].tolist() == everything[-size:]
    assert len(memory) == min(size, len(everything))


def test_contents_carry_no_gradient_and_are_copies_in_single_precision() -> None:
    memory = CrossBatchMemory(4, embedding_dim=3, levels=1)
    batch = torch.ones(2, 3, dtype=torch.bfloat16, requires_grad=True)
    memory.append(batch * 2, torch.zeros(2, 1, dtype=torch.int64))
    embeddings, _ = memory.contents()
    assert (embeddings.dtype, embeddings.requires_grad) == (torch.float32, False)
    embeddings.zero_()
    assert memory.contents()[0].sum() == 12


def test_references_are_the_batch_and_then_the_memory() -> None:
    memory = CrossBatchMemory(8, embedding_dim=8, levels=2)
    leaf, labels = tree_batch(5, 2, seed=2)
    leaf.requires_grad_()
    assert all(map(torch.equal, memory.with_batch(leaf, labels), (leaf, labels)))
    old, old_labels = tree_batch(6, 2, seed=1)
    memory.append(old, old_labels)
    references, ref_labels = memory.with_batch(leaf, labels)
    torch.testing.assert_close(references, torch.cat([leaf, old]), rtol=1e-6, atol=1e-6)
    assert torch.equal(ref_labels, torch.cat([labels, old_labels]))
    assert torch.autograd.grad(references.sum(), leaf)[0].tolist() == [[1.0] * 8] * 5


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e300])  # the last overflows in the memory
def test_what_is_no_number_is_refused_and_nothing_is_lost(bad: float) -> None:
    memory = CrossBatchMemory(4, embedding_dim=2, levels=1)
    memory.append(torch.ones(2, 2), torch.zeros(2, 1, dtype=torch.int64))
    wrong = torch.tensor([[0.0, bad]], dtype=torch.float64)
    with pytest.raises(ValueError, match="finite"):
        memory.append(wrong, torch.zeros(1, 1, dtype=torch.int64))
    assert memory.contents()[0].tolist() == [[1, 1], [1, 1]]


def test_what_does_not_fit_is_refused() -> None:
    memory = CrossBatchMemory(4, embedding_dim=2, levels=1)
    embeddings, labels = torch.ones(2, 2), torch.zeros(2, 1, dtype=torch.int64)
    wrong: tuple[tuple[Any, Any, type[Exception], str], ...] = (
        (embeddings.numpy(), labels, TypeError, "embeddings"),
        (embeddings, labels.tolist(), TypeError, "labels"),
        (embeddings.long(), labels, TypeError, "embeddings"),
        (torch.ones(2, 3), labels, ValueError, r"\(2, 3\)"),
        (torch.ones(3, 2), labels, ValueError, r"\(3, 2\)"),
        (embeddings, torch.zeros(2, 2, dtype=torch.int64), ValueError, r"\(2, 2\)"),
    )
    for method in (memory.append, memory.with_batch):
        for one, other, error, word in wrong:
            with pytest.raises(error, match=word):
                method(one, other)
    assert len(memory) == 0
    for sizes in ((0, 2, 1), (4, 0, 1), (4, 2, 0)):
        with pytest.raises(ValueError, match="positive"):
            CrossBatchMemory(*sizes)
