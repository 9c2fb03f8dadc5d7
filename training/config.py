"""The settings of a training run, and the stage it is; light to import.

Nothing here needs torch, so that the command line can read settings and show states without it.
"""

import dataclasses
import re
from dataclasses import dataclass
from typing import Literal

from hgld.engine.config import setting
from hgld.engine.stage import Stage
from hgld.tables import ANNOTATIONS, FILLED, IMAGE_FILES, LabelOrigin, OriginChoice
from hgld.training.data.config import (
    AugmentConfig,
    Few,
    PerLandmark,
    PerSuperCategory,
    Pictures,
    SamplerConfig,
    require_whole_groups,
)
from hgld.training.methods.config import Happier, TrainingMethod
from hgld.training.model.config import (
    ModelConfig,
    Precision,
    require_positive,
)

Optimiser = Literal["adam", "adamw"]
Keep = Literal["last", "best"]

_LONGEST_NAME = 100
_ABOVE_ZERO = (
    *("epochs", "samples_per_landmark", "log_every_steps", "checkpoint_every_steps", "nproc"),
    *("checkpoint_every_s", "learning_rate", "head_learning_rate_factor"),
    *("proxy_learning_rate_factor", "layer_decay", "gradient_clip", "images_at_once"),
    *("supercategories_per_batch", "validate_every_steps", "patience", "crop_size"),
    "timeout_s",
)
_ZERO_OR_MORE = (
    *("workers", "weight_decay", "memory_size", "memory_from_step", "warm_up_steps"),
    "frozen_backbone_steps",
)
_AT_MOST = {
    "seed": ((1 << 63) - 1, "from 0 to 2^63 - 1"),
    "validation_share": (0.9, "from 0 to 0.9"),
    "validation_seed": ((1 << 63) - 1, "from 0 to 2^63 - 1"),
    "average_decay": (0.999_999, "from 0 to 0.999999; 0.999 averages about the last 1,000 steps"),
    "layer_decay": (1.0, "above 0 and at most 1; 0.75 is usual for transformers"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig(ModelConfig):
    """Settings of `hgld train`: of HAPPIER, with the values published for H-GLDv2.

    Source: Ramzi et al., Optimization of Rank Losses for Image Retrieval, TPAMI 2025. It does not
    state the number of epochs; this one is ours.
    """

    recipe: str = setting(
        "",
        "Settings that belong together, for whatever is not stated: one of those that `hgld train "
        "--recipes` lists.",
        changes_rows=False,
    )
    method: TrainingMethod = setting(
        Happier(),
        "What the model is trained for: happier, roadmap, sup_ap, smooth_ap, csl, nsm, arcface, "
        "triplet or recall_at_k. A table [train.method] with its name and settings of its own "
        "takes the place of those that were published.",
    )
    name: str = setting("", "Name of the run, and of its folder in runs/; none: the method's.")
    batch_size: int = setting(256, "Images in a batch, a multiple of samples_per_landmark.")
    samples_per_landmark: int = setting(4, "Images of each landmark in a batch.")
    max_per_landmark: int = setting(8, "Images of a landmark in an epoch, at most.")
    few: Few = setting(
        "repeat",
        "What becomes of landmarks with fewer images than samples_per_landmark. repeat: they give "
        "all they have, in turn, each time altered anew; drop: they are left out and counted, as "
        "in the published code.",
    )
    supercategories_per_batch: int | None = setting(
        None,
        "Super-categories that the landmarks of a batch are of, drawn anew for each batch. None: "
        "any number, as many as it happens.",
    )
    augment: AugmentConfig = setting(
        AugmentConfig(), "What happens to an image; a table [train.augment]."
    )
    crop_size: int | None = setting(
        None,
        "Side of the square that a training image's crop becomes, in pixels: a smaller one than "
        "image_size costs less, and shows things no larger than the whole picture does later. "
        "None: image_size.",
    )
    images_at_once: int | None = setting(
        None,
        "Images in a forward pass; fewer than batch_size: the batch is embedded first, and then "
        "in parts once more for its gradient, in the memory of a part. None: all of a batch.",
    )
    memory_size: int = setting(
        0, "Embeddings of past batches that a batch is compared with as well; 0: none."
    )
    memory_from_step: int = setting(
        0, "Steps before the memory counts: an untrained model changes too fast for it."
    )
    labels: LabelOrigin = setting(
        "classes",
        "Which labels it learns: classes, as published; reviewed, those that a person decided; or "
        "all, also those that `hgld annotate --fills` took where no class gives one.",
    )
    min_confidence: float = setting(
        0.0, "Least confidence of a label, 0 to 1; those that a person decided have none and count."
    )
    epochs: int = setting(20, "How often each landmark is seen.")
    optimiser: Optimiser = setting("adam", "adam; or adamw, whose weight decay is apart.")
    learning_rate: float = setting(
        1e-4, "Step size of the optimiser; falls to 0 as a cosine over the steps."
    )
    warm_up_steps: int = setting(0, "Steps in which the learning rate grows from 0.")
    frozen_backbone_steps: int = setting(
        0, "First steps in which the backbone stays as it is, and the rest learns alone."
    )
    head_learning_rate_factor: float = setting(
        1.0, "What the learning rate is multiplied by for what stands on the backbone."
    )
    proxy_learning_rate_factor: float = setting(
        1.0, "What it is multiplied by for the landmarks' proxies."
    )
    layer_decay: float = setting(
        1.0, "What it is multiplied by for each layer of the backbone further from its end."
    )
    weight_decay: float = setting(
        1e-4, "Of the model; the proxies have none, as only their direction counts."
    )
    gradient_clip: float | None = setting(
        None, "Longest gradient of a step; a longer one is shortened to it. None: any."
    )
    average_decay: float = setting(
        0.0,
        "Decay of a moving average of the weights, which becomes the model: such as 0.999, the "
        "share that a step leaves. 0: the model has the weights of the last step.",
    )
    freeze_batch_norm: bool = setting(
        True, "Whether the running mean and variance of batch normalisation stay as they were."
    )
    precision: Precision = setting(
        "bfloat16",
        "Number format of the forward pass (autocast); losses and weights are float32 throughout.",
    )
    init: str = setting(
        "",
        "An earlier run to start from, such as runs/first, also at another image size. None: the "
        "backbone's weights.",
    )
    branch: str = setting(
        "",
        "Name of a run that was stopped or diverged, from whose checkpoint this one goes on, such "
        "as with a lower learning rate. None: it starts anew.",
    )
    seed: int = setting(0, "Seed of the weights, the batches and the crops.")
    validation_share: float = setting(
        0.0, "Share of the landmarks that are held out, to measure the run on as it goes; 0: none."
    )
    validation_seed: int = setting(
        0, "Seed of which these are; apart from seed, so that runs of several are comparable."
    )
    validate_every_steps: int = setting(500, "Steps from one measurement on them to the next.")
    keep: Keep = setting(
        "last",
        "Which weights become the model: those of the last step, or those of the best H-AP on the "
        "landmarks held out.",
    )
    patience: int | None = setting(
        None, "Measurements without a better H-AP after which the run ends early. None: never."
    )
    device: str = setting(
        "auto", "Such as cpu or cuda:0; auto: the first GPU where there is one.", changes_rows=False
    )
    pictures: Pictures = setting(
        "files",
        "Where pictures are read from: their own files, or the tars of `hgld images --shards`.",
        changes_rows=False,
    )
    nproc: int = setting(
        1,
        "Processes that train together, each on a GPU of its own where there are any; each takes "
        "its part of every batch.",
        changes_rows=False,
    )
    timeout_s: float = setting(
        600.0,
        "Seconds after which processes that train together end, where one of them does not answer. "
        "The others wait while the first measures the run, which has to take less.",
        changes_rows=False,
    )
    workers: int = setting(
        4,
        "Processes that read images for each that trains, at most one a core; 0: that one itself.",
        changes_rows=False,
    )
    tensorboard: bool = setting(
        False, "Whether the log is written for TensorBoard too.", changes_rows=False
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
        if not self.name:
            object.__setattr__(self, "name", self.method.name)
        _require_folder_name("name", self.name)
        if self.branch:
            _require_folder_name("branch", self.branch)
            if self.branch == self.name:
                raise ValueError(f"branch must be another run than name, got {self.name!r} twice")
        _require_ranges(self)
        _ = self.label_choice  # which refuses what chooses nothing
        require_whole_groups(self.batch_size, self.samples_per_landmark, self.max_per_landmark)
        if self.batch_size % (self.nproc * self.samples_per_landmark):
            raise ValueError(
                f"batch_size must be a multiple of nproc ({self.nproc}) times "
                f"samples_per_landmark, got {self.batch_size}; each process takes as many landmarks"
            )
        if not self.validation_share and (self.keep == "best" or self.patience is not None):
            raise ValueError(
                'keep = "best" and patience need landmarks that are held out; set '
                "validation_share, such as to 0.1"
            )
        if self.images_at_once and not self.freeze_batch_norm:
            raise ValueError(
                "images_at_once needs freeze_batch_norm = true: batch normalisation would see the "
                "parts of a batch, twice each, and not the batch"
            )

    @property
    def crop_side(self) -> int:
        """Side of the square that the model sees in training.

        Source: Touvron et al., Fixing the train-test resolution discrepancy, NeurIPS 2019.
        """
        return self.image_size if self.crop_size is None else self.crop_size

    @property
    def drawing(self) -> SamplerConfig:
        """The part that says which images come together in a batch."""
        if self.supercategories_per_batch is None:
            return PerLandmark(
                samples_per_landmark=self.samples_per_landmark,
                max_per_landmark=self.max_per_landmark,
                few=self.few,
            )
        return PerSuperCategory(
            supercategories_per_batch=self.supercategories_per_batch,
            samples_per_landmark=self.samples_per_landmark,
            max_per_landmark=self.max_per_landmark,
            few=self.few,
        )

    @property
    def label_choice(self) -> OriginChoice:
        """The part that says which labels are learned."""
        return OriginChoice(labels=self.labels, min_confidence=self.min_confidence)

    @property
    def model(self) -> ModelConfig:
        """The part that describes the model."""
        fields = [field.name for field in dataclasses.fields(ModelConfig)]
        return ModelConfig(**{name: getattr(self, name) for name in fields})


def model_files(name: str) -> tuple[str, str]:
    """Returns where a run leaves its model: weights and settings, relative to the workspace."""
    return f"runs/{name}/model.safetensors", f"runs/{name}/config.json"


def train_stage(name: str, labels: LabelOrigin = "classes") -> Stage:
    """Returns the stage of one run; runs of several names stand side by side in a workspace.

    Args:
        name: of the run.
        labels: which it learns.
    """
    choice = OriginChoice(labels=labels)
    filled = (FILLED["train"],) if choice.takes_fills else ()
    return Stage(
        name="train" if name == TrainConfig().name else f"train-{name}",
        version=3,  # the method is a setting, and the model a file of safetensors
        inputs=(ANNOTATIONS["train"], *filled, IMAGE_FILES["train"]),
        output_files=model_files(name),
    )


def _require_ranges(config: TrainConfig) -> None:
    for field in _ABOVE_ZERO:
        if getattr(config, field) is not None:
            require_positive(field, getattr(config, field))
    for field in _ZERO_OR_MORE:
        if not getattr(config, field) >= 0:
            raise ValueError(f"{field} must be 0 or more, got {getattr(config, field)}")
    for field, (most, advice) in _AT_MOST.items():
        if not 0 <= getattr(config, field) <= most:
            raise ValueError(f"{field} must be {advice}, got {getattr(config, field)}")


def _require_folder_name(field: str, name: str) -> None:
    is_name = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name)
    if not is_name or len(name) > _LONGEST_NAME:
        raise ValueError(
            f"{field} must be letters, digits, dots, dashes and underscores, at most "
            f"{_LONGEST_NAME}, got {name!r}; it becomes a folder"
        )


STAGE = train_stage(TrainConfig().name)
