"""What was measured on a data set, as plain data: written to JSON, read back, and a table of it."""

import dataclasses
import json
import math
from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table

from hgld.benchmarks.datasets.opened import results_file
from hgld.benchmarks.pages import percent
from hgld.benchmarks.retrieval.results import Json, Measure, nan_to_null, read_as
from hgld.engine.dataset import Level
from hgld.engine.workspace import Workspace
from hgld.errors import InputError, MissingInputError

_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSetMethod:
    """One method on a data set."""

    name: str
    description: str
    measures: dict[str, Measure]
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
        results: DataSetResults = read_as(DataSetResults, content)
    except FileNotFoundError as error:
        raise MissingInputError(f"{path} is not there yet; run {again}") from error
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} does not hold whole results on a data set ({error}); delete it and run "
            f"{again} once more"
        ) from error
    return results


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
