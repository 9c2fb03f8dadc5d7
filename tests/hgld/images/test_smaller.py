"""Pictures that are made smaller on their way: how large, how recorded, and made again when due."""

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hgld.engine.stage import StageWriter
from tests.hgld.images.runs import RECORDS, Train
from tests.worlds.gldv2.files import add_tar, member_name, tar_bytes
from tests.worlds.stopped import stopped_at


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


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    """One tar, of those pictures."""
    files = {member_name(number): content for number, content in PICTURES.items()}
    add_tar(tmp_path / "bucket", "train", 0, tar_bytes(files))
    return tmp_path / "bucket"


def contents(train: Train) -> dict[int, bytes]:
    return {number: train.place(number).read_bytes() for number in PICTURES}


def opened(train: Train, number: int) -> Image.Image:
    return Image.open(io.BytesIO(train.place(number).read_bytes()))


def test_the_longest_side_is_that_of_the_setting_and_small_ones_stay_as_they_are(
    train: Train,
) -> None:
    train.run(longest_side=128)
    sizes = [opened(train, number).size for number in PICTURES]
    assert sizes == [(128, 96), (60, 128), (128, 48), (96, 128), (128, 96)]
    assert contents(train)[3] == PICTURES[3]
    upright = opened(train, 4)
    assert upright.getexif().get(0x0112, 1) == 1
    pixels = np.asarray(upright)
    assert pixels[5, 48].max() < 60  # the dark half is above: turned by 90 degrees
    assert pixels[120, 48].min() > 180
    assert opened(train, 5).mode == "RGB"
    # What is recorded is what was made.
    for row in train.workspace.read(RECORDS).to_pylist():
        content = train.workspace.path(row["path"]).read_bytes()
        assert row["sha256"] == hashlib.sha256(content).hexdigest()
        assert row["size_bytes"] == len(content)


@pytest.mark.fault(173, "killed while pictures become smaller")
def test_a_run_that_stopped_midway_is_no_damage_to_either_size(train: Train) -> None:
    full = train.run().manifest
    # The pictures are on the disk, and their records are not.
    with stopped_at(StageWriter, "write"):
        train.run(longest_side=128)
    assert opened(train, 1).size == (128, 96)
    assert train.run(longest_side=128).manifest.outputs == train.clean(longest_side=128)
    with stopped_at(StageWriter, "write"):
        train.run()
    assert train.run().manifest.outputs == full.outputs
    assert contents(train) == PICTURES
