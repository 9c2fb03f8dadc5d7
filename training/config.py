"""The settings of a training run, and the stage it is; light to import.

Nothing here needs torch, so that the command line can read settings and show states without it.
"""

import dataclasses
import re
from dataclasses import dataclass
from numbers import Integral

from hgld.engine.config import setting
from hgld.engine.stage import Stage
from hgld.tables import ANNOTATIONS, IMAGE_FILES
from hgld.training.model.config import (
    ModelConfig,
    Precision,
    require_positive,
    require_whole_number,
)

_SEEDS = 1 << 63
_LONGEST_NAME = 100


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
            require_positive(field, getattr(self, field))
        for field in ("checkpoint_every_steps", "checkpoint_every_s", "learning_rate", "alpha"):
            require_positive(field, getattr(self, field))
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


def model_files(name: str) -> tuple[str, str]:
    """Returns where a run leaves its model: weights and settings, relative to the workspace."""
    return f"runs/{name}/model.safetensors", f"runs/{name}/config.json"


def train_stage(name: str) -> Stage:
    """Returns the stage of one run; runs of several names stand side by side in a workspace."""
    return Stage(
        name="train" if name == TrainConfig().name else f"train-{name}",
        version=3,  # the model is model.safetensors and config.json
        inputs=(ANNOTATIONS["train"], IMAGE_FILES["train"]),
        output_files=model_files(name),
    )


STAGE = train_stage(TrainConfig().name)
