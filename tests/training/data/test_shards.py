"""Training pictures from the tars of `hgld images --shards`, in place of their files."""

import re
import shutil
import tarfile
from pathlib import Path

import pytest
import torch

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError, MissingInputError
from hgld.images.config import ImagesConfig
from hgld.images.shards import run_shards
from hgld.images.stage import run_images
from hgld.tables import ANNOTATIONS, BAD_IMAGES
from hgld.training.data.augment import Augmentation
from hgld.training.data.config import AugmentConfig
from hgld.training.data.epochs import AugmentedImages, run_batches
from hgld.training.data.images import EvalImages
from hgld.training.data.labels import LabelledImages, training_images
from hgld.training.data.sampler import LandmarkSampler
from tests.training.conftest import BuildImages
from tests.worlds.builders import table_of, write_stage
from tests.worlds.gldv2.files import add_tar, image_id, member_name, picture, tar_bytes

BAD = (3, 7)
"""Of 14 pictures, those that are none."""


@pytest.fixture
def packed(workspace: Workspace, tmp_path: Path) -> Workspace:
    """A build of 14 images of two landmarks, packed in shards of five; the last has no label."""
    files = {
        member_name(number): b"no picture" if number in BAD else picture(number)
        for number in range(14)
    }
    add_tar(tmp_path / "bucket", "train", 0, tar_bytes(files))
    config = ImagesConfig(base_url=str(tmp_path / "bucket"), train_tars=1, max_bad_share=1.0)
    run_images(workspace, config, "train")
    annotate(workspace, 13)
    run_shards(workspace, "train", 5)
    return workspace


def annotate(workspace: Workspace, count: int) -> None:
    dataset = ANNOTATIONS["train"]
    rows = [
        {
            "image_id": image_id(number),
            "landmark_id": 10 + number % 2,
            "hierarchical_label": "lake",
            "natural_or_human_made": "natural",
            "provenance": {"status": "ok"},
        }
        for number in range(count)
    ]
    write_stage(workspace, [(dataset, table_of(dataset, rows))])


def pixels_of(images: LabelledImages, start: int = 0, workers: int = 0) -> list[torch.Tensor]:
    dataset = AugmentedImages(images, Augmentation(AugmentConfig(), 16), seed=1)
    order = LandmarkSampler(images.labels[:, 0], batch_size=4, samples_per_landmark=2, seed=1)
    return [
        batch[0] for batch in run_batches(dataset, order, epochs=2, start=start, workers=workers)
    ]


@pytest.mark.parametrize("workers", [0, 2])
def test_the_pixels_are_those_of_the_files(packed: Workspace, workers: int) -> None:
    files, shards = training_images(packed), training_images(packed, "shards")
    assert shards.image_ids == files.image_ids
    assert torch.equal(shards.labels, files.labels)
    expected = pixels_of(files)
    assert len(expected) == 4
    # The files need not be there.
    shutil.rmtree(packed.path("images/train"))
    for start in (0, 3):
        got = pixels_of(shards, start, workers)
        assert len(got) == 4 - start
        assert all(torch.equal(a, b) for a, b in zip(got, expected[start:], strict=True))
    assert len(training_images(packed, "shards")) == 11


def test_each_picture_is_read_at_its_own_place(packed: Workspace) -> None:
    files, shards = training_images(packed), training_images(packed, "shards")
    for index in range(len(files)):
        assert shards.picture(index).read() == files.picture(index).read()
    # Two tars: five and two of the seven that come later in one of another range.
    part = shards.part(4, 11)
    assert [one.read() for one in part.files()] == [one.read() for one in files.files()[4:11]]
    assert len({one.path for one in shards.files()}) == 3
    measured = EvalImages(shards.files(), 16)
    assert torch.equal(measured[6], EvalImages(files.files(), 16)[6])


