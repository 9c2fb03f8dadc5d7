"""The settings of the benchmark, the runs it plans, and the stage it is; light to import."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from hgld.benchmarks.datasets.retrieval_data import check_name
from hgld.engine.config import check_settings, from_mapping, setting
from hgld.engine.stage import Stage
from hgld.engine.workspace import Workspace
from hgld.tables import (
    ANNOTATIONS,
    EXCLUDED,
    FILLED,
    IMAGE_FILES,
    LANDMARK_LABELS,
    LEVELS,
    OVERLAP,
    OWN_HIERARCHY,
    PARTIAL,
    levels_of_hierarchy,
)
from hgld.training.config import METHOD_NAMES, TrainConfig, model_files
from hgld.training.recipes import over_recipe

TRAIT_TABLES = (LANDMARK_LABELS, OVERLAP)
"""What is known of landmarks; a build may lack them."""
_LONGEST_NAME = 60
_EXPANSION = re.compile(r"(qe|dba):([1-9]\d*)(?::(\d+(?:\.\d+)?))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingFiles:
    """A model that is measured by the embeddings it gave, wherever they were made."""

    name: str
    query: Path
    index: Path


class NamedFile(NamedTuple):
    """A file of one of the models that are compared."""

    name: str
    """Of the model: a run, embeddings, or a method of the report; empty: the only one."""
    path: Path


class Expansion(NamedTuple):
    """Each vector becomes the mean of itself and its nearest of the index."""

    side: str
    """`qe`: the queries; `dba`: the index, by itself."""
    neighbours: int
    alpha: float
    """Each counts with its cosine to the power of this: 0 is the plain mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkConfig:
    """Settings of `hgld benchmark`."""

    name: str = setting(
        "",
        "Name of the comparison, which gets a folder of its own. With embeddings by default the "
        "names of their models.",
        changes_rows=False,
    )
    runs: tuple[str, ...] = setting(
        (),
        "Names of the training runs to compare, each with itself untrained and its backbone. None: "
        f"{TrainConfig().name}, or none where there are methods or embeddings.",
    )
    methods: tuple[str, ...] = setting(
        (),
        "Training methods to compare beside these, each trained once a seed, where that is not "
        "done, with the settings of [train]; all: every method that [train] knows.",
        changes_rows=False,
    )
    seeds: tuple[int, ...] = setting(
        (0, 1, 2), "Seeds of the methods.", changes_rows=False, needs="methods"
    )
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
    rerank: tuple[str, ...] = setting(
        (),
        "Rankings of any re-ranker, each measured beside that of the run or the embeddings that it "
        "begins with, as in rival=ames.parquet: columns query_id, image_id and score, of as many "
        "as it has; what it left out keeps its order behind them.",
    )
    expand: tuple[str, ...] = setting(
        (),
        "Averages with the nearest of the index, each measured beside every model: qe:10 of "
        "queries and their first 10, qe:10:3 weighed by cosine to the power of 3 (alpha-QE), "
        "dba:10 of the index; dba:10+qe:10 one after the other.",
    )
    distractors: tuple[str, ...] = setting(
        (),
        "Embeddings that share nothing with any query and stand beside the index, a file as of "
        "embeddings for each model: rival=r1m.npy. They are streamed.",
    )
    hierarchy: tuple[str, ...] = setting(
        ("kind",),
        "Levels of the labels, as of train: kind, place, own, or some levels joined by commas; "
        "each has a report of its own, of the same embeddings.",
    )
    data_set: str | None = setting(
        None,
        "Data set to measure on: a name of docs/datasets.md, or a Python file that reads your own; "
        "none: this build's test queries.",
    )
    data: Path | None = setting(
        None, "Folder of the data set's official files.", changes_rows=False
    )
    image_size: int | None = setting(
        None,
        "Side of the square that models see, in pixels; none: what each was trained with.",
        least=1,
        needs="runs",
    )
    pictures: bool = setting(True, "Whether the report shows pictures; not all may be published.")
    batch_size: int = setting(64, "Images in a forward pass.", changes_rows=False, least=1)
    device: str = setting(
        "auto", "Such as cpu or cuda:0; auto: the first GPU where there is one.", changes_rows=False
    )
    workers: int = setting(
        4,
        "Processes that read images, at most one a core; 0: the benchmark's own process.",
        changes_rows=False,
        least=0,
    )

    def __post_init__(self) -> None:
        """Refuses what could only fail later."""
        check_settings(self)
        if "all" in self.methods:
            object.__setattr__(self, "methods", METHOD_NAMES)
        if not self.runs and not self.methods and not self.embeddings:
            object.__setattr__(self, "runs", (TrainConfig().name,))
        _check_what_is_compared(self)
        for one in self.hierarchy:
            levels_of_hierarchy(one)
        if not self.hierarchy or (self.data_set and self.hierarchy != ("kind",)):
            raise ValueError(
                "hierarchy must name one or more, and kind alone with data_set, whose labels are "
                f"its own, got {', '.join(self.hierarchy) or 'none'}; add `--hierarchy kind`"
            )
        _ = self.expansions  # which refuses what is none
        if self.rivals and not self.name:
            rivals = "-".join(one.name for one in self.rivals)
            name = re.sub(r"[^A-Za-z0-9.-]+", "_", rivals).strip("_.-")[:_LONGEST_NAME]
            object.__setattr__(self, "name", name or "embeddings")
        for name in (*self.runs, *filter(None, [self.name])):
            TrainConfig(name=name)  # checks that it can be the name of a folder

    @property
    def rivals(self) -> tuple[EmbeddingFiles, ...]:
        """The models whose embeddings are measured; one without a name has that of its file."""
        found = []
        for first, index in list(pairwise(self.embeddings))[::2]:
            name, query = _named_file(first)
            found.append(EmbeddingFiles(name=name or query.stem, query=query, index=Path(index)))
        return tuple(found)

    @property
    def rankings(self) -> tuple[NamedFile, ...]:
        """The files of re-rankers."""
        return tuple(map(_named_file, self.rerank))

    @property
    def distractor_files(self) -> tuple[NamedFile, ...]:
        """The files of distractors."""
        return tuple(map(_named_file, self.distractors))

    @property
    def expansions(self) -> dict[str, tuple[Expansion, ...]]:
        """What is done one after the other, by how it was asked for.

        Raises:
            ValueError: what is asked for is no expansion, or of an index that is never in memory.
        """
        found = {}
        for text in self.expand:
            steps = [_EXPANSION.fullmatch(one) for one in text.split("+")]
            if self.distractors and "dba" in text:
                raise ValueError("expand must not have dba with distractors, which are streamed")
            if not all(steps):
                raise ValueError(
                    f"expand must be qe:NEIGHBOURS or dba:NEIGHBOURS, with :ALPHA for weights, "
                    f"several joined by +, got {text!r}; such as dba:10+qe:10:3"
                )
            found[text] = tuple(
                Expansion(one[1], int(one[2]), float(one[3] or 0)) for one in steps if one
            )
        return found

    @property
    def place(self) -> str:
        """Where all comparisons on the same images lie, relative to the workspace."""
        return f"benchmarks/{Path(self.data_set).stem}" if self.data_set else "benchmarks"

    @property
    def folder(self) -> str:
        """Where the results of the first hierarchy go, relative to the workspace."""
        [first, *_] = self.hierarchy
        place = self.place if first == "kind" else f"{self.place}/by/{first.replace(',', '-')}"
        return f"{place}/comparisons/{self.name}" if self.name else place

    @property
    def by_hierarchy(self) -> list["BenchmarkConfig"]:
        """The same settings for one hierarchy after the other."""
        return [replace(self, hierarchy=(one,)) for one in self.hierarchy]


