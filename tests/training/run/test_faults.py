"""What becomes of a run whose world fails: each fault fires, is one line, and loses nothing."""

import dataclasses
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from hgld import losses
from hgld.engine.files import file_digest
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.training.data.epochs import AugmentedImages, RunPlace
from hgld.training.data.loading import load_batches
from hgld.training.run.checkpoint import RunFiles
from hgld.training.run.loop import run_train
from tests.hgld.engine.test_full_disk import Disk
from tests.training.run.test_loop import CHECKPOINT, METRICS, MODEL, TINY, log_of, stop_in_step

Whole = tuple[str, list[dict[str, Any]]]


def trained(workspace: Workspace) -> Whole:
    """Trains undisturbed; returns the digest of the model, and the log."""
    run_train(workspace, TINY)
    return file_digest(workspace.path(MODEL)), log_of(workspace)


_UNDISTURBED: list[Whole] = []


@pytest.fixture
def expected(tiny_build: Workspace) -> Whole:
    """What an undisturbed run leaves: once for all tests, as each has the same build."""
    if not _UNDISTURBED:
        _UNDISTURBED.append(trained(tiny_build))
        for path in (tiny_build.manifest_path("train"), tiny_build.path(MODEL)):
            path.unlink()
        tiny_build.path(METRICS).unlink()
    return _UNDISTURBED[0]


def in_call(number: int, act: Callable[[], object]) -> Callable[..., Tensor]:
    """Returns the loss, which does something in the call of that number, from 0."""
    whole, calls = losses.sup_hap_loss, iter(range(1000))

    def acting(*args: Any, **kwargs: Any) -> Tensor:  # noqa: ANN401 - passed on as they are
        if next(calls) == number:
            act()
        return whole(*args, **kwargs)

    return acting


def fail(error: Exception) -> Callable[[], None]:
    def raise_it() -> None:
        raise error

    return raise_it


@pytest.mark.slow
@pytest.mark.fault(92, "killed training with a checkpoint by time")
def test_a_checkpoint_comes_by_time_so_that_a_kill_loses_little(
    tiny_build: Workspace, expected: Whole
) -> None:
    config = "dataclasses.replace(TINY, checkpoint_every_steps=10**6, checkpoint_every_s=1e-6)"
    assert stop_in_step(tiny_build, 6, signal.SIGKILL, config) == -signal.SIGKILL
    assert torch.load(tiny_build.path(CHECKPOINT), weights_only=True)["step"] == 5
    assert trained(tiny_build) == expected


