"""Runs of one build take turns."""

import os
import queue
import signal
import threading
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.flows.turns import own_turn
from tests.worlds.forked import Forked


class Runs:
    """Runs in threads, and what they do in order."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.waits = queue.Queue[tuple[str, str]]()
        self.began: list[str] = []
        self.threads: list[threading.Thread] = []

    def start(self, name: str) -> None:
        thread = threading.Thread(target=self._run, args=(name,))
        thread.start()
        self.threads.append(thread)

    def _run(self, name: str) -> None:
        with own_turn(self.workspace, name, lambda other: self.waits.put((name, other))):
            self.began.append(name)

    def end(self) -> None:
        for thread in self.threads:
            thread.join(30)


def refuse(other: str) -> None:
    raise AssertionError(f"waits for {other}")


@pytest.mark.fault(108, "several Prefect runs on one build")
def test_runs_begin_in_the_order_they_came_and_those_of_another_build_do_not_wait(
    tmp_path: Path,
) -> None:
    runs = Runs(Workspace(tmp_path / "build"))
    with own_turn(runs.workspace, "first", refuse):
        for name in ("second", "third", "fourth"):
            runs.start(name)
            assert runs.waits.get(timeout=30) == (name, "first")
        with own_turn(Workspace(tmp_path / "other"), "other", refuse):
            assert runs.began == []
    runs.end()
    assert runs.began == ["second", "third", "fourth"]


def test_of_runs_that_come_at_once_one_goes_on_at_a_time(tmp_path: Path) -> None:
    workspace, together = Workspace(tmp_path / "build"), threading.Barrier(8)
    inside, began = threading.Lock(), list[int]()

    def run(number: int) -> None:
        for _ in range(20):
            together.wait(30)
            with own_turn(workspace, str(number), lambda _: None):
                assert inside.acquire(blocking=False)
                began.append(number)
                inside.release()

    threads = [threading.Thread(target=run, args=(n,), daemon=True) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(began) == 8 * 20


def test_a_run_waits_for_a_command_too(tmp_path: Path) -> None:
    runs = Runs(Workspace(tmp_path / "build"))
    with runs.workspace.lock():
        runs.start("run")
        assert str(os.getpid()) in runs.waits.get(timeout=30)[1]
        assert runs.began == []
    runs.end()
    assert runs.began == ["run"]


def test_a_run_that_was_killed_gives_way(tmp_path: Path) -> None:
    runs, (reader, writer) = Runs(Workspace(tmp_path / "build")), os.pipe()

    def hold() -> None:
        with own_turn(runs.workspace, "killed", refuse):
            os.write(writer, b"x")
            signal.pause()

    holder = Forked(hold)
    os.read(reader, 1)
    runs.start("run")
    assert runs.waits.get(timeout=30) == ("run", "killed")
    holder.kill()
    runs.end()
    assert runs.began == ["run"]
    with own_turn(runs.workspace, "next", refuse):
        pass


def test_a_folder_that_stays_empty_is_removed(tmp_path: Path) -> None:
    with own_turn(Workspace(tmp_path / "mistyped"), "run", refuse):
        pass
    assert not (tmp_path / "mistyped").exists()
