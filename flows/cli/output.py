"""How the command line prints states, on stdout; the log goes to stderr."""

import dataclasses
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hgld.engine.status import StageStatus
from hgld.engine.workspace import Workspace
from hgld.training.recipes.reading import recipes

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def print_states(states: Iterable[StageStatus]) -> None:
    """Prints a table of what is done, and why the rest is not."""
    table = Table("stage", "state", "rows", "problems", "why")
    for one in states:
        table.add_row(
            one.stage, one.state, f"{one.rows:,}", f"{one.problems:,}", escape(one.reason)
        )
    Console().print(table)


def print_rows(rows: Sequence["DataclassInstance"]) -> None:
    """Prints instances of one dataclass as a table, a column a field; nothing for none."""
    if not rows:
        return
    table = Table(*(field.name for field in dataclasses.fields(rows[0])))
    for row in rows:
        values = dataclasses.astuple(row)
        table.add_row(*(f"{one:.3f}" if isinstance(one, float) else f"{one:,}" for one in values))
    Console().print(table)


def print_benchmark(root: Path, data_set: object = None) -> None:
    """Prints the table of the last benchmark, on a data set where one is named."""
    from hgld.benchmarks.retrieval.report.tables import format_table
    from hgld.benchmarks.retrieval.results import read_results

    named = None if data_set is None else str(data_set)
    Console().print(format_table(read_results(Workspace(root), named)))


def print_recipes() -> None:
    """Prints what there is for `hgld train --recipe`, a paragraph each."""
    for recipe in recipes():
        typer.echo(f"{recipe.name}: {recipe.title}.\n  source: {recipe.source}")
        typer.echo(f"  cost: {recipe.cost}\n")
    typer.echo("Train with `hgld train --recipe NAME`; what is stated beside it stands.")


def print_states_as_json(root: Path, states: Iterable[tuple[StageStatus, Path]]) -> None:
    """Prints the same for a program, with the place of each stage's result.

    Args:
        root: the folder of the build.
        states: each to where the result of its stage lies, or will.
    """
    stages = [dataclasses.asdict(state) | {"result": str(result)} for state, result in states]
    typer.echo(json.dumps({"root": str(root), "stages": stages}, indent=2))
