"""SIGTERM and SIGHUP end a command as Ctrl-C does, in every stage: one line, and it goes on."""

import functools
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hgld.demo import source, write_demo
from hgld.engine.stage import StageWriter
from hgld.engine.workspace import Workspace, command_of
from hgld.flows.cli import signals
from hgld.flows.cli.signals import ended_by_signals
from hgld.flows.demo import write_settings
from hgld.flows.steps import STEPS, load_step, read_sections, run_step
from hgld.labels.embedding import stage as embed
from tests.worlds.commands.typed import Typed, run_typed
from tests.worlds.wikimedia.faults import reply
from tests.worlds.wikimedia.small import Server

# One thread: small products are done sooner by it, on a busy machine by far.
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

HGLD = str(Path(sys.executable).with_name("hgld"))
ROOT = Path(__file__).resolve().parents[3]
STOPPED = "stopped; run the same command to go on\n"

_TRAIN = """
[train]
backbone = "test_resnet"
weights = "random"
image_size = 32
batch_size = 16
samples_per_landmark = 2
max_per_landmark = 2
epochs = 1
workers = 0
device = "cpu"

[benchmark]
workers = 0
device = "cpu"
"""


def hang_at_the_first_write(barrier: Path) -> None:
    """Has the command line of this process hang where a stage is about to write."""

    def hang(*_arguments: object, **_settings: object) -> None:
        barrier.touch()
        time.sleep(600)

    torch.set_num_threads(1)  # as here: the last bits of a weight depend on their number
    StageWriter.write = StageWriter.file = hang  # type: ignore[method-assign, assignment]
    embed.load_encoder = lambda _: Letters()  # type: ignore[assignment] # it is called by place


class Letters:
    """An encoder that takes no time: how often a text has each letter."""

    def encode(
        self, texts: Sequence[str], on_batch: Callable[[int], None] = lambda _: None
    ) -> NDArray[np.float32]:
        rows = np.full((len(texts), 27), 0.1, np.float32)
        for row, text in zip(rows, texts, strict=True):
            for letter in text.lower():
                row[min(26, ord(letter) - ord("a")) if "a" <= letter <= "z" else 26] += 1
        on_batch(len(texts))
        unit: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A build of the demo's landmarks, with an encoder and a backbone that take no time."""
    workspace = Workspace(tmp_path_factory.mktemp("finished") / "build")
    with pytest.MonkeyPatch.context() as patch:
        for name, views in (("TRAIN_VIEWS", 2), ("INDEX_VIEWS", 1), ("TEST_VIEWS", 1)):
            patch.setattr(source, name, views)
        write_demo(workspace)
    write_settings(workspace, contact="")
    settings = workspace.path("hgld.toml")
    settings.write_text(settings.read_text().partition("[train]")[0] + _TRAIN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embed, "load_encoder", lambda _: Letters())
        for name in STEPS:
            run_step(workspace.root, name, read_sections(workspace.root, None))
    return workspace


