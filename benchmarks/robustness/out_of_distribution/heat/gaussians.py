"""A mixture of Gaussians, one a class, with one covariance: its energy, and samples of it."""

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hgld.benchmarks.robustness.out_of_distribution.rows import require_classes, require_rows

_FLOOR = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class GaussianMixture:
    """Gaussians of equal weight that share one covariance.

    Attributes:
        means: (K, D) float64.
        cholesky: (D, D) float64, lower triangular: covariance = cholesky @ cholesky.T.
    """

    means: Tensor
    cholesky: Tensor
    _centre: Tensor = field(init=False, repr=False)
    _whitening: Tensor = field(init=False, repr=False)
    _known: Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Solves once what every step of a Langevin walk needs."""
        centre = self.means.mean(dim=0)
        unit = torch.eye(len(self.cholesky), dtype=self.cholesky.dtype)
        whitening = torch.linalg.solve_triangular(self.cholesky, unit, upper=False).T
        object.__setattr__(self, "_centre", centre)
        object.__setattr__(self, "_whitening", whitening)
        object.__setattr__(self, "_known", (self.means - centre) @ whitening)

    def distances(self, rows: Tensor) -> Tensor:
        """Squared Mahalanobis distances to every mean.

        d_k(z) = (z - mu_k)^T Sigma^-1 (z - mu_k).

        Args:
            rows: (N, D) of any floating-point type.

        Returns:
            (N, K) float64, with a gradient where the rows have one.
        """
        # From the middle of the means, so that float64 keeps the digits; differences of each row
        # and each mean would be (N, K, D).
        white = (rows.double() - self._centre) @ self._whitening
        squares = white.square().sum(dim=1, keepdim=True) + self._known.square().sum(dim=1)
        return (squares - 2 * white @ self._known.T).clamp(min=0)

    def energy(self, rows: Tensor) -> Tensor:
        """Negative log-likelihood: high where no class has rows.

        E(z) = -log (1/K) sum_k N(z; mu_k, Sigma).

        Args:
            rows: (N, D) of any floating-point type.

        Returns:
            (N,) float64, with a gradient where the rows have one; (0,) of no rows.

        Example:
            >>> origin, unit = torch.zeros(1, 1).double(), torch.eye(1).double()
            >>> one = GaussianMixture(means=origin, cholesky=unit)
            >>> one.energy(torch.zeros(1, 1)).item()  # log(2 pi) / 2
            0.918...

        Source:
            Lafon, Ramzi, Rambour, Thome: Hybrid Energy Based Model in the Feature Space for
            Out-of-Distribution Detection, ICML 2023. Equal weights, whatever the classes' sizes.
        """
        classes, width = self.means.shape
        log_volume = self.cholesky.diagonal().log().sum() + width / 2 * math.log(2 * math.pi)
        scores = torch.logsumexp(-self.distances(rows) / 2, dim=1)
        return log_volume + math.log(classes) - scores

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Draws rows: a class each, all equally likely, and a Gaussian step from its mean.

        Args:
            count: how many.
            generator: on the CPU.

        Returns:
            (count, D) float64.
        """
        classes = torch.randint(len(self.means), (count,), generator=generator)
        steps = torch.randn(count, self.means.shape[1], generator=generator, dtype=self.means.dtype)
        return self.means[classes] + steps @ self.cholesky.T


def fit_mixture(features: NDArray[np.floating], labels: NDArray[np.integer]) -> GaussianMixture:
    """Fits class means and the covariance around them.

    The covariance is that of all rows less the mean of their class, shrunk towards a multiple of
    the identity as Ledoit and Wolf have it: with about as many rows as dimensions the plain one
    has no inverse. With many rows the two are the same. On the diagonal a millionth of the mean
    variance is added, for a feature that never changes.

    Args:
        features: (N, D), finite.
        labels: (N,) whole numbers, at least two of them different.

    Returns:
        The mixture, its means in the order of the sorted labels.

    Raises:
        ValueError: shapes do not fit, numbers are not finite, there is one class alone, or every
            row is the mean of its class.

    Source:
        The classes' Gaussians: Lee, Lee, Lee, Shin, NeurIPS 2018, equation 1. The shrinkage:
        Ledoit, Wolf: A well-conditioned estimator for large-dimensional covariance matrices,
        Journal of Multivariate Analysis 2004.
    """
    from sklearn.covariance import ledoit_wolf

    rows = require_rows("features", features)
    names, places = require_classes(labels, len(rows))
    means = np.stack([rows[places == place].mean(axis=0) for place in range(len(names))])
    residuals = rows - means[places]
    covariance, _ = ledoit_wolf(residuals, assume_centered=True)
    variance = float(np.trace(covariance)) / rows.shape[1]
    if not variance > 0:
        raise ValueError(
            f"features must vary within a class, got {len(rows)} rows that all are the mean of "
            f"their class; give several rows of a class"
        )
    return GaussianMixture(
        means=torch.from_numpy(means),
        cholesky=torch.linalg.cholesky(
            torch.from_numpy(covariance + _FLOOR * variance * np.eye(rows.shape[1]))
        ),
    )