class ResultFiles(NamedTuple):
    """Where a benchmark leaves what it found, relative to the workspace."""

    results: str
    setting: str
    latex: str
    report: str


def result_files(folder: str = "benchmarks") -> ResultFiles:
    """Returns where the results lie in a folder of the workspace (`BenchmarkConfig.folder`).

    Example:
        >>> result_files("benchmarks/sop").report
        'benchmarks/sop/report.html'
    """
    names = ("results.csv", "setting.json", "results.tex", "report.html")
    return ResultFiles(*(f"{folder}/{name}" for name in names))


def _named_file(text: str) -> NamedFile:
    """Returns a file that may have the name of a model before it, and an equals sign."""
    name, _, path = text.partition("=")
    # What has a slash before the equals sign is the path of a file.
    return NamedFile(name, Path(path)) if path and "/" not in name else NamedFile("", Path(text))


def _check_what_is_compared(config: BenchmarkConfig) -> None:
    """Refuses what is named twice or in part, and settings of methods without any.

    Raises:
        ValueError: the text says which.
    """
    rivals = [one.name for one in config.rivals]
    plain = ("runs", "methods", "seeds", "expand", "hierarchy")
    named: dict[str, Sequence[object]] = {name: getattr(config, name) for name in plain} | {
        "embeddings": rivals,
        "rerank": [(one.name, one.path.stem) for one in config.rankings],
        "distractors": [one.name for one in config.distractor_files],
    }
    for field, values in named.items():
        if len(set(values)) < len(values):
            raise ValueError(
                f"{field} must name each one once, got {', '.join(map(str, values))}; embeddings "
                f"get another name so: other=query.parquet"
            )
    if len(config.embeddings) % 2:
        raise ValueError(
            f"embeddings must be two files for each model, of the queries and of the index, got "
            f"{', '.join(config.embeddings)}"
        )
    if config.methods and not config.seeds:
        raise ValueError("seeds must name at least one where methods are compared, got none")
    if config.recipe and not config.methods:
        raise ValueError(f"methods must be named with recipe {config.recipe!r}; all: every method")
    if (config.data_set is None) != (config.data is None):
        raise ValueError(
            f"data_set and data must both be given, the name of a data set and the folder of "
            f"its files, or neither, got {config.data_set} and {config.data}"
        )
    if config.data_set is not None:
        check_name(config.data_set)


