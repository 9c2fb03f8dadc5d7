"""What the command line prints on stdout: what came of steps, and states; the log is on stderr."""

import dataclasses
import json
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import click

from hgld.engine.stage import StageReport
from hgld.engine.status import StageStatus
from hgld.engine.workspace import Workspace
from hgld.errors import IncompleteError
from hgld.flows import steps
from hgld.flows.build import (
    run_step,
)
from hgld.flows.steps import BuildStep, Sections
from hgld.tables import IMAGE_FILES


def run_and_tell(root: Path, step: BuildStep, *, force: bool = False) -> None:
    """Runs a step and prints what came of it; raises what `tell_reports` and the step do."""
    quiet_stage_log()
    tell_reports(run_step(root, step, force=force))


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
        click.echo(report.words())
    failed = [report.manifest for report in reports if report.manifest.failed]
    if failed:
        rows = ", ".join(f"{one.stage}: {one.failed} rows failed" for one in failed)
        raise IncompleteError(
            f"{rows}; nothing else was lost, the column `error` says why, and the same command "
            f"tries them again"
        )


def fetch_and_tell(root: Path, sections: Sections, *, force: bool = False) -> None:
    """Fetches the images and prints what came of it.

    Raises:
        IncompleteError: some could not be had; the text names the tars, the others are done.
    """
    from hgld.images.records import what_failed

    try:
        run_and_tell(root, steps.images_step(sections), force=force)
    except IncompleteError as error:
        workspace = Workspace(root)
        failed = (what_failed(workspace, split) for split in IMAGE_FILES)
        lines = [f"not done: {line}" for line in failed if line]
        raise IncompleteError("; ".join([str(error), *lines])) from error


def tell_plan(root: Path, sections: Sections) -> None:
    """Prints what there is to fetch, a line for each split, and how much room there is."""
    from hgld.images.bucket import free_bytes
    from hgld.images.config import ImagesConfig
    from hgld.images.stage import plan_images

    config = _settings(ImagesConfig, steps.images_step(sections))
    workspace = Workspace(root)
    for split in (config.split,) if config.split else tuple(IMAGE_FILES):
        click.echo(plan_images(workspace, config, split))
    click.echo(f"{free_bytes(workspace) / 1e9:.3g} GB are free for {workspace.path('images')}")


def tell_estimate(root: Path, sections: Sections) -> None:
    """Prints what a training run would take, from some of its steps."""
    from hgld.training.config import TrainConfig
    from hgld.training.run.estimate import estimate_train

    config = _settings(TrainConfig, steps.train_step(sections))
    click.echo(estimate_train(Workspace(root), config).words())


_Config = TypeVar("_Config")


def _settings(cls: type[_Config], step: BuildStep) -> _Config:
    if not isinstance(step.settings, cls):
        raise TypeError(f"settings must be of {cls.__name__}, got {type(step.settings)}")
    return step.settings


def print_states(states: Iterable[StageStatus]) -> None:
    """Prints a table of what is done, and why the rest is not."""
    from rich.markup import escape

    cells = [
        (one.stage, one.state, f"{one.rows:,}", f"{one.problems:,}", escape(one.reason))
        for one in states
    ]
    _print_table(("stage", "state", "rows", "problems", "why"), cells)


def _print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def print_benchmark(root: Path, data_set: object = None) -> None:
    """Prints the table of the last benchmark, on a data set where one is named."""
    from rich.console import Console

    from hgld.benchmarks.retrieval.report.tables import format_table
    from hgld.benchmarks.retrieval.results import read_results

    named = None if data_set is None else str(data_set)
    Console().print(format_table(read_results(Workspace(root), named)))


def print_recipes() -> None:
    """Prints what there is for `hgld train --recipe`, a paragraph each."""
    from hgld.training.recipes.reading import recipes

    for recipe in recipes():
        click.echo(f"{recipe.name}: {recipe.title}.\n  source: {recipe.source}")
        click.echo(f"  cost: {recipe.cost}\n")
    click.echo("Train with `hgld train --recipe NAME`; what is stated beside it stands.")


def print_states_as_json(root: Path, states: Iterable[tuple[StageStatus, Path]]) -> None:
    """Prints the same for a program, with the place of each stage's result.

    Args:
        root: the folder of the build.
        states: each to where the result of its stage lies, or will.
    """
    stages = [dataclasses.asdict(state) | {"result": str(result)} for state, result in states]
    click.echo(json.dumps({"root": str(root), "stages": stages}, indent=2))
