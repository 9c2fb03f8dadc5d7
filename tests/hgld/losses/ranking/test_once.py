"""First derivatives with a graph are right; a second one is refused."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from hgld.losses import (
    recall_at_k_loss,
    roadmap_loss,
    smooth_ap_loss,
    smooth_hap_loss,
    smooth_ndcg_loss,
    soft_bin_ap_loss,
    sup_ap_loss,
    sup_hap_loss,
    sup_ndcg_loss,
)
from hgld.losses.ranking.rows import RowValues, by_row
from hgld.losses.ranking.steps import sigmoid_step
from hgld.losses.ranking.sums import step_sums
from tests.worlds.plain.losses import tree_batch

LOSSES: dict[str, Callable[..., Tensor]] = {
    "recall_at_k": recall_at_k_loss,
    "roadmap": roadmap_loss,
    "smooth_ap": smooth_ap_loss,
    "smooth_hap": smooth_hap_loss,
    "smooth_ndcg": smooth_ndcg_loss,
    "soft_bin_ap": soft_bin_ap_loss,
    "sup_ap": sup_ap_loss,
    "sup_hap": sup_hap_loss,
    "sup_hap, unreduced": partial(sup_hap_loss, reduction="none"),
    "sup_ndcg": sup_ndcg_loss,
}
jacobian: Callable[..., Tensor] = torch.autograd.functional.jacobian
hessian: Callable[..., Tensor] = torch.autograd.functional.hessian  # torch leaves it untyped
TEXT = "second derivative"


@pytest.mark.parametrize("name", LOSSES)
def test_a_first_derivative_with_a_graph_is_that_without(name: str) -> None:
    embeddings, labels = tree_batch(9, 3, seed=1)
    leaf = embeddings.requires_grad_()
    # A weight that needs a gradient itself, as one that is learnt would.
    weight = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    found = []
    for create_graph in (False, True):
        loss = (weight * LOSSES[name](leaf, labels)).sum()
        found.append(torch.autograd.grad(loss, (leaf, weight), create_graph=create_graph))
    for plain, with_graph in zip(*found, strict=True):
        assert torch.equal(plain, with_graph)
    assert found[0][0].norm() > 0


@pytest.mark.parametrize("name", LOSSES)
def test_a_second_derivative_is_refused(name: str) -> None:
    embeddings, labels = tree_batch(9, 3, seed=1)
    leaf = embeddings.requires_grad_()
    loss = LOSSES[name](leaf, labels).sum()
    (gradient,) = torch.autograd.grad(loss, leaf, create_graph=True)
    with pytest.raises(RuntimeError, match=TEXT):
        torch.autograd.grad(gradient.square().sum(), leaf)
    with pytest.raises(RuntimeError, match=TEXT):
        hessian(lambda x: LOSSES[name](x, labels).sum(), embeddings.detach())


UNREDUCED = [name for name in LOSSES if name != "roadmap"]


@pytest.mark.parametrize("name", UNREDUCED)
def test_a_second_derivative_of_a_batch_of_gradients_is_refused(name: str) -> None:
    embeddings, labels = tree_batch(5, 3, seed=1)
    leaf = embeddings.requires_grad_()
    loss = partial(LOSSES[name], labels=labels, reduction="none")
    values = jacobian(loss, leaf, create_graph=True, vectorize=True)
    with pytest.raises(RuntimeError, match=TEXT):
        torch.autograd.grad(values.square().sum(), leaf)
    value, each = loss(leaf), torch.eye(5, dtype=torch.float64)
    (values,) = torch.autograd.grad(value, leaf, each, is_grads_batched=True, create_graph=True)
    with pytest.raises(RuntimeError, match=TEXT):
        torch.autograd.grad(values.square().sum(), leaf)


@pytest.mark.parametrize("name", UNREDUCED)
def test_a_batch_of_gradients_is_that_of_a_loop(name: str) -> None:
    embeddings, labels = tree_batch(5, 3, seed=1)
    loss = partial(LOSSES[name], labels=labels, reduction="none")
    together, apart = (jacobian(loss, embeddings, vectorize=flag) for flag in (True, False))
    assert apart.norm() > 0
    torch.testing.assert_close(together, apart)


def test_a_gradient_is_linear_in_the_weight_of_its_loss() -> None:
    embeddings, labels = tree_batch(9, 3, seed=1)
    leaf = embeddings.requires_grad_()
    weight = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    loss = weight * sup_hap_loss(leaf, labels)
    (gradient,) = torch.autograd.grad(loss, leaf, create_graph=True)
    (slope,) = torch.autograd.grad(gradient.sum(), weight)
    assert slope.item() == pytest.approx(gradient.sum().item() / 2)


def test_a_second_derivative_is_refused_for_references_too() -> None:
    embeddings, labels = tree_batch(9, 3, seed=1)
    leaf = embeddings.clone().requires_grad_()
    loss = sup_hap_loss(embeddings, labels, ref_embeddings=leaf, ref_labels=labels)
    (gradient,) = torch.autograd.grad(loss, leaf, create_graph=True)
    with pytest.raises(RuntimeError, match=TEXT):
        torch.autograd.grad(gradient.sum(), leaf)


def test_a_second_derivative_of_sums_is_refused() -> None:
    scores = torch.rand(2, 5).double().sort(1).values.requires_grad_()
    level, table = torch.zeros(2, 5, dtype=torch.int64), torch.ones(1, 1, 1).double()
    value = step_sums(scores, level, table, sigmoid_step(0.1))
    (plain,) = torch.autograd.grad(value.square().sum(), scores, retain_graph=True)
    (with_graph,) = torch.autograd.grad(value.square().sum(), scores, create_graph=True)
    assert torch.equal(plain, with_graph)
    with pytest.raises(RuntimeError, match=TEXT):
        torch.autograd.grad(with_graph.square().sum(), scores)


def test_the_scores_are_not_kept_for_the_backward_pass() -> None:
    leaf, labels = torch.rand(6, 6, requires_grad=True), torch.zeros(6, 1, dtype=torch.int64)
    values, _ = by_row(leaf * 2, labels, labels, lambda s, _: RowValues(s.sum(1), s[:, 0] > -1))
    kept = values.grad_fn.saved_tensors  # type: ignore[union-attr]
    # The gradient of all pairs, and one number by which a second derivative is noticed.
    assert sorted(each.untyped_storage().nbytes() for each in kept) == [4, 4 * 36]
    (gradient,) = torch.autograd.grad(values.sum(), leaf)
    assert gradient.tolist() == [[2.0] * 6] * 6
