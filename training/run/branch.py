"""A run that goes on from the checkpoint of another, under its own name and settings."""

import logging

from hgld.engine.files import write_text, writing
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.training.config import TrainConfig
from hgld.training.run.checkpoint import RunFiles
from hgld.training.run.state import RunState

logger = logging.getLogger(__name__)


def branch_off(
    workspace: Workspace, config: TrainConfig, files: RunFiles, run: RunState, steps: int
) -> None:
    """Goes on where another run was stopped, or was before it diverged, which stays as it is.

    The log begins with that of the other run. The learning rate goes on at the same place of its
    cosine, from what this run's settings say.

    Args:
        workspace: of the build.
        config: of this run; `branch` names the other one.
        files: of this run.
        run: this run before its first step.
        steps: of this whole run.

    Raises:
        InputError: the other run has no sound checkpoint, or one that does not fit this run.
    """
    other = RunFiles(workspace.path(f"runs/{config.branch}"))
    found = other.newest()
    if found is None:
        raise InputError(
            f"branch must name a run of this build that is under way, was stopped or diverged, got "
            f"{config.branch!r}, which has no sound checkpoint in {other.folder}; a run that has "
            f"ended is gone on from with init"
        )
    content, log = found
    try:
        run.restore(content, steps)
    except ValueError as error:
        raise InputError(
            f"branch {config.branch!r} does not fit this run: {error}; what the model and the loss "
            f"are made of must be as in that run"
        ) from error
    with writing(files.metrics):
        write_text(files.metrics, log.decode())
    logger.info("train: goes on from step %d of %s", run.step, config.branch)
