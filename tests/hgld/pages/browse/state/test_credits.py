from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hgld.pages.browse.state.credits import read_credit_rows
from hgld.pages.browse.state.source import BrowsedFolder
from hgld.tables import CREDITS


def test_credits_are_found_by_row_over_shards_and_row_groups(tmp_path: Path) -> None:
    rows = [{"image_id": f"i{n}", "status": "ok", "author": f"author {n}"} for n in range(16)]
    table = pa.Table.from_pylist(rows, schema=CREDITS.schema)
    paths = [tmp_path / f"credits-0000{shard}-of-00002.parquet" for shard in range(2)]
    for path, part in zip(paths, (table.slice(0, 10), table.slice(10)), strict=True):
        pq.write_table(part, path, row_group_size=3)
    credited = BrowsedFolder(folder=tmp_path, workspace=None)
    found = read_credit_rows(credited, np.array([15, 0, 2, 3, 9, 10]))
    assert {row: one["author"] for row, one in found.items()} == {
        row: f"author {row}" for row in (0, 2, 3, 9, 10, 15)
    }
    paths[0].write_bytes(b"PAR1 no")
    assert read_credit_rows(credited, np.array([0])) == {}
