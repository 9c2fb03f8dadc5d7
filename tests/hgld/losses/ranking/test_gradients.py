"""Gradients: by row, in threads, within memory; a second derivative is refused."""

import math
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from hgld.losses import roadmap_loss, sup_hap_loss
from hgld.losses.ranking import rows, sums
from hgld.losses.ranking.rows import RowValues, by_row
from hgld.losses.ranking.steps import sigmoid_step
from hgld.losses.ranking.sums import rank_rows, smooth_rank, step_sums
from tests.worlds.plain.losses import tree_batch


class Seen(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own
    """Counts the operations, and notes the size of the largest tensor that any returns."""

    calls, elements = 0, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401 - as torch has it
        self.calls += 1
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, list | tuple) else [result]:
            if isinstance(tensor, Tensor):
                self.elements = max(self.elements, tensor.numel())
        return result


def seen_in_a_loss(embeddings: Tensor, labels: Tensor) -> Seen:
    leaf, seen = embeddings.requires_grad_(), Seen()  # type: ignore[no-untyped-call]  # torch's own
    with seen:
        torch.autograd.grad(sup_hap_loss(leaf, labels), leaf)
    return seen


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
    assert all(map(torch.equal, *results))


def test_the_loss_can_be_had_in_inference_mode() -> None:
    embeddings, labels = tree_batch(300, 3, dim=16)
    with torch.inference_mode():
        loss = sup_hap_loss(embeddings.clone(), labels)
    assert loss.item() == sup_hap_loss(embeddings, labels).item()


def test_no_tensor_of_the_size_of_all_triples_is_made(set_threads: Callable[[int], None]) -> None:
    set_threads(1)  # the count below sees what its own thread does
    seen = seen_in_a_loss(*tree_batch(300, 3, dim=16))
    assert 300**2 <= seen.elements <= 1.1 * 300**2


def test_a_batch_in_one_part_takes_torch_few_operations(
    set_threads: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_threads(1)
    monkeypatch.setattr(sums, "_compiled", lambda: None)
    monkeypatch.setattr(rows, "_NUMBERS_AT_ONCE", 1 << 40)  # one part, as on a GPU
    assert 200 < seen_in_a_loss(*tree_batch(128, 3, dim=256)).calls <= 800


def test_a_failing_row_leaves_the_others_alone() -> None:
    scores = torch.tensor([[0.1, math.nan], [0.1, 0.2]], requires_grad=True)
    labels = torch.zeros(2, 1, dtype=torch.int64)
    values, defined = by_row(scores, labels, labels, lambda s, _: RowValues(s.sum(1), s[:, 0] > 0))
    assert values.isnan().tolist() == [True, False]
    assert defined.tolist() == [True, True]


UNREDUCED = partial(sup_hap_loss, reduction="none")
jacobian: Callable[..., Tensor] = torch.autograd.functional.jacobian
hessian: Callable[..., Tensor] = torch.autograd.functional.hessian  # torch leaves it untyped
TEXT = "second derivative"


@pytest.mark.parametrize("function", [sup_hap_loss, roadmap_loss, UNREDUCED])
def test_a_second_derivative_is_refused_and_a_first_with_a_graph_is_that_without(
    function: Callable[..., Tensor],
) -> None:
    embeddings, labels = tree_batch(9, 3, seed=1)
    leaf = embeddings.requires_grad_()
    # A weight that needs a gradient itself, as one that is learnt would.
    weight = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    loss = weight * function(leaf, labels).sum()
    plain = torch.autograd.grad(loss, (leaf, weight), retain_graph=True)
    with_graph = torch.autograd.grad(loss, (leaf, weight), create_graph=True)
    assert all(map(torch.equal, plain, with_graph))
    (slope,) = torch.autograd.grad(with_graph[0].sum(), weight, retain_graph=True)
    assert slope.item() == pytest.approx(plain[0].sum().item() / 2)
    with pytest.raises(RuntimeError, match=TEXT):
        torch.autograd.grad(with_graph[0].square().sum(), leaf)
    with pytest.raises(RuntimeError, match=TEXT):
        hessian(lambda x: function(x, labels).sum(), embeddings.detach())


def test_a_batch_of_gradients_is_that_of_a_loop_and_differentiated_no_further() -> None:
    embeddings, labels = tree_batch(5, 3, seed=1)
    loss = partial(UNREDUCED, labels=labels)
    together, apart = (jacobian(loss, embeddings, vectorize=flag) for flag in (True, False))
    torch.testing.assert_close(together, apart)
    leaf, each = embeddings.requires_grad_(), torch.eye(5, dtype=torch.float64)
    batched = partial(torch.autograd.grad, is_grads_batched=True, create_graph=True)
    for values in (
        jacobian(loss, leaf, create_graph=True, vectorize=True),
        batched(loss(leaf), leaf, each)[0],
    ):
        with pytest.raises(RuntimeError, match=TEXT):
            torch.autograd.grad(values.square().sum(), leaf)


def test_a_second_derivative_of_sums_is_refused() -> None:
    scores = torch.rand(2, 5).double().sort(1).values.requires_grad_()
    level, table = torch.zeros(2, 5, dtype=torch.int64), torch.ones(1, 1, 1).double()
    value = step_sums(scores, level, table, sigmoid_step(0.1))
    (with_graph,) = torch.autograd.grad(value.square().sum(), scores, create_graph=True)
    with pytest.raises(RuntimeError, match="twice"):
        with_graph.square().sum().backward()  # type: ignore[no-untyped-call]  # torch's own


def test_the_scores_are_not_kept_for_the_backward_pass() -> None:
    leaf, labels = torch.rand(6, 6, requires_grad=True), torch.zeros(6, 1, dtype=torch.int64)
    values, _ = by_row(leaf * 2, labels, labels, lambda s, _: RowValues(s.sum(1), s[:, 0] > -1))
    kept = values.grad_fn.saved_tensors  # type: ignore[union-attr]
    # The gradient of all pairs, and one number by which a second derivative is noticed.
    assert sorted(each.untyped_storage().nbytes() for each in kept) == [4, 4 * 36]
