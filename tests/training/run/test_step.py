import dataclasses
import math
import typing
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from hgld import losses
from hgld.errors import DivergedError
from hgld.training.config import TrainConfig
from hgld.training.methods import (
    CSL,
    HXE,
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
from hgld.training.model.embedding import EmbeddingModel
from hgld.training.run.loop import learning_rate, take_step
from hgld.training.run.state import MethodLoss, RunState, landmark_labels, start_run
from tests.worlds import training_runs

LABELS = torch.tensor([[0, 0, 0], [1, 0, 0], [2, 1, 1], [3, 2, 1]]).repeat_interleave(2, dim=0)
TINY = dataclasses.replace(training_runs.TINY, embedding_dim=16)


def pictures(seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (8, 3, 32, 32), generator=generator, dtype=torch.uint8)


def started(**settings: Any) -> tuple[RunState, TrainConfig]:  # noqa: ANN401
    config = dataclasses.replace(TINY, **settings)
    return start_run(config, landmark_labels(LABELS)), config


def stepped(steps: int = 3, **settings: Any) -> RunState:  # noqa: ANN401
    run, config = started(**settings)
    for number in range(steps):
        take_step(run, config, pictures(number), LABELS, steps=10)
    return run


def weights(model: nn.Module) -> Tensor:
    return torch.cat([one.detach().flatten() for one in model.parameters()])


@pytest.mark.parametrize("size", [4, 3, 1])
def test_a_batch_in_parts_gives_the_gradient_of_the_whole(size: int) -> None:
    whole, parts = (
        [one.grad for one in stepped(1, images_at_once=at_once).model.parameters()]
        for at_once in (None, size)
    )
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-6)


def test_dropout_is_drawn_alike_in_both_passes_and_anew_in_each_part_and_step() -> None:
    run, config = started(images_at_once=4)
    seen: list[Tensor] = []
    assert isinstance(run.model, EmbeddingModel)
    run.model.backbone.register_forward_hook(lambda *_: seen.append(torch.rand(3)))
    for _ in range(2):
        take_step(run, config, pictures(), LABELS, steps=10)
    first, second, third, fourth, *next_step = seen
    assert torch.equal(first, third)
    assert torch.equal(second, fourth)
    assert not torch.equal(first, second)
    assert not torch.equal(first, next_step[0])


def test_the_average_follows_the_weights_and_becomes_the_model() -> None:
    run, config = started(average_decay=0.9)
    take_step(run, config, pictures(0), LABELS, steps=10)
    expected = weights(run.model)  # the first step's weights begin it
    for number in (1, 2):
        take_step(run, config, pictures(number), LABELS, steps=10)
        expected = 0.9 * expected + 0.1 * weights(run.model)
    torch.testing.assert_close(weights(run.result), expected, rtol=1e-5, atol=1e-7)
    assert not torch.equal(weights(run.result), weights(run.model))


def test_a_gradient_is_clipped_and_logged_as_it_was() -> None:
    free, clipped = stepped(1), stepped(1, gradient_clip=1e-3)
    learned = [*clipped.model.parameters(), *clipped.loss.parameters()]
    squares = [float(one.grad.square().sum()) for one in learned if one.grad is not None]
    assert math.sqrt(sum(squares)) == pytest.approx(1e-3, rel=1e-3)
    assert clipped.sums["gradient_norm"] == free.sums["gradient_norm"] > 1e-2


def test_the_learning_rate_grows_and_then_falls_as_a_cosine() -> None:
    config = dataclasses.replace(TINY, warm_up_steps=4)
    rates = [learning_rate(config, step, 14) for step in range(14)]
    assert rates[:5] == pytest.approx([0.2e-3, 0.4e-3, 0.6e-3, 0.8e-3, 1e-3])
    assert rates[9] == pytest.approx(0.5e-3)
    assert rates[13] == pytest.approx(1e-3 * (1 + math.cos(math.pi * 0.9)) / 2)


