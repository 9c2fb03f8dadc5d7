"""A run that its world stops: it goes on to what an undisturbed one leaves, bit for bit."""

import dataclasses
import errno
import os
import signal
from collections.abc import Callable

import pytest
import torch

from hgld import losses
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError
from hgld.training.data.labels import training_images
from hgld.training.data.sampler import LandmarkSampler
from hgld.training.run import checkpoint
from hgld.training.run.loop import run_train
from tests.worlds.training_runs import (
    CHECKPOINT,
    TINY,
    Undisturbed,
    in_step,
    log_of,
    raising,
    stop_in_step,
)


def step_kept(workspace: Workspace) -> int:
    """Returns the step of the newest checkpoint."""
    step: int = torch.load(workspace.path(CHECKPOINT), weights_only=True)["step"]
    return step


@pytest.mark.fault(92, "killed training with a checkpoint by time")
@pytest.mark.parametrize("number", [1, 3, 6])
def test_a_run_that_stops_after_any_step_goes_on_from_there(
    tiny_build: Workspace, undisturbed: Undisturbed, number: int
) -> None:
    stop_in_step(tiny_build, number)
    assert step_kept(tiny_build) == number - 1
    run_train(tiny_build, TINY)
    assert undisturbed.is_that_of(tiny_build)


def test_a_run_with_a_memory_and_an_average_goes_on_as_well(
    tiny_build: Workspace,
) -> None:
    config = dataclasses.replace(
        TINY,
        memory_size=12,
        average_decay=0.9,
        warm_up_steps=2,
        log_every_steps=2,
        precision="bfloat16",
    )
    whole = dataclasses.replace(config, name="whole")
    run_train(tiny_build, whole)
    config = dataclasses.replace(config, name="stopped")
    stop_in_step(tiny_build, 5, config)
    run_train(tiny_build, config)
    one, other = (
        tiny_build.path(f"runs/{name}/model.safetensors").read_bytes()
        for name in ("whole", "stopped")
    )
    assert one == other
    logs = [log_of(tiny_build, f"runs/{name}/metrics.jsonl") for name in ("whole", "stopped")]
    assert logs[0] == logs[1]


@pytest.mark.fault(180, "Ctrl-C in training")
@pytest.mark.fault(86, "SIGTERM, SIGHUP or Ctrl-C in each stage")
def test_after_ctrl_c_a_run_goes_on_from_its_last_checkpoint(
    tiny_build: Workspace, undisturbed: Undisturbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt = in_step(5, lambda: os.kill(os.getpid(), signal.SIGINT))
    with monkeypatch.context() as patch:
        patch.setattr(losses, "sup_hap_loss", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run_train(tiny_build, TINY)
    assert step_kept(tiny_build) == 4
    run_train(tiny_build, TINY)
    assert undisturbed.is_that_of(tiny_build)


@pytest.mark.fault(98, "settings changed and changed back mid-run")
def test_other_settings_under_the_name_of_a_stopped_run_are_refused(
    tiny_build: Workspace, undisturbed: Undisturbed
) -> None:
    stop_in_step(tiny_build, 5)
    with pytest.raises(InputError, match="another name"):
        run_train(tiny_build, dataclasses.replace(TINY, learning_rate=1e-2))
    run_train(tiny_build, TINY)
    assert undisturbed.is_that_of(tiny_build)


@pytest.mark.fault(178, "picture that cannot be read in training")
def test_an_unreadable_image_stops_the_run_and_once_mended_it_goes_on(
    tiny_build: Workspace, undisturbed: Undisturbed
) -> None:
    path = training_images(tiny_build).path(first_met_after(tiny_build, 3))
    content = path.read_bytes()
    path.write_bytes(bytes(len(content)))  # of the same size: seen when it is read
    with pytest.raises(DamagedError, match=path.name):
        run_train(tiny_build, TINY)
    assert step_kept(tiny_build) >= 3
    path.write_bytes(content)
    run_train(tiny_build, TINY)
    assert undisturbed.is_that_of(tiny_build)


def first_met_after(workspace: Workspace, steps: int) -> int:
    """Returns an image that comes up in training, and not in the first steps."""
    landmarks = training_images(workspace).labels[:, 0]
    sampler = LandmarkSampler(landmarks, batch_size=8, samples_per_landmark=2, max_per_landmark=4)
    order = torch.cat([sampler.epoch(epoch) for epoch in range(TINY.epochs)])
    early: list[int] = order[:steps].flatten().tolist()
    late: list[int] = order[steps:].flatten().tolist()
    return min(set(late) - set(early))


@pytest.mark.fault(95, "out of memory in a step")
@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
)
def test_a_lack_of_memory_says_what_to_lower_and_leaves_the_last_checkpoint(
    tiny_build: Workspace, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(losses, "sup_hap_loss", in_step(5, raising(error)))
    with pytest.raises(InputError, match="batch_size"):
        run_train(tiny_build, TINY)
    assert step_kept(tiny_build) == 4


def test_another_failure_of_torch_is_not_taken_for_a_lack_of_memory(
    tiny_build: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = RuntimeError("no such kernel")
    monkeypatch.setattr(losses, "sup_hap_loss", in_step(1, raising(error)))
    with pytest.raises(RuntimeError) as caught:
        run_train(tiny_build, TINY)
    assert caught.value is error


@pytest.mark.fault(99, "full disk in training")
def test_a_disk_that_fills_up_in_training_stops_it_and_with_room_it_goes_on(
    tiny_build: Workspace, undisturbed: Undisturbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        full = raising(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        fills: Callable[[], None] = lambda: patch.setattr(  # noqa: E731
            checkpoint, "save_sealed", lambda *_: full()
        )
        patch.setattr(losses, "sup_hap_loss", in_step(5, fills))
        with pytest.raises(InputError, match=r"checkpoint\.pt"):
            run_train(tiny_build, TINY)
    assert step_kept(tiny_build) == 4
    run_train(tiny_build, TINY)
    assert undisturbed.is_that_of(tiny_build)
