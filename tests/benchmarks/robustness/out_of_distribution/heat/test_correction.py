import dataclasses

import pytest
import torch
from torch import Tensor, nn

from hgld.benchmarks.robustness.out_of_distribution.heat.correction import (
    CorrectedEnergy,
    CorrectionConfig,
    build_correction,
    contrastive_divergence,
    gaussian_settings,
    train_correction,
    with_travel,
)

QUICK = CorrectionConfig(
    steps=2,
    step_size=1e-3,
    noise=5e-3,
    l2=0.1,
    temperature=10.0,
    learning_rate=1e-3,
    epochs=30,
    batch_size=64,
    width=32,
    depth=2,
)


def parabola(rows: Tensor) -> Tensor:
    return rows.square().sum(dim=1) / 2


def draw(count: int, generator: torch.Generator) -> Tensor:
    return torch.randn(count, 2, generator=generator, dtype=torch.float64)


def ring(count: int, seed: int) -> Tensor:
    """Rows on a circle: a Gaussian prior is wrong at its middle."""
    angles = torch.rand(count, generator=torch.Generator().manual_seed(seed)) * 6.2832
    return torch.stack([angles.cos(), angles.sin()], dim=1).double() * 1.4


def train(config: CorrectionConfig = QUICK, seed: int = 0) -> CorrectedEnergy:
    return train_correction(parabola, draw, ring(256, 0), config, seed=seed)


def test_the_loss_equals_the_hand_computed_value() -> None:
    # f = 2z: real 2 and 4, negatives 6: 3 - 6 + 0.5 ((4 + 16) / 2 + 36) = 20
    double = nn.Linear(1, 1, bias=False)
    nn.init.constant_(double.weight, 2.0)
    loss = contrastive_divergence(
        double, torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0]]), l2=0.5
    )
    assert loss.item() == 20.0


def test_the_gradient_of_the_loss_is_right() -> None:
    network = build_correction(2, QUICK, torch.Generator().manual_seed(0))
    nn.init.normal_(list(network.parameters())[-2])  # zero at first
    rows = [ring(3, seed).requires_grad_() for seed in (1, 2)]
    assert torch.autograd.gradcheck(
        lambda real, other: contrastive_divergence(network, real, other, l2=0.3), rows
    )


def test_the_energy_is_the_prior_by_its_temperature_and_the_network() -> None:
    network = nn.Linear(2, 1, bias=False).double()
    nn.init.constant_(network.weight, 3.0)
    energy = CorrectedEnergy(prior=parabola, network=network, temperature=4.0)
    row = torch.tensor([[1.0, 2.0]], dtype=torch.float64)
    assert energy(row).tolist() == [2.5 / 4 + 9]


def test_before_training_it_is_the_prior() -> None:
    energy = train(dataclasses.replace(QUICK, epochs=0))
    assert torch.equal(energy(ring(5, 1)), parabola(ring(5, 1)) / 10)


def test_training_lowers_the_energy_where_rows_are_and_raises_it_where_the_prior_erred() -> None:
    energy = train(dataclasses.replace(QUICK, epochs=80))
    middle = torch.zeros(1, 2, dtype=torch.float64)
    assert parabola(middle).item() < parabola(ring(50, 1)).mean().item()
    assert energy(middle).item() > energy(ring(50, 1)).mean().item()


def test_the_same_seed_gives_the_same_bits_and_another_does_not() -> None:
    rows = ring(20, 1)
    torch.rand(3)  # what others drew changes nothing
    short = dataclasses.replace(QUICK, epochs=3)
    first = train(short)(rows)
    torch.rand(5)
    assert torch.equal(first, train(short)(rows))
    assert not torch.equal(first, train(short, seed=1)(rows))


def test_training_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(dataclasses.replace(QUICK, epochs=1))
    assert torch.equal(torch.rand(3), expected)


def test_on_fewer_rows_the_rate_makes_up_for_the_steps() -> None:
    published = gaussian_settings()  # 391 steps an epoch of 50,000 rows, 8 of 1,000
    assert with_travel(published, 1_000).learning_rate == pytest.approx(1e-5 * 391 / 8)
    assert with_travel(published, 50_000) == published
    assert with_travel(published, 10**6) == published


@pytest.mark.parametrize(
    ("setting", "value"), [("temperature", 0.0), ("l2", -1.0), ("epochs", -1), ("width", 0)]
)
def test_settings_out_of_range_are_refused(setting: str, value: float) -> None:
    with pytest.raises(ValueError, match=setting):
        dataclasses.replace(QUICK, **{setting: value})  # type: ignore[arg-type]  # any of them


def test_no_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="rows"):
        train_correction(parabola, draw, ring(0, 0), QUICK, seed=0)
