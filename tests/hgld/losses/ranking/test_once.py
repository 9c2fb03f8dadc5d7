"""First derivatives with a graph are right; a second one is refused."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from hgld.losses import roadmap_loss, sup_hap_loss
from hgld.losses.ranking.rows import RowValues, by_row
from hgld.losses.ranking.steps import sigmoid_step
from hgld.losses.ranking.sums import step_sums
from tests.worlds.plain.losses import tree_batch

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
