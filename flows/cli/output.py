"""What the command line prints on stdout: what came of steps, and tables; the log is on stderr."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from hgld.engine.stage import StageReport
from hgld.errors import IncompleteError
from hgld.flows.build import run_step
from hgld.flows.steps import BuildStep

TRIED_AGAIN = "nothing else was lost, the column `error` says why, and the same command tries again"


def run_and_tell(root: Path, step: BuildStep, *, force: bool = False) -> None:
    """Runs a step and prints what came of it; raises what `tell_reports` and the step do."""
    tell_reports(run_step(root, step, force=force))


def tell_reports(reports: Sequence[StageReport]) -> None:
    """Prints what stages did, a line each.

    Raises:
        IncompleteError: rows failed.
    """
    for report in reports:
        click.echo(report.words())
    refuse_failed(reports)


def refuse_failed(reports: Iterable[StageReport]) -> None:
    """Ends a command of which a stage has failed rows.

    Raises:
        IncompleteError: one has.
    """
    failed = [report.manifest for report in reports if report.manifest.failed]
    if failed:
        rows = ", ".join(f"{one.stage}: {one.failed} rows failed" for one in failed)
        raise IncompleteError(f"{rows}; {TRIED_AGAIN}")


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], title: str | None = None
) -> None:
    """Prints a table; what stands in it is text and nothing else."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title and escape(title), title_justify="left")
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    Console().print(table)
