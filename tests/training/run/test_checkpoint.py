import json
import logging
import os
import re
from pathlib import Path

import pytest
import torch

from hgld.errors import InputError
from hgld.training.run.checkpoint import RunFiles
from tests.hgld.engine.test_full_disk import Disk

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


def names_in(files: RunFiles) -> list[str]:
    return sorted(path.name for path in files.folder.iterdir())


def flip(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def test_a_run_without_a_checkpoint_starts_from_nothing(files: RunFiles) -> None:
    assert resumed(files, "f1") is None


def test_a_checkpoint_gives_back_what_was_saved(files: RunFiles) -> None:
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
        log.write('{"step": 8, "lo')

    resumed(files, "f1")

    assert steps_logged(files) == [2, 4]


def test_a_log_without_a_checkpoint_starts_anew(files: RunFiles) -> None:
    resumed(files, "f1")
    files.log({"step": 2})
    assert resumed(files, "f1") is None
    assert steps_logged(files) == []


@pytest.mark.fault(91, "damaged training log")
@pytest.mark.parametrize(
    "damage", [b"\xff\xfe{}", b"[1]", b'{"step": "4"}', b"4", b'{"stop": 4}', b'{"step": 3e999}']
)
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
    content = resumed(files, first)
    assert content is not None
    assert content["step"] == 5
    assert steps_logged(files) == [4, 5]
    assert f"checkpoint-{second[:12]}.pt" in names_in(files)


def test_the_log_of_a_finished_run_is_kept_when_another_starts(files: RunFiles) -> None:
    files.folder.mkdir(parents=True)
    files.log({"step": 9})
    assert resumed(files, "f1", finished="0123456789abcdef") is None
    assert names_in(files) == ["metrics-0123456789ab.jsonl"]


@pytest.mark.fault(85, "damaged checkpoint")
def test_a_bit_that_flips_in_a_checkpoint_is_named_and_the_one_before_it_taken(
    files: RunFiles, caplog: pytest.LogCaptureFixture
) -> None:
    for step in (3, 6):
        files.save("f1", {"step": step, "model": {"w": torch.arange(200.0)}})
    whole = files.checkpoint.read_bytes()
    earlier = files.earlier_checkpoint.read_bytes()
    random = torch.Generator().manual_seed(7)
    bits = torch.randint(8 * len(whole), (100,), generator=random).tolist()
    for bit in bits:
        files.checkpoint.write_bytes(whole)
        files.earlier_checkpoint.write_bytes(earlier)
        flip(files.checkpoint, bit)
        caplog.clear()

        content = resumed(files, "f1")

        assert content is not None
        assert content["step"] == 3, bit
        (said,) = [one.getMessage() for one in caplog.records]
        assert said.startswith(f"{files.checkpoint} is damaged: ")
        assert said.endswith(
            "kept as checkpoint-damaged.pt, and training goes on from the checkpoint before it"
        )


@pytest.mark.fault(85, "damaged checkpoint")
@pytest.mark.parametrize("left", [0, 1, 100, -1])
def test_checkpoints_that_are_cut_are_named_and_the_run_starts_anew(
    files: RunFiles, caplog: pytest.LogCaptureFixture, left: int
) -> None:
    for step in (3, 6):
        files.save("f1", {"step": step})
    for path in (files.checkpoint, files.earlier_checkpoint):
        path.write_bytes(path.read_bytes()[:left])
    with caplog.at_level(logging.WARNING):
        assert resumed(files, "f1") is None
    said = [one.getMessage() for one in caplog.records]
    assert len(said) == 2
    assert said[1].endswith("and training goes on from the start")
    assert names_in(files) == ["checkpoint-before-damaged.pt", "checkpoint-damaged.pt"]


def test_a_checkpoint_that_is_refused_is_set_aside_and_the_one_before_it_taken(
    files: RunFiles, caplog: pytest.LogCaptureFixture
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
    assert "does not fit this run: its weights are of another model; kept as" in caplog.text


class Payload:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (self.command,)


@pytest.mark.fault(87, "malicious checkpoint")
def test_code_in_a_checkpoint_does_not_run(
    files: RunFiles, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files.save("f1", {"step": 3})
    files.save("f1", {"step": 6})
    torch.save(
        {"fingerprint": "f1", "step": 6, "x": Payload(f"touch {tmp_path}/ran")}, files.checkpoint
    )
    content = resumed(files, "f1")
    assert content is not None
    assert content["step"] == 3
    assert "holds more than tensors, numbers and texts, and is not run" in caplog.text
    assert not (tmp_path / "ran").exists()
    # The payload works where it is let.
    torch.load(files.folder / "checkpoint-damaged.pt", weights_only=False)
    assert (tmp_path / "ran").exists()


@pytest.mark.fault(88, "full disk in a checkpoint")
def test_a_checkpoint_that_finds_no_room_leaves_those_before_it(disk: Disk) -> None:
    disk.resize(200)
    files = RunFiles(disk.folder / "run")
    big = {"w": torch.rand(20_000)}
    for step in (3, 6):
        files.save("f1", {"step": step, "model": big})
    disk.fill()
    text = rf"cannot write {re.escape(str(files.checkpoint))}: No space left on device; make room"
    with pytest.raises(InputError, match=text):
        files.save("f1", {"step": 9, "model": big})
    assert names_in(files) == ["checkpoint-before.pt", "checkpoint.pt"]
    disk.empty()
    content = resumed(files, "f1")
    assert content is not None
    assert content["step"] == 6
    files.save("f1", {"step": 9, "model": big})


@pytest.mark.fault(99, "full disk in training")
def test_a_line_of_the_log_that_finds_no_room_leaves_those_before_it(disk: Disk) -> None:
    files = RunFiles(disk.folder / "run")
    files.resume("f1", lambda _: None)
    files.log({"step": 1, "text": "x" * 4000})
    files.save("f1", {"step": 1})
    disk.fill()
    with pytest.raises(InputError, match=r"cannot write .*metrics\.jsonl: No space left on device"):
        files.log({"step": 2, "text": "y" * 8000})
    disk.empty()
    resumed(files, "f1")
    assert steps_logged(files) == [1]
    files.log({"step": 2})
    assert steps_logged(files) == [1, 2]


@pytest.mark.fault(90, "read-only folder of a run")
def test_a_folder_that_cannot_be_written_to_is_one_error(disk: Disk) -> None:
    files = RunFiles(disk.folder / "run")
    files.save("f1", {"step": 1})
    with disk.read_only():
        text = r"cannot write .*: Read-only file system; choose"
        with pytest.raises(InputError, match=text):
            files.save("f1", {"step": 2})
        with pytest.raises(InputError, match=text):
            files.log({"step": 2})
    content = resumed(files, "f1")
    assert content is not None
    assert content["step"] == 1
