"""What a benchmark found, as plain data: written to JSON, read back, and made into a report."""

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from hgld.engine.dataset import Level
from hgld.engine.workspace import Workspace
from hgld.errors import InputError, MissingInputError

RESULTS_FILE = "benchmarks/results.json"
REPORT_FILE = "benchmarks/report.html"
"""Where a benchmark leaves them, relative to the workspace."""

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

FORMAT = 2
"""Raised when results written before cannot be read any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A metric over the queries for which it is defined."""

    mean: float
    """NaN where no query has it."""
    standard_error: float
    """Standard deviation over the queries, divided by the root of their number; NaN below two."""
    queries: int
    """How many have it."""
    undefined: int
    """How many do not, for want of a relevant index image; they are no part of the mean."""

    @classmethod
    def of(cls, values: Sequence[float]) -> "Measure":
        """Sums up one metric over the queries.

        Args:
            values: one a query, NaN where it is undefined.

        Returns:
            Mean and standard error over the defined values; NaN where there are too few.

        Example:
            >>> Measure.of([1.0, 0.5, float("nan")])
            Measure(mean=0.75, standard_error=0.25, queries=2, undefined=1)
        """
        defined = [value for value in values if not math.isnan(value)]
        count = len(defined)
        mean = math.fsum(defined) / count if count else math.nan
        error = math.nan
        if count > 1:
            variance = math.fsum((value - mean) ** 2 for value in defined) / (count - 1)
            error = math.sqrt(variance / count)
        return cls(mean=mean, standard_error=error, queries=count, undefined=len(values) - count)


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodResults:
    """One method on the protocol."""

    name: str
    """Unique, such as `before happier` and `after happier`."""
    title: str
    """How a reader sees it, such as `Before training`."""
    description: str
    measures: dict[str, Measure]
    """By metric, such as `h_ap` or `map_at_100_landmark`."""
    baseline: str
    """Name of the method that this one is compared with; empty for a baseline itself."""
    changes: dict[str, Measure]
    """By metric: this method minus its baseline, query by query; empty for a baseline."""
    better: int
    """Queries whose H-AP is higher than the baseline's."""
    worse: int
    """Queries whose H-AP is lower."""
    h_ap_by_supercategory: dict[str, Measure]
    """By the query's label of the level above the finest: the super-category."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A query or a retrieved picture, in words."""

    image_id: str
    landmark: str
    """What its landmark, the finest level, is called."""
    labels: tuple[str, ...]
    """Of the coarser levels, finest first."""
    shared_levels: int
    """With the query: 0 is none, and the number of levels is the same landmark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A query and what each method puts first."""

    query: Picture
    quantile: float
    """Where the query stands in the order of the first run's change in H-AP: 0 is the worst."""
    h_ap: dict[str, float]
    """By method."""
    retrieved: dict[str, list[Picture]]
    """By method, nearest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalCounts:
    """How large the benchmark was."""

    queries: int
    query_landmarks: int
    index_images: int
    index_landmarks: int
    supercategories: int
    """Labels of the level above the finest, of queries and index together."""
    left_out: dict[str, int]
    """Test and index images that took no part, by reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """All of a benchmark."""

    metadata: dict[str, Json]
    """When, on what, with which versions and settings."""
    levels: tuple[Level, ...]
    """Of the labels, two or more, finest first."""
    counts: RetrievalCounts
    methods: tuple[MethodResults, ...]
    """Each baseline before the runs that are compared with it."""
    examples: tuple[Example, ...]


def to_json(results: Results) -> str:
    """Returns results as a JSON text, NaN written as null."""
    levels = [level._asdict() for level in results.levels]
    content = {"format": FORMAT, **dataclasses.asdict(results), "levels": levels}
    return json.dumps(nan_to_null(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_results(workspace: Workspace) -> Results:
    """Reads what a benchmark wrote.

    Args:
        workspace: a build.

    Returns:
        The results, null read as NaN where a number is due.

    Raises:
        MissingInputError: there is no such file.
        InputError: it holds something else, or an earlier format.
    """
    path, again = workspace.path(RESULTS_FILE), workspace.command("benchmark")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MissingInputError(f"{path} is not there yet; run {again}") from error
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}; run {again} once more") from error
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT:
        raise InputError(
            f"{path} must hold benchmark results of format {FORMAT}, got {found}; "
            f"delete it and run {again} once more"
        )
    try:
        return _results(content)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} does not hold whole benchmark results ({error}); "
            f"delete it and run {again} once more"
        ) from error


def _results(content: dict[str, Any]) -> Results:
    return Results(
        metadata=content["metadata"],
        levels=tuple(Level(**level) for level in content["levels"]),
        counts=RetrievalCounts(**content["counts"]),
        methods=tuple(_method(method) for method in content["methods"]),
        examples=tuple(_example(example) for example in content["examples"]),
    )


def _method(content: dict[str, Any]) -> MethodResults:
    tables = ("measures", "changes", "h_ap_by_supercategory")
    read = {name: {key: _measure(value) for key, value in content[name].items()} for name in tables}
    return MethodResults(**{**content, **read})


def _measure(content: dict[str, Any]) -> Measure:
    numbers = {name: _number(content[name]) for name in ("mean", "standard_error")}
    return Measure(**{**content, **numbers})


def _example(content: dict[str, Any]) -> Example:
    return Example(
        query=_picture(content["query"]),
        quantile=content["quantile"],
        h_ap={name: _number(value) for name, value in content["h_ap"].items()},
        retrieved={
            name: [_picture(picture) for picture in pictures]
            for name, pictures in content["retrieved"].items()
        },
    )


def _picture(content: dict[str, Any]) -> Picture:
    return Picture(**{**content, "labels": tuple(content["labels"])})


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def nan_to_null(value: object) -> object:
    """Returns nested JSON values with null in the place of NaN, which JSON lacks."""
    if isinstance(value, dict):
        return {key: nan_to_null(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [nan_to_null(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
