"""A run that its world stops: it goes on to what an undisturbed one leaves, bit for bit."""

import dataclasses
import errno
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from hgld import losses
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError
from hgld.training.data.labels import training_images
from hgld.training.model.saved import load_model
from hgld.training.run import checkpoint
from hgld.training.run.checkpoint import RunFiles, save_sealed
from hgld.training.run.stage import run_train
from tests.training.conftest import Payload
from tests.training.model.test_saved import flipped
from tests.worlds.stopped import Stopped, raising
from tests.worlds.training_runs import (
    CHECKPOINT,
    TINY,
    Undisturbed,
    batches_of,
    in_step,
    log_of,
    stop_in_step,
)


def step_kept(workspace: Workspace) -> int:
    """Returns the step of the newest checkpoint."""
    step: int = torch.load(workspace.path(CHECKPOINT), weights_only=True)["step"]
    return step


LACKS = (
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
    MemoryError(),
)
ENDS: list[tuple[int, Callable[[], None], type[BaseException], str | None]] = [
    *((number, raising(Stopped()), Stopped, None) for number in (1, 3, 6)),
    (5, lambda: os.kill(os.getpid(), signal.SIGINT), KeyboardInterrupt, None),
    *((5, raising(lack), InputError, "batch_size") for lack in LACKS),
    (5, raising(RuntimeError("no such kernel")), RuntimeError, "kernel"),
]


