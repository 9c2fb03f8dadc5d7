"""Pictures that are made smaller on their way: how large, how recorded, and made again when due."""

import hashlib
import io
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hgld.engine.workspace import Workspace
from tests.hgld.images import runs
from tests.hgld.images.runs import RECORDS, place_of
from tests.worlds.gldv2.files import add_tar, member_name, tar_bytes
from tests.worlds.gldv2.folder_server import serve


def jpeg(width: int, height: int, orientation: int = 1, mode: str = "RGB") -> bytes:
    """Returns a picture whose left half is dark and whose right half is light."""
    image = Image.new(mode, (width, height))
    image.paste((200,) * len(image.getbands()), (width // 2, 0, width, height))
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    image.save(file, "JPEG", quality=92, exif=exif)
    return file.getvalue()


PICTURES = {
    1: jpeg(640, 480),
    2: jpeg(300, 640),
    3: jpeg(128, 48),  # just small enough
    4: jpeg(640, 480, orientation=6),
    5: jpeg(640, 480, mode="CMYK"),
}
TAR = "train/images_000.tar"
run = partial(runs.run, train_tars=1)


@pytest.fixture
def small_bucket(tmp_path: Path) -> Path:
    files = {member_name(number): content for number, content in PICTURES.items()}
    add_tar(tmp_path / "small", "train", 0, tar_bytes(files))
    return tmp_path / "small"


def of(workspace: Workspace, number: int) -> bytes:
    return place_of(workspace, number).read_bytes()


def sizes(workspace: Workspace) -> dict[int, tuple[int, int]]:
    return {number: Image.open(io.BytesIO(of(workspace, number))).size for number in PICTURES}


def test_the_longest_side_is_that_of_the_setting_and_small_ones_stay_as_they_are(
    workspace: Workspace, small_bucket: Path
) -> None:
    run(workspace, small_bucket, longest_side=128, quality=80)
    expected = [(128, 96), (60, 128), (128, 48), (96, 128), (128, 96)]
    assert [*sizes(workspace).values()] == expected
    assert of(workspace, 3) == PICTURES[3]
    upright = Image.open(io.BytesIO(of(workspace, 4)))
    assert upright.getexif().get(0x0112, 1) == 1
    pixels = np.asarray(upright)
    assert pixels[5, 48].max() < 60  # the dark half is above: turned by 90 degrees
    assert pixels[120, 48].min() > 180
    assert Image.open(io.BytesIO(of(workspace, 5))).mode == "RGB"


def test_what_was_made_is_recorded(workspace: Workspace, small_bucket: Path) -> None:
    run(workspace, small_bucket, longest_side=128, quality=80)
    for row in workspace.read(RECORDS).to_pylist():
        content = workspace.path(row["path"]).read_bytes()
        assert row["sha256"] == hashlib.sha256(content).hexdigest()
        assert row["size_bytes"] == len(content)
        width, height = Image.open(io.BytesIO(content)).size
        assert row["pixels"] == width * height


def test_another_size_fetches_again_and_none_gives_what_was_published(
    workspace: Workspace, small_bucket: Path, tmp_path: Path
) -> None:
    clean = run(Workspace(tmp_path / "clean"), small_bucket)
    with serve(small_bucket) as server:
        run(workspace, server.url, longest_side=128)
        for settings, width in (({"longest_side": 200}, 200), ({}, 640)):
            run(workspace, server.url, **settings)  # type: ignore[arg-type]
            assert sizes(workspace)[1][0] == width
        run(workspace, server.url, longest_side=64, quality=30)
        small = len(of(workspace, 1))
        run(workspace, server.url, longest_side=64, quality=95)
        assert len(of(workspace, 1)) > small
        assert server.hits[TAR] == 5
        last = run(workspace, server.url)
    assert last.manifest.outputs == clean.manifest.outputs


@pytest.mark.fault(173, "killed while pictures become smaller")
def test_a_run_that_stopped_midway_is_no_damage_to_either_size(
    workspace: Workspace, small_bucket: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = run(workspace, small_bucket)
    with monkeypatch.context() as patched:
        # Its pictures are on the disk, its records are not.
        def die(*_: object) -> None:
            raise KeyboardInterrupt

        patched.setattr("hgld.engine.stage.StageWriter.write", die)
        with pytest.raises(KeyboardInterrupt):
            run(workspace, small_bucket, longest_side=128)
    assert sizes(workspace)[1] == (128, 96)
    clean = run(Workspace(tmp_path / "clean"), small_bucket, longest_side=128)
    assert run(workspace, small_bucket, longest_side=128).manifest.outputs == clean.manifest.outputs
    with monkeypatch.context() as patched:
        patched.setattr("hgld.engine.stage.StageWriter.write", die)
        with pytest.raises(KeyboardInterrupt):
            run(workspace, small_bucket)
    assert run(workspace, small_bucket).manifest.outputs == full.manifest.outputs
    assert {number: of(workspace, number) for number in PICTURES} == PICTURES
