"""Simple scores of how far out of the training classes a row is; higher is further out."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from hgld.benchmarks.robustness.out_of_distribution.heat.gaussians import GaussianMixture
from hgld.benchmarks.robustness.out_of_distribution.rows import require_rows

OutScores = NDArray[np.float64]


def maximum_softmax_score(logits: ArrayLike) -> OutScores:
    """Negative probability of the likeliest class: -max_k softmax(logits)_k.

    Args:
        logits: (N, K), finite.

    Returns:
        (N,) float64 in [-1, -1/K]; (0,) of no rows.

    Raises:
        ValueError: another shape, or numbers that are not finite.

    Example:
        >>> maximum_softmax_score([[0.0, 0.0]]).tolist()
        [-0.5]

    Source:
        Hendrycks, Gimpel: A Baseline for Detecting Misclassified and Out-of-Distribution Examples
        in Neural Networks, ICLR 2017.
    """
    from scipy.special import softmax

    return np.asarray(-softmax(require_rows("logits", logits), axis=1).max(axis=1))


def maximum_logit_score(logits: ArrayLike) -> OutScores:
    """Negative largest logit: -max_k logits_k.

    Args:
        logits: (N, K), finite.

    Returns:
        (N,) float64; (0,) of no rows.

    Raises:
        ValueError: another shape, or numbers that are not finite.

    Example:
        >>> maximum_logit_score([[0.0, 3.0]]).tolist()
        [-3.0]

    Source:
        Hendrycks et al.: Scaling Out-of-Distribution Detection for Real-World Settings, ICML 2022.
    """
    return np.asarray(-require_rows("logits", logits).max(axis=1))


def logit_energy_score(logits: ArrayLike) -> OutScores:
    """Energy of the logits at temperature 1: -log sum_k exp(logits_k).

    Args:
        logits: (N, K), finite.

    Returns:
        (N,) float64; (0,) of no rows.

    Raises:
        ValueError: another shape, or numbers that are not finite.

    Example:
        >>> logit_energy_score([[0.0, 0.0]]).tolist()  # -log 2
        [-0.693...]

    Source:
        Liu, Wang, Owens, Li: Energy-based Out-of-distribution Detection, NeurIPS 2020, equation 4.
    """
    from scipy.special import logsumexp

    return np.asarray(-logsumexp(require_rows("logits", logits), axis=1))


def mahalanobis_score(mixture: GaussianMixture, features: ArrayLike) -> OutScores:
    """Squared Mahalanobis distance to the nearest class mean, under the shared covariance.

    Args:
        mixture: of `fit_mixture` on the training rows.
        features: (N, D), finite.

    Returns:
        (N,) float64, >= 0; (0,) of no rows.

    Raises:
        ValueError: another shape, or numbers that are not finite.

    Source:
        Lee, Lee, Lee, Shin: A Simple Unified Framework for Detecting Out-of-Distribution Samples
        and Adversarial Attacks, NeurIPS 2018, equation 2; the last features, without their input
        noise and sum over layers.
    """
    rows = require_rows("features", features, mixture.means.shape[1])
    return mixture.distances(torch.from_numpy(rows)).amin(dim=1).numpy()


def nearest_neighbour_score(train: ArrayLike, features: ArrayLike, k: int = 10) -> OutScores:
    """Euclidean distance to the k-th nearest training row, all scaled to unit length.

    Args:
        train: (M, D), finite, no row zero.
        features: (N, D), finite, no row zero.
        k: which neighbour, from 1 to M. The published is about a thousandth of the training rows
            (50 of 50,000); of a thousand rows that is one, and noisy.

    Returns:
        (N,) float64 in [0, 2]; (0,) of no rows.

    Raises:
        ValueError: another shape, numbers that are not finite, a row without direction, or a k out
            of range.

    Example:
        >>> nearest_neighbour_score([[1.0, 0.0], [0.0, 1.0]], [[2.0, 0.0]], k=2).tolist()
        [1.414...]

    Source:
        Sun, Ming, Zhu, Li: Out-of-Distribution Detection with Deep Nearest Neighbors, ICML 2022.
    """
    from sklearn.neighbors import NearestNeighbors

    known = _unit_length("train", train)
    rows = _unit_length("features", features, known.shape[1])
    if not 1 <= k <= len(known):
        raise ValueError(f"k must be from 1 to the {len(known)} training rows, got {k}")
    if not len(rows):
        return np.empty(0)
    search = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(known)
    return np.asarray(search.kneighbors(rows)[0][:, -1])


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualLogit:
    """ViM: a logit of no class, from what features have outside the space of the training rows.

    Attributes:
        origin: (D,) where all logits are nearest to zero: -pinv(W) b.
        residual: (D, D - P), orthonormal, of the directions in which training rows vary least.
        scale: alpha, so that virtual and largest logit are alike on average.
    """

    origin: NDArray[np.float64]
    residual: NDArray[np.float64]
    scale: float

    def score(self, features: ArrayLike, logits: ArrayLike) -> OutScores:
        """Scores alpha |R^T (x - o)| - log sum_k exp(logits_k).

        In the order of the published probability of the virtual logit, of which this is a rising
        function, and which is 1.0 to all digits for what is far out.

        Args:
            features: (N, D), finite.
            logits: (N, K), finite, of the same rows.

        Returns:
            (N,) float64; (0,) of no rows.

        Raises:
            ValueError: other shapes, or numbers that are not finite.
        """
        rows = require_rows("features", features, len(self.origin))
        lengths = np.linalg.norm((rows - self.origin) @ self.residual, axis=1)
        return np.asarray(self.scale * lengths + logit_energy_score(logits))


def fit_virtual_logit(
    features: ArrayLike, weight: ArrayLike, bias: ArrayLike, components: int | None = None
) -> VirtualLogit:
    """Fits ViM on training rows and the linear classifier on top of them.

    Args:
        features: (N, D), finite; logits are features @ weight.T + bias.
        weight: (K, D).
        bias: (K,).
        components: P, dimensions of the principal space, from 1 to D - 1; None: half of D or, of
            fewer classes than that, as many as N - 1 allow. The published: 1,000 of 2,048.

    Returns:
        What scores rows.

    Raises:
        ValueError: shapes do not fit, numbers are not finite, or the training rows have nothing
            outside the principal space.

    Source:
        Wang, Li, Feng, Zhang: ViM: Out-Of-Distribution with Virtual-logit Matching, CVPR 2022,
        equations 3 to 6.
    """
    rows = require_rows("features", features)
    linear = require_rows("weight", weight, rows.shape[1])
    offset = np.asarray(bias, dtype=np.float64)
    if offset.shape != (len(linear),):
        raise ValueError(f"bias must have shape ({len(linear)},), got {offset.shape}")
    width = rows.shape[1]
    kept = max(1, min(width // 2, len(rows) // 2)) if components is None else components
    if not 1 <= kept < width:
        raise ValueError(f"components must be from 1 to {width - 1}, got {kept}")
    origin = -np.linalg.pinv(linear) @ offset
    moved = rows - origin
    _, vectors = np.linalg.eigh(moved.T @ moved)  # ascending
    residual = vectors[:, : width - kept]
    length = np.linalg.norm(moved @ residual, axis=1).mean()
    if not length > 0:
        raise ValueError(
            f"training rows must have something outside {kept} principal dimensions, got none; "
            f"take fewer components"
        )
    largest = (rows @ linear.T + offset).max(axis=1).mean()
    return VirtualLogit(origin=origin, residual=residual, scale=float(largest / length))


def _unit_length(name: str, values: ArrayLike, width: int | None = None) -> NDArray[np.float64]:
    rows = require_rows(name, values, width)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not (lengths > 0).all():
        raise ValueError(
            f"{name} must have no row of zeros, which has no direction, got row "
            f"{np.flatnonzero(lengths[:, 0] == 0)[0]}; leave it out"
        )
    return np.asarray(rows / lengths)
