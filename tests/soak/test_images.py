"""Images stopped in the midst of a picture, and tars damaged in thousands of ways."""

import os
import random
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.images.config import ImagesConfig
from hgld.images.records import damaged_pictures
from hgld.images.stage import run_images
from hgld.images.tars import Extracted, extract_images
from tests.hgld.conftest import waits
from tests.worlds.gldv2.files import image_id, images_tar, picture
from tests.worlds.gldv2.folder_server import serve

__all__ = ["waits"]  # fixtures

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


def damaged_tar(content: bytes, chance: random.Random) -> bytes:
    """Returns a tar with flipped bits, most of them in headers, a cut, or blocks changed over."""
    copy = bytearray(content)
    way = chance.random()
    blocks = len(copy) // 512
    if way < 0.5:
        for _ in range(chance.choice((1, 2, 8))):
            block = chance.randrange(0, blocks, chance.choice((1, 2)))
            copy[512 * block + chance.randrange(512)] ^= 1 << chance.randrange(8)
    elif way < 0.7:
        # A header whose checksum is right whatever was done to it.
        block = 512 * chance.randrange(0, blocks, 2)
        copy[block + chance.choice((100, 124, 125, 130, 156, 157, 345))] = chance.randrange(256)
        copy[block + 148 : block + 156] = b" " * 8
        copy[block + 148 : block + 156] = b"%06o\0 " % sum(copy[block : block + 512])
    elif way < 0.9:
        del copy[chance.randrange(len(copy)) :]
    else:
        one, other = (512 * chance.randrange(blocks) for _ in range(2))
        copy[one : one + 512], copy[other : other + 512] = (
            copy[other : other + 512],
            copy[one : one + 512],
        )
    return bytes(copy)


@pytest.mark.fault(70, "damaged tar")
@pytest.mark.parametrize("seed", range(100, 150))
def test_damaged_tars_write_nothing_out_of_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(os, "sync", lambda: None)  # a minute of it
    monkeypatch.setattr("hgld.images.tars.MOST_PICTURE_BYTES", 10_000)
    tar, content = tmp_path / "images_000.tar", images_tar(range(1, 8))
    right = {f"{image_id(number)}.jpg": picture(number) for number in range(1, 8)}
    chance, root = random.Random(seed), tmp_path / "deep/build"
    errors = altered = 0
    for _ in range(80):
        copy = damaged_tar(content, chance)
        tar.write_bytes(copy)
        rows: list[Extracted] = []
        try:
            rows.extend(extract_images(tar, "train", root, ImagesConfig()))
        except tarfile.TarError as error:
            errors += 1
            assert "\n" not in str(error)  # noqa: PT017 - most damages raise, and some do not
        written = [path for path in tmp_path.rglob("*") if path.is_file() and path != tar]
        assert all(path.is_relative_to(root / "images/train") for path in written)
        assert all(path.suffix == ".jpg" for path in written)
        assert sum(path.stat().st_size for path in written) <= len(content)
        altered += any(row.status != "ok" for row in rows) or any(
            path.read_bytes() != right.get(path.name) for path in written
        )
        for path in written:
            path.unlink()
    assert errors > 25
    assert altered > 5
