import copy
import dataclasses
import math

import pytest
import torch
from torch import Tensor, nn

from hgld.errors import DivergedError
from hgld.training.config import TrainConfig
from hgld.training.methods import NSM, SupAP
from hgld.training.run.loss import landmark_labels
from hgld.training.run.state import RunState, start_run
from hgld.training.run.step import learning_rate, take_step

LABELS = torch.tensor([[0, 0, 0], [1, 0, 0], [2, 1, 1], [3, 2, 1]]).repeat_interleave(2, dim=0)
TINY = TrainConfig(
    backbone="test_resnet",
    weights="random",
    image_size=32,
    embedding_dim=16,
    batch_size=8,
    samples_per_landmark=2,
    max_per_landmark=2,
    learning_rate=1e-3,
    precision="float32",
    device="cpu",
)


def pictures(seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (8, 3, 32, 32), generator=generator, dtype=torch.uint8)


def _started(**settings: object) -> tuple[RunState, TrainConfig]:
    config = dataclasses.replace(TINY, **settings)  # type: ignore[arg-type]
    return start_run(config, landmark_labels(LABELS)), config


def _stepped(steps: int = 3, **settings: object) -> RunState:
    run, config = _started(**settings)
    for number in range(steps):
        take_step(run, config, pictures(number), LABELS, steps=10)
    return run


def _weights(model: nn.Module) -> Tensor:
    return torch.cat([one.detach().flatten() for one in model.parameters()])


@pytest.mark.parametrize("size", [4, 3, 1])
def test_a_batch_in_parts_gives_the_gradient_of_the_whole(size: int) -> None:
    gradients = []
    for at_once in (None, size):
        run = _stepped(1, images_at_once=at_once)
        gradients.append([one.grad for one in run.model.parameters() if one.grad is not None])
    for whole, parts in zip(*gradients, strict=True):
        torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-6)


def test_dropout_is_drawn_alike_in_both_passes_and_anew_in_each_part_and_step() -> None:
    run, config = _started(images_at_once=4)
    seen: list[Tensor] = []
    run.model.backbone.register_forward_hook(lambda *_: seen.append(torch.rand(3)))
    for _ in range(2):
        take_step(run, config, pictures(), LABELS, steps=10)
    first, second, third, fourth, *next_step = seen
    assert torch.equal(first, third)
    assert torch.equal(second, fourth)
    assert not torch.equal(first, second)
    assert not torch.equal(first, next_step[0])


def test_the_average_follows_the_weights_and_becomes_the_model() -> None:
    run, config = _started(average_decay=0.9)
    take_step(run, config, pictures(0), LABELS, steps=10)
    expected = _weights(run.model)  # the first step's weights begin it
    for number in (1, 2):
        take_step(run, config, pictures(number), LABELS, steps=10)
        expected = 0.9 * expected + 0.1 * _weights(run.model)
    torch.testing.assert_close(_weights(run.result), expected, rtol=1e-5, atol=1e-7)
    assert not torch.equal(_weights(run.result), _weights(run.model))
    assert torch.equal(_weights(_stepped().result), _weights(_stepped().model))


def test_a_gradient_is_clipped_and_logged_as_it_was() -> None:
    free, clipped = _stepped(1), _stepped(1, gradient_clip=1e-3)
    norms = [
        math.sqrt(sum(float(one.grad.square().sum()) for one in parameters if one.grad is not None))
        for parameters in ([*clipped.model.parameters(), *clipped.loss.parameters()],)
    ]
    assert norms == [pytest.approx(1e-3, rel=1e-3)]
    assert clipped.sums["gradient_norm"] == free.sums["gradient_norm"] > 1e-2


def test_the_learning_rate_grows_and_then_falls_as_a_cosine() -> None:
    config = dataclasses.replace(TINY, warm_up_steps=4)
    rates = [learning_rate(config, step, 14) for step in range(14)]
    assert rates[:5] == pytest.approx([0.2e-3, 0.4e-3, 0.6e-3, 0.8e-3, 1e-3])
    assert rates[9] == pytest.approx(0.5e-3)
    assert rates[13] == pytest.approx(1e-3 * (1 + math.cos(math.pi * 0.9)) / 2)


