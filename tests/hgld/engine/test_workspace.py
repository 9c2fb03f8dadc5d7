import os
import subprocess
import sys
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace, command_of
from hgld.errors import InputError, WorkspaceBusyError


@pytest.mark.fault(201, "second process in a workspace")
def test_a_second_process_is_refused_and_told_who_holds_the_workspace(workspace: Workspace) -> None:
    code = (
        "import sys; from pathlib import Path; from hgld.engine.workspace import Workspace\n"
        "with Workspace(Path(sys.argv[1])).lock(): print('locked', flush=True); sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(workspace.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        with pytest.raises(WorkspaceBusyError, match=f"process {process.pid}"), workspace.lock():
            pass
        assert process.stdin is not None
        process.stdin.close()
    with workspace.lock():
        assert (workspace.root / ".lock").read_text().strip() == str(os.getpid())


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
