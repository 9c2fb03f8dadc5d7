"""Real tars over HTTP: whatever happens on the way, the tree in the end is the undisturbed one."""

import errno
import hashlib
import io
import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from hgld.engine.stage import StageReport
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.images.config import ImagesConfig
from hgld.images.stage import run_images
from hgld.images.tars import image_path
from hgld.pictures import decode_picture
from tests.worlds.gldv2.files import add_tar, image_id, member_name, tar_bytes
from tests.worlds.gldv2.folder_server import FolderServer, serve
from tests.worlds.pictures import drawing, encoded, exif, png_claiming

TAR = "test/images_000.tar"
MD5 = "md5sum/test/md5.images_000.txt"


def run(workspace: Workspace, base: Path | str, **more: object) -> StageReport:
    config = ImagesConfig(base_url=str(base), test_tars=1, **more)  # type: ignore[arg-type]
    return run_images(workspace, config, "test")


def tree(workspace: Workspace) -> dict[str, str]:
    """Returns every file of the images with its digest, but for the address they came from."""
    folder = workspace.path("images")
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.parent.name != "tars"
    }


@pytest.fixture(scope="module")
def clean(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What an undisturbed run leaves."""
    workspace = Workspace(tmp_path_factory.mktemp("clean"))
    run(workspace, shared / "gldv2_mini")
    found = tree(workspace)
    assert sum(name.endswith(".jpg") for name in found) == 159
    return found


@pytest.fixture
def mini(shared: Path, tmp_path: Path) -> Iterator[FolderServer]:
    """The test tar of GLDv2's small copy, in a folder that may be damaged."""
    for name in (TAR, MD5):
        copy = tmp_path / "mini" / name
        copy.parent.mkdir(parents=True)
        shutil.copyfile(shared / "gldv2_mini" / name, copy)
    with serve(tmp_path / "mini") as server:
        yield server


@pytest.mark.fault(76, "disk full while pictures are extracted")
def test_after_a_full_disk_the_tar_is_not_fetched_again(
    workspace: Workspace,
    mini: FolderServer,
    clean: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_bytes, written = Path.write_bytes, []

    def fill(path: Path, content: bytes) -> int:
        written.append(path)
        if len(written) > 50:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write_bytes(path, content)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", fill)
        with pytest.raises(InputError, match="No space"):
            run(workspace, mini.url)
    assert len(written) > 50
    sent = mini.sent[TAR]
    run(workspace, mini.url)
    assert mini.sent[TAR] - sent == 1024
    assert tree(workspace) == clean


def _link(name: str) -> tarfile.TarInfo:
    link = tarfile.TarInfo(name)
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return link


@pytest.mark.fault(165, "tar member that would leave its place")
def test_what_is_none_costs_nothing_but_itself(
    workspace: Workspace, mini: FolderServer, clean: dict[str, str]
) -> None:
    with tarfile.open(mini.folder / TAR) as archive:
        real = {
            member.name: archive.extractfile(member).read()  # type: ignore[union-attr]
            for member in archive
            if member.isreg()
        }
    cmyk = encoded(drawing().convert("CMYK"), "JPEG")
    turned = {
        number: encoded(drawing(), "JPEG", quality=95, exif=exif(number)) for number in range(1, 9)
    }
    bad = {
        20: b"<!DOCTYPE html><title>404</title>",
        21: b"",
        22: png_claiming(20_000, 20_000),  # a pixel bomb
        23: encoded(drawing(), "JPEG")[:400],
        24: bytes(50_001),  # larger than a picture may be
    }
    strangers = {
        member_name(number): content for number, content in ({9: cmyk} | turned | bad).items()
    }
    evil = {"../evil.jpg": b"evil", "/evil.jpg": b"evil"}
    content = tar_bytes(strangers | evil | real, [_link(member_name(30)), _link("link")])
    add_tar(mini.folder, "test", 0, content)
    report = run(workspace, mini.url, max_picture_bytes=50_000)
    assert report.manifest.failed == 5  # ../, an absolute path, two links, and what is too large
    assert report.manifest.problems == 9
    found = {name: digest for name, digest in tree(workspace).items() if name.endswith(".jpg")}
    expected = {name: digest for name, digest in clean.items() if name.endswith(".jpg")}
    assert found.items() >= expected.items()
    assert len(found) == len(expected) + 9
    assert not [*workspace.root.parent.rglob("evil.jpg")]
    upright = decode_picture(encoded(drawing(), "JPEG", quality=95)).size
    for number in range(1, 10):
        path = workspace.path(image_path("test", image_id(number)))
        image = decode_picture(path.read_bytes())
        assert image.mode == "RGB"
        turns = number in range(5, 9)
        assert image.size == (upright[::-1] if turns else upright)
    assert Image.open(io.BytesIO(cmyk)).mode == "CMYK"
