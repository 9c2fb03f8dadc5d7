import errno
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from hgld.errors import InputError
from hgld.training.run import checkpoint
from hgld.training.run.checkpoint import RunFiles
from tests.training.conftest import Payload
from tests.worlds.training_runs import raising

Content = dict[str, object]


@pytest.fixture
def files(tmp_path: Path) -> RunFiles:
    return RunFiles(tmp_path / "runs" / "happier")


def steps_logged(files: RunFiles) -> list[int]:
    return [json.loads(line)["step"] for line in files.metrics.read_text().splitlines()]


def resumed(files: RunFiles, fingerprint: str, *, finished: str = "") -> Content | None:
    """Returns what a run goes on from, or None where it starts from nothing."""
    found: list[Content] = []
    files.resume(fingerprint, found.append, finished=finished)
    return found[0] if found else None


def step_of(files: RunFiles, fingerprint: str = "f1") -> object:
    """Returns the step that a run goes on from, or None."""
    return (resumed(files, fingerprint) or {"step": None})["step"]


def names_in(files: RunFiles) -> list[str]:
    return sorted(path.name for path in files.folder.iterdir())


def test_a_checkpoint_gives_back_what_was_saved(files: RunFiles) -> None:
    assert resumed(files, "f1") is None
    weights = torch.rand(3, generator=torch.Generator().manual_seed(0))
    files.save("f1", {"step": 4, "model": {"weights": weights}})
    content = resumed(files, "f1")
    assert content is not None
    assert content["step"] == 4
    model = content["model"]
    assert isinstance(model, dict)
    assert torch.equal(model["weights"], weights)


def test_the_log_is_cut_back_to_the_checkpoint_and_to_whole_lines(files: RunFiles) -> None:
    for step in (2, 4, 6):
        files.log({"step": step})
    files.save("f1", {"step": 4})
    with files.metrics.open("a") as log:
        log.write('{"step": 3, "lo')
    resumed(files, "f1")
    assert steps_logged(files) == [2, 4]


def test_a_log_without_a_checkpoint_starts_anew(files: RunFiles) -> None:
    resumed(files, "f1")
    files.log({"step": 2})
    assert resumed(files, "f1") is None
    assert steps_logged(files) == []


@pytest.mark.fault(91, "damaged training log")
@pytest.mark.parametrize("damage", [b"\xff\xfe{}", b"[1]", b'{"step": "4"}', b'{"stop": 4}'])
def test_a_damaged_line_of_the_log_is_dropped_and_the_others_stay(
    files: RunFiles, damage: bytes
) -> None:
    files.save("f1", {"step": 4})
    files.metrics.write_bytes(b'{"step": 2}\n' + damage + b'\n{"step": 4}\n')
    resumed(files, "f1")
    assert steps_logged(files) == [2, 4]


def test_what_another_run_left_is_set_aside_and_taken_up_when_that_one_is(files: RunFiles) -> None:
    first, second = "0123456789abcdef", "fedcba9876543210"
    for step in (4, 5):
        files.log({"step": step})
        files.save(first, {"step": step})

    assert resumed(files, second) is None

    mark = first[:12]
    assert names_in(files) == [
        f"checkpoint-{mark}.pt",
        f"checkpoint-before-{mark}.pt",
        f"metrics-{mark}.jsonl",
    ]
    files.log({"step": 1})
    files.save(second, {"step": 1})
    assert step_of(files, first) == 5
    assert steps_logged(files) == [4, 5]
    assert f"checkpoint-{second[:12]}.pt" in names_in(files)


def test_the_log_of_a_finished_run_is_kept_when_another_starts(files: RunFiles) -> None:
    files.folder.mkdir(parents=True)
    files.log({"step": 9})
    assert resumed(files, "f1", finished="0123456789abcdef") is None
    assert names_in(files) == ["metrics-0123456789ab.jsonl"]


@pytest.mark.fault(85, "damaged checkpoint")
def test_after_a_bit_that_flips_in_a_checkpoint_the_one_before_it_is_taken(
    files: RunFiles,
) -> None:
    for step in (3, 6):
        files.save("f1", {"step": step, "model": {"w": torch.arange(200.0)}})
    whole = files.checkpoint.read_bytes()
    earlier = files.earlier_checkpoint.read_bytes()
    for bit in range(5, 8 * len(whole), 8 * len(whole) // 12):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        files.checkpoint.write_bytes(damaged)
        files.earlier_checkpoint.write_bytes(earlier)
        assert step_of(files) == 3, bit
        assert (files.folder / "checkpoint-damaged.pt").read_bytes() == damaged


@pytest.mark.fault(85, "damaged checkpoint")
@pytest.mark.parametrize("left", [0, 100, -1])
def test_where_both_checkpoints_are_cut_the_run_starts_anew_and_says_so(
    files: RunFiles, caplog: pytest.LogCaptureFixture, left: int
) -> None:
    for step in (3, 6):
        files.save("f1", {"step": step})
    for path in (files.checkpoint, files.earlier_checkpoint):
        path.write_bytes(path.read_bytes()[:left])
    assert resumed(files, "f1") is None
    assert [one.levelno for one in caplog.records] == [logging.WARNING] * 2
    assert names_in(files) == ["checkpoint-before-damaged.pt", "checkpoint-damaged.pt"]


def test_a_checkpoint_that_is_refused_is_set_aside_and_the_one_before_it_taken(
    files: RunFiles,
) -> None:
    for step in (3, 6):
        files.save("f1", {"step": step})
    taken: list[object] = []

    def restore(content: Content) -> None:
        if content["step"] == 6:
            raise ValueError("its weights are of another model")
        taken.append(content["step"])

    files.resume("f1", restore)
    assert taken == [3]
    assert "checkpoint-damaged.pt" in names_in(files)


@pytest.mark.fault(87, "malicious checkpoint")
def test_code_in_a_checkpoint_does_not_run(files: RunFiles, tmp_path: Path) -> None:
    files.save("f1", {"step": 3})
    files.save("f1", {"step": 6})
    torch.save(
        {"fingerprint": "f1", "step": 6, "x": Payload(f"touch {tmp_path}/ran")}, files.checkpoint
    )
    assert step_of(files) == 3
    assert not (tmp_path / "ran").exists()
    # The payload works where it is let.
    torch.load(files.folder / "checkpoint-damaged.pt", weights_only=False)
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_write_that_the_disk_refuses_is_one_error_and_leaves_what_there_was(
    files: RunFiles, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    refuse: Callable[..., None] = lambda *_: raising(  # noqa: E731
        OSError(number, os.strerror(number))
    )()
    for step in (3, 6):
        files.save("f1", {"step": step})
        files.log({"step": step})
    before = names_in(files)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save_sealed", refuse)
        patch.setattr(checkpoint, "append_bytes", refuse)
        with pytest.raises(InputError, match=r"checkpoint\.pt"):
            files.save("f1", {"step": 9})
        with pytest.raises(InputError, match=r"metrics\.jsonl"):
            files.log({"step": 9})
    assert names_in(files) == before
    assert step_of(files) == 6
    assert steps_logged(files) == [3, 6]
