"""Volumes made by a seed: three organs in about the same places, in noise."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ORGANS = ("large", "small", "tube")
"""Classes 1, 2 and 3; 0 is the background."""
SHAPE = (16, 20, 20)
_JITTER_VOXELS = 1.2
_SCALE_JITTER = 0.12
_NOISE = 0.45
_DISTRACTORS = 3
# The first two look alike, and so do blobs of the background: only their places tell.
_INTENSITIES = (0.0, 1.0, 1.0, 0.6)
_CENTRES = ((8.0, 7.0, 7.0), (8.0, 14.0, 14.0), (8.0, 7.0, 15.0))
_RADII = ((4.5, 4.5, 4.0), (3.0, 2.5, 2.5), (7.0, 1.8, 1.8))


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledVolumes:
    """Volumes, aligned with each other.

    Attributes:
        images: (N, Z, Y, X) float32.
        labels: (N, Z, Y, X) int64, from 0 to 3.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]

    def part(self, start: int, stop: int) -> "LabelledVolumes":
        """Returns the volumes of a range of positions."""
        return LabelledVolumes(images=self.images[start:stop], labels=self.labels[start:stop])


def make_volumes(count: int, seed: int) -> LabelledVolumes:
    """Makes volumes of three ellipsoids whose places and sizes vary a little.

    In the background lie blobs that look like an organ and may be anywhere; noise is Gaussian,
    each voxel by itself.

    Args:
        count: how many, >= 0.
        seed: of all that varies.

    Returns:
        The volumes; the same for the same seed, whatever the count.
    """
    streams = np.random.SeedSequence(seed).spawn(count)
    made = [_volume(np.random.default_rng(stream)) for stream in streams]
    images = np.empty((count, *SHAPE), dtype=np.float32)
    labels = np.empty((count, *SHAPE), dtype=np.int64)
    for place, (image, label) in enumerate(made):
        images[place], labels[place] = image, label
    return LabelledVolumes(images=images, labels=labels)


def _volume(random: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    labels = np.zeros(SHAPE, dtype=np.int64)
    looks = np.zeros(SHAPE)
    for _ in range(_DISTRACTORS):
        anywhere, radius = random.uniform(0, SHAPE), np.full(3, random.uniform(1.5, 2.5))
        looks[_inside(anywhere, radius)] = random.choice(_INTENSITIES[1:])
    for organ, (centre, radii) in enumerate(zip(_CENTRES, _RADII, strict=True), start=1):
        moved = np.array(centre) + random.normal(0, _JITTER_VOXELS, 3)
        scaled = np.array(radii) * np.exp(random.normal(0, _SCALE_JITTER, 3))
        where = _inside(moved, scaled)
        labels[where], looks[where] = organ, _INTENSITIES[organ]
    return looks + random.normal(0, _NOISE, SHAPE), labels


def _inside(centre: NDArray[np.float64], radii: NDArray[np.float64]) -> NDArray[np.bool_]:
    axes = np.meshgrid(*(np.arange(side) for side in SHAPE), indexing="ij")
    squares = [
        ((axis - middle) / radius) ** 2
        for axis, middle, radius in zip(axes, centre, radii, strict=True)
    ]
    return np.asarray(sum(squares) <= 1)
