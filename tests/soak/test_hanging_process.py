"""Two processes that train: one hangs or dies first, both end early, and both are done."""

import signal
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


def test_processes_that_are_done_leave_nothing_behind(tiny_build: Workspace, ends: Path) -> None:
    ended = end_one(ends, tiny_build, "neither")
    assert ended.returncode == 0, ended.stderr
    assert "leaked" not in ended.stderr


def test_when_the_first_process_dies_the_others_end_too_and_the_run_goes_on(
    tiny_build: Workspace, undisturbed: Workspace, ends: Path
) -> None:
    assert end_one(ends, tiny_build, "first").returncode == -signal.SIGKILL
    other = tiny_build.path("other").read_text()
    deadline = time.monotonic() + 30
    while Path("/proc", other, "cmdline").exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert torch.load(tiny_build.path(CHECKPOINT), weights_only=True)["step"] == 3
    run_train(tiny_build, TOGETHER)
    assert ran_undisturbed(tiny_build, undisturbed)