def test_a_checkpoint_by_time_waits_for_its_time(
    tiny_build: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[int] = []
    save = RunFiles.save

    def noted(self: RunFiles, fingerprint: str, content: dict[str, Any]) -> None:
        saved.append(content["step"])
        save(self, fingerprint, content)

    monkeypatch.setattr(RunFiles, "save", noted)
    monkeypatch.setattr(losses, "sup_hap_loss", in_call(4, lambda: time.sleep(0.6)))
    config = dataclasses.replace(TINY, checkpoint_every_steps=100, checkpoint_every_s=0.5)
    started = time.monotonic()
    run_train(tiny_build, config)
    assert saved[-1] == 8
    assert 5 in saved
    assert len(saved) <= (time.monotonic() - started) / 0.5 + 1


@pytest.fixture
def killed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Has a process that reads images killed in the second batch of the third epoch, once."""
    fired = tmp_path / "killed"
    whole = AugmentedImages.__getitem__

    def read(self: AugmentedImages, place: RunPlace) -> tuple[Tensor, Tensor]:
        if (place.epoch, place.position) == (2, 9) and not fired.exists():
            fired.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(self, place)

    monkeypatch.setattr(AugmentedImages, "__getitem__", read)
    yield fired
    assert fired.exists()


@pytest.mark.slow
@pytest.mark.fault(93, "loader killed by the system")
def test_a_loader_killed_by_the_system_leaves_a_checkpoint_and_says_what_to_lower(
    tiny_build: Workspace, expected: Whole, killed_once: Path
) -> None:
    with pytest.raises(InputError) as caught:
        run_train(tiny_build, dataclasses.replace(TINY, workers=1))
    assert killed_once.exists()
    assert str(caught.value) == (
        "a process that reads images was killed, as the system does where memory runs out; lower "
        "workers (now 1), batch_size (now 8) or image_size, then rerun"
    )
    # Up to two of the batches before the sixth, which it was ahead of, may have died with it.
    assert torch.load(tiny_build.path(CHECKPOINT), weights_only=True)["step"] in {3, 4, 5}
    assert trained(tiny_build) == expected


def test_the_death_of_a_loader_is_told_between_steps_alone() -> None:
    signal.signal(signal.SIGCHLD, before := lambda *_: None)
    batches = load_batches(torch.utils.data.TensorDataset(torch.arange(4)), batch_size=2, workers=1)
    next(batches)
    after = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    assert len(list(batches)) == 1
    assert after == before


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


@pytest.mark.slow
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
    wait_for(lambda: not any(is_running(pid) for pid in loaders), most_s=4)


def is_running(pid: int) -> bool:
    try:
        # A process that ended and is not waited for (Z) has no memory and no files any more.
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def wait_for(is_so: Callable[[], bool], most_s: float = 60) -> None:
    deadline = time.monotonic() + most_s
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


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
    tiny_build: Workspace, expected: Whole, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(losses, "sup_hap_loss", in_call(4, fail(error)))
        with pytest.raises(InputError) as caught:
            run_train(tiny_build, TINY)
    assert str(caught.value) == (
        "cpu has not enough memory for batch_size 8 at image_size 32; lower one of them, then rerun"
    )
    assert torch.load(tiny_build.path(CHECKPOINT), weights_only=True)["step"] == 3
    assert trained(tiny_build) == expected


def test_another_failure_of_torch_is_not_taken_for_a_lack_of_memory(
    tiny_build: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(losses, "sup_hap_loss", in_call(1, fail(RuntimeError("no such kernel"))))
    with pytest.raises(RuntimeError, match="no such kernel"):
        run_train(tiny_build, TINY)


_LOSS = {"proxies": torch.ones(6, 96), "landmark_labels": torch.zeros(6, 3, dtype=torch.int64)}


@pytest.mark.fault(96, "checkpoint of other content")
@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"step": 9}, "step must be a whole number from 0 to 8, got 9"),
        ({"step": True}, "step must be a whole number from 0 to 8, got True"),
        ({"summed": -1}, "summed must be a whole number"),
        (
            {"loss": {**_LOSS, "proxies": torch.ones(6, 5)}},
            "loss: proxies is (6, 5) torch.float32, and in this run (6, 96)",
        ),
        ({"loss": {**_LOSS, "proxies": torch.full((6, 96), torch.nan)}}, "proxies is not finite"),
        ({"loss": {**_LOSS, "proxies": "none"}}, "proxies is no tensor"),
        ({"loss": {}}, "loss: it has other tensors than this run"),
        ({"average": {"module": torch.ones(1)}}, "average: it has other tensors than this run"),
        ({"sums": torch.zeros(4)}, "sums must be finite numbers by name"),
        ({"sums": {"loss": float("nan")}}, "sums must be finite numbers by name"),
        ({"scaler": {"scale": 2.0}}, "its scaler has other values"),
        ({"model": {}}, "model: it has other tensors than this run"),
        ({"optimiser": None}, "its optimiser has no state"),
        ({"optimiser": {"state": {999: {}}}}, "parameter 999 that is not there"),
        ({"optimiser": {"state": {0: {"step": torch.tensor(1.0)}}}}, "optimiser, parameter 0: it"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_named_and_the_run_starts_anew(
    tiny_build: Workspace,
    expected: Whole,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    change: dict[str, object],
    text: str,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(losses, "sup_hap_loss", in_call(4, fail(ValueError("stopped"))))
        with pytest.raises(ValueError, match="stopped"):
            run_train(tiny_build, TINY)
    files = RunFiles(tiny_build.path("runs/happier"))
    content = torch.load(files.checkpoint, weights_only=True)
    files.save(content.pop("fingerprint"), {**content, **change})
    files.earlier_checkpoint.unlink()

    with caplog.at_level(logging.WARNING):
        assert trained(tiny_build) == expected

    assert f"{files.checkpoint} does not fit this run: " in caplog.text
    assert text in caplog.text
    assert (files.folder / "checkpoint-damaged.pt").exists()


@pytest.mark.fault(97, "refused settings leave a finished model")
@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"device": "gpu", "epochs": 3}, "device 'gpu' is not there"),
        ({"backbone": "resnet_tiny"}, "backbone must be a model that timm knows"),
        ({"weights": "no/such.pth"}, "weights must be hub, random, .* 'no/such.pth'"),
        ({"batch_size": 64}, "batch_size must be at most 22"),
        ({"backbone": "test_vit"}, "backbone 'test_vit' cannot be used: it gives no feature map"),
    ],
)
def test_a_run_that_is_refused_touches_nothing_of_the_one_before(
    tiny_build: Workspace, change: dict[str, Any], text: str
) -> None:
    run_train(tiny_build, TINY)
    # As a run of other settings, stopped since, would have left it.
    RunFiles(tiny_build.path("runs/happier")).save("f" * 64, {"step": 1})
    before = {path: path.read_bytes() for path in tiny_build.path("runs").rglob("*.*")}
    assert len(before) == 5

    with pytest.raises(InputError, match=text):
        run_train(tiny_build, dataclasses.replace(TINY, **change))

    after = {path: path.read_bytes() for path in tiny_build.path("runs").rglob("*.*")}
    assert after == before
    assert run_train(tiny_build, TINY).skipped


@pytest.mark.fault(98, "settings changed and changed back mid-run")
def test_a_run_goes_on_after_another_of_its_name_was_begun(
    tiny_build: Workspace, expected: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    for config in (TINY, dataclasses.replace(TINY, learning_rate=1e-2)):
        with monkeypatch.context() as patch:
            patch.setattr(losses, "sup_hap_loss", in_call(4, fail(ValueError("stopped"))))
            with pytest.raises(ValueError, match="stopped"):
                run_train(tiny_build, config)
    steps: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(losses, "sup_hap_loss", in_call(0, lambda: steps.append(0)))
        assert trained(tiny_build) == expected
    assert torch.load(RunFiles(tiny_build.path("runs/happier")).folder / aside(tiny_build))


def aside(workspace: Workspace) -> str:
    """Returns the checkpoint of another run, which is kept."""
    (path,) = workspace.path("runs/happier").glob("checkpoint-*.pt")
    return path.name


@pytest.mark.slow
@pytest.mark.fault(99, "full disk in training")
def test_a_disk_that_fills_up_in_training_stops_it_and_with_room_it_goes_on(
    tiny_build: Workspace, expected: Whole, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.resize(8000)
    shutil.rmtree(tiny_build.path("runs"), ignore_errors=True)
    tiny_build.path("runs").symlink_to(disk.folder)
    with monkeypatch.context() as patch:
        patch.setattr(losses, "sup_hap_loss", in_call(4, disk.fill))
        with pytest.raises(
            InputError, match=r"cannot write .*: No space left on device; make room"
        ):
            run_train(tiny_build, TINY)
    disk.empty()
    assert torch.load(tiny_build.path(CHECKPOINT), weights_only=True)["step"] >= 3
    assert trained(tiny_build) == expected


_TRAINS = """
import signal, sys, time
from pathlib import Path
from hgld import losses
from hgld.flows.cli.commands import main

whole, calls = losses.sup_hap_loss, iter(range(1000))

def slow_in_the_fifth(*args, **kwargs):
    if next(calls) == 4:
        barrier.touch()
        time.sleep(2)
    return whole(*args, **kwargs)

# A shell's background job, which the tests may be, ignores it.
signal.signal(signal.SIGINT, signal.default_int_handler)
barrier = Path(sys.argv.pop(1))
losses.sup_hap_loss = slow_in_the_fifth
main()
"""


@pytest.mark.slow
@pytest.mark.fault(86, "SIGTERM, SIGHUP or Ctrl-C in each stage")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_training_that_is_stopped_ends_its_step_and_leaves_a_checkpoint_of_it(
    tiny_build: Workspace, expected: Whole, tmp_path: Path, number: int
) -> None:
    settings = dataclasses.asdict(TINY).items()
    stated = [(key, value) for key, value in settings if isinstance(value, int | float | str)]
    lines = [f"{key} = {json.dumps(value)}\n" for key, value in stated]
    tiny_build.path("hgld.toml").write_text("[train]\n" + "".join(lines))
    command = [sys.executable, "-c", _TRAINS, str(tmp_path / "in step 5"), "train"]
    process = subprocess.Popen(
        [*command, "--root", str(tiny_build.root)],
        cwd=Path(__file__).parents[3],
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for((tmp_path / "in step 5").exists, most_s=120)
    process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + number
    assert said.endswith("stopped; run the same command to go on\n")
    assert "Traceback" not in said
    # None of the checkpoints of every third step.
    assert torch.load(tiny_build.path(CHECKPOINT), weights_only=True)["step"] == 5
    assert trained(tiny_build) == expected
