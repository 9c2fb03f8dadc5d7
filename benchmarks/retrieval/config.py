"""The settings of the benchmark, and the stage it is; light to import."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from hgld.benchmarks.datasets.opened import DataSetName
from hgld.benchmarks.retrieval.results import result_files
from hgld.benchmarks.training.plan import METHOD_NAMES
from hgld.engine.config import check_settings, setting
from hgld.engine.stage import Stage
from hgld.tables import ANNOTATIONS, EXCLUDED, FILLED, IMAGE_FILES
from hgld.training.config import TrainConfig, model_files
from hgld.training.model.config import Precision

EMBEDDINGS_FOLDER = "benchmarks/embeddings"
"""Where embeddings of the build's own pictures are kept, relative to the workspace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingFiles:
    """A model that is measured by the embeddings it gave, wherever they were made."""

    name: str
    query: Path
    index: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkConfig:
    """Settings of `hgld benchmark`."""

    runs: tuple[str, ...] = setting(
        (),
        "Names of the training runs to compare, each with its own backbone before training. None: "
        f"{TrainConfig().name}, or none where there are methods or embeddings.",
    )
    methods: tuple[str, ...] = setting(
        (),
        "Training methods to compare beside these, each trained once a seed, where that is not "
        "done, with the settings of [train]; all: every method that [train] knows.",
        changes_rows=False,
    )
    seeds: tuple[int, ...] = setting((0, 1, 2), "Seeds of the methods.", changes_rows=False)
    recipe: str = setting(
        "", "Recipe of the methods, in the place of that of [train].", changes_rows=False
    )
    embeddings: tuple[str, ...] = setting(
        (),
        "Files of embeddings that other models gave, two for each: of the queries, and then of the "
        "index, as in --embeddings rival=query.parquet index.parquet. Parquet with columns "
        "image_id and embedding, or an .npy with its image ids in a .txt beside it, one a line. "
        "Without runs beside them no picture is needed.",
    )
    data_set: DataSetName | None = setting(
        None, "Data set to measure on, as docs/datasets.md has it; none: this build's test queries."
    )
    data: Path | None = setting(
        None, "Folder of the data set's official files.", changes_rows=False
    )
    image_size: int | None = setting(
        None,
        "Side of the square that every model sees, in pixels; none: what each was trained with.",
    )
    pictures: bool = setting(
        True,
        "Whether the report shows pictures; a report without can be published where they may not "
        "be.",
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
        if "all" in self.methods:
            object.__setattr__(self, "methods", METHOD_NAMES)
        if not self.runs and not self.methods and not self.embeddings:
            object.__setattr__(self, "runs", (TrainConfig().name,))
        _require_whole_choice(self)
        _require_pairs(self)
        for name in self.runs:
            TrainConfig(name=name)  # checks that it can be a run's name
        if (self.data_set is None) != (self.data is None):
            raise ValueError(
                f"data_set and data must both be given, the name of a data set and the folder of "
                f"its files, or neither, got {self.data_set} and {self.data}"
            )
        if self.image_size is not None and self.image_size < 1:
            raise ValueError(f"image_size must be above 0, got {self.image_size}")
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be above 0, got {self.batch_size}")
        if self.workers < 0:
            raise ValueError(f"workers must be 0 or more, got {self.workers}")

    @property
    def rivals(self) -> tuple[EmbeddingFiles, ...]:
        """The models whose embeddings are measured; one without a name has that of its file."""
        found = []
        for first, index in list(pairwise(self.embeddings))[::2]:
            name, _, query = first.partition("=")
            if not query or "/" in name:  # what has an equals sign is a folder
                name, query = Path(first).stem, first
            found.append(EmbeddingFiles(name=name, query=Path(query), index=Path(index)))
        return tuple(found)


def _require_whole_choice(config: BenchmarkConfig) -> None:
    """Refuses what is named twice, methods without a seed, and a recipe without methods.

    Raises:
        ValueError: the text says which.
    """
    for field in ("runs", "methods", "seeds"):
        values = getattr(config, field)
        if len(set(values)) < len(values):
            raise ValueError(f"{field} must name each one once, got {list(values)}")
    if config.methods and not config.seeds:
        raise ValueError("seeds must name at least one where methods are compared, got none")
    if config.recipe and not config.methods:
        raise ValueError(f"methods must be named with recipe {config.recipe!r}; all: every method")


def _require_pairs(config: BenchmarkConfig) -> None:
    """Refuses embeddings that are not two files for each model, or of models named alike.

    Raises:
        ValueError: the text says what to write.
    """
    if len(config.embeddings) % 2:
        raise ValueError(
            f"embeddings must be two files for each model, of the queries and of the index, got "
            f"{', '.join(config.embeddings)}"
        )
    names = [one.name for one in config.rivals]
    if len(set(names)) < len(names):
        raise ValueError(
            f"embeddings must have a name for each model, got {', '.join(names)}; put another "
            f"before a file of queries: other={config.rivals[-1].query}"
        )


def embeddings_folder(data_set: str | None) -> str:
    """Returns where embeddings of pictures are kept, those of a data set beside its results."""
    return f"benchmarks/{data_set}/embeddings" if data_set else EMBEDDINGS_FOLDER


def benchmark_stage(runs: Sequence[str], data_set: DataSetName | None = None) -> Stage:
    """Returns the stage that compares these runs; without any it needs labels alone.

    Args:
        runs: names of training runs.
        data_set: on which; None: on the test queries of the build, whose tables it reads then.
    """
    files = result_files(data_set)
    read = (ANNOTATIONS, FILLED, IMAGE_FILES) if runs else (ANNOTATIONS, FILLED)
    of_build = (*(one[split] for one in read for split in ("index", "test")), EXCLUDED)
    return Stage(
        name=f"benchmark-{data_set}" if data_set else "benchmark",
        version=6,  # runs that differ in their seed alone are one method
        inputs=() if data_set else of_build,
        input_files=tuple(name for run in runs for name in model_files(run)),
        output_files=files,
        result=files.report,
    )


STAGE = benchmark_stage(BenchmarkConfig().runs)
