"""How training images are drawn and altered, as settings; light to import."""

from dataclasses import dataclass
from numbers import Integral
from typing import Literal

from hgld.engine.config import check_settings, setting
from hgld.training.model.config import require_whole_number

Few = Literal["repeat", "drop"]
Pictures = Literal["files", "shards"]
"""Where pictures are read from: their own files, or the tars of `hgld images --shards`."""

_SAMPLES = "Images of each landmark in a batch."
_MOST = "Images of a landmark in an epoch, at most."
_FEW = (
    "What becomes of landmarks with fewer images than samples_per_landmark. repeat: they give all "
    "they have, in turn, each time augmented anew; drop: they are left out and counted, as in the "
    "published code."
)
# Of RandAugment, whose magnitudes are steps of a scale from 0 to 30.
_MOST_MAGNITUDE = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class PerLandmark:
    """A batch is made of groups of m images of one landmark, of any super-category."""

    name: Literal["landmarks"] = "landmarks"
    samples_per_landmark: int = setting(4, _SAMPLES)
    max_per_landmark: int = setting(8, _MOST)
    few: Few = setting("repeat", _FEW)

    def __post_init__(self) -> None:
        """Refuses groups that no landmark can give."""
        check_settings(self)
        require_groups(self.samples_per_landmark, self.max_per_landmark)


@dataclass(frozen=True, slots=True, kw_only=True)
class PerSuperCategory:
    """A batch is made of k super-categories, and of groups of m images of landmarks within them.

    Source: HierarchicalSampler of pytorch-metric-learning, by which the code published for HAPPIER
    trains on Stanford Online Products: 2 super-categories, 4 images a class.
    """

    name: Literal["super-categories"] = "super-categories"
    supercategories_per_batch: int = setting(
        2, "Super-categories of a batch; the groups of a batch must be a multiple of it."
    )
    samples_per_landmark: int = setting(4, _SAMPLES)
    max_per_landmark: int = setting(8, _MOST)
    few: Few = setting("repeat", _FEW)

    def __post_init__(self) -> None:
        """Refuses groups that no landmark can give."""
        check_settings(self)
        require_groups(self.samples_per_landmark, self.max_per_landmark)
        require_whole_number("supercategories_per_batch", self.supercategories_per_batch)


SamplerConfig = PerLandmark | PerSuperCategory
"""Which images come together in a batch; told apart by `name`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentConfig:
    """What happens to a training image; by default what was published for HAPPIER."""

    name: Literal["crops"] = "crops"
    min_scale: float = setting(
        0.16, "Least share of the image's area in its random crop, above 0 and up to 1."
    )
    flip: bool = setting(True, "Whether every second image is mirrored, at random.")
    colour_jitter: float = setting(
        0.0,
        "How far brightness, contrast and saturation may change, as a share of 1 (0.4: from 60% to "
        "140%), and hue by a quarter of that; 0: not.",
    )
    rand_augment_ops: int = setting(
        0, "Alterations of RandAugment, which are drawn anew for each image; 0: none."
    )
    rand_augment_magnitude: int = setting(9, "Strength of these, from 0 to 30.")
    blur: float = setting(
        0.0, "Share of the images that are blurred, by a Gaussian of 0.1 to 2 pixels."
    )
    erasing: float = setting(
        0.0, "Share of the images of which a rectangle of 2% to 33% gets the mean colour."
    )
    decode_spare: float = setting(
        0.0,
        "A JPEG is decoded at a half, a quarter or an eighth of its size where a side of its crop "
        "then still has so many times the pixels that it becomes. 2 hardly shows, 1 is fastest; "
        "0: always at its full size.",
    )

    def __post_init__(self) -> None:
        """Refuses shares and strengths that there cannot be."""
        check_settings(self)
        if not 0 < self.min_scale <= 1:
            raise ValueError(f"min_scale must be above 0 and up to 1, got {self.min_scale}")
        for field in ("colour_jitter", "blur", "erasing"):
            if not 0 <= getattr(self, field) <= 1:
                raise ValueError(f"{field} must be from 0 to 1, got {getattr(self, field)}")
        require_whole_number("rand_augment_ops", self.rand_augment_ops, or_zero=True)
        if not (self.decode_spare == 0 or self.decode_spare >= 1):
            raise ValueError(f"decode_spare must be 0, or 1 or more, got {self.decode_spare}")
        if not 0 <= self.rand_augment_magnitude <= _MOST_MAGNITUDE:
            raise ValueError(
                f"rand_augment_magnitude must be from 0 to {_MOST_MAGNITUDE}, got "
                f"{self.rand_augment_magnitude}"
            )


def require_groups(samples_per_landmark: int, max_per_landmark: int) -> None:
    """Refuses groups of a landmark's images that the most it gives in an epoch cannot hold.

    Raises:
        ValueError: one of them is no whole number above 0, or `max_per_landmark` is smaller.
    """
    require_whole_number("samples_per_landmark", samples_per_landmark)
    require_whole_number("max_per_landmark", max_per_landmark)
    if max_per_landmark < samples_per_landmark:
        raise ValueError(
            f"max_per_landmark must be at least samples_per_landmark ({samples_per_landmark}), "
            f"got {max_per_landmark}"
        )


def require_whole_groups(batch_size: int, samples_per_landmark: int, max_per_landmark: int) -> None:
    """Refuses batches that cannot be made of whole groups of a landmark's images.

    Raises:
        ValueError: one of them is no whole number above 0, `batch_size` is no multiple of
            `samples_per_landmark`, or `max_per_landmark` is smaller.
    """
    require_groups(samples_per_landmark, max_per_landmark)
    is_whole = isinstance(batch_size, Integral)
    if not is_whole or batch_size <= 0 or batch_size % samples_per_landmark:
        raise ValueError(
            f"batch_size must be a multiple of samples_per_landmark ({samples_per_landmark}), "
            f"got {batch_size}"
        )
