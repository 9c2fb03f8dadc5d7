import errno
import json
import os
from pathlib import Path

import pytest
import torch

from hgld.errors import DamagedError, InputError
from hgld.training.run import checkpoint
from hgld.training.run.checkpoint import RunFiles, save_sealed
from tests.training.conftest import Payload
from tests.training.model.test_saved import flipped
from tests.worlds.training_runs import raising


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
