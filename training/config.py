"""The settings of a training run and of its export, and the stages they are; light to import.

Nothing here needs torch, so that the command line can read settings and show states without it.
"""

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from hgld.engine.config import check_settings, setting
from hgld.engine.stage import Stage
from hgld.tables import (
    ANNOTATIONS,
    FILLED,
    IMAGE_FILES,
    LEVELS,
    OVERLAP,
    OWN_HIERARCHY,
    PARTIAL,
    LabelOrigin,
    OriginChoice,
    levels_of_hierarchy,
)
from hgld.training.methods import Happier, TrainingMethod
from hgld.training.model.config import AnyPrecision, ModelConfig

Optimiser = Literal["adam", "adamw"]
Keep = Literal["last", "best"]
ExportTarget = Literal["onnx", "card"]
METHOD_NAMES: tuple[str, ...] = tuple(method().name for method in get_args(TrainingMethod))
"""What a model can be trained for."""

_MOST_SEED = (1 << 63) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig(ModelConfig):
    """Settings of `hgld train`: of HAPPIER, its sampling and its steps as published for H-GLDv2.

    What the model is made of, what it sees and the precision are what is usual, or needs least; the
    recipe `h-gldv2-resnet101` has these as published too.

    Source: Ramzi et al., Optimization of Rank Losses for Image Retrieval, TPAMI 2025. It does not
    state the number of epochs; this one is ours.
    """

    recipe: str = setting(
        "", "Settings that belong together; --recipes lists them.", changes_rows=False
    )
    method: TrainingMethod = setting(
        Happier(),
        f"What the model is trained for: {', '.join(METHOD_NAMES)}; [train.method] has settings "
        "of its own.",
    )
    name: str = setting("", "Name of the run and of its folder; none: the method's.")
    batch_size: int = setting(256, "Images in a batch.", least=1)
    samples_per_landmark: int = setting(4, "Images of each landmark in a batch.", least=1)
    max_per_landmark: int = setting(8, "Most images of a landmark in an epoch.")
    supercategories_per_batch: int | None = setting(
        None, "Super-categories in a batch; none: any number.", least=1
    )
    min_crop: float = setting(
        0.16,
        "Least share of a picture's area in a training crop.",
        above=0,
        most=1,
        needs="frozen=False",
    )
    colour_jitter: float = setting(
        0.0,
        "Share by which training changes colours, 0 to 1.",
        least=0,
        most=1,
        needs="frozen=False",
    )
    crop_size: int | None = setting(
        None,
        "Side of a training crop, in pixels; none: image_size. Smaller is faster.",
        least=1,
        needs="frozen=False",
    )
    images_at_once: int | None = setting(
        None,
        "Images in a forward pass, to train large batches in little memory.",
        least=1,
        needs="frozen=False",
    )
    memory_size: int = setting(0, "Past embeddings that a batch is compared with too.", least=0)
    memory_from_step: int = setting(
        0, "Step from which these are kept.", least=0, needs="memory_size"
    )
    labels: LabelOrigin = setting("classes", "Labels to learn; all: filled ones too.")
    min_confidence: float = setting(0.0, "Least confidence of a label, 0 to 1.")
    exclude_overlap: bool = setting(
        False,
        "Leaves out train landmarks that are also in the index or a building of Revisited, by "
        "annotations/overlap.parquet.",
    )
    partial_labels: bool = setting(
        False,
        "Learns from images of unknown super-category too, by annotations/partial.",
    )
    hierarchy: str = setting(
        "kind",
        "Levels of the labels: kind; place; own, those of [hierarchy]; or some levels of kind or "
        "place, finest first, joined by commas, as in landmark_id,country,continent.",
    )
    epochs: int = setting(20, "How often each landmark is seen.", least=1)
    optimiser: Optimiser = setting("adam", "The optimiser.")
    learning_rate: float = setting(1e-4, "Step size at first; falls to 0 as a cosine.", above=0)
    warm_up_steps: int = setting(0, "Steps in which the learning rate grows from 0.", least=0)
    layer_decay: float = setting(
        1.0,
        "Factor of the learning rate for each layer further from the backbone's end.",
        above=0,
        most=1,
        needs="frozen=False",
    )
    weight_decay: float = setting(1e-4, "Weight decay of the model; proxies have none.", least=0)
    gradient_clip: float | None = setting(None, "Longest gradient of a step; none: any.", above=0)
    average_decay: float = setting(
        0.0,
        "Decay of a moving average of the weights, such as 0.999; 0: no average.",
        least=0,
        most=0.999_999,
    )
    precision: AnyPrecision = setting(
        "auto",
        "Number format of the forward pass; auto: bfloat16 where the device computes in it, else "
        "float32.",
    )
    init: str = setting("", "A finished run to start from, such as runs/first.")
    embeddings: Path | None = setting(
        None,
        "With frozen: vectors of the training images, in the place of a backbone's: parquet, a "
        "folder of such files, or .npy, as benchmark takes them.",
        changes_rows=False,  # what is in it does
    )
    seed: int = setting(
        0, "Seed of the weights, the batches and the crops.", least=0, most=_MOST_SEED
    )
    validation_share: float = setting(
        0.0, "Share of the landmarks held out to measure on.", least=0, most=0.9
    )
    validate_every_steps: int = setting(
        500, "Steps between measurements.", least=1, needs="validation_share"
    )
    keep: Keep = setting("last", "Weights that become the model; best: of highest H-AP.")
    device: str = setting(
        "auto", "Such as cpu or cuda:0; auto: the first GPU, if any.", changes_rows=False
    )
    workers: int = setting(4, "Processes that read images; 0: none.", changes_rows=False, least=0)
    tensorboard: bool = setting(False, "Writes the log for TensorBoard too.", changes_rows=False)
    log_every_steps: int = setting(
        50, "Steps between lines of the log.", changes_rows=False, least=1
    )
    checkpoint_every_s: float = setting(
        60.0,
        "Seconds between checkpoints: most work that a stop can lose.",
        changes_rows=False,
        above=0,
    )

    def __post_init__(self) -> None:
        """Refuses what could only fail later."""
        # Not super(): a dataclass with slots is another class than the one that super() looks for.
        ModelConfig.__post_init__(self)
        if not self.name:
            object.__setattr__(self, "name", self.method.name)
        require_run_name("name", self.name)
        _ = self.label_choice  # which refuses what chooses nothing
        levels_of_hierarchy(self.hierarchy)
        require_groups(self.batch_size, self.samples_per_landmark, self.max_per_landmark)
        if self.embeddings is not None and not self.frozen:
            raise ValueError("embeddings needs frozen = true, since no backbone can be trained")
        if self.frozen and self.init:
            raise ValueError("init is for a whole model, and frozen trains a layer; leave one out")
        if not self.validation_share and self.keep == "best":
            raise ValueError('keep = "best" needs held-out landmarks; set validation_share to 0.1')

    @property
    def crop_side(self) -> int:
        """Side of the square that the model sees in training.

        Source: Touvron et al., Fixing the train-test resolution discrepancy, NeurIPS 2019.
        """
        return self.image_size if self.crop_size is None else self.crop_size

    @property
    def stage(self) -> Stage:
        """The stage of the run."""
        stage = train_stage(self.name, self.labels, with_pictures=self.embeddings is None)
        overlap = (OVERLAP,) if self.exclude_overlap else ()
        is_own = self.hierarchy == OWN_HIERARCHY
        own = (LEVELS, FILLED["train"]) if is_own else ()
        partial = (PARTIAL["train"],) if self.partial_labels or is_own else ()
        inputs = dict.fromkeys((*stage.inputs, *overlap, *partial, *own))
        return dataclasses.replace(stage, inputs=tuple(inputs))

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


