"""What a benchmark found: one table of figures, and what they were measured on.

`results.csv` has a row for each figure; report, LaTeX and leaderboard are made of these rows.
`setting.json` beside it says on what and with what. Light to import.
"""

import csv
import dataclasses
import io
import json
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, TypeAlias

from hgld.engine.dataset import Level
from hgld.errors import InputError, MissingInputError

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"


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


TIMED = ("training_hours", "peak_memory_mb", "images_per_s")
"""Metrics of a machine, which differ from run to run; each stands on lines of its own."""
COSTS = (*TIMED, "parameters", "embedding_dim")
FIRST = "first"
"""Metric of the rows that count which label came first for the queries of another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A figure of a method; NaN and None are empty in the file."""

    method: str
    run: str = ""
    """One of several that differ only in their seed; empty: the method, for each query the mean
    of its runs."""
    seed: int | None = None
    metric: str
    """Such as `h_ap`; one of `COSTS`, which have only a mean; or `FIRST`."""
    level: str = ""
    against: str = ""
    """Another method: the figures are of the differences to it, query by query."""
    label: str = ""
    """Only the queries of this label; empty: all."""
    found: str = ""
    """Of `FIRST`: the label of what came first."""
    mean: float = math.nan
    """Shares are from 0 to 1; NaN where no query has a value."""
    standard_error: float = math.nan
    """Of the mean, the queries of a landmark taken together (`standard_errors`)."""
    low: float = math.nan
    high: float = math.nan
    """Ends of the bootstrap interval of the mean (`bootstrap_intervals`)."""
    queries: int | None = None
    """How many have a value."""
    groups: int | None = None
    """Landmarks that these queries are of: labels of the finest level, or of Revisited Oxford and
    Paris buildings."""
    undefined: int | None = None
    """Queries that have nothing to find; they are no part of the mean."""
    higher: int | None = None
    lower: int | None = None
    """Of differences: queries for which the method's value is higher, or lower."""
    p_value: float = math.nan
    """Of `sign_flip_p_values`."""
    holm_p_value: float = math.nan
    """The same, adjusted over all pairs of methods of this metric (`holm_adjusted`)."""
    seeds: int | None = None
    """How many runs the method has; of one run this and what follows is empty."""
    deviation: float = math.nan
    """Standard deviation of the means of its runs."""
    seed_low: float = math.nan
    seed_high: float = math.nan
    """Ends of Student's t interval of their mean (`t_interval`)."""


_FIELDS = {field.name: field.type for field in dataclasses.fields(Row)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """What is compared: a backbone before training, embeddings, or runs of one or more seeds."""

    name: str
    """Unique, such as `before happier-0` and `after happier`."""
    title: str
    """How a reader sees it, such as `Before training`."""
    description: str
    baseline: str = ""
    """Name of the method that this one started from; empty for one that started from none."""
    runs: dict[str, int | None] = dataclasses.field(default_factory=dict)
    """Seed of each run, None where nothing is recorded; none of what was not trained here."""


@dataclass(frozen=True, kw_only=True)  # without slots, since the order of the rows is kept
class Results:
    """All of a benchmark."""

    metadata: dict[str, Json]
    """When, on what, with which versions and settings."""
    data_set: str
    """Name of the data set; empty: the test images of a build against its index images."""
    is_drawn: bool
    """The pictures are the demo's drawings, so that the figures say nothing of photographs."""
    is_one_set: bool
    """Each query searches all others: queries and index are one set of images."""
    recall_at: tuple[int, ...]
    """k of the R@k that are shown."""
    levels: tuple[Level, ...]
    """Of the labels, finest first; none of Revisited Oxford and Paris."""
    counts: dict[str, int]
    """`queries`, their landmarks as `query_groups`, `index_images`, their landmarks as
    `index_groups`, and `shown_labels`, the different labels of `shown_level`."""
    left_out: dict[str, int]
    """Images that took no part, by reason."""
    methods: tuple[Method, ...]
    """Each baseline before the runs that started from it."""
    rows: tuple[Row, ...]

    def row(
        self, method: str, metric: str, *, against: str = "", label: str = "", run: str = ""
    ) -> Row:
        """Returns a figure; where there is none, one without a value."""
        key = (method, metric, against, label, run)
        return self._rows.get(key) or Row(method=method, metric=metric)

    @cached_property
    def _rows(self) -> dict[tuple[str, ...], Row]:
        every = (one for one in self.rows if not one.found)
        return {(one.method, one.metric, one.against, one.label, one.run): one for one in every}


def to_csv(results: Results) -> str:
    """Returns the rows as CSV, to full precision."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(nan_to_null([dataclasses.asdict(row) for row in results.rows]))  # type: ignore[arg-type]
    return text.getvalue()


def to_setting(results: Results) -> str:
    """Returns all but the rows as JSON."""
    content = {
        field.name: getattr(results, field.name)
        for field in dataclasses.fields(results)
        if field.name not in {"rows", "levels", "methods"}
    }
    content["levels"] = [level._asdict() for level in results.levels]
    content["methods"] = [dataclasses.asdict(method) for method in results.methods]
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def read_results(folder: Path, again: str = "`hgld benchmark`") -> Results:
    """Reads what a benchmark wrote.

    Args:
        folder: with `results.csv` and `setting.json`.
        again: what makes them, for an error's text.

    Raises:
        MissingInputError: there are no such files.
        InputError: they hold something else.
    """
    table, setting = folder / "results.csv", folder / "setting.json"
    try:
        with table.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if reader.fieldnames != list(_FIELDS):
                raise ValueError(f"columns must be {', '.join(_FIELDS)}")  # noqa: TRY301 - one text
            rows = tuple(map(_row, reader))
        content = json.loads(setting.read_text(encoding="utf-8"))
        content["levels"] = tuple(Level(**one) for one in content["levels"])
        content["methods"] = tuple(Method(**one) for one in content["methods"])
        content["recall_at"] = tuple(content["recall_at"])
        return Results(**content, rows=rows)
    except FileNotFoundError as error:
        raise MissingInputError(f"{error.filename} is not there yet; run {again}") from error
    except (OSError, ValueError, TypeError, LookupError, csv.Error) as error:
        raise InputError(
            f"{table} and {setting.name} beside it must be what a benchmark wrote ({error}); "
            f"run {again} with --force"
        ) from error


def _row(fields: dict[str, str]) -> Row:
    """Returns a line as a row.

    Raises:
        ValueError: it has more or fewer fields, or a number is none.
    """
    if None in (*fields, *fields.values()):
        raise ValueError(f"a line must have {len(_FIELDS)} fields")
    values: dict[str, object] = {}
    for name, text in fields.items():
        match _FIELDS[name]:
            case kind if kind is str:
                values[name] = text
            case kind if kind is float:
                values[name] = float(text) if text else math.nan
            case _:
                values[name] = int(text) if text else None
    return Row(**values)  # type: ignore[arg-type]  # as `_FIELDS` says


def nan_to_null(value: object) -> object:
    """Returns nested JSON values with null in the place of NaN, which JSON lacks."""
    if isinstance(value, dict):
        return {key: nan_to_null(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [nan_to_null(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
