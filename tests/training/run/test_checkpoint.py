import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from hgld.errors import DamagedError, InputError
from hgld.training.model.sealed import load_sealed, save_sealed
from hgld.training.run import checkpoint
from hgld.training.run.checkpoint import RunFiles
from tests.training.conftest import Payload
from tests.training.model.test_saved import flipped
from tests.worlds.training_runs import raising


@pytest.fixture
def files(tmp_path: Path) -> RunFiles:
    return RunFiles(tmp_path / "runs" / "happier")


def save(files: RunFiles, step: int, fingerprint: str = "f1", **content: object) -> None:
    files.save(files.checkpoint, {"fingerprint": fingerprint, "step": step, **content})


def step_of(files: RunFiles, fingerprint: str = "f1") -> object:
    """Returns the step that a run goes on from, or None."""
    return (files.resume(fingerprint) or {"step": None})["step"]


def steps_logged(files: RunFiles) -> list[int]:
    return [json.loads(line)["step"] for line in files.metrics.read_text().splitlines()]


def test_a_checkpoint_gives_back_what_was_saved(files: RunFiles) -> None:
    assert files.resume("f1") is None
    weights = torch.rand(3, generator=torch.Generator().manual_seed(0))
    save(files, 4, model={"weights": weights})
    content = files.resume("f1")
    assert content is not None
    assert content["step"] == 4
    assert torch.equal(content["model"]["weights"], weights)
    files.end()
    assert not files.checkpoint.exists()


def test_the_log_is_cut_back_to_the_checkpoint_and_to_whole_lines(files: RunFiles) -> None:
    files.resume("f1")
    for step in (2, 4, 6):
        files.log({"step": step})
    save(files, 4)
    with files.metrics.open("a") as log:
        log.write('{"step": 3, "lo')
    files.resume("f1")
    assert steps_logged(files) == [2, 4]


def test_a_log_without_a_checkpoint_starts_anew(files: RunFiles) -> None:
    files.resume("f1")
    files.log({"step": 0})
    assert files.resume("f1") is None
    assert not files.metrics.exists()


@pytest.mark.fault(91, "damaged training log")
@pytest.mark.parametrize("damage", [b"\xff\xfe{}", b"[1]", b'{"step": "4"}', b'{"stop": 4}'])
def test_a_damaged_line_of_the_log_is_dropped_and_the_others_stay(
    files: RunFiles, damage: bytes
) -> None:
    save(files, 4)
    files.metrics.write_bytes(b'{"step": 2}\n' + damage + b'\n{"step": 4}\n')
    files.resume("f1")
    assert steps_logged(files) == [2, 4]


@pytest.mark.fault(179, "checkpoint of other settings")
def test_the_checkpoint_of_another_run_is_refused_and_stays(files: RunFiles) -> None:
    save(files, 5)
    files.log({"step": 5})
    with pytest.raises(InputError, match="another name"):
        files.resume("f2")
    assert step_of(files) == 5
    assert steps_logged(files) == [5]


@pytest.mark.fault(85, "damaged checkpoint")
def test_a_damaged_checkpoint_is_named_with_what_to_delete(files: RunFiles) -> None:
    save(files, 3, model={"w": torch.arange(200.0)})
    whole = files.checkpoint.read_bytes()
    bits = (*range(5, 8 * len(whole), 8 * len(whole) // 12), 8 * len(whole) - 3)
    for content in (b"", whole[:100], whole[:-1], *(flipped(whole, bit) for bit in bits)):
        files.checkpoint.write_bytes(content)
        with pytest.raises(DamagedError, match=f"delete {files.folder}"):
            files.resume("f1")
        assert files.checkpoint.read_bytes() == content


@pytest.mark.fault(87, "malicious checkpoint")
def test_code_in_a_checkpoint_does_not_run(files: RunFiles, tmp_path: Path) -> None:
    files.folder.mkdir(parents=True)
    content = {"fingerprint": "f1", "step": 6, "x": Payload(f"touch {tmp_path}/ran")}
    save_sealed(content, files.checkpoint)
    with pytest.raises(DamagedError, match="not run"):
        files.resume("f1")
    assert not (tmp_path / "ran").exists()
    # The payload works where it is let.
    torch.load(files.checkpoint, weights_only=False)
    assert (tmp_path / "ran").exists()


def test_what_is_saved_is_read_by_torch_and_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    content = {"step": 3, "weights": [torch.arange(5.0)], "name": "a"}
    for name in ("one.pt", "another name.pt"):
        save_sealed(content, tmp_path / name)
        for found in (load_sealed(tmp_path / name), torch.load(tmp_path / name)):
            assert found["step"] == 3
            assert torch.equal(found["weights"][0], torch.arange(5.0))
    assert (tmp_path / "one.pt").read_bytes() == (tmp_path / "another name.pt").read_bytes()


@pytest.mark.fault(88, "full disk in a checkpoint")
@pytest.mark.fault(90, "read-only folder of a run")
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_write_that_the_disk_refuses_is_one_error_and_leaves_what_there_was(
    files: RunFiles, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    refuse: Callable[..., None] = lambda *_: raising(  # noqa: E731
        OSError(number, os.strerror(number))
    )()
    save(files, 6)
    files.log({"step": 6})
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save_sealed", refuse)
        patch.setattr(checkpoint, "append_bytes", refuse)
        with pytest.raises(InputError, match=r"checkpoint\.pt"):
            save(files, 9)
        with pytest.raises(InputError, match=r"metrics\.jsonl"):
            files.log({"step": 9})
    assert sorted(path.name for path in files.folder.iterdir()) == [
        *("checkpoint.pt", "metrics.jsonl"),
    ]
    assert step_of(files) == 6
    assert steps_logged(files) == [6]
