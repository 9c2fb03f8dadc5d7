"""One of two processes that train hangs: the time that it is given is waited for."""

import time
from pathlib import Path

import torch

from hgld.engine.workspace import Workspace
from hgld.training.run.loop import run_train
from tests.servers.training.conftest import tiny_build
from tests.servers.training.test_processes import (
    IMPATIENT,
    TOGETHER,
    end_one,
    ends,
    ran_undisturbed,
    undisturbed,
)
from tests.worlds.training_runs import CHECKPOINT

__all__ = ["ends", "tiny_build", "undisturbed"]  # fixtures


def test_a_process_that_hangs_ends_all_after_a_while_and_the_run_goes_on(
    tiny_build: Workspace, undisturbed: Workspace, ends: Path
) -> None:
    begun = time.monotonic()
    ended = end_one(ends, tiny_build, "hangs")
    assert time.monotonic() - begun > IMPATIENT.timeout_s
    assert "timeout_s" in ended.stderr
    other = tiny_build.path("other").read_text()
    assert not Path("/proc", other, "cmdline").exists()
    assert torch.load(tiny_build.path(CHECKPOINT), weights_only=True)["step"] == 4
    run_train(tiny_build, TOGETHER)
    assert ran_undisturbed(tiny_build, undisturbed)
