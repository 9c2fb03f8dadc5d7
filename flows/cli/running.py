"""Running a step for somebody at a terminal: what came of it, on stdout."""

import logging
from collections.abc import Sequence
from pathlib import Path

import typer

from hgld.engine.stage import StageReport
from hgld.engine.workspace import Workspace
from hgld.errors import IncompleteError
from hgld.flows.steps import Sections, load_step, run_step
from hgld.images.bucket import free_bytes
from hgld.images.config import ImagesConfig
from hgld.images.records import what_failed
from hgld.images.stage import plan_images
from hgld.tables import IMAGE_FILES


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
    try:
        run_and_tell(root, "images", sections, force=force)
    except IncompleteError as error:
        workspace = Workspace(root)
        failed = (what_failed(workspace, split) for split in IMAGE_FILES)
        lines = [f"not done: {line}" for line in failed if line]
        raise IncompleteError("; ".join([str(error), *lines])) from error


def tell_plan(root: Path, sections: Sections) -> None:
    """Prints what there is to fetch, a line for each split, and how much room there is."""
    config = load_step("images", sections).settings
    if not isinstance(config, ImagesConfig):
        raise TypeError(f"settings must be an ImagesConfig, got {type(config)}")
    workspace = Workspace(root)
    splits = (config.split,) if config.split else tuple(IMAGE_FILES)
    for split in splits:
        typer.echo(plan_images(workspace, config, split))
    typer.echo(f"{free_bytes(workspace) / 1e9:.3g} GB are free for {workspace.path('images')}")


def tell_estimate(root: Path, sections: Sections) -> None:
    """Prints what a training run would take, from some of its steps."""
    from hgld.training.config import TrainConfig
    from hgld.training.run.estimate import estimate_train

    config = load_step("train", sections).settings
    if not isinstance(config, TrainConfig):
        raise TypeError(f"settings must be a TrainConfig, got {type(config)}")
    typer.echo(estimate_train(Workspace(root), config).words())
