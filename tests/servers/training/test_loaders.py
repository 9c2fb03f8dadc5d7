"""A process that reads images is killed."""

import dataclasses
import os
import shutil
import signal
from pathlib import Path

import pytest
import torch

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.training.data.images import AugmentedImages
from hgld.training.data.loading import RunPlace
from hgld.training.run.loop import run_train
from tests.worlds.training_runs import CHECKPOINT, TINY, forget_training, undisturbed_in


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