def test_layers_further_from_the_end_learn_slower() -> None:
    run, _ = _started(backbone="test_vit", pooling="backbone", image_size=160, layer_decay=0.5)
    factors = sorted({group["factor"] for group in run.optimiser.param_groups})
    assert len(factors) > 2
    assert factors[-1] == 1.0
    for nearer, further in zip(factors[1:], factors, strict=False):
        assert further == pytest.approx(nearer / 2)
    counted = sum(len(group["params"]) for group in run.optimiser.param_groups)
    assert counted == len(list(run.model.parameters())) + 1
    (proxies,) = (one for one in run.optimiser.param_groups if one["params"][0] is run.loss.proxies)
    assert (proxies["weight_decay"], proxies["factor"]) == (0.0, 1.0)


def test_a_checkpoint_restores_all_that_a_step_depends_on() -> None:
    settings = {"average_decay": 0.9, "memory_size": 12}
    run, other = _stepped(2, **settings), _stepped(3, **settings, seed=5)
    other.restore(copy.deepcopy(run.content()))
    for one in (run, other):
        take_step(one, dataclasses.replace(TINY, **settings), pictures(9), LABELS, steps=10)  # type: ignore[arg-type]
    assert torch.equal(_weights(run.model), _weights(other.model))
    assert torch.equal(_weights(run.result), _weights(other.result))
    assert (other.step, other.sums) == (run.step, run.sums)


def test_a_memory_waits_for_its_step_and_then_holds_the_batches() -> None:
    run, config = _started(method=SupAP(), memory_size=12, memory_from_step=2)
    assert run.loss.memory is not None
    held = []
    for number in range(5):
        take_step(run, config, pictures(number), LABELS, steps=10)
        held.append(len(run.loss.memory))
    assert held == [0, 0, 8, 12, 12]


def test_float16_skips_a_step_that_overflows_and_goes_on() -> None:
    run, config = _started(precision="float16")
    run.scaler.load_state_dict({**run.scaler.state_dict(), "scale": 2.0**100})
    before = _weights(run.model)
    take_step(run, config, pictures(), LABELS, steps=10)
    assert torch.equal(_weights(run.model), before)
    assert (run.step, run.summed) == (1, 0)
    assert run.scaler.get_scale() == 2.0**99
    run.scaler.load_state_dict({**run.scaler.state_dict(), "scale": 2.0**10})
    take_step(run, config, pictures(), LABELS, steps=10)
    assert not torch.equal(_weights(run.model), before)
    assert _weights(run.model).isfinite().all()
    assert run.sums["gradient_norm"] == pytest.approx(_stepped(1).sums["gradient_norm"], rel=0.2)


def test_float16_whose_gradient_is_never_finite_ends() -> None:
    run, config = _started(precision="float16")
    run.scaler.load_state_dict({**run.scaler.state_dict(), "scale": 1.0})
    run.model.projection.weight.register_hook(lambda slope: slope * math.inf)  # type: ignore[union-attr]
    with pytest.raises(DivergedError, match="gradient_norm"):
        take_step(run, config, pictures(), LABELS, steps=10)


def test_what_a_step_adds_to_the_log() -> None:
    assert list(_stepped(2).sums) == [
        *("loss", "sup_hap", "clustering", "gradient_norm"),
        "mean_similarity",
    ]
    run = _stepped(2, method=NSM())
    assert list(run.sums) == ["loss", "gradient_norm", "mean_similarity"]
    assert run.means()["learning_rate"] == pytest.approx(1e-3 * (1 + math.cos(math.pi / 10)) / 2)
    assert (run.sums, run.summed) == ({}, 0)


def test_mean_similarity_is_that_of_the_pairs_of_a_batch() -> None:
    run, config = _started()
    with torch.no_grad():
        embeddings = run.model(pictures())
    take_step(run, config, pictures(), LABELS, steps=10)
    cosines = (embeddings @ embeddings.T)[~torch.eye(8, dtype=torch.bool)]
    assert run.sums["mean_similarity"] == pytest.approx(float(cosines.mean()), abs=1e-5)
