"""HEAT's pieces, beside scipy, loops and values by hand."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from torch import Tensor

from hgld.benchmarks.robustness import heat
from hgld.benchmarks.robustness.rows import UnfitRowsError

QUICK = heat.LOGITS._replace(
    steps=2, step_size=1e-3, noise=5e-3, temperature=10.0, batch_size=64, width=32
)


def some_mixture(at: float = 0.0) -> heat.GaussianMixture:
    random = np.random.default_rng(0)
    root = random.normal(size=(4, 4)) + 2 * np.eye(4)
    return heat.GaussianMixture(
        means=torch.from_numpy(random.normal(at, 2, (3, 4))),
        weights=torch.tensor([0.5, 0.3, 0.2]).double(),
        cholesky=torch.linalg.cholesky(torch.from_numpy(root @ root.T)),
    )


@pytest.mark.parametrize("at", [0.0, 1e4])
def test_the_energy_is_that_of_scipy(at: float) -> None:
    mixture = some_mixture(at)
    covariance = (mixture.cholesky @ mixture.cholesky.T).numpy()
    rows = np.random.default_rng(1).normal(at, 3, (20, 4))
    each = [multivariate_normal(mean, covariance).pdf(rows) for mean in mixture.means.numpy()]
    density = mixture.weights.numpy() @ np.array(each)
    energy = mixture.energy(torch.from_numpy(rows))
    np.testing.assert_allclose(energy.numpy(), -np.log(density), rtol=1e-7)


def test_samples_have_the_moments_of_the_mixture() -> None:
    mixture = some_mixture()
    rows = mixture.sample(100_000, torch.Generator().manual_seed(0))
    mean = mixture.weights @ mixture.means
    torch.testing.assert_close(rows.mean(dim=0), mean, atol=0.05, rtol=0)
    between = (mixture.means - mean).T @ ((mixture.means - mean) * mixture.weights[:, None])
    within = mixture.cholesky @ mixture.cholesky.T
    torch.testing.assert_close(torch.cov(rows.T), within + between, atol=0.3, rtol=0.03)


def test_a_fit_finds_means_weights_and_the_covariance_around_them() -> None:
    # Around their means all rows are (+-1, 0): squares that are alike, so nothing is shrunk. The
    # second feature has no variance but the millionth of 1/2 that is added.
    features = np.array([[1.0, 0.0], [3.0, 0.0], [9.0, 5.0], [11.0, 5.0], [9.0, 5.0], [11.0, 5.0]])
    mixture = heat.fit_mixture(features, np.array([4, 4, 7, 7, 7, 7]))
    assert mixture.means.tolist() == [[2.0, 0.0], [10.0, 5.0]]
    assert mixture.weights.tolist() == pytest.approx([1 / 3, 2 / 3])
    covariance = mixture.cholesky @ mixture.cholesky.T
    assert covariance.flatten().tolist() == pytest.approx([1 + 5e-7, 0, 0, 5e-7], abs=1e-12)


def test_fewer_rows_than_dimensions_have_a_finite_energy_and_one_class_is_refused() -> None:
    features = np.random.default_rng(0).normal(size=(10, 40))
    mixture = heat.fit_mixture(features, np.arange(10) % 2)
    assert bool(mixture.energy(torch.from_numpy(features)).isfinite().all())
    for labels in (np.zeros(10, int), np.arange(10)):
        with pytest.raises(UnfitRowsError, match="vary"):
            heat.fit_mixture(features, labels)


def parabola(rows: Tensor) -> Tensor:
    return rows.square().sum(dim=1) / 2


def test_langevin_steps_are_those_of_a_loop_that_decays_to_a_tenth() -> None:
    start = torch.tensor([[2.0, -4.0], [0.5, 1.0]], dtype=torch.float64)
    settings = QUICK._replace(steps=4, step_size=0.1, noise=0.3)
    by_hand, random = start.clone(), torch.Generator().manual_seed(3)
    for step in range(4):
        size, noise = ((a - a / 10) * (1 - step / 4) ** 2 + a / 10 for a in (0.1, 0.3))
        shaken = torch.randn(2, 2, generator=random, dtype=torch.float64)
        by_hand = by_hand - size * by_hand + noise * shaken
    moved = heat.langevin_steps(parabola, start, settings, torch.Generator().manual_seed(3))
    torch.testing.assert_close(moved, by_hand)
    assert start.tolist()[0] == [2.0, -4.0]
    assert not moved.requires_grad


def draw(count: int, random: torch.Generator) -> Tensor:
    return torch.randn(count, 2, generator=random, dtype=torch.float64)


def ring(count: int, seed: int) -> Tensor:
    """Rows on a circle: a Gaussian prior is wrong at its middle."""
    angles = torch.rand(count, generator=torch.Generator().manual_seed(seed)) * 6.2832
    return torch.stack([angles.cos(), angles.sin()], dim=1).double() * 1.4


def better(energy: heat.Energy) -> float:
    """How much higher the middle is than other rows of the ring."""
    with torch.no_grad():
        middle = energy(torch.zeros(1, 2, dtype=torch.float64))
        return float(middle - energy(ring(50, 1)).mean())


def train(sign: int) -> tuple[heat.Energy, int]:
    prior = heat.Prior(parabola, draw, QUICK._replace(epochs=40))
    return heat.train_correction(prior, ring(256, 0).numpy(), lambda one: sign * better(one), 0)


def test_training_mends_what_the_prior_has_wrong_and_keeps_the_best_epoch() -> None:
    found, epoch = train(1)
    assert epoch > 0
    prior, epoch = train(-1)  # no epoch is better
    assert epoch == 0
    assert torch.equal(prior(ring(5, 1)), parabola(ring(5, 1)) / 10)
    assert better(found) > 0 > better(prior)


def test_a_composition_is_the_sum_on_one_scale() -> None:
    train = np.random.default_rng(0).normal(size=(50, 2)) * [1, 100] + 7
    scaled = (train - train.mean(axis=0)) / train.std(axis=0)
    np.testing.assert_allclose(heat.compose_energies(train, train), scaled.sum(axis=1))
