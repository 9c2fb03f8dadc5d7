"""Processes that train, one or several: each may die, hang or be started by torchrun."""

import dataclasses
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError
from hgld.training.data.labels import training_images
from hgld.training.data.sampler import LandmarkSampler
from hgld.training.model.saved import load_model
from hgld.training.run.loop import run_train
from hgld.training.watching.lines import best_validation, read_lines
from tests.worlds.training_runs import (
    CHECKPOINT,
    METRICS,
    MODEL,
    TINY,
    killed_in_step,
    log_of,
    undisturbed_in,
)

TOGETHER = dataclasses.replace(TINY, nproc=2)
IMPATIENT = dataclasses.replace(TOGETHER, timeout_s=20.0)
ENDS = """
import dataclasses, multiprocessing, os, signal, sys
from pathlib import Path
from hgld.engine.workspace import Workspace
from hgld.training.run import loop
from tests.servers.training.test_processes import IMPATIENT

whole, calls = loop.take_step, iter(range(1000))

def dying(*args, **kwargs):
    if next(calls) == 4 and sys.argv[2] != "neither":
        (other,) = multiprocessing.active_children()
        Path(sys.argv[1], "other").write_text(str(other.pid))
        which = os.getpid() if sys.argv[2] == "first" else other.pid
        os.kill(which, signal.SIGSTOP if sys.argv[2] == "hangs" else signal.SIGKILL)
    whole(*args, **kwargs)

if __name__ == "__main__":
    loop.take_step = dying
    config = dataclasses.replace(IMPATIENT, workers=int(sys.argv[2] == "neither"))
    loop.run_train(Workspace(Path(sys.argv[1])), config)
"""
"""Trains with two processes, of which one or neither ends, or stops for good, in the fifth step."""


def _weights(workspace: Workspace) -> list[Tensor]:
    model = load_model(workspace.path("runs/happier"))
    return list(model.state_dict().values())


def _losses(workspace: Workspace) -> list[float]:
    lines = workspace.path(METRICS).read_text().splitlines()
    return [json.loads(line)[name] for line in lines for name in ("loss", "gradient_norm")]


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program in a file, which processes that it spawns can import."""
    path = tmp_path_factory.mktemp("ends") / "ends.py"
    path.write_text(ENDS)
    return path


def end_one(ends: Path, workspace: Workspace, which: str) -> "subprocess.CompletedProcess[str]":
    root = Path(__file__).parents[3]
    return subprocess.run(
        [sys.executable, ends, workspace.root, which],
        env={
            **os.environ,
            "PYTHONPATH": str(root),
            "OMP_NUM_THREADS": str(torch.get_num_threads()),
        },
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def ran_undisturbed(workspace: Workspace, like: Workspace) -> bool:
    """Says whether a run has the weights and the log of another, bit for bit."""
    same = [torch.equal(*pair) for pair in zip(_weights(workspace), _weights(like), strict=True)]
    return all(same) and _losses(workspace) == _losses(like)


@pytest.fixture
def undisturbed(tiny_build: Workspace, ends: Path) -> Workspace:
    """The run of two processes, in a build of its own; made once."""
    copy = Workspace(ends.parent / "undisturbed")
    if not copy.root.exists():
        shutil.copytree(tiny_build.root, copy.root)
        run_train(copy, TOGETHER)
    return copy


def _by_torchrun(workspace: Workspace, **changes: object) -> "subprocess.CompletedProcess[str]":
    settings = {**dataclasses.asdict(TINY), **changes}.items()
    kept = [(key, value) for key, value in settings if isinstance(value, int | float | str)]
    stated = [f"--set={key}={json.dumps(value)}" for key, value in kept]
    words = ["torch.distributed.run", "--nproc-per-node", "2", "-m", "hgld.training"]
    return subprocess.run(
        [sys.executable, "-m", *words, "--root", workspace.root, *stated],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_torchrun_starts_them_too(tiny_build: Workspace, undisturbed: Workspace) -> None:
    done = _by_torchrun(tiny_build)
    assert done.returncode == 0, done.stderr
    assert _losses(tiny_build) == pytest.approx(_losses(undisturbed), rel=1e-5, abs=1e-6)
    assert load_model(tiny_build.path("runs/happier")).image_size == 32


def test_a_run_that_becomes_no_better_ends_in_all_processes(tiny_build: Workspace) -> None:
    early = {"validation_share": 0.3, "validate_every_steps": 1, "patience": 1, "epochs": 30}
    done = _by_torchrun(tiny_build, **early, timeout_s=20.0)
    assert done.returncode == 0, done.stderr
    best = best_validation(read_lines(tiny_build.path(METRICS)))
    assert best is not None
    assert best.since == 1
    assert load_model(tiny_build.path("runs/happier")).image_size == 32


def test_a_process_that_dies_ends_all_with_a_line_and_a_checkpoint_and_the_run_goes_on(
    tiny_build: Workspace, undisturbed: Workspace, ends: Path
) -> None:
    ended = end_one(ends, tiny_build, "other")
    assert "InputError: process 1 of 2" in ended.stderr
    assert torch.load(tiny_build.path(CHECKPOINT), weights_only=True)["step"] == 4
    run_train(tiny_build, TOGETHER)
    assert ran_undisturbed(tiny_build, undisturbed)


def test_a_picture_that_another_process_cannot_read_is_named(tiny_build: Workspace) -> None:
    images = training_images(tiny_build)
    sampler = LandmarkSampler(
        images.labels[:, 0], batch_size=8, samples_per_landmark=2, max_per_landmark=4
    )
    batch = sampler.epoch(0)[0].tolist()
    first, second = batch[:4], batch[4:]
    (number, *_) = set(second) - set(first)
    path = images.path(number)
    path.write_bytes(path.read_bytes()[::-1])
    with pytest.raises(DamagedError, match=rf"process 1 .*{path.name}"):
        run_train(tiny_build, TOGETHER)
    assert torch.load(tiny_build.path(CHECKPOINT), weights_only=True)["step"] == 0


@pytest.mark.fault(181, "training killed in a step")
def test_a_killed_run_goes_on_to_the_same_weights_and_log(
    tiny_build: Workspace, tmp_path: Path
) -> None:
    whole = Workspace(shutil.copytree(tiny_build.root, tmp_path / "whole"))
    run_train(whole, TINY)
    undisturbed = undisturbed_in(whole)
    # In step 5, in the middle of an epoch: the checkpoint is of step 3, the log goes to step 4.
    process = multiprocessing.get_context("spawn").Process(
        target=killed_in_step, args=(tiny_build.root, 5, TINY, torch.get_num_threads())
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert not tiny_build.path(MODEL).exists()
    assert torch.load(tiny_build.path(CHECKPOINT), weights_only=True)["step"] == 3
    assert log_of(tiny_build) == undisturbed.log[:4]
    run_train(tiny_build, TINY)
    assert undisturbed.is_that_of(tiny_build)


def test_two_processes_take_the_steps_of_one(tiny_build: Workspace, tmp_path: Path) -> None:
    alone = Workspace(tmp_path / "alone")
    shutil.copytree(tiny_build.root, alone.root)
    run_train(alone, TINY)
    run_train(tiny_build, TOGETHER)
    assert len(log_of(tiny_build)) == len(log_of(alone))
    for one, other in zip(log_of(tiny_build), log_of(alone), strict=True):
        assert one == pytest.approx(other, rel=1e-5, abs=1e-6)
    models = [load_model(workspace.path(MODEL)) for workspace in (tiny_build, alone)]
    for one, other in zip(*(model.parameters() for model in models), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