def planned_runs(
    section: Mapping[str, object], methods: Sequence[str], seeds: Sequence[int]
) -> Iterator[TrainConfig]:
    """Yields methods under the same settings, one seed of all after the other.

    Args:
        section: `[train]`, whose settings all share, the method apart; a recipe that it names is
            part of how the runs are called.
        methods: by name: as the recipe has it, and any other one as it was published.
        seeds: of the runs.

    Raises:
        InputError: no recipe or no method of that name, or a wrong setting.
    """
    whole = over_recipe(section)
    recipe = f"{section['recipe']}-" if section.get("recipe") else ""
    stated = whole.get("method")
    for seed in seeds:
        for name in methods:
            is_stated = isinstance(stated, Mapping) and stated.get("name") == name
            method = stated if is_stated else name
            own = {"name": f"{recipe}{name}-{seed}", "seed": seed, "method": method}
            yield from_mapping(TrainConfig, {**whole, **own}, where="[train]")


def embeddings_folder(config: BenchmarkConfig) -> str:
    """Returns where embeddings of pictures are kept: one folder for all comparisons on a set."""
    return f"{config.place}/embeddings"


def benchmark_stage(config: BenchmarkConfig) -> Stage:
    """Returns the stage of a comparison; without any run it needs only labels."""
    files = result_files(config.folder)
    is_own = OWN_HIERARCHY in config.hierarchy
    own, partial = ((LEVELS,), (PARTIAL,)) if is_own else ((), ())
    read = (ANNOTATIONS, FILLED, *partial, *((IMAGE_FILES,) if config.runs else ()))
    of_build = (*(one[split] for one in read for split in ("index", "test")), EXCLUDED, *own)
    of_build += TRAIT_TABLES
    return Stage(
        name=config.folder.replace("benchmarks", "benchmark", 1).replace("/", "-"),
        version=9,  # figures by what is known of landmarks, and bounds
        inputs=(LANDMARK_LABELS,) if config.data_set else of_build,
        input_files=tuple(name for run in config.runs for name in model_files(run)),
        output_files=files,
        result=files.report,
    )


def knows_landmarks(workspace: Workspace) -> bool:
    """Says whether a build has `TRAIT_TABLES`; an older one has no overlap, and no places."""
    done = workspace.manifest(OVERLAP.stage)
    return done is not None and OVERLAP.path in done.outputs