def test_layers_further_from_the_end_learn_slower() -> None:
    run, _ = started(backbone="test_vit", pooling="backbone", image_size=160, layer_decay=0.5)
    groups = run.optimiser.param_groups
    factors = sorted({group["factor"] for group in groups})
    assert len(factors) > 2
    assert factors == pytest.approx([0.5**n for n in range(len(factors))][::-1])
    counted = sum(len(group["params"]) for group in groups)
    assert counted == len(list(run.model.parameters())) + 1
    (proxies,) = (one for one in groups if one["params"][0] is run.loss.proxies)
    assert (proxies["weight_decay"], proxies["factor"]) == (0.0, 1.0)


def test_a_memory_waits_for_its_step_and_then_holds_the_batches() -> None:
    run, config = started(method=SupAP(), memory_size=12, memory_from_step=2)
    assert run.loss.memory is not None
    held = []
    for number in range(5):
        take_step(run, config, pictures(number), LABELS, steps=10)
        held.append(len(run.loss.memory))
    assert held == [0, 0, 8, 12, 12]


def test_float16_skips_a_step_that_overflows_and_goes_on_or_ends() -> None:
    run, config = started(precision="float16")
    run.scaler.load_state_dict({**run.scaler.state_dict(), "scale": 2.0**100})
    before = weights(run.model)
    take_step(run, config, pictures(), LABELS, steps=10)
    assert torch.equal(weights(run.model), before)
    assert (run.step, run.summed) == (1, 0)
    assert run.scaler.get_scale() == 2.0**99
    run.scaler.load_state_dict({**run.scaler.state_dict(), "scale": 2.0**10})
    take_step(run, config, pictures(), LABELS, steps=10)
    assert not torch.equal(weights(run.model), before)
    assert weights(run.model).isfinite().all()
    assert run.sums["gradient_norm"] == pytest.approx(stepped(1).sums["gradient_norm"], rel=0.2)
    # At no scale is it finite.
    run.scaler.load_state_dict({**run.scaler.state_dict(), "scale": 1.0})
    assert isinstance(run.model, EmbeddingModel)
    run.model.projection.weight.register_hook(lambda slope: slope * math.inf)  # type: ignore[union-attr]
    with pytest.raises(DivergedError, match="gradient_norm"):
        take_step(run, config, pictures(), LABELS, steps=10)


def test_what_a_step_adds_to_the_log() -> None:
    run, config = started(method=NSM())
    take_step(run, config, pictures(), LABELS, steps=10)
    assert list(run.sums) == ["loss", "gradient_norm", "mean_similarity"]
    assert run.means()["learning_rate"] == pytest.approx(1e-3)
    assert (run.sums, run.summed) == ({}, 0)


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
        HXE(): losses.hxe_loss(*both, proxies, LANDMARKS),
        HXE(alpha=0.9): losses.hxe_loss(*both, proxies, LANDMARKS, alpha=0.9),
        HXE(temperature=0.2): losses.hxe_loss(*both, proxies, LANDMARKS, temperature=0.2),
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
    assert loss.memory is not None
    loss.memory.append(*past)
    moving = now[0].clone().requires_grad_()
    cost = loss(moving, now[1]).total
    cost.backward()
    assert moving.grad is not None
    assert moving.grad.abs().sum() > 0
    assert all(one.grad is not None for one in loss.parameters())
    second = float(cost.detach())
    assert second != first
    if method.compares_with == "proxies":
        spread = losses.decomposability_loss(*now, ref_embeddings=past[0], ref_labels=past[1])
        assert second == pytest.approx(first + float(spread))
    if method == SupAP():
        every, labels = (torch.cat(parts) for parts in zip(now, past, strict=True))
        expected = losses.sup_ap_loss(*now, ref_embeddings=every, ref_labels=labels)
        assert second == pytest.approx(float(expected))
