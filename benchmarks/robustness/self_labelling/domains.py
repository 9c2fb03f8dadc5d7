"""Two sources of pictures with the same classes: one with labels, one to be adapted to."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hgld.benchmarks.robustness.data_sets.features import FeatureSet
from hgld.benchmarks.robustness.out_of_distribution.frozen import FrozenRows

_MOVE_PX = 0.5
_NOISE = 2.0  # of grey values from 0 to 16
_BLUR_PX = 0.4
_COMPONENTS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainPair:
    """A source with labels, a target without, and target rows to measure on.

    Attributes:
        title: as a reader sees it.
        source: rows whose labels are used.
        unlabelled: target rows; their labels serve to measure alone.
        measured: other target rows.
    """

    title: str
    source: FeatureSet
    unlabelled: FeatureSet
    measured: FeatureSet

    @property
    def classes(self) -> int:
        """C, of the source."""
        return self.source.classes


def shifted_digits(seed: int) -> DomainPair:
    """scikit-learn's written digits, and the same kind blurred, moved and noisy.

    A synthetic change of source: half of the digits stay as they are; of the others each is moved
    by half a pixel to a random side, blurred, and given noise. No digit is on both sides. Features
    are the first 32 principal components of the source's pixels: of pixels themselves, those that
    are hardly ever black in the source would drown the others once they are standardised.

    Args:
        seed: of the split, the moves and the noise.
    """
    from scipy.ndimage import gaussian_filter, shift
    from sklearn.datasets import load_digits
    from sklearn.decomposition import PCA

    loaded = load_digits()
    random = np.random.default_rng(seed)
    order = random.permutation(len(loaded.target))
    half = len(order) // 2
    moved = loaded.images[order[half:]]
    steps = _MOVE_PX * np.array([(0, 1), (0, -1), (1, 0), (-1, 0)])
    chosen = steps[random.integers(4, size=len(moved))]
    moved = np.stack([shift(one, step, order=1) for one, step in zip(moved, chosen, strict=True)])
    moved = gaussian_filter(moved, (0, _BLUR_PX, _BLUR_PX))
    moved = np.clip(moved + random.normal(0, _NOISE, moved.shape), 0, 16)
    quarter = half // 2
    own = loaded.data[order[:half]]
    reduction = PCA(_COMPONENTS, random_state=0).fit(own)
    foreign = reduction.transform(moved.reshape(len(moved), -1))
    return DomainPair(
        title="Digits, changed",
        source=_rows("source", reduction.transform(own), loaded.target[order[:half]]),
        unlabelled=_rows("unlabelled", foreign[:-quarter], loaded.target[order[half:-quarter]]),
        measured=_rows("measured", foreign[-quarter:], loaded.target[order[-quarter:]]),
    )


def photo_sources(
    parts: Mapping[str, FrozenRows], *, title: str, least_rows: int = 8
) -> DomainPair:
    """The training images as the source, the index as the target, the queries to measure on.

    GLDv2's training and index images are of other landmarks, with super-categories in common; the
    queries show landmarks of the index.

    Args:
        parts: `train`, `index` and `test` with super-categories numbered alike.
        title: as a reader sees it.
        least_rows: of a super-category in training and index; others are left out.

    Returns:
        The pair, with classes numbered anew.

    Raises:
        ValueError: fewer than two super-categories are in common.
    """
    labels = {split: rows.required_labels() for split, rows in parts.items()}
    common = np.intersect1d(
        _frequent(labels["train"], least_rows), _frequent(labels["index"], least_rows)
    )
    if len(common) < 2:  # noqa: PLR2004 - there must be something to tell apart
        raise ValueError(
            f"training and index images must have two super-categories of at least {least_rows} "
            f"rows each in common, got {len(common)}"
        )

    def shared(split: str) -> FeatureSet:
        kept = np.isin(labels[split], common)
        numbers = np.searchsorted(common, labels[split][kept])
        return _rows(split, parts[split].features[kept], numbers)

    return DomainPair(
        title=title, source=shared("train"), unlabelled=shared("index"), measured=shared("test")
    )


def _frequent(labels: NDArray[np.int64], least: int) -> NDArray[np.int64]:
    names, counts = np.unique(labels, return_counts=True)
    return names[counts >= least]


def _rows(title: str, features: NDArray[np.floating], labels: NDArray[np.integer]) -> FeatureSet:
    return FeatureSet(
        title=title,
        features=features.astype(np.float32),
        labels=labels.astype(np.int64),
        groups=np.arange(len(labels)),
    )
