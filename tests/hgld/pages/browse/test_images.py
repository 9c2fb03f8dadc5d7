from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hgld.engine.workspace import Workspace
from hgld.pages.browse.folder import BrowsedFolder
from hgld.pages.browse.images import read_credits
from hgld.pages.browse.pages import BrowsePages
from hgld.tables import CREDITS, IMAGE_FILES
from tests.worlds.pages.pictures import write_pictures


def pictures_of(pages: BrowsePages, space: str) -> list[str]:
    """Returns the images shown of the first landmark of a label space."""
    images = pages.landmark(pages.landmarks.rows[space, 1])["images"]
    return [image["image_id"] for image in images if image["picture"]]


def test_where_there_are_pictures_only_images_that_have_one_are_shown(build: Workspace) -> None:
    write_pictures(build, {"train": ("a1",), "index": (), "test": ()})
    pages = BrowsePages(build.root)
    assert [pictures_of(pages, space) for space in ("train", "index")] == [["a1"], []]


def test_damaged_records_of_pictures_cost_only_these_pictures(build: Workspace) -> None:
    (shard,) = build.shards(IMAGE_FILES["train"])
    shard.write_bytes(b"")
    pages = BrowsePages(build.root)
    assert [pictures_of(pages, space) for space in ("train", "index")] == [[], ["b0", "c0"]]


def test_credits_are_found_by_row_over_shards_and_row_groups(tmp_path: Path) -> None:
    rows = [{"image_id": f"i{n}", "status": "ok", "author": f"author {n}"} for n in range(16)]
    table = pa.Table.from_pylist(rows, schema=CREDITS.schema)
    paths = [tmp_path / f"credits-0000{shard}-of-00002.parquet" for shard in range(2)]
    for path, part in zip(paths, (table.slice(0, 10), table.slice(10)), strict=True):
        pq.write_table(part, path, row_group_size=3)
    folder, wanted = BrowsedFolder(folder=tmp_path, workspace=None), [0, 2, 3, 9, 10, 15, 99]
    found = read_credits(folder, np.array(wanted))
    assert {row: one["author"] for row, one in found.items()} == {
        row: f"author {row}" for row in wanted[:-1]
    }
    paths[0].write_bytes(b"PAR1 no")
    assert read_credits(folder, np.array([0])) == {}
