"""Images stopped in the midst of a picture, and tars damaged in thousands of ways."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.images.config import ImagesConfig
from hgld.images.records import damaged_pictures
from hgld.images.stage import run_images
from tests.hgld.conftest import waits
from tests.hgld.images import test_tars
from tests.hgld.images.test_tars import tar
from tests.worlds.gldv2.folder_server import serve

__all__ = ["tar", "waits"]  # fixtures

TAR = "test/images_000.tar"

# A run that is killed in the midst of a picture.
_RUN = """
import os, signal, sys
from pathlib import Path
from hgld.engine.workspace import Workspace
from hgld.images.config import ImagesConfig
from hgld.images.stage import run_images
left, write_bytes = [int(sys.argv[3])], Path.write_bytes
def killing(path, content):
    left[0] -= 1
    if left[0] == 0:
        write_bytes(path, content[: len(content) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    return write_bytes(path, content)
Path.write_bytes = killing
run_images(Workspace(Path(sys.argv[1])), ImagesConfig(base_url=sys.argv[2], test_tars=1), "test")
"""


@pytest.mark.fault(161, "images killed while extracting")
@pytest.mark.parametrize("picture", [1, 2, 40, 80, 120, 158, 159])
def test_after_a_kill_in_the_midst_of_a_picture_all_is_as_undisturbed(
    workspace: Workspace, shared: Path, tmp_path: Path, picture: int
) -> None:
    mini = shared / "gldv2_mini"
    local = ImagesConfig(base_url=str(mini), test_tars=1)
    clean = run_images(Workspace(tmp_path / "clean"), local, "test")
    with serve(mini) as server:
        command = [sys.executable, "-c", _RUN, str(workspace.root), server.url, str(picture)]
        assert subprocess.run(command, timeout=60).returncode == -signal.SIGKILL
        sent = server.sent[TAR]
        report = run_images(workspace, ImagesConfig(base_url=server.url, test_tars=1), "test")
        assert server.sent[TAR] - sent == 1024  # the tar was here, and is looked at once more
    assert report.manifest.outputs == clean.manifest.outputs
    assert not [*damaged_pictures(workspace, "test", deep=True)]


@pytest.mark.fault(70, "damaged tar")
@pytest.mark.parametrize("seed", range(100, 150))
def test_thousands_of_damaged_tars_write_nothing_out_of_place(
    tar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    test_tars.test_damaged_tars_write_nothing_out_of_place(tar, tmp_path, monkeypatch, seed)
