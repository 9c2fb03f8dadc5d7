from hgld.engine.workspace import Workspace
from hgld.pages.browse.state.images import read_image_rows
from hgld.pages.browse.state.source import browsed_folder
from hgld.tables import IMAGE_FILES
from tests.worlds.pages.pictures import write_pictures


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
