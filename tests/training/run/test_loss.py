import typing

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from hgld import losses
from hgld.training.methods import (
    CSL,
    NSM,
    ArcFace,
    Happier,
    RecallAtK,
    Roadmap,
    SmoothAP,
    SupAP,
    TrainingMethod,
    Triplet,
)
from hgld.training.run.loss import MethodLoss, landmark_labels

LANDMARKS = torch.tensor([[0, 0, 0], [1, 0, 0], [2, 1, 1], [3, 2, 1]])
METHODS: tuple[TrainingMethod, ...] = tuple(each() for each in typing.get_args(TrainingMethod))


def _batch(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Twelve embeddings of four landmarks."""
    generator = torch.Generator().manual_seed(seed)
    embeddings = functional.normalize(torch.randn(12, 8, generator=generator), dim=1)
    return embeddings, LANDMARKS.repeat_interleave(3, dim=0)


def _proxies(loss: MethodLoss) -> Tensor:
    assert loss.proxies is not None
    return loss.proxies


def test_each_method_is_its_published_loss() -> None:
    embeddings, labels = _batch()

    def cost(method: TrainingMethod) -> float:
        return float(MethodLoss(method, LANDMARKS, 8).forward(embeddings, labels).total.detach())

    proxies = _proxies(MethodLoss(NSM(), LANDMARKS, 8))
    ranking = losses.sup_hap_loss(embeddings, labels)
    clustering = losses.clustering_loss(embeddings, labels, proxies)
    expected: dict[TrainingMethod, Tensor] = {
        Happier(): 0.9 * ranking + 0.1 * clustering,
        Roadmap(): losses.roadmap_loss(embeddings, labels),
        SupAP(): losses.sup_ap_loss(embeddings, labels),
        SmoothAP(): losses.smooth_ap_loss(embeddings, labels),
        CSL(): losses.csl_loss(embeddings, labels, proxies, LANDMARKS),
        NSM(): clustering,
        ArcFace(): losses.arcface_loss(embeddings, labels, proxies),
        Triplet(): losses.triplet_loss(embeddings, labels),
        RecallAtK(): losses.recall_at_k_loss(embeddings, labels),
    }
    assert set(expected) == set(METHODS)
    for method, value in expected.items():
        assert cost(method) == pytest.approx(float(value.detach()), rel=1e-6), method.name


def test_settings_reach_the_loss() -> None:
    embeddings, labels = _batch()
    expected: dict[TrainingMethod, Tensor] = {
        Happier(alpha=3.0, clustering_weight=0.0): losses.sup_hap_loss(
            embeddings, labels, alpha=3.0
        ),
        Roadmap(decomposability_weight=1.0, positive_similarity=0.5, negative_similarity=0.1): (
            losses.decomposability_loss(embeddings, labels, alpha=0.5, beta=0.1)
        ),
        SmoothAP(tau=0.1): losses.smooth_ap_loss(embeddings, labels, tau=0.1),
        Triplet(margin=0.7): losses.triplet_loss(embeddings, labels, margin=0.7),
        RecallAtK(ks=(2,), tau=0.1): losses.recall_at_k_loss(embeddings, labels, ks=(2,), tau=0.1),
    }
    for method, value in expected.items():
        cost = MethodLoss(method, LANDMARKS, 8).forward(embeddings, labels)
        found = float(cost.total.detach())
        assert found == pytest.approx(float(value), rel=1e-6), method.name


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_following_the_gradient_lowers_the_loss(method: TrainingMethod) -> None:
    embeddings, labels = _batch()
    loss = MethodLoss(method, LANDMARKS, 8)
    free = embeddings.clone().requires_grad_()
    optimiser = torch.optim.Adam([free, *loss.parameters()], lr=0.02)
    costs = []
    for _ in range(40):
        cost = loss(functional.normalize(free, dim=1), labels).total
        optimiser.zero_grad()
        cost.backward()
        optimiser.step()
        costs.append(float(cost.detach()))
    assert costs[-1] < 0.8 * costs[0]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_a_memory_adds_past_batches_to_what_a_batch_is_compared_with(
    method: TrainingMethod,
) -> None:
    batch, labels = _batch()
    past, past_labels = _batch(seed=1)
    loss = MethodLoss(method, LANDMARKS, 8, memory_size=100)
    first = float(loss(batch, labels).total.detach())  # it is empty
    loss.remember(past, past_labels)
    cost = loss(batch.clone().requires_grad_(), labels)
    second = float(cost.total.detach())
    assert second != first == float(MethodLoss(method, LANDMARKS, 8)(batch, labels).total.detach())
    cost.total.backward()
    if method.compares_with == "proxies":
        spread = losses.decomposability_loss(
            batch, labels, ref_embeddings=past, ref_labels=past_labels
        )
        assert second == pytest.approx(first + float(spread))


def test_a_memory_ranks_the_batch_and_the_past() -> None:
    batch, labels = _batch()
    past, past_labels = _batch(seed=1)
    loss = MethodLoss(SupAP(), LANDMARKS, 8, memory_size=100)
    loss.remember(past, past_labels)
    expected = losses.sup_ap_loss(
        batch,
        labels,
        ref_embeddings=torch.cat([batch, past]),
        ref_labels=torch.cat([labels, past_labels]),
    )
    assert float(loss(batch, labels).total) == pytest.approx(float(expected))


def test_proxies_are_of_unit_length_and_depend_on_the_seed_only() -> None:
    first, again = (_proxies(MethodLoss(NSM(), LANDMARKS, 8, seed=4)) for _ in range(2))
    assert torch.equal(first, again)
    torch.testing.assert_close(first.norm(dim=1), torch.ones(4))
    assert not torch.equal(first, _proxies(MethodLoss(NSM(), LANDMARKS, 8, seed=5)))
    assert MethodLoss(SupAP(), LANDMARKS, 8).proxies is None


def test_margins_of_other_levels_are_refused_before_the_first_batch() -> None:
    with pytest.raises(ValueError, match="margins"):
        MethodLoss(CSL(), LANDMARKS[:, :2], 8)


def test_the_labels_of_a_landmark_are_those_of_its_images() -> None:
    assert torch.equal(landmark_labels(LANDMARKS[[3, 1, 0, 1, 2, 3]]), LANDMARKS)
