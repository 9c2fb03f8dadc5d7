"""Running a step for somebody at a terminal: what came of it, on stdout."""

import logging
from collections.abc import Sequence
from pathlib import Path

import typer

from hgld.engine.stage import StageReport
from hgld.errors import IncompleteError
from hgld.flows.steps import Sections, run_step


def run_and_tell(root: Path, name: str, sections: Sections, *, force: bool = False) -> None:
    """Runs a step and prints what came of it; raises what `tell_reports` and the step do."""
    quiet_stage_log()
    tell_reports(run_step(root, name, sections, force=force))


def quiet_stage_log() -> None:
    """Keeps the line of a stage that has ended out of the log: it is printed here, on stdout."""
    engine = logging.getLogger("hgld.engine.stage")
    if not engine.isEnabledFor(logging.DEBUG):
        engine.setLevel(logging.WARNING)


def tell_reports(reports: Sequence[StageReport]) -> None:
    """Prints what stages did, a line each.

    Raises:
        IncompleteError: rows failed.
    """
    for report in reports:
        typer.echo(report.words())
    failed = [report.manifest for report in reports if report.manifest.failed]
    if failed:
        rows = sum(manifest.failed for manifest in failed)
        raise IncompleteError(
            f"{failed[0].stage}: {rows} rows failed and nothing else was lost; the column `error` "
            f"says why, and the same command tries them again"
        )
