"""What a benchmark found, as plain data: written to JSON, read back, and made into a report."""

import dataclasses
import json
import math
import types
import typing
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from hgld.engine.dataset import Level
from hgld.engine.workspace import Workspace
from hgld.errors import InputError, MissingInputError


class ResultFiles(NamedTuple):
    """Where a benchmark leaves what it found, relative to the workspace."""

    results: str
    csv: str
    latex: str
    report: str


def result_files(data_set: str | None = None) -> ResultFiles:
    """Returns where the results on a data set lie; None: on the build's own queries.

    Example:
        >>> result_files("sop").report, result_files().report
        ('benchmarks/sop/report.html', 'benchmarks/report.html')
    """
    folder = f"benchmarks/{data_set}" if data_set else "benchmarks"
    names = ("results.json", "results.csv", "results.tex", "report.html")
    return ResultFiles(*(f"{folder}/{name}" for name in names))


RESULTS_FILE, CSV_FILE, LATEX_FILE, REPORT_FILE = result_files()

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

FORMAT = 5
"""Raised when results written before cannot be read any more."""

FEW_GROUPS = 5
"""Of a super-category with queries of fewer landmarks the mean says little: it stands apart."""

TIMED = ("training_hours", "peak_memory_mb", "images_per_s")
"""What is measured of a machine and differs from run to run; each file names it on its line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A metric over the queries for which it is defined."""

    mean: float
    """NaN where no query has it."""
    standard_error: float
    """Of the mean, the queries of a landmark taken together (`standard_errors`); NaN below two."""
    low: float
    high: float
    """Ends of the bootstrap interval of the mean (`bootstrap_intervals`); NaN below two."""
    queries: int
    """How many have it."""
    groups: int
    """How many landmarks these queries are of: labels of the finest level, or of Revisited Oxford
    and Paris buildings."""
    undefined: int
    """How many do not, for want of a relevant index image; they are no part of the mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What a method takes, of several runs the mean; None where it is not known."""

    training_hours: float | None
    """Of its steps, as the run's log has them."""
    peak_memory_mb: float | None
    """Of the process that trained, where it was recorded; of several the most."""
    parameters: int | None
    embedding_dim: int
    images_per_s: float | None
    """While queries and index were embedded, with reading the pictures; None of embeddings that an
    earlier run kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A query or a retrieved picture, in words."""

    image_id: str
    landmark: str
    """What its landmark, the finest level, is called."""
    labels: tuple[str, ...]
    """Of the coarser levels, finest first."""
    grade: int
    """How many levels it shares with the query: 0 is none, and the number of levels is the same
    landmark. Of Revisited Oxford and Paris: 0 is nothing to find, 1 junk, 2 hard, 3 easy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """How often queries of one label found another, or their own, at rank 1 (`shown_level`)."""

    label: str
    """Of the queries."""
    found: str
    """Of what came first."""
    queries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """A query at whose first place stands what shares least with it."""

    query: Picture
    found: Picture
    missed_levels: int
    """Of Revisited Oxford and Paris 1: what is found is not to be found."""
    similarity: float
    """Of the two, their cosine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedMeasure:
    """A metric's mean over the queries, over runs that differ in their seed alone."""

    mean: float
    deviation: float
    low: float
    high: float
    """Ends of Student's t interval of the mean (`t_interval`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResults:
    """A run of a method: its only one, or one of several that differ in their seed alone."""

    name: str
    seed: int | None
    """None where nothing is recorded of its training."""
    measures: dict[str, Measure]
    """By metric, of this run alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodResults:
    """One method on the protocol.

    Runs whose recorded settings and data are the same but for name and seed are one method: its
    value of a query is the mean of theirs, and pictures are those that its first run finds.
    """

    name: str
    """Unique, such as `before happier-0` and `after happier`."""
    title: str
    """How a reader sees it, such as `Before training`."""
    description: str
    runs: tuple[RunResults, ...]
    """None of a backbone before training and of embeddings made elsewhere."""
    costs: Costs
    measures: dict[str, Measure]
    """By metric, such as `h_ap` or `map_at_100_landmark`."""
    baseline: str
    """Name of the method that this one is compared with; empty for a baseline itself."""
    changes: dict[str, Measure]
    """By metric: this method minus its baseline, query by query; empty for a baseline."""
    over_seeds: dict[str, SeedMeasure]
    """By metric; empty of fewer than two runs."""
    changes_over_seeds: dict[str, SeedMeasure]
    """The same of each run's change against the baseline."""
    better: int
    """Queries whose value of the leading metric, the first shown, is higher than the baseline's."""
    worse: int
    """Queries whose value is lower."""
    by_label: dict[str, Measure]
    """The leading metric by the query's label of `shown_level`, such as its super-category; empty
    where there are no labels."""
    gain_by_label: dict[str, Measure]
    """Its change against the baseline, likewise; empty for a baseline."""
    confusions: tuple[Confusion, ...]
    """Most frequent first; together all queries that have anything to find. None without labels."""
    mistakes: tuple[Mistake, ...]
    """The most severe ones, of these the surest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A paired test between two methods."""

    metric: str
    method: str
    other: str
    difference: Measure
    """Method minus other, query by query."""
    higher: int
    lower: int
    """Queries for which the method's value is higher, or lower, than the other's."""
    p_value: float
    """Of `sign_flip_p_values`."""
    holm_p_value: float
    """The same, adjusted over all pairs of methods of this metric (`holm_adjusted`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A query and what each method puts first."""

    query: Picture
    quantile: float
    """Where the query stands in the order of what is compared: 0 is the worst."""
    scores: dict[str, float]
    """By method, the leading metric."""
    retrieved: dict[str, list[Picture]]
    """By method, nearest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalCounts:
    """How large the benchmark was."""

    queries: int
    query_groups: int
    """Different landmarks, the finest level, of the queries; of Revisited Oxford and Paris
    buildings (`query_groups`)."""
    index_images: int
    index_groups: int
    """Different landmarks of the index; 0 where there are no labels."""
    shown_labels: int
    """Different labels of `shown_level`, of queries and index together; 0 where there are none."""
    left_out: dict[str, int]
    """Images that took no part, by reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """All of a benchmark."""

    metadata: dict[str, Json]
    """When, on what, with which versions and settings."""
    is_drawn: bool
    """The pictures are the demo's drawings, so that the figures say nothing of photographs."""
    data_set: str
    """Name of the data set; empty: the test images of a build against its index images."""
    is_one_set: bool
    """Each query searches all others: queries and index are one set of images."""
    recall_at: tuple[int, ...]
    """k of the R@k that are shown."""
    levels: tuple[Level, ...]
    """Of the labels, finest first; none of Revisited Oxford and Paris."""
    counts: RetrievalCounts
    methods: tuple[MethodResults, ...]
    """Each baseline before the runs that are compared with it."""
    comparisons: tuple[Comparison, ...]
    """Of every pair of methods, metric by metric."""
    examples: tuple[Example, ...]
    """Ordered by the first trained method's change in the leading metric, or by a value of it."""


