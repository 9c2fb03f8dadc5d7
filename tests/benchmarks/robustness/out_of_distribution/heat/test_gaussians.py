import math

import numpy as np
import pytest
import torch

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

from scipy.stats import multivariate_normal

from hgld.benchmarks.robustness.out_of_distribution.heat.gaussians import (
    GaussianMixture,
    fit_mixture,
)


def some_mixture(classes: int = 3, width: int = 4, at: float = 0.0) -> GaussianMixture:
    random = np.random.default_rng(0)
    root = random.normal(size=(width, width)) + 2 * np.eye(width)
    return GaussianMixture(
        means=torch.from_numpy(random.normal(at, 2, (classes, width))),
        cholesky=torch.linalg.cholesky(torch.from_numpy(root @ root.T)),
    )


@pytest.mark.parametrize("at", [0.0, 1e4])
def test_the_energy_is_that_of_scipy(at: float) -> None:
    mixture = some_mixture(at=at)
    covariance = (mixture.cholesky @ mixture.cholesky.T).numpy()
    rows = np.random.default_rng(1).normal(at, 3, (20, 4))
    density = np.mean(
        [multivariate_normal(mean, covariance).pdf(rows) for mean in mixture.means.numpy()], axis=0
    )
    energy = mixture.energy(torch.from_numpy(rows))
    np.testing.assert_allclose(energy.numpy(), -np.log(density), rtol=1e-7)


def test_distances_are_those_of_a_loop() -> None:
    mixture = some_mixture()
    inverse = torch.linalg.inv(mixture.cholesky @ mixture.cholesky.T)
    rows = torch.from_numpy(np.random.default_rng(1).normal(size=(5, 4)))
    for row, got in zip(rows, mixture.distances(rows), strict=True):
        for mean, distance in zip(mixture.means, got, strict=True):
            assert distance.item() == pytest.approx(float((row - mean) @ inverse @ (row - mean)))


def test_a_class_mean_is_at_distance_zero_and_far_rows_stay_finite() -> None:
    mixture = some_mixture()
    assert mixture.distances(mixture.means).diagonal().abs().max() < 1e-10
    assert bool(mixture.energy(torch.full((1, 4), 1e150, dtype=torch.float64)).isfinite().all())
    assert mixture.energy(torch.empty(0, 4)).shape == (0,)


def test_the_gradient_of_the_energy_is_right_and_finite() -> None:
    mixture = some_mixture()
    rows = torch.from_numpy(np.random.default_rng(1).normal(size=(3, 4))).requires_grad_()
    assert torch.autograd.gradcheck(mixture.energy, rows)
    at_a_mean = mixture.means[:1].clone().requires_grad_()
    (slope,) = torch.autograd.grad(mixture.energy(at_a_mean).sum(), at_a_mean)
    assert bool(slope.isfinite().all())


def test_samples_have_the_moments_of_the_mixture() -> None:
    mixture = some_mixture(classes=2, width=2)
    rows = mixture.sample(200_000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(rows.mean(dim=0), mixture.means.mean(dim=0), atol=0.02, rtol=0)
    within = mixture.cholesky @ mixture.cholesky.T
    expected = within + torch.cov(mixture.means.T, correction=0)
    torch.testing.assert_close(torch.cov(rows.T), expected, atol=0.1, rtol=0.02)
    again = mixture.sample(200_000, torch.Generator().manual_seed(0))
    assert torch.equal(rows, again)


def test_a_fit_finds_class_means_and_the_covariance_around_them() -> None:
    # Around their means all rows are (+-1, 0): squares that are alike, so nothing is shrunk. The
    # second feature has no variance but the millionth of 1/2 that is added.
    features = np.array([[1.0, 0.0], [3.0, 0.0], [9.0, 5.0], [11.0, 5.0]])
    mixture = fit_mixture(features, np.array([4, 4, 7, 7]))
    assert mixture.means.tolist() == [[2.0, 0.0], [10.0, 5.0]]
    covariance = mixture.cholesky @ mixture.cholesky.T
    assert covariance.flatten().tolist() == pytest.approx([1 + 5e-7, 0, 0, 5e-7], abs=1e-12)


def test_with_many_rows_the_shrinkage_vanishes() -> None:
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1], 50_000)
    root = np.array([[2.0, 0.0], [1.0, 0.5]])
    features = random.normal(size=(100_000, 2)) @ root.T + labels[:, None] * 5
    covariance = fit_mixture(features, labels).cholesky
    np.testing.assert_allclose((covariance @ covariance.T).numpy(), root @ root.T, atol=0.05)


def test_fewer_rows_than_dimensions_have_a_finite_energy() -> None:
    features = np.random.default_rng(0).normal(size=(10, 40))
    mixture = fit_mixture(features, np.arange(10) % 2)
    assert bool(mixture.energy(torch.from_numpy(features)).isfinite().all())


@pytest.mark.parametrize(
    ("features", "labels", "text"),
    [
        ([1.0, 2.0], [0, 1], r"features must have shape \(N, D\), got \(2,\)"),
        ([[1.0], [math.nan]], [0, 1], "features must be finite, got 1 of 2 rows .* first row 1"),
        ([[1.0], [2.0]], [0, 0], "labels must have at least 2 classes, got 1"),
        ([[1.0], [2.0]], [0], "labels must be 2 whole numbers"),
        ([[1.0], [2.0]], [0.0, 1.0], "labels must be 2 whole numbers.* got float64"),
        ([[1.0], [2.0]], [0, 1], "features must vary within a class"),
    ],
)
def test_what_cannot_be_fitted_is_refused(
    features: list[float], labels: list[int], text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        fit_mixture(np.array(features), np.array(labels))
