import os
import subprocess
import sys
from pathlib import Path

import pytest

from hgld.engine.files import file_digest, write_text
from hgld.engine.workspace import Workspace, command_of
from hgld.errors import WorkspaceBusyError


def test_a_file_that_fails_midway_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "half \udc00")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


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


def test_the_digest_of_a_file_is_its_sha256(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "abc")
    assert file_digest(tmp_path / "a").startswith("ba7816bf8f01cfea")


def test_the_command_of_a_split_stage_has_the_option() -> None:
    assert command_of("images-train") == "images --split train"
    assert command_of("scrape") == "scrape"
