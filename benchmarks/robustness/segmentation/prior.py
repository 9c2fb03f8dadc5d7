"""Where each class is to be expected: a smoothed frequency map; and the overlap with the truth."""

import numpy as np
from numpy.typing import NDArray

UNKNOWN_VOXEL = -1
"""Label of a voxel that says nothing."""


def spatial_prior(
    labels: NDArray[np.int64], classes: int, *, smoothing_voxels: float = 1.0, weight: float = 1.0
) -> NDArray[np.float64]:
    """Estimates p(class | voxel position) from aligned volumes.

    p(c | v) = (n_c(v) + weight / C) / (sum_c' n_c'(v) + weight), n_c = how many volumes have class
    c at v, blurred by a Gaussian. Where no volume says anything it is 1 / C.

    Args:
        labels: (N, Z, Y, X), from 0 to C - 1 or `UNKNOWN_VOXEL`.
        classes: C.
        smoothing_voxels: standard deviation of the Gaussian, >= 0: how far organs move.
        weight: > 0, of the uniform prior, in volumes: no class is impossible anywhere.

    Returns:
        (C, Z, Y, X) float64, above 0, summing to 1 over the classes.

    Raises:
        ValueError: a shape, a label or a number out of its range.

    Example:
        >>> spatial_prior(np.array([[[[0]]], [[[1]]], [[[1]]]]), 2).ravel().tolist()  # 1.5/4, 2.5/4
        [0.375, 0.625]

    Source:
        Petit, Thome, Soler: 3D Spatial Priors for Semi-Supervised Organ Segmentation with Deep
        Convolutional Neural Networks, IJCARS 2021, its idea; smoothing and weight are ours.
    """
    from scipy.ndimage import gaussian_filter

    is_known = (labels >= UNKNOWN_VOXEL) & (labels < classes)
    if labels.ndim != 4 or not is_known.all():  # noqa: PLR2004 - (N, Z, Y, X)
        raise ValueError(
            f"labels must have shape (N, Z, Y, X) and be from 0 to {classes - 1}, or "
            f"{UNKNOWN_VOXEL} where unknown, got shape {labels.shape}"
        )
    if not smoothing_voxels >= 0 or not weight > 0:
        raise ValueError(
            f"smoothing_voxels must be 0 or more and weight above 0, got {smoothing_voxels} and "
            f"{weight}"
        )
    counts = np.stack([(labels == label).sum(axis=0) for label in range(classes)])
    blurred = gaussian_filter(
        counts.astype(np.float64), (0, *[smoothing_voxels] * 3), mode="nearest"
    )
    return np.asarray((blurred + weight / classes) / (blurred.sum(axis=0) + weight))


def dice(
    predicted: NDArray[np.int64], labels: NDArray[np.int64], classes: int
) -> NDArray[np.float64]:
    """Overlap of a prediction with the truth: 2 |A and B| / (|A| + |B|) of each class.

    Args:
        predicted: any shape, from 0 to C - 1.
        labels: of the same shape.
        classes: C.

    Returns:
        (C - 1,) of classes 1 and up, in [0, 1]; NaN for one that is in neither.

    Raises:
        ValueError: shapes differ.

    Example:
        >>> dice(np.array([1, 1, 0, 0]), np.array([1, 0, 1, 0]), 3).tolist()
        [0.5, nan]

    Source:
        Dice: Measures of the Amount of Ecologic Association Between Species, Ecology 1945.
    """
    if predicted.shape != labels.shape:
        raise ValueError(
            f"predicted and labels must be of one shape, got {predicted.shape} and {labels.shape}"
        )
    values = np.full(classes - 1, np.nan)
    for label in range(1, classes):
        one, other = predicted == label, labels == label
        total = one.sum() + other.sum()
        if total:
            values[label - 1] = 2 * (one & other).sum() / total
    return values
