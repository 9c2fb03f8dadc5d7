"""What was measured on a data set, as plain data: written to JSON, read back, and a table of it."""

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table

from hgld.benchmarks.datasets.opened import results_file
from hgld.benchmarks.pages import percent
from hgld.benchmarks.retrieval.results import Json, nan_to_null
from hgld.engine.dataset import Level
from hgld.engine.workspace import Workspace
from hgld.errors import InputError, MissingInputError

_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryMean:
    """A metric over the queries for which it is defined."""

    mean: float
    """NaN where no query has it."""
    standard_error: float
    """Standard deviation over the queries, divided by the root of their number; NaN below two."""
    queries: int
    """How many have it."""
    undefined: int
    """How many do not, since there is nothing for them to find."""

    @classmethod
    def of(cls, values: Sequence[float]) -> "QueryMean":
        """Sums up one metric over the queries.

        Args:
            values: one a query, NaN where it is undefined.

        Example:
            >>> QueryMean.of([1.0, 0.5, float("nan")])
            QueryMean(mean=0.75, standard_error=0.25, queries=2, undefined=1)
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
class DataSetMethod:
    """One method on a data set."""

    name: str
    description: str
    measures: dict[str, QueryMean]
    """By metric, as `evaluate` and `evaluate_revisited` name them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSetResults:
    """All that was measured on a data set."""

    data_set: str
    rule: str
    """Which images search which."""
    levels: tuple[Level, ...]
    """Of its labels, finest first; none of Revisited Oxford and Paris."""
    labels: dict[str, int]
    """By level: how many different ones queries and index have."""
    recall_at: tuple[int, ...]
    queries: int
    index_images: int
    methods: tuple[DataSetMethod, ...]
    metadata: dict[str, Json]
    """When, on what, with which versions and settings."""


def data_set_json(results: DataSetResults) -> str:
    """Returns results as a JSON text, NaN written as null."""
    content = {"format": _FORMAT, **dataclasses.asdict(results)}
    content["levels"] = [level._asdict() for level in results.levels]
    return json.dumps(nan_to_null(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_data_set_results(workspace: Workspace, name: str) -> DataSetResults:
    """Reads what was measured on a data set.

    Args:
        workspace: where it was measured.
        name: of the data set.

    Raises:
        MissingInputError: there is no such file.
        InputError: it holds something else, or another format.
    """
    path = workspace.path(results_file(name))
    again = workspace.command(f"benchmark --data-set {name} --data FOLDER")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        # Of another format a field is missing, or there is one too many.
        content.pop("format")
        methods = [
            {**one, "measures": {key: _mean(value) for key, value in one["measures"].items()}}
            for one in content["methods"]
        ]
        read = {
            **content,
            "levels": tuple(Level(**level) for level in content["levels"]),
            "recall_at": tuple(content["recall_at"]),
            "methods": tuple(DataSetMethod(**one) for one in methods),
        }
        return DataSetResults(**read)
    except FileNotFoundError as error:
        raise MissingInputError(f"{path} is not there yet; run {again}") from error
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} does not hold whole results on a data set ({error}); delete it and run "
            f"{again} once more"
        ) from error


def format_data_set_table(results: DataSetResults) -> Table:
    """Returns results as a table for a terminal: a row a metric, a column a method.

    The best of a row is bold where methods differ.
    """
    table = Table(
        title=f"{results.data_set}: {results.queries:,} queries, {results.index_images:,} index "
        f"images; {results.rule}",
        caption="percent ± standard error over the queries",
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("metric")
    table.add_column("level" if results.levels else "difficulty")
    for method in results.methods:
        table.add_column(escape(method.name), justify="right")
    for key, title, of in _rows(results):
        found = [method.measures[key] for method in results.methods]
        defined = [one.mean for one in found if not math.isnan(one.mean)]
        best = max(defined) if defined and max(defined) > min(defined) else math.nan
        cells = [
            f"{'[bold]' if one.mean == best else '[not bold]'}{percent(one.mean)}[/] ± "
            f"{percent(one.standard_error)}"
            for one in found
        ]
        table.add_row(title, escape(of), *cells)
    return table


def _rows(results: DataSetResults) -> list[tuple[str, str, str]]:
    """Returns key, title and level of the metrics that the table shows."""
    if not results.levels:
        titles = {"ap": "mAP", "p_at_1": "mP@1", "p_at_5": "mP@5", "p_at_10": "mP@10"}
        return [
            (f"{key}_{difficulty}", title, difficulty)
            for difficulty in ("medium", "hard")
            for key, title in titles.items()
        ]
    several = len(results.levels) > 1
    rows = [("h_ap", "H-AP", "all"), ("asi", "ASI", "all"), ("ndcg", "NDCG", "all")]
    rows = rows if several else []
    for key, title in (("ap", "mAP"), ("map_at_r", "mAP@R")):
        rows += [(f"{key}_{level.name}", title, level.title) for level in results.levels]
    finest = results.levels[0]
    rows += [(f"r_at_{k}_{finest.name}", f"R@{k}", finest.title) for k in results.recall_at]
    return rows


def _mean(value: dict[str, float | None]) -> QueryMean:
    numbers = {key: math.nan if each is None else each for key, each in value.items()}
    return QueryMean(
        mean=float(numbers["mean"]),
        standard_error=float(numbers["standard_error"]),
        queries=int(numbers["queries"]),
        undefined=int(numbers["undefined"]),
    )
