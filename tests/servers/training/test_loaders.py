"""Processes that read images end with the one that they read for, however it ends."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.training.data.epochs import AugmentedImages, RunPlace
from hgld.training.run.loop import run_train
from tests.worlds.training_runs import CHECKPOINT, TINY, forget_training, undisturbed_in

_READS_FOR_EVER = """
import os, sys, time
from pathlib import Path
from torch.utils.data import Dataset
from hgld.training.data.loading import load_batches

class Endless(Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, position):
        Path(sys.argv[1], str(os.getpid())).touch()
        time.sleep(600)

next(load_batches(Endless(), batch_size=2, workers=2))
"""


@pytest.mark.fault(93, "loader killed by the system")
def test_a_loader_killed_by_the_system_leaves_a_checkpoint_and_says_what_to_lower(
    tiny_build: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fired, read = tmp_path / "killed", AugmentedImages.__getitem__

    def dying(self: AugmentedImages, place: RunPlace) -> tuple[torch.Tensor, torch.Tensor]:
        if (place.epoch, place.position) == (2, 9) and not fired.exists():  # in step 6
            fired.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return read(self, place)

    monkeypatch.setattr(AugmentedImages, "__getitem__", dying)
    with pytest.raises(InputError, match="workers"):
        run_train(tiny_build, dataclasses.replace(TINY, workers=1))
    assert fired.exists()
    # Up to two of the batches before the sixth, which it was ahead of, may have died with it.
    kept = torch.load(tiny_build.path(CHECKPOINT), weights_only=True)["step"]
    assert kept in {3, 4, 5}
    run_train(tiny_build, TINY)
    clean = Workspace(tmp_path / "clean")
    shutil.copytree(tiny_build.root, clean.root)
    forget_training(clean)
    run_train(clean, TINY)
    assert undisturbed_in(clean).is_that_of(tiny_build)


@pytest.mark.fault(94, "orphaned loaders")
def test_loaders_end_with_the_process_they_read_for(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _READS_FOR_EVER, str(tmp_path)]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[3], stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: len(list(tmp_path.iterdir())) == min(2, os.cpu_count() or 1))
        loaders = [int(path.name) for path in tmp_path.iterdir()]
        assert all(is_running(pid) for pid in loaders)
        assert process.pid not in loaders
    finally:
        process.kill()
        process.wait()
    wait_for(lambda: not any(is_running(pid) for pid in loaders))


def is_running(pid: int) -> bool:
    """Says whether a process has not ended."""
    try:
        # A process that ended and is not waited for (Z) has no memory and no files any more.
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def wait_for(is_so: Callable[[], bool]) -> None:
    """Waits until something is so."""
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)
