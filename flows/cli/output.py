"""Print results and tables on stdout; the log goes to stderr."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from hgld.engine.stage import StageReport
from hgld.engine.workspace import Workspace
from hgld.errors import IncompleteError
from hgld.flows.build import run_step
from hgld.flows.steps import BuildStep

TRIED_AGAIN = "the column `error` says why; all other rows are saved; run the same command to retry"


def run_and_tell(root: Path, step: BuildStep, *, force: bool = False) -> None:
    """Runs a step and prints its reports; raises the errors of the step and of `tell_reports`."""
    tell_reports(run_step(root, step, force=force))


def tell_reports(reports: Sequence[StageReport]) -> None:
    """Prints the reports of stages, one line each.

    Raises:
        IncompleteError: rows failed.
    """
    for report in reports:
        click.echo(report.words())
    refuse_failed(reports)


def refuse_failed(reports: Iterable[StageReport]) -> None:
    """Raises if a stage has failed rows.

    Raises:
        IncompleteError: a stage has failed rows.
    """
    failed = [report.manifest for report in reports if report.manifest.failed]
    if failed:
        rows = ", ".join(f"{one.stage}: {one.failed} rows failed" for one in failed)
        raise IncompleteError(f"{rows}; {TRIED_AGAIN}")


def print_results(workspace: Workspace, step: BuildStep) -> None:
    """Prints the leaderboard of a benchmark, by each of its hierarchies."""
    from rich.console import Console

    from hgld.benchmarks.retrieval.report import format_table
    from hgld.benchmarks.retrieval.results import read_results

    console, several = Console(), step.settings.by_hierarchy
    for one in several:
        if len(several) > 1:
            console.print(f"By {one.hierarchy[0]}:")
        console.print(format_table(read_results(workspace.path(one.folder))))


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], title: str | None = None
) -> None:
    """Prints a table; cells are plain text, not rich markup."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title and escape(title), title_justify="left")
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    Console().print(table)
