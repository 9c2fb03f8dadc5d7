"""The settings of the benchmark, and the stage it is; light to import."""

from collections.abc import Sequence
from dataclasses import dataclass

from hgld.benchmarks.retrieval.results import REPORT_FILE, RESULTS_FILE
from hgld.engine.config import check_settings, setting
from hgld.engine.stage import Stage
from hgld.tables import ANNOTATIONS, EXCLUDED, IMAGE_FILES
from hgld.training.config import TrainConfig, model_files
from hgld.training.model.config import Precision

EMBEDDINGS_FOLDER = "benchmarks/embeddings"
"""Where embeddings are kept, relative to the workspace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkConfig:
    """Settings of `hgld benchmark`."""

    runs: tuple[str, ...] = setting(
        (TrainConfig().name,),
        "Names of the training runs to compare, each with its own backbone before training.",
    )
    image_size: int | None = setting(
        None,
        "Side of the square that every model sees, in pixels; none: what each was trained with.",
    )
    precision: Precision = setting("float32", "Number format of the forward pass.")
    batch_size: int = setting(64, "Images in a forward pass.", changes_rows=False)
    device: str = setting(
        "auto", "Such as cpu or cuda:0; auto: the first GPU where there is one.", changes_rows=False
    )
    workers: int = setting(
        4,
        "Processes that read images, at most one a core; 0: the benchmark's own process.",
        changes_rows=False,
    )

    def __post_init__(self) -> None:
        """Refuses what could only fail later."""
        check_settings(self)
        if not self.runs or len(set(self.runs)) < len(self.runs):
            raise ValueError(
                f"runs must name at least one training run, each once, got {list(self.runs)}"
            )
        for name in self.runs:
            TrainConfig(name=name)  # checks that it can be a run's name
        if self.image_size is not None and self.image_size < 1:
            raise ValueError(f"image_size must be above 0, got {self.image_size}")
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be above 0, got {self.batch_size}")
        if self.workers < 0:
            raise ValueError(f"workers must be 0 or more, got {self.workers}")


def benchmark_stage(runs: Sequence[str]) -> Stage:
    """Returns the stage that compares these runs."""
    return Stage(
        name="benchmark",
        version=3,  # pictures stand upright, and large JPEGs are decoded at a reduced size
        inputs=(
            *(one[split] for one in (ANNOTATIONS, IMAGE_FILES) for split in ("index", "test")),
            EXCLUDED,
        ),
        input_files=tuple(name for run in runs for name in model_files(run)),
        output_files=(RESULTS_FILE, REPORT_FILE),
        result=REPORT_FILE,
    )


STAGE = benchmark_stage(BenchmarkConfig().runs)
