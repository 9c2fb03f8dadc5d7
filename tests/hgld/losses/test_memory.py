import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from hgld.losses import sup_hap_loss
from hgld.losses.memory import CrossBatchMemory
from tests.worlds.plain.losses import tree_batch


class NewElements(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own
    """Counts the floating point elements that operations write to memory of their own."""

    count = 0

    def __torch_dispatch__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        result = func(*args, **(kwargs or {}))
        held = {each.untyped_storage().data_ptr() for each in args if isinstance(each, Tensor)}
        if isinstance(result, Tensor) and result.is_floating_point():
            is_new = result.untyped_storage().data_ptr() not in held
            self.count += result.numel() if is_new else 0
        return result


@settings(deadline=None, max_examples=40)
@given(size=st.integers(1, 12), batches=st.lists(st.integers(0, 15), max_size=6))
def test_the_memory_holds_the_last_items_in_order(size: int, batches: list[int]) -> None:
    memory = CrossBatchMemory(size, embedding_dim=2, levels=1)
    everything: list[int] = []
    for count in batches:
        new = list(range(len(everything), len(everything) + count))
        labels = torch.tensor(new, dtype=torch.int64)[:, None]
        memory.append(labels.expand(-1, 2).float(), labels)
        everything += new
    embeddings, labels = memory.contents()
    assert labels.flatten().tolist() == everything[-size:]
    assert embeddings[:, 0].tolist() == everything[-size:]
    assert len(memory) == min(size, len(everything))


def test_contents_carry_no_gradient_and_are_copies() -> None:
    memory = CrossBatchMemory(4, embedding_dim=3, levels=1)
    batch = torch.ones(2, 3, requires_grad=True)
    memory.append(batch * 2, torch.zeros(2, 1, dtype=torch.int64))
    embeddings, _ = memory.contents()
    assert not embeddings.requires_grad
    embeddings.zero_()
    assert memory.contents()[0].sum() == 12


def test_references_are_the_batch_and_then_the_memory() -> None:
    memory = CrossBatchMemory(8, embedding_dim=8, levels=2)
    old, old_labels = tree_batch(6, 2, seed=1)
    new, new_labels = tree_batch(5, 2, seed=2)
    memory.append(old, old_labels)
    leaf = new.requires_grad_()
    references, ref_labels = memory.with_batch(leaf, new_labels)
    assert torch.equal(references[:5], leaf)
    torch.testing.assert_close(references[5:], old, rtol=1e-6, atol=1e-6)
    assert torch.equal(ref_labels, torch.cat([new_labels, old_labels]))
    loss = sup_hap_loss(leaf, new_labels, ref_embeddings=references, ref_labels=ref_labels)
    assert torch.autograd.grad(loss, leaf)[0].norm() > 0


@pytest.mark.parametrize("seen", [200, 500, 720])
def test_references_are_one_copy_of_batch_and_memory(seen: int) -> None:
    memory = CrossBatchMemory(500, embedding_dim=8, levels=1)
    memory.append(torch.ones(seen, 8), torch.arange(seen))
    batch, labels = torch.ones(10, 8), torch.arange(10)
    with NewElements() as new:  # type: ignore[no-untyped-call]  # torch's own
        references, _ = memory.with_batch(batch, labels)
    assert new.count == references.numel() == 8 * (10 + min(seen, 500))


def test_labels_of_shape_b_are_one_level() -> None:
    memory = CrossBatchMemory(3, embedding_dim=2, levels=1)
    memory.append(torch.ones(2, 2), torch.tensor([4, 5]))
    assert memory.contents()[1].tolist() == [[4], [5]]
    _, labels = memory.with_batch(torch.ones(1, 2), torch.tensor([6]))
    assert labels.tolist() == [[6], [4], [5]]
    with pytest.raises(ValueError, match=r"\(1,\)"):
        CrossBatchMemory(3, embedding_dim=2, levels=2).with_batch(torch.ones(1, 2), labels[0])


def test_an_empty_memory_changes_no_loss() -> None:
    embeddings, labels = tree_batch(9, 2)
    references, ref_labels = CrossBatchMemory(8, 8, 2).with_batch(embeddings, labels)
    loss = sup_hap_loss(embeddings, labels, ref_embeddings=references, ref_labels=ref_labels)
    assert loss.item() == sup_hap_loss(embeddings, labels).item()


def test_a_saved_memory_goes_on_where_it_was() -> None:
    memory, copy = (CrossBatchMemory(5, embedding_dim=8, levels=2) for _ in range(2))
    memory.append(*tree_batch(7, 2, seed=1))
    copy.load_state_dict(memory.state_dict())
    for each in (memory, copy):
        each.append(*tree_batch(2, 2, seed=2))
    for one, other in zip(memory.contents(), copy.contents(), strict=True):
        assert torch.equal(one, other)


def test_half_precision_batches_are_remembered_in_single() -> None:
    memory = CrossBatchMemory(4, embedding_dim=2, levels=1)
    memory.append(torch.ones(1, 2, dtype=torch.bfloat16), torch.zeros(1, 1, dtype=torch.int64))
    assert memory.contents()[0].dtype == torch.float32
    batch = torch.ones(1, 2, dtype=torch.float16)
    references, _ = memory.with_batch(batch, torch.zeros(1, 1, dtype=torch.int64))
    assert references.dtype == torch.float16


def test_reset_forgets_everything() -> None:
    memory = CrossBatchMemory(4, embedding_dim=2, levels=1)
    memory.append(torch.ones(3, 2), torch.zeros(3, 1, dtype=torch.int64))
    memory.reset()
    assert len(memory) == 0
    assert memory.contents()[0].shape == (0, 2)


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
    for method in (memory.append, memory.with_batch):
        wrong: tuple[tuple[Any, Any, type[Exception], str], ...] = (
            (embeddings.numpy(), labels, TypeError, "embeddings"),
            (embeddings, labels.tolist(), TypeError, "labels"),
            (embeddings, labels.float(), TypeError, "labels"),
            (embeddings.long(), labels, TypeError, "embeddings"),
            (torch.ones(3, 3), torch.zeros(3, 1, dtype=torch.int64), ValueError, r"\(3, 3\)"),
            (torch.ones(3, 2), labels, ValueError, r"\(3, 2\)"),
        )
        for one, other, error, word in wrong:
            with pytest.raises(error, match=word):
                method(one, other)
    assert len(memory) == 0
    with pytest.raises(ValueError, match="positive"):
        CrossBatchMemory(0, embedding_dim=2, levels=1)
