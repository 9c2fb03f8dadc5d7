import math
import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from hgld.losses import sup_hap_loss
from hgld.losses.ranking import rows, sums
from hgld.losses.ranking.ranks import rank_rows, smooth_rank
from hgld.losses.ranking.rows import RowValues, by_row
from hgld.losses.ranking.steps import sigmoid_step
from tests.worlds.plain.losses import tree_batch


class Seen(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own
    """Counts the operations, and notes the size of the largest tensor that any returns."""

    calls, elements = 0, 0

    def __torch_dispatch__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        self.calls += 1
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, list | tuple) else [result]:
            if isinstance(tensor, Tensor):
                self.elements = max(self.elements, tensor.numel())
        return result


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("smooth_h_ranks", [False, True])
def test_gradcheck(smooth_h_ranks: bool) -> None:
    embeddings, labels = tree_batch(7, 3, dim=3, seed=1)
    references, ref_labels = tree_batch(5, 3, dim=3, seed=2)
    function = partial(sup_hap_loss, smooth_h_ranks=smooth_h_ranks, offset=None, alpha=0.7)

    def loss(embeddings: Tensor, references: Tensor) -> Tensor:
        alone = function(embeddings, labels)
        return alone + function(
            embeddings, labels, ref_embeddings=references, ref_labels=ref_labels
        )

    inputs = (embeddings.requires_grad_(), references.requires_grad_())
    assert torch.autograd.gradcheck(loss, inputs, eps=1e-7, atol=1e-4, rtol=1e-3)


def test_each_query_of_an_unreduced_loss_has_its_own_gradient() -> None:
    embeddings, labels = tree_batch(9, 3, seed=1)
    leaf = embeddings.requires_grad_()
    weight = torch.arange(9.0).double()
    (together,) = torch.autograd.grad(sup_hap_loss(leaf, labels, reduction="none") @ weight, leaf)
    apart = torch.zeros_like(leaf)
    for query in range(9):
        value = sup_hap_loss(leaf, labels, reduction="none")[query]
        apart += weight[query] * torch.autograd.grad(value, leaf)[0]
    torch.testing.assert_close(together, apart)


def test_only_the_needed_is_computed_where_no_gradient_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("a gradient was computed")

    embeddings, labels = tree_batch(8)
    monkeypatch.setattr(torch.autograd, "grad", fail)
    sup_hap_loss(embeddings, labels)
    with torch.no_grad():
        sup_hap_loss(embeddings.requires_grad_(), labels)
    with pytest.raises(AssertionError, match="computed"):
        sup_hap_loss(embeddings, labels)


@pytest.fixture
def set_threads() -> Iterator[Callable[[int], None]]:
    """Sets the number of threads that torch uses, for one test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_threads_share_the_rows_out_and_change_no_bit(set_threads: Callable[[int], None]) -> None:
    embeddings, labels = tree_batch(400, 3, dim=16, seed=2)
    scores = (embeddings @ embeddings.T).requires_grad_()
    names: set[str] = set()

    def row(scores: Tensor, level: Tensor) -> RowValues:
        names.add(threading.current_thread().name)
        rank = smooth_rank(rank_rows(scores, level, 3), sigmoid_step(0.01))
        return RowValues(rank.sum(1), scores[:, 0] > -2)

    results = []
    for threads in (1, 3):
        set_threads(threads)
        names.clear()
        values, _ = by_row(scores, labels, labels, row)
        results.append((values, torch.autograd.grad(values.sum(), scores)[0]))
        assert (threading.current_thread().name in names) == (threads == 1)
    for one, other in zip(*results, strict=True):
        assert torch.equal(one, other)


def test_threads_run_torch_with_one_thread_each(set_threads: Callable[[int], None]) -> None:
    seen: set[tuple[bool, int]] = set()

    def row(scores: Tensor, _: Tensor) -> RowValues:
        ours = threading.current_thread() is threading.main_thread()
        seen.add((ours, torch.get_num_threads()))
        return RowValues(scores.sum(1), scores[:, 0] > -1)

    set_threads(3)
    labels = torch.zeros(400, 1, dtype=torch.int64)
    by_row(torch.zeros(400, 400), labels, labels, row)
    assert seen == {(False, 1)}
    assert torch.get_num_threads() == 3


def test_what_a_thread_raises_reaches_the_caller(set_threads: Callable[[int], None]) -> None:
    def fail(scores: Tensor, _: Tensor) -> RowValues:
        raise ValueError(f"no good: {scores.shape[1]}")

    set_threads(2)
    labels = torch.zeros(300, 1, dtype=torch.int64)
    with pytest.raises(ValueError, match="no good"):
        by_row(torch.zeros(300, 300), labels, labels, fail)


def test_the_loss_can_be_had_in_inference_mode() -> None:
    embeddings, labels = tree_batch(300, 3, dim=16)
    with torch.inference_mode():
        loss = sup_hap_loss(embeddings.clone(), labels)
    assert loss.item() == sup_hap_loss(embeddings, labels).item()


def test_no_tensor_of_the_size_of_all_triples_is_made(set_threads: Callable[[int], None]) -> None:
    set_threads(1)  # the count below sees what its own thread does
    embeddings, labels = tree_batch(300, 3, dim=16)
    leaf = embeddings.requires_grad_()
    with Seen() as seen:  # type: ignore[no-untyped-call]  # torch's own
        torch.autograd.grad(sup_hap_loss(leaf, labels), leaf)
    assert 300**2 <= seen.elements <= 1.1 * 300**2


def test_a_batch_in_one_part_takes_torch_few_operations(
    set_threads: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_threads(1)
    monkeypatch.setattr(sums, "_compiled", lambda: None)
    monkeypatch.setattr(rows, "_NUMBERS_AT_ONCE", 1 << 40)  # one part, as on a GPU
    embeddings, labels = tree_batch(128, 3, dim=256)
    leaf = embeddings.requires_grad_()
    with Seen() as seen:  # type: ignore[no-untyped-call]  # torch's own
        torch.autograd.grad(sup_hap_loss(leaf, labels), leaf)
    assert 200 < seen.calls <= 800


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("size", [24, 200])
def test_gradients_under_autocast_are_numbers(dtype: torch.dtype, size: int) -> None:
    embeddings, labels = tree_batch(size, 3, dim=16)
    layer = nn.Linear(16, 8, bias=False)
    inputs = embeddings.float().requires_grad_()
    with torch.autocast("cpu", dtype=dtype):
        output = nn.functional.normalize(layer(inputs), dim=1)
        half = output.to(dtype)
        loss = sup_hap_loss(half, labels)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(sup_hap_loss(half.float(), labels).item(), abs=1e-6)
    loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    for gradient in (inputs.grad, layer.weight.grad):
        assert gradient is not None
        assert gradient.isfinite().all()
        assert gradient.norm() > 0


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_no_number_is_not_hidden(bad: float) -> None:
    embeddings, labels = tree_batch(6, 2)
    embeddings[2, 0] = bad
    leaf = embeddings.requires_grad_()
    loss = sup_hap_loss(leaf, labels)
    assert loss.isnan()
    assert torch.autograd.grad(loss, leaf)[0].isnan().any()


def test_a_failing_row_leaves_the_others_alone() -> None:
    scores = torch.tensor([[0.1, math.nan], [0.1, 0.2]], requires_grad=True)
    labels = torch.zeros(2, 1, dtype=torch.int64)
    values, defined = by_row(scores, labels, labels, lambda s, _: RowValues(s.sum(1), s[:, 0] > 0))
    assert values.isnan().tolist() == [True, False]
    assert defined.tolist() == [True, True]