@pytest.mark.fault(86, "SIGTERM, SIGHUP or Ctrl-C in each stage")
@pytest.mark.fault(92, "killed training with a checkpoint by time")
@pytest.mark.fault(95, "out of memory in a step")
@pytest.mark.fault(180, "Ctrl-C in training")
@pytest.mark.parametrize(("number", "act", "kind", "word"), ENDS)
def test_a_run_that_stops_in_any_step_goes_on_from_there(
    tiny_build: Workspace,
    undisturbed: Undisturbed,
    number: int,
    act: Callable[[], None],
    kind: type[BaseException],
    word: str | None,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(losses, "sup_hap_loss", in_step(number, act))
        with pytest.raises(kind, match=word):
            run_train(tiny_build, TINY)
    assert step_kept(tiny_build) == number - 1
    run_train(tiny_build, TINY)
    assert undisturbed.is_that_of(tiny_build)


def test_a_run_with_a_memory_and_an_average_goes_on_as_well(tiny_build: Workspace) -> None:
    whole = dataclasses.replace(
        TINY,
        name="whole",
        memory_size=12,
        average_decay=0.9,
        warm_up_steps=2,
        log_every_steps=2,
        precision="bfloat16",
    )
    run_train(tiny_build, whole)
    stopped = dataclasses.replace(whole, name="stopped")
    stop_in_step(tiny_build, 5, stopped)
    run_train(tiny_build, stopped)
    folders = [tiny_build.path(f"runs/{name}") for name in ("whole", "stopped")]
    one, other = ((folder / "model.safetensors").read_bytes() for folder in folders)
    assert one == other
    logs = [log_of(tiny_build, f"runs/{folder.name}/metrics.jsonl") for folder in folders]
    assert logs[0] == logs[1]
    state = load_model(folders[0]).state_dict()
    assert {tensor.dtype for tensor in state.values()} == {torch.float32, torch.int64}


def has_bfloat16(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Makes the processor one that has these instructions."""
    told = dict.fromkeys(names, True)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: told, raising=False)


def test_a_run_keeps_the_precision_that_it_began_with_wherever_it_goes_on(
    tiny_build: Workspace, undisturbed: Undisturbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    auto = dataclasses.replace(TINY, precision="auto")

    def precisions() -> list[str]:
        files = RunFiles(tiny_build.path("runs/happier"))
        return [one["precision"] for one in files.environments()]

    has_bfloat16(monkeypatch)
    stop_in_step(tiny_build, 5, auto)
    has_bfloat16(monkeypatch, "amx_bf16")
    # In float32, which the first machine had.
    run_train(tiny_build, auto)
    assert undisturbed.is_that_of(tiny_build)
    assert precisions() == ["float32"]
    assert run_train(tiny_build, auto).skipped
    # Another run of that name is decided anew.
    shorter = dataclasses.replace(auto, epochs=1)
    run_train(tiny_build, shorter)
    assert precisions() == ["bfloat16"]
    has_bfloat16(monkeypatch)
    assert run_train(tiny_build, shorter).skipped


@pytest.mark.fault(98, "settings changed and changed back mid-run")
@pytest.mark.fault(179, "checkpoint of other settings")
def test_other_settings_under_the_name_of_a_stopped_run_are_refused(
    tiny_build: Workspace, undisturbed: Undisturbed
) -> None:
    stop_in_step(tiny_build, 5)
    with pytest.raises(InputError, match="another name"):
        run_train(tiny_build, dataclasses.replace(TINY, learning_rate=1e-2))
    assert step_kept(tiny_build) == 4
    run_train(tiny_build, TINY)
    assert undisturbed.is_that_of(tiny_build)


@pytest.mark.fault(178, "picture that cannot be read in training")
def test_an_unreadable_image_stops_the_run_and_once_mended_it_goes_on(
    tiny_build: Workspace, undisturbed: Undisturbed
) -> None:
    images = training_images(tiny_build)
    order = batches_of(images)
    # One that comes up, and not in the first steps.
    late = {*order[3:].flatten().tolist()} - {*order[:3].flatten().tolist()}
    path = images.path(min(late))
    content = path.read_bytes()
    path.write_bytes(bytes(len(content)))  # of the same size: seen when it is read
    with pytest.raises(DamagedError, match=path.name):
        run_train(tiny_build, TINY)
    assert step_kept(tiny_build) >= 3
    path.write_bytes(content)
    run_train(tiny_build, TINY)
    assert undisturbed.is_that_of(tiny_build)


@pytest.fixture
def files(tmp_path: Path) -> RunFiles:
    """A run that was stopped after step 4."""
    files = RunFiles(tmp_path / "runs" / "happier")
    content = {"fingerprint": "f1", "step": 4, "weights": torch.arange(200.0)}
    files.save(files.checkpoint, content)
    return files


def steps_logged(files: RunFiles) -> list[int]:
    return [json.loads(line)["step"] for line in files.metrics.read_text().splitlines()]


@pytest.mark.fault(91, "damaged training log")
def test_the_log_is_cut_back_to_the_checkpoint_and_to_whole_lines(files: RunFiles) -> None:
    damaged = (b"\xff\xfe{}", b"[1]", b'{"step": "4"}', b'{"stop": 4}')
    files.log({"step": 2})
    with files.metrics.open("ab") as log:
        log.write(b"\n".join(damaged) + b"\n")
    for step in (4, 6):
        files.log({"step": step})
    with files.metrics.open("a") as log:
        log.write('{"step": 3, "lo')
    files.resume("f1")
    assert steps_logged(files) == [2, 4]
    files.checkpoint.unlink()
    assert files.resume("f1") is None
    assert not files.metrics.exists()


@pytest.mark.fault(85, "damaged checkpoint")
def test_a_damaged_checkpoint_is_named_with_what_to_delete(files: RunFiles) -> None:
    whole = files.checkpoint.read_bytes()
    bits = (*range(5, 8 * len(whole), 8 * len(whole) // 12), 8 * len(whole) - 3)
    for content in (b"", whole[:100], whole[:-1], *(flipped(whole, bit) for bit in bits)):
        files.checkpoint.write_bytes(content)
        with pytest.raises(DamagedError, match=f"delete {files.folder}"):
            files.resume("f1")
        assert files.checkpoint.read_bytes() == content


@pytest.mark.fault(87, "malicious checkpoint")
def test_code_in_a_checkpoint_does_not_run(files: RunFiles, tmp_path: Path) -> None:
    content = {"fingerprint": "f1", "step": 6, "x": Payload(f"touch {tmp_path}/ran")}
    save_sealed(content, files.checkpoint)
    with pytest.raises(DamagedError, match="not run"):
        files.resume("f1")
    assert not (tmp_path / "ran").exists()
    # The payload works where it is let.
    torch.load(files.checkpoint, weights_only=False)
    assert (tmp_path / "ran").exists()


@pytest.mark.fault(88, "full disk in a checkpoint")
@pytest.mark.fault(99, "full disk in training")
@pytest.mark.fault(90, "read-only folder of a run")
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_write_that_the_disk_refuses_is_one_error_and_leaves_what_there_was(
    files: RunFiles, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    files.log({"step": 4})
    before = {path: path.read_bytes() for path in files.folder.iterdir()}
    for name in ("save_sealed", "append_bytes"):
        refuse = raising(OSError(number, os.strerror(number)))
        monkeypatch.setattr(checkpoint, name, lambda *_, refuse=refuse: refuse())
    with pytest.raises(InputError, match=r"checkpoint\.pt"):
        files.save(files.checkpoint, {"fingerprint": "f1", "step": 9})
    with pytest.raises(InputError, match=r"metrics\.jsonl"):
        files.log({"step": 9})
    assert {path: path.read_bytes() for path in files.folder.iterdir()} == before