class Command:
    """A command of `hgld` that is under way."""

    def __init__(self, start: Sequence[str | Path], barrier: Path) -> None:
        self.barrier = barrier
        self.process = subprocess.Popen(
            [*map(str, start)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def reach(self) -> None:
        """Waits until it is where it hangs."""
        deadline = time.monotonic() + 180
        while not self.barrier.exists():
            assert self.process.poll() is None, self.process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def stop(self, number: int) -> tuple[int, str]:
        """Sends it a signal; returns its exit status and what it has said on stderr."""
        self.process.send_signal(number)
        said = self.process.communicate(timeout=60)[1]
        return self.process.returncode, said


@pytest.fixture
def copied(finished: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the finished build, in a folder of its own."""
    shutil.copytree(finished.root, tmp_path / "build")
    return Workspace(tmp_path / "build")


def forget(workspace: Workspace, name: str) -> None:
    """Removes what a step has written, and what it has written down of that."""
    for stage in load_step(name, read_sections(workspace.root, None)).stages:
        workspace.manifest_path(stage.name).unlink()
        for dataset in stage.outputs:
            for shard in workspace.shards(dataset):
                shard.unlink()
        for file in stage.output_files:
            workspace.path(file).unlink(missing_ok=True)


def outputs_of(workspace: Workspace, name: str) -> dict[str, dict[str, str]]:
    stages = load_step(name, read_sections(workspace.root, None)).stages
    done = {stage.name: workspace.manifest(stage.name) for stage in stages}
    return {stage: one.outputs for stage, one in done.items() if one is not None}


CASES = [
    *((name, signal.SIGTERM) for name in STEPS),
    *((name, number) for name in ("cluster", "train") for number in (signal.SIGHUP, signal.SIGINT)),
]


@pytest.mark.fault(86, "SIGTERM, SIGHUP or Ctrl-C in each stage")
@pytest.mark.parametrize(("name", "number"), CASES)
def test_a_stage_that_is_stopped_says_so_and_goes_on_to_the_same_result(
    finished: Workspace,
    copied: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    number: int,
) -> None:
    forget(copied, name)
    hangs = tmp_path / "hangs"
    words = [*command_of(name).split(), "--root", str(copied.root)]
    command = Typed(words, before=functools.partial(hang_at_the_first_write, hangs))
    deadline = time.monotonic() + 180
    while not hangs.exists():
        assert command.process.is_alive(), command.ended().stderr
        assert time.monotonic() < deadline
        time.sleep(0.02)

    assert command.process.pid is not None
    os.kill(command.process.pid, number)
    done = command.ended(60)
    status, said = done.returncode, done.stderr

    assert status == 128 + number
    assert said.endswith(STOPPED)
    assert said.count(STOPPED) == 1
    assert "Traceback" not in said
    assert not list(copied.root.rglob("*.tmp"))
    assert outputs_of(copied, name) == {}
    monkeypatch.setattr(embed, "load_encoder", lambda _: Letters())
    run_step(copied.root, name, read_sections(copied.root, None))
    expected = outputs_of(finished, name)
    if name == "benchmark":  # its results have the date of the run in them
        assert outputs_of(copied, name).keys() == expected.keys()
    else:
        assert outputs_of(copied, name) == expected


@pytest.mark.fault(86, "SIGTERM, SIGHUP or Ctrl-C in each stage")
def test_a_scrape_that_waits_for_an_answer_is_stopped_and_asks_again_for_that_alone(
    server: Server, categories: Path, clean: dict[str, str], tmp_path: Path
) -> None:
    barrier = tmp_path / "asked"
    goes_on = threading.Event()

    def hold(handler: BaseHTTPRequestHandler) -> None:
        barrier.touch()
        goes_on.wait(60)
        reply(503, b"", Retry_After="0")(handler)

    server.faults["sparql", 0] = hold
    root = tmp_path / "build"
    words = ["scrape", "--root", str(root), "--categories", str(categories)]
    words += ["--commons", server.commons, "--sparql", server.sparql]
    command = Command([HGLD, *words], barrier)
    try:
        command.reach()
        status, said = command.stop(signal.SIGTERM)
    finally:
        goes_on.set()
    assert server.fired == ["sparql"]
    assert status == 143
    assert said.endswith(STOPPED)
    assert "Traceback" not in said
    asked = server.count("commons")
    done = run_typed(words)
    assert done.returncode == 0, done.stderr
    assert server.count("commons") == asked
    manifest = Workspace(root).manifest("scrape")
    assert manifest is not None
    assert manifest.outputs == clean


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_command_is_stopped_while_a_package_loads(tmp_path: Path, number: int) -> None:
    (tmp_path / "torch").mkdir()
    text = f"import pathlib, time\npathlib.Path({str(tmp_path)!r}, 'loads').touch()\n"
    (tmp_path / "torch/__init__.py").write_text(f"{text}time.sleep(600)\n")
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from hgld.flows.cli.commands import main; main()"
    )
    start = ["env", f"PYTHONPATH={paths}", sys.executable, "-c", code]
    start += ["train", "--root", str(tmp_path / "build")]
    command = Command(start, tmp_path / "loads")
    command.reach()
    assert command.stop(number) == (128 + number, STOPPED)


def test_a_hang_up_that_is_ignored_stops_nothing(tmp_path: Path) -> None:
    hangs = tmp_path / "hangs"
    text = (
        "import signal, sys, time; from pathlib import Path; from hgld.flows.cli import commands\n"
        "commands.app = lambda: (Path(sys.argv[1]).touch(), time.sleep(600))\n"
        "commands.main()"
    )
    command = Command(["nohup", sys.executable, "-c", text, hangs], hangs)
    command.reach()
    command.process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert command.process.poll() is None
    status, said = command.stop(signal.SIGTERM)
    assert status == 143
    assert said.endswith(STOPPED)


def ended_soon(app: str) -> "subprocess.CompletedProcess[str]":
    """Runs the command line with another application, and 1 s for its exit."""
    text = (
        "import os, queue, signal, threading, time; from hgld.flows.cli import commands, signals\n"
        f"{app}commands.app, signals._EXIT_S = app, 1\n"
        "commands.main()"
    )
    return subprocess.run(
        [sys.executable, "-c", text], cwd=ROOT, capture_output=True, text=True, timeout=120
    )


def test_a_thread_that_nobody_wakes_does_not_keep_a_command_that_was_stopped() -> None:
    done = ended_soon(
        "def app():\n"
        "    print('half of it')\n"
        "    threading.Thread(target=queue.Queue().get).start()\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (143, "half of it\n", STOPPED)


def test_what_ends_slowly_after_the_threads_is_let_end() -> None:
    done = ended_soon(
        "class Slow:\n"
        "    def __del__(self, sleep=time.sleep, write=os.write):\n"
        "        sleep(2)\n"
        "        write(1, b'taken down')\n"
        "slow = Slow()\n"  # as a module's, which goes when the handlers are gone
        "def app():\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (143, "taken down", STOPPED)


def test_a_library_that_makes_another_error_of_it_changes_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def convert() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except SystemExit as error:
            raise RuntimeError("worker failed") from error

    monkeypatch.setattr(signals, "_exit_for_certain", lambda _: None)  # this process goes on
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as caught, ended_by_signals():
            convert()
        assert caught.value.code == 143
        assert capsys.readouterr().err == STOPPED
        # A second one would end the process at once.
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, before)
        signal.signal(signal.SIGINT, signal.default_int_handler)


def test_without_a_signal_the_handlers_are_those_of_before() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with ended_by_signals():
        assert signal.getsignal(signal.SIGTERM) is not before[1]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
