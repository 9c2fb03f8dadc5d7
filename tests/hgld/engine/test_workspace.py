"""The folder of a build: who writes to it, and which folder is one."""

import errno
import fcntl
import os
import signal
import sys
import time
from pathlib import Path
from typing import IO

import pytest

from hgld.engine.workspace import Workspace, command_of
from hgld.errors import DamagedError, InputError, WorkspaceBusyError
from tests.worlds.forked import Forked


@pytest.mark.fault(201, "second process in a workspace")
@pytest.mark.fault(7, "a lock held by the child of a killed process")
def test_a_lock_refuses_others_and_says_which_command_took_it(workspace: Workspace) -> None:
    """A child, as one that reads images for training, holds the lock until it ends."""
    reading, writing = os.pipe()

    def take() -> None:
        sys.argv = ["/usr/bin/hgld", "train", "--contact", "me@example.org"]
        with workspace.lock():
            if os.fork():
                os.kill(os.getpid(), signal.SIGKILL)
            os.close(writing)
            os.read(reading, 1)  # until the test closes its end

    taker = Forked(take)
    assert taker.ended() == -signal.SIGKILL
    os.close(reading)
    assert f"process {taker.pid} (hgld train, since 2" in workspace.lock_holder()
    with pytest.raises(WorkspaceBusyError) as caught, workspace.lock():
        pass
    assert workspace.lock_holder() in str(caught.value)
    assert "me@example.org" not in str(caught.value)
    os.close(writing)
    deadline = time.monotonic() + 60
    while workspace.lock_holder():
        assert time.monotonic() < deadline
    with workspace.lock():
        assert f"process {os.getpid()} " in workspace.lock_holder()


def test_what_another_process_removes_meanwhile_is_made_again_or_locks_nothing(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a process does at its end that made the folder and left nothing in it."""

    def without_folder(path: Path, mode: str, buffering: int) -> IO[bytes]:
        monkeypatch.undo()
        workspace.root.rmdir()
        return path.open(mode, buffering)

    monkeypatch.setattr(Path, "open", without_folder)
    with workspace.lock():
        assert workspace.lock_holder()

    def without_file(file: IO[bytes], operation: int) -> None:
        monkeypatch.undo()
        workspace.path(".lock").unlink()
        fcntl.flock(file, operation)

    monkeypatch.setattr("fcntl.flock", without_file)
    with pytest.raises(WorkspaceBusyError), workspace.lock():
        pass
    with workspace.lock():
        assert workspace.lock_holder()


def test_a_build_where_nothing_can_be_locked_is_refused(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(InputError, match="locks"), workspace.lock():
        pass


@pytest.mark.fault(206, "a folder or a FIFO in the place of a file")
def test_a_build_with_a_fifo_is_refused_before_anybody_waits_for_it(workspace: Workspace) -> None:
    (workspace.root / "stages").mkdir(parents=True)
    (workspace.root / "raw").mkdir()
    (workspace.root / "raw/broken").symlink_to("nowhere")
    with workspace.lock():
        workspace.require()
    os.mkfifo(workspace.root / "raw/SHA256SUMS")
    with pytest.raises(DamagedError, match="raw/SHA256SUMS"), workspace.lock():
        pass
    with pytest.raises(DamagedError, match="raw/SHA256SUMS"):
        workspace.require()


def test_a_folder_whose_name_is_not_utf_8_is_refused() -> None:
    with pytest.raises(InputError, match="UTF-8"):
        Workspace(Path(os.fsdecode(b"b\xfcild")))


def test_a_command_has_the_options_of_its_stage_and_folder() -> None:
    assert command_of("images-train") == "images --split train"
    assert command_of("scrape") == "scrape"
    assert command_of("train-seed-1") == "train --name seed-1"
    assert command_of("export-happier") == "export --run happier"
    assert command_of("card-seed-1") == "export --to card --run seed-1"
    assert Workspace(Path("build")).command("embed") == "`hgld embed`"
    assert Workspace(Path("my build")).command("embed") == "`hgld embed` with --root 'my build'"


def test_a_folder_that_was_made_for_nothing_is_taken_away_again(tmp_path: Path) -> None:
    typed_wrong = Workspace(tmp_path / "biuld")
    with pytest.raises(InputError, match="nothing here"), typed_wrong.lock():
        raise InputError("nothing here")
    assert not typed_wrong.root.exists()
    with typed_wrong.lock():
        assert typed_wrong.lock_holder()
        typed_wrong.path("notes.txt").write_text("mine", encoding="utf-8")
    assert typed_wrong.path("notes.txt").exists()
    was_there = Workspace(tmp_path / "build")
    was_there.root.mkdir()
    with was_there.lock():
        pass
    assert was_there.root.is_dir()


def test_a_folder_without_a_build_is_refused_and_those_nearby_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "stages").mkdir(parents=True)
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path / "photos")  # the checkout may hold a demo
    Workspace(tmp_path / "one").require()
    with pytest.raises(InputError, match="photos") as error:
        Workspace(tmp_path / "photos/build").require()
    assert "nearby" not in str(error.value)
    for name in ("three", "photos"):
        with pytest.raises(InputError, match=name) as error:
            Workspace(tmp_path / name).require()
        assert f"{tmp_path / 'one'}, {tmp_path / 'two'}" in str(error.value)


@pytest.mark.fault(6, "a root that is a file or cannot be written")
def test_a_root_that_cannot_be_a_build_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    # No folder can be made in /proc, whoever asks: the tests may run as root.
    for root in (tmp_path / "file", Path("/proc/build")):
        with pytest.raises(InputError, match="--root"), Workspace(root).lock():
            pass
    assert (tmp_path / "file").read_text() == "mine"
