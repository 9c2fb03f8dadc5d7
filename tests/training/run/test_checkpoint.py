import json
import os
import signal
import threading
from pathlib import Path

import pytest
import torch

from hgld.errors import InputError
from hgld.training.run.checkpoint import RunFiles, held_interrupts


@pytest.fixture
def files(tmp_path: Path) -> RunFiles:
    return RunFiles(tmp_path / "runs" / "happier")


def steps_logged(files: RunFiles) -> list[int]:
    return [json.loads(line)["step"] for line in files.metrics.read_text().splitlines()]


def test_a_run_without_a_checkpoint_starts_from_nothing(files: RunFiles) -> None:
    assert files.resume("f1") is None


def test_a_checkpoint_gives_back_what_was_saved(files: RunFiles) -> None:
    weights = torch.rand(3, generator=torch.Generator().manual_seed(0))
    files.save("f1", {"step": 4, "model": {"weights": weights}})

    content = files.resume("f1")

    assert content is not None
    assert content["step"] == 4
    assert torch.equal(content["model"]["weights"], weights)


def test_the_log_is_cut_back_to_the_checkpoint_and_to_whole_lines(files: RunFiles) -> None:
    files.resume("f1")
    for step in (2, 4, 6):
        files.log({"step": step})
    files.save("f1", {"step": 4})
    with files.metrics.open("a") as log:
        log.write('{"step": 8, "lo')

    files.resume("f1")

    assert steps_logged(files) == [2, 4]


def test_a_log_without_a_checkpoint_starts_anew(files: RunFiles) -> None:
    files.resume("f1")
    files.log({"step": 2})
    assert files.resume("f1") is None
    assert steps_logged(files) == []


def test_a_checkpoint_of_another_run_is_set_aside_with_its_log(files: RunFiles) -> None:
    files.resume("0123456789abcdef")
    files.log({"step": 4})
    files.save("0123456789abcdef", {"step": 4})

    assert files.resume("fedcba9876543210") is None

    names = sorted(path.name for path in files.folder.iterdir())
    assert names == ["checkpoint-0123456789ab.pt", "metrics-0123456789ab.jsonl"]


def test_a_checkpoint_that_cannot_be_read_says_what_to_do(files: RunFiles) -> None:
    files.save("f1", {"step": 4})
    files.checkpoint.write_bytes(files.checkpoint.read_bytes()[:100])
    with pytest.raises(InputError, match=r"cannot read checkpoint .*; remove it to train from"):
        files.resume("f1")


def test_ctrl_c_is_held_back_until_asked_for() -> None:
    with held_interrupts() as interrupted:
        assert not interrupted()
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupted()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_ctrl_c_stops_at_once() -> None:
    with held_interrupts():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_outside_the_main_thread_nothing_is_held() -> None:
    handlers: list[object] = []

    def look() -> None:
        with held_interrupts() as interrupted:
            handlers.extend([signal.getsignal(signal.SIGINT), interrupted()])

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler, False]