def shown_level(levels: Sequence[Level]) -> Level | None:
    """Returns the level by whose labels queries are told apart: that above the finest.

    Args:
        levels: finest first.

    Returns:
        The finest where there is no other; None where there are no labels.
    """
    return levels[min(1, len(levels) - 1)] if levels else None


def to_json(results: Results) -> str:
    """Returns results as a JSON text, NaN written as null."""
    levels = [level._asdict() for level in results.levels]
    content = {"format": FORMAT, **dataclasses.asdict(results), "levels": levels}
    return json.dumps(nan_to_null(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_results(workspace: Workspace, data_set: str | None = None) -> Results:
    """Reads what a benchmark wrote.

    Args:
        workspace: a build.
        data_set: name of a data set; None: of the build's own queries.

    Returns:
        The results, null read as NaN where a number is due.

    Raises:
        MissingInputError: there is no such file.
        InputError: it holds something else, or an earlier format.
    """
    options = f" --data-set {data_set} --data FOLDER" if data_set else ""
    again = workspace.command(f"benchmark{options}")
    return read_results_file(workspace.path(result_files(data_set).results), again)


def read_results_file(path: Path, again: str = "`hgld benchmark`") -> Results:
    """Reads results wherever they lie; see `read_results`.

    Args:
        path: a `results.json`.
        again: what makes it, for an error's text.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MissingInputError(f"{path} is not there yet; run {again}") from error
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}; run {again} once more") from error
    found = content.pop("format", None) if isinstance(content, dict) else None
    if found != FORMAT:
        raise InputError(
            f"{path} must hold benchmark results of format {FORMAT}, got {found or 'no format'}; "
            f"run {again} once more, which measures again and keeps embeddings"
        )
    try:
        results: Results = read_as(Results, content)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(
            f"{path} does not hold whole benchmark results ({error}); "
            f"delete it and run {again} once more"
        ) from error
    return results


def read_as(kind: Any, value: Any) -> Any:  # noqa: ANN401, PLR0911 - a return for each kind of type
    """Returns a JSON value as what a type says: dataclasses, tuples and numbers, at any depth.

    Args:
        kind: a dataclass, or what one of its fields is of; null is NaN where a number is due.
        value: of JSON, as `nan_to_null` and `dataclasses.asdict` write it.

    Raises:
        TypeError: a field is missing, or there is one too many.
        AttributeError: a table stands where there is none.
    """
    if kind is float:
        return math.nan if value is None else float(value)
    if kind is Level:
        return Level(**value)
    if dataclasses.is_dataclass(kind):
        kinds = typing.get_type_hints(kind)
        return typing.cast(Any, kind)(
            **{name: read_as(kinds.get(name, Any), each) for name, each in value.items()}
        )
    match typing.get_origin(kind), typing.get_args(kind):
        case builtin, (item, *_) if builtin in {tuple, list}:
            return builtin(read_as(item, each) for each in value)
        case builtin, (_, item) if builtin is dict:
            return {key: read_as(item, each) for key, each in value.items()}
        case builtin, (item, _) if builtin is types.UnionType:
            return None if value is None else read_as(item, value)
    return value


def nan_to_null(value: object) -> object:
    """Returns nested JSON values with null in the place of NaN, which JSON lacks."""
    if isinstance(value, dict):
        return {key: nan_to_null(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [nan_to_null(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
