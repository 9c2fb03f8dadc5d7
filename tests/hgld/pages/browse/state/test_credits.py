import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hgld.pages.browse.state.credits import read_credit_rows
from hgld.pages.browse.state.source import BrowsedFolder
from hgld.tables import CREDITS


@pytest.fixture
def credited(tmp_path: Path) -> BrowsedFolder:
    """Two shards of credits, in row groups of three."""
    rows = [
        {"image_id": f"i{number}", "status": "ok", "author": f"author {number}"}
        for number in range(16)
    ]
    table = pa.Table.from_pylist(rows, schema=CREDITS.schema)
    for shard, (start, count) in enumerate(((0, 10), (10, 6))):
        path = tmp_path / f"credits-0000{shard}-of-00002.parquet"
        pq.write_table(table.slice(start, count), path, row_group_size=3)
    return BrowsedFolder(folder=tmp_path, workspace=None)


def test_credits_are_found_by_row_over_shards_and_row_groups(credited: BrowsedFolder) -> None:
    found = read_credit_rows(credited, np.array([15, 0, 2, 3, 9, 10]))
    assert {row: one["author"] for row, one in found.items()} == {
        row: f"author {row}" for row in (0, 2, 3, 9, 10, 15)
    }
    assert read_credit_rows(credited, np.array([], np.int64)) == {}
    assert read_credit_rows(credited, np.array([99])) == {}


def test_credits_that_cannot_be_read_are_none(credited: BrowsedFolder, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(credited.folder, tmp_path / "copy"))
    (copy / "credits-00000-of-00002.parquet").write_bytes(b"PAR1 no")
    assert read_credit_rows(dataclasses.replace(credited, folder=copy), np.array([0])) == {}
