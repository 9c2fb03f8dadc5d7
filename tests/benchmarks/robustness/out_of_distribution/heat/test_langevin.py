import pytest
import torch
from torch import Tensor

from hgld.benchmarks.robustness.out_of_distribution.heat.langevin import langevin_steps


def parabola(rows: Tensor) -> Tensor:
    return rows.square().sum(dim=1) / 2


def test_without_noise_each_step_takes_the_same_share_of_what_is_left() -> None:
    start = torch.tensor([[2.0, -4.0]], dtype=torch.float64)
    moved = langevin_steps(
        parabola, start, steps=3, step_size=0.25, noise=0.0, generator=torch.Generator()
    )
    torch.testing.assert_close(moved, start * 0.75**3)
    assert start.tolist() == [[2.0, -4.0]]
    assert not moved.requires_grad


def test_the_steps_are_those_of_a_loop() -> None:
    start = torch.tensor([[2.0, -4.0], [0.5, 1.0]], dtype=torch.float64)
    by_hand, generator = start.clone(), torch.Generator().manual_seed(3)
    for _ in range(4):
        noise = torch.randn(2, 2, generator=generator, dtype=torch.float64)
        by_hand = by_hand - 0.1 * by_hand + 0.3 * noise
    moved = langevin_steps(
        *(parabola, start),
        steps=4,
        step_size=0.1,
        noise=0.3,
        generator=torch.Generator().manual_seed(3),
    )
    assert torch.equal(moved, by_hand)


def test_many_steps_end_in_samples_of_the_energy() -> None:
    # Noise sqrt(2 step): an autoregression whose variance is 1 / (1 - step / 2), here 1.026.
    moved = langevin_steps(
        *(parabola, torch.full((20_000, 1), 5.0, dtype=torch.float64)),
        steps=200,
        step_size=0.05,
        noise=0.1**0.5,
        generator=torch.Generator().manual_seed(0),
    )
    assert moved.mean().item() == pytest.approx(0, abs=0.03)
    assert moved.var().item() == pytest.approx(1 / 0.975, abs=0.04)


def test_no_step_leaves_the_rows_where_they_are() -> None:
    start = torch.ones(2, 3)
    moved = langevin_steps(
        parabola, start, steps=0, step_size=0.1, noise=1.0, generator=torch.Generator()
    )
    assert torch.equal(moved, start)


def test_a_walk_that_diverges_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        langevin_steps(
            *(parabola, torch.ones(1, 1)),
            steps=400,
            step_size=1e3,
            noise=0.0,
            generator=torch.Generator(),
        )


@pytest.mark.parametrize("setting", [{"steps": -1}, {"step_size": 0.0}, {"noise": -1.0}])
def test_settings_out_of_range_are_refused(setting: dict[str, float]) -> None:
    settings = {"steps": 1, "step_size": 0.1, "noise": 0.1, **setting}
    with pytest.raises(ValueError, match="step_size"):
        langevin_steps(
            *(parabola, torch.ones(1, 1)),
            steps=int(settings["steps"]),
            step_size=settings["step_size"],
            noise=settings["noise"],
            generator=torch.Generator(),
        )
