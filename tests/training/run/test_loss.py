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
from hgld.training.run.loss import MethodLoss

LANDMARKS = torch.tensor([[0, 0, 0], [1, 0, 0], [2, 1, 1], [3, 2, 1]])
METHODS: tuple[TrainingMethod, ...] = tuple(each() for each in typing.get_args(TrainingMethod))


def batch(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Twelve embeddings of four landmarks."""
    generator = torch.Generator().manual_seed(seed)
    embeddings = functional.normalize(torch.randn(12, 8, generator=generator), dim=1)
    return embeddings, LANDMARKS.repeat_interleave(3, dim=0)


def proxies_of(loss: MethodLoss) -> Tensor:
    assert loss.proxies is not None
    return loss.proxies


def test_each_method_is_its_published_loss_with_its_settings() -> None:
    both = batch()
    _, labels = both
    proxies = proxies_of(MethodLoss(NSM(), LANDMARKS, 8))
    clustering = losses.clustering_loss(*both, proxies)
    expected: dict[TrainingMethod, Tensor] = {
        Happier(): 0.9 * losses.sup_hap_loss(*both) + 0.1 * clustering,
        Happier(alpha=3.0, clustering_weight=0.0): losses.sup_hap_loss(*both, alpha=3.0),
        Roadmap(): losses.roadmap_loss(*both),
        Roadmap(decomposability_weight=1.0, positive_similarity=0.5, negative_similarity=0.1): (
            losses.decomposability_loss(*both, alpha=0.5, beta=0.1)
        ),
        SupAP(): losses.sup_ap_loss(*both),
        SmoothAP(): losses.smooth_ap_loss(*both),
        SmoothAP(tau=0.1): losses.smooth_ap_loss(*both, tau=0.1),
        CSL(): losses.csl_loss(*both, proxies, LANDMARKS),
        NSM(): clustering,
        ArcFace(): losses.arcface_loss(*both, proxies),
        Triplet(): losses.triplet_loss(*both),
        Triplet(margin=0.7): losses.triplet_loss(*both, margin=0.7),
        RecallAtK(): losses.recall_at_k_loss(*both),
        RecallAtK(ks=(2,), tau=0.1): losses.recall_at_k_loss(*both, ks=(2,), tau=0.1),
    }
    assert {*METHODS} <= expected.keys()
    for method, value in expected.items():
        found = MethodLoss(method, LANDMARKS, 8).forward(*both).total
        assert float(found.detach()) == pytest.approx(float(value.detach()), rel=1e-6), method
    with pytest.raises(ValueError, match="margins"):
        MethodLoss(CSL(), labels[:, :2], 8)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_a_memory_adds_past_batches_to_what_a_batch_is_compared_with(
    method: TrainingMethod,
) -> None:
    now, past = batch(), batch(seed=1)
    loss = MethodLoss(method, LANDMARKS, 8, memory_size=100)
    first = float(loss(*now).total.detach())  # it is empty
    assert first == float(MethodLoss(method, LANDMARKS, 8)(*now).total.detach())
    loss.remember(*past)
    moving = now[0].clone().requires_grad_()
    cost = loss(moving, now[1]).total
    cost.backward()
    assert moving.grad is not None
    assert moving.grad.abs().sum() > 0
    assert all(one.grad is not None for one in loss.parameters())
    second = float(cost.detach())
    assert second != first
    if method.compares_with == "proxies":
        references = dict(zip(("ref_embeddings", "ref_labels"), past, strict=True))
        spread = losses.decomposability_loss(*now, **references)
        assert second == pytest.approx(first + float(spread))
    if method == SupAP():
        both = (torch.cat(parts) for parts in zip(now, past, strict=True))
        references = dict(zip(("ref_embeddings", "ref_labels"), both, strict=True))
        assert second == pytest.approx(float(losses.sup_ap_loss(*now, **references)))
