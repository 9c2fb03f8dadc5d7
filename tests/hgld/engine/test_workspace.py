"""The folder of a build: who writes to it, and which folder is one."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace, command_of
from hgld.errors import InputError, WorkspaceBusyError

_FORKS = """
import os, sys
from pathlib import Path
from hgld.engine.workspace import Workspace

with Workspace(Path(sys.argv[1])).lock():
    child = os.fork()
    if not child:
        sys.stdin.read()
        os._exit(0)
    print(child, flush=True)
    os.waitpid(child, 0)
"""


@pytest.mark.fault(201, "second process in a workspace")
@pytest.mark.fault(7, "a lock held by the child of a killed process")
def test_a_lock_refuses_others_and_says_who_really_holds_it(workspace: Workspace) -> None:
    command = [sys.executable, "-c", _FORKS, str(workspace.root)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdin is not None
        child = int(parent.stdout.readline())
        with pytest.raises(WorkspaceBusyError, match=f"process {parent.pid}"), workspace.lock():
            pass
        assert workspace.lock_holder() == parent.pid
        parent.kill()
        assert parent.wait() == -signal.SIGKILL
        words = pytest.raises(WorkspaceBusyError, match=f"process {child} ")
        with words as caught, workspace.lock():
            pass
        assert str(parent.pid) in str(caught.value)
        parent.stdin.close()  # at which the child ends
        assert parent.stdout.read() == ""  # and with it the pipe
    with workspace.lock():
        assert (workspace.root / ".lock").read_text().strip() == str(os.getpid())
    assert workspace.lock_holder() is None


def test_the_command_of_a_split_stage_has_the_option() -> None:
    assert command_of("images-train") == "images --split train"
    assert command_of("scrape") == "scrape"
    assert command_of("train-seed-1") == "train --name seed-1"
    assert command_of("export-happier") == "export --run happier"
    assert command_of("card-seed-1") == "export --to card --run seed-1"


def test_a_command_names_the_folder_where_it_is_not_the_usual_one() -> None:
    assert Workspace(Path("build")).command("embed") == "`hgld embed`"
    assert Workspace(Path("my build")).command("embed") == "`hgld embed` with --root 'my build'"


def test_a_folder_in_which_nothing_was_made_is_taken_away_again(tmp_path: Path) -> None:
    typed_wrong = Workspace(tmp_path / "biuld")
    with pytest.raises(InputError, match="nothing here"), typed_wrong.lock():
        raise InputError("nothing here")
    assert not typed_wrong.root.exists()
    with typed_wrong.lock():
        assert typed_wrong.lock_holder() is not None
        typed_wrong.path("notes.txt").write_text("mine", encoding="utf-8")
    assert typed_wrong.path("notes.txt").exists()


def test_a_folder_that_was_there_stays_though_nothing_is_made_in_it(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "build")
    workspace.root.mkdir()
    with workspace.lock():
        pass
    assert workspace.root.is_dir()


def test_a_folder_without_a_build_is_refused_and_those_nearby_are_named(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "stages").mkdir(parents=True)
    (tmp_path / "photos").mkdir()
    Workspace(tmp_path / "one").require()
    for name in ("three", "photos"):
        with pytest.raises(InputError, match=name) as error:
            Workspace(tmp_path / name).require()
        assert f"{tmp_path / 'one'}, {tmp_path / 'two'}" in str(error.value)


def _a_file(folder: Path) -> Path:
    (folder / "file").write_text("mine")
    return folder / "file"


@pytest.mark.fault(6, "a root that is a file or cannot be written")
# No folder can be made in /proc, whoever asks: the tests may run as root.
@pytest.mark.parametrize("place", [_a_file, lambda _: Path("/proc/build")], ids=["file", "/proc"])
def test_a_root_that_cannot_be_a_build_is_refused(
    place: Callable[[Path], Path], tmp_path: Path
) -> None:
    root = place(tmp_path)
    with pytest.raises(InputError, match="--root"), Workspace(root).lock():
        pass
    assert not root.exists() or root.read_text() == "mine"