def train_stage(name: str, labels: LabelOrigin = "classes", *, with_pictures: bool = True) -> Stage:
    """Returns the stage of one run; runs of several names stand side by side in a workspace.

    Args:
        name: of the run.
        labels: which it learns.
        with_pictures: whether it reads any.
    """
    choice = OriginChoice(labels=labels)
    filled = (FILLED["train"],) if choice.takes_fills else ()
    return Stage(
        name="train" if name == TrainConfig().name else f"train-{name}",
        version=1,
        inputs=(ANNOTATIONS["train"], *filled, *((IMAGE_FILES["train"],) if with_pictures else ())),
        output_files=model_files(name),
    )


def require_groups(batch_size: int, samples: int, most: int, rank: int = 0, ranks: int = 1) -> None:
    """Refuses batches that are no whole groups of images of one landmark, in each process.

    Raises:
        ValueError: such settings; the text names them.
    """
    if not 0 <= rank < ranks:
        raise ValueError(f"rank must be from 0 to world_size - 1, got {rank} of {ranks}")
    if samples < 1 or batch_size < 1 or batch_size % (samples * ranks):
        raise ValueError(
            f"batch_size must be a multiple of samples_per_landmark x world_size "
            f"({samples} x {ranks}), so that each process has whole groups; got {batch_size}"
        )
    if most < samples:
        raise ValueError(
            f"max_per_landmark must be at least samples_per_landmark ({samples}), got {most}"
        )


def require_run_name(field: str, name: str) -> None:
    """Refuses what is no name of a run.

    Raises:
        ValueError: it cannot be that of a folder in runs/.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        raise ValueError(
            f"{field} must be a name of at most 100 letters, digits, dots, dashes and underscores, "
            f"got {name!r}; it becomes a folder"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportConfig:
    """Settings of `hgld export`."""

    run: str = setting(TrainConfig().name, "Name of the training run whose model is exported.")
    to: ExportTarget = setting(
        "onnx",
        "onnx: model.onnx, which needs hgld[export], and the card. card: only README.md, which "
        "says what the model is, what it was trained on and what it reached.",
    )

    def __post_init__(self) -> None:
        """Refuses what could only fail later."""
        check_settings(self)
        require_run_name("run", self.run)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Those that the settings ask for."""
        stages = (onnx_stage(self.run), card_stage(self.run))
        return stages if self.to == "onnx" else stages[1:]


def onnx_file(run: str) -> str:
    """Returns where a run's model lies as ONNX, relative to the workspace."""
    return f"runs/{run}/model.onnx"


def card_file(run: str) -> str:
    """Returns where the card of a run's model lies, relative to the workspace."""
    return f"runs/{run}/README.md"


def onnx_stage(run: str) -> Stage:
    """Returns the stage that writes a run's model as ONNX."""
    return Stage(
        name=f"export-{run}",
        version=1,
        input_files=model_files(run),
        output_files=(onnx_file(run),),
    )


def card_stage(run: str) -> Stage:
    """Returns the stage that writes the card of a run's model, of what is known of it by then."""
    return Stage(
        name=f"card-{run}",
        version=1,
        input_files=(
            *model_files(run),
            f"runs/{run}/metrics.jsonl",
            # What these stages were made from, and so whether it was this model.
            *(
                f"stages/{name}.json"
                for name in (train_stage(run).name, ANNOTATIONS["train"].stage, "benchmark")
            ),
            "annotations/releases.json",
            "benchmarks/results.csv",
        ),
        output_files=(card_file(run),),
    )
