"""SIGTERM and SIGHUP end a command as Ctrl-C does: one line, whole files, and it goes on."""

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from hgld.engine.stage import StageWriter
from hgld.engine.workspace import Workspace
from hgld.flows.build import load_step, read_sections
from hgld.flows.cli.commands import main
from hgld.flows.cli.signals import ended_by_signals
from tests.worlds.commands.typed import said
from tests.worlds.forked import Forked
from tests.worlds.process import process_put_back

STOPPED = "stopped; run the same command to resume\n"


def run(words: Sequence[str], hangs: Path, errors: Path) -> None:
    """Runs a command of `hgld` in a fork of this process; it hangs where a stage is to write."""

    def hang(*_arguments: object, **_settings: object) -> None:
        hangs.touch()
        while True:  # a signal just before a sleep begins does not end it
            time.sleep(0.1)

    with errors.open("wb") as file:
        os.dup2(file.fileno(), 2)
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115 - of the fork
    logging.root.handlers.clear()
    StageWriter.write = StageWriter.file = hang  # type: ignore[method-assign, assignment]
    sys.argv[:] = ["hgld", *words]
    try:
        main()
    except SystemExit as ended:
        sys.stderr.flush()
        os._exit(ended.code if isinstance(ended.code, int) else 1)


def reach(barrier: Path, is_alive: Callable[[], bool]) -> None:
    """Waits until a file is there, which a process makes where it hangs."""
    deadline = time.monotonic() + 180
    while not barrier.exists():
        assert is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def outputs_of(workspace: Workspace, name: str) -> list[dict[str, str]]:
    """Returns the digests of what the finished stages of a step wrote."""
    stages = load_step(name, read_sections(workspace.root, None)).stages
    found = [workspace.manifest(stage.name) for stage in stages]
    return [manifest.outputs for manifest in found if manifest]


# The other stages, and every signal in each: tests/soak/test_kills.py.
@pytest.mark.fault(86, "SIGTERM, SIGHUP or Ctrl-C in each stage")
@pytest.mark.parametrize(
    ("name", "number"),
    [("cluster", signal.SIGTERM), ("annotate", signal.SIGHUP), ("train", signal.SIGINT)],
)
def test_a_stage_that_is_stopped_says_so_and_goes_on_to_the_same_result(
    small_build: Workspace, tmp_path: Path, name: str, number: int
) -> None:
    copied = Workspace(shutil.copytree(small_build.root, tmp_path / "build"))
    for stage in load_step(name, read_sections(copied.root, None)).stages:
        copied.manifest_path(stage.name).unlink(missing_ok=True)
    words, hangs, errors = [name, "--root", str(copied.root)], tmp_path / "hangs", tmp_path / "said"
    process = Forked(lambda: run(words, hangs, errors))
    reach(hangs, process.is_alive)
    os.kill(process.pid, number)
    assert process.ended() == 128 + number
    told = errors.read_text()
    assert told.endswith(STOPPED)
    assert told.count(STOPPED) == 1
    assert "Traceback" not in told
    assert not list(copied.root.rglob("*.tmp"))
    assert outputs_of(copied, name) == []
    said(*words)
    assert outputs_of(copied, name) == outputs_of(small_build, name)


def test_a_command_is_stopped_while_a_package_loads(tmp_path: Path) -> None:
    (tmp_path / "torch").mkdir()
    text = f"import pathlib, time\npathlib.Path({str(tmp_path)!r}, 'loads').touch()\n"
    (tmp_path / "torch/__init__.py").write_text(f"{text}while True:\n    time.sleep(0.1)\n")
    code = (
        f"import signal, sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from hgld.flows.cli.commands import main; main()"
    )
    command = [sys.executable, "-c", code, "train", "--root", str(tmp_path / "build")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        reach(tmp_path / "loads", lambda: process.poll() is None)
        process.send_signal(signal.SIGINT)
        errors = process.communicate(timeout=60)[1]
    assert (process.returncode, errors) == (128 + signal.SIGINT, STOPPED)


def test_a_hang_up_that_is_ignored_stops_nothing() -> None:
    with process_put_back():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as `nohup` does
        with ended_by_signals():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_a_library_that_makes_another_error_of_it_changes_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def convert() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except SystemExit as error:
            raise RuntimeError("worker failed") from error

    with process_put_back():
        with pytest.raises(SystemExit, match="143"), ended_by_signals():
            convert()
        assert capsys.readouterr().err == STOPPED
        # A second one would end the process at once.
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
