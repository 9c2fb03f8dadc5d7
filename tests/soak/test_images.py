"""Images stopped in the midst of a picture, and tars damaged in thousands of ways."""

import os
import random
import signal
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.images.config import ImagesConfig
from hgld.images.records import damaged_pictures
from hgld.images.stage import run_images
from hgld.images.tars import Extracted, extract_images
from tests.worlds.forked import run_forked
from tests.worlds.gldv2.files import image_id, images_tar, picture
from tests.worlds.gldv2.folder_server import serve
from tests.worlds.pictures import damaged

TAR = "test/images_000.tar"


def die_in_picture(workspace: Workspace, config: ImagesConfig, number: int) -> None:
    """Fetches images, and kills this process in the midst of a picture, from 1."""
    left, write_bytes = iter(range(1, 1_000)), Path.write_bytes

    def killing(path: Path, content: bytes) -> int:
        if next(left) == number:
            write_bytes(path, content[: len(content) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return write_bytes(path, content)

    Path.write_bytes = killing  # type: ignore[assignment]
    run_images(workspace, config, "test")


@pytest.mark.fault(161, "images killed while extracting")
@pytest.mark.parametrize("picture", [1, 2, 40, 80, 120, 158, 159])
def test_after_a_kill_in_the_midst_of_a_picture_all_is_as_undisturbed(
    workspace: Workspace, shared: Path, tmp_path: Path, picture: int
) -> None:
    mini = shared / "gldv2_mini"
    local = ImagesConfig(base_url=str(mini), test_tars=1)
    clean = run_images(Workspace(tmp_path / "clean"), local, "test")
    with serve(mini) as server:
        config = ImagesConfig(base_url=server.url, test_tars=1)
        killed = run_forked(lambda: die_in_picture(workspace, config, picture))
        assert killed == -signal.SIGKILL
        sent = server.sent[TAR]
        report = run_images(workspace, config, "test")
        assert server.sent[TAR] - sent == 1024  # the tar was here, and is looked at once more
    assert report.manifest.outputs == clean.manifest.outputs
    assert not [*damaged_pictures(workspace, "test", deep=True)]


def damaged_tars(content: bytes, seed: int) -> Iterator[bytes]:
    """Yields damaged tars, and as many with a header whose checksum is right all the same."""
    chance = random.Random(seed)
    for damage in damaged(content, seed, 40):
        yield damage
        odd = bytearray(content)
        block = 512 * chance.randrange(0, len(odd) // 512, 2)
        odd[block + chance.choice((100, 124, 125, 130, 156, 157, 345))] = chance.randrange(256)
        odd[block + 148 : block + 156] = b" " * 8
        odd[block + 148 : block + 156] = b"%06o\0 " % sum(odd[block : block + 512])
        yield bytes(odd)


@pytest.mark.fault(70, "damaged tar")
@pytest.mark.parametrize("seed", range(100, 150))
def test_damaged_tars_write_nothing_out_of_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(os, "sync", lambda: None)  # a minute of it
    monkeypatch.setattr("hgld.images.tars.MOST_PICTURE_BYTES", 10_000)
    tar, content = tmp_path / "images_000.tar", images_tar(range(1, 8))
    right = {f"{image_id(number)}.jpg": picture(number) for number in range(1, 8)}
    root = tmp_path / "deep/build"
    errors = altered = 0
    for copy in damaged_tars(content, seed):
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
    assert errors > 20
    assert altered > 2
