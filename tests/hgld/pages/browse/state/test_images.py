from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.pages.browse.exhibit import Exhibit
from hgld.pages.browse.state.images import read_image_rows
from hgld.pages.browse.state.source import browsed_folder
from hgld.tables import IMAGE_FILES
from tests.hgld.pages.browse.world import write_pictures


@pytest.mark.parametrize("is_alone", [False, True])
def test_the_images_of_a_landmark_are_found_and_in_a_build_their_pictures(
    exhibit: Exhibit, alone: Path, is_alone: bool
) -> None:
    images = read_image_rows(browsed_folder(alone)) if is_alone else exhibit.images
    assert images.has_pictures != is_alone
    chosen = images.chosen("train", 1, 9)
    assert {images.image_id(*one) for one in chosen} == {"a0", "a1"}
    assert [images.image_id(*one) for one in images.chosen("index", 1, 9)] == ["b0", "c0"]
    assert len(images.chosen("train", 1, 1)) == 1
    assert images.chosen("train", 99, 9) == []
    file = images.file(*chosen[0])
    assert (file is None) == is_alone
    assert file is None or file.read().startswith(b"\xff\xd8")
    assert images.file("train", 99) is images.file("mine", 0) is None


def test_where_there_are_pictures_only_images_that_have_one_are_shown(build: Workspace) -> None:
    write_pictures(build, {"train": ("a1",), "index": (), "test": ()})
    images = read_image_rows(browsed_folder(build.root))
    assert [images.image_id(*one) for one in images.chosen("train", 1, 9)] == ["a1"]
    assert images.chosen("index", 1, 9) == []


def test_damaged_records_of_pictures_cost_the_pictures_alone(build: Workspace) -> None:
    (shard,) = build.shards(IMAGE_FILES["train"])
    shard.write_bytes(b"")
    images = read_image_rows(browsed_folder(build.root))
    assert [len(images.splits[split].files) for split in ("train", "index")] == [0, 2]