@pytest.mark.parametrize("pictures", ["files", "shards"])
def test_bad_pictures_are_left_out_and_counted_as_their_table_says(
    packed: Workspace, pictures: str
) -> None:
    images = training_images(packed, "shards" if pictures == "shards" else "files")
    listed = packed.read(BAD_IMAGES["train"])["image_id"].to_pylist()
    assert listed == [image_id(number) for number in BAD]
    assert images.bad == len(BAD)
    assert set(images.image_ids.to_pylist()) == {
        image_id(number) for number in range(13) if number not in BAD
    }
    # No batch of any epoch can have one.
    order = LandmarkSampler(images.labels[:, 0], batch_size=4, samples_per_landmark=2)
    assert int(torch.cat([order.epoch(epoch) for epoch in range(9)]).max()) == 10


def test_where_there_are_no_shards_it_says_how_to_make_them(build_images: BuildImages) -> None:
    workspace = build_images({"train": {7: 2, 8: 2}})
    with pytest.raises(MissingInputError, match="--shards"):
        training_images(workspace, "shards")


def test_pictures_that_were_fetched_since_are_not_trained_on_in_part(
    packed: Workspace, tmp_path: Path
) -> None:
    more = {member_name(number): picture(number) for number in (20, 21)}
    add_tar(tmp_path / "bucket", "train", 1, tar_bytes(more))
    config = ImagesConfig(base_url=str(tmp_path / "bucket"), train_tars=2, max_bad_share=1.0)
    run_images(packed, config, "train")
    annotate(packed, 22)
    # The table of shards is of before; 13 was packed, and has a label now.
    with pytest.raises(InputError, match=image_id(20)):
        training_images(packed, "shards")
    run_shards(packed, "train", 5)
    assert len(training_images(packed, "shards")) == 14


@pytest.mark.fault(174, "damaged shard of pictures")
@pytest.mark.parametrize("workers", [0, 2])
def test_a_picture_that_was_altered_in_its_shard_is_never_trained_on(
    packed: Workspace, workers: int
) -> None:
    images = training_images(packed, "shards")
    victim = images.files()[6]
    content = victim.path.read_bytes()
    offset = int(str(victim).split(" at byte ")[1].replace(",", ""))
    altered = bytearray(content)
    altered[offset + 40] ^= 1
    victim.path.write_bytes(altered)
    with pytest.raises(DamagedError, match=re.escape(str(victim))):
        pixels_of(images, workers=workers)
    victim.path.write_bytes(content)
    assert len(pixels_of(images, workers=workers)) == 4


def test_a_shard_that_goes_or_is_cut_is_named(packed: Workspace) -> None:
    images = training_images(packed, "shards")
    tar = packed.path("images/shards/train-000001.tar")
    content = tar.read_bytes()
    tar.write_bytes(content[:-1])
    with pytest.raises(DamagedError, match=r"000001\.tar"):
        training_images(packed, "shards")
    tar.unlink()
    with pytest.raises(DamagedError, match="--shards"):
        training_images(packed, "shards")
    with pytest.raises(DamagedError, match=r"000001\.tar"):
        images.picture(6).read()


@pytest.mark.parametrize("where", [0, 124, 156, 257])
def test_a_header_that_was_altered_is_no_picture(packed: Workspace, where: int) -> None:
    tar = packed.path("images/shards/train-000001.tar")
    content = bytearray(tar.read_bytes())
    content[where] ^= 0x80
    tar.write_bytes(content)
    with pytest.raises(DamagedError, match=r"000001\.tar"):
        training_images(packed, "shards")


def test_places_are_those_that_tarfile_finds(packed: Workspace) -> None:
    expected = {}
    for path in sorted(packed.path("images/shards").glob("*.tar")):
        with tarfile.open(path) as archive:
            for member in archive:
                if member.name.endswith(".jpg"):
                    expected[member.name[:-4]] = (path, member.offset_data, member.size)
    images = training_images(packed, "shards")
    for index, one in enumerate(images.files()):
        path, offset, size = expected[str(images.image_ids[index])]
        assert (str(one), one.size_bytes) == (f"{path} at byte {offset:,}", size)
