"""How the released files lie on the disk, which readers elsewhere depend on."""

import random
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hgld.annotations.stage import AnnotateConfig, run_annotate
from hgld.engine.workspace import Workspace
from hgld.tables import ANNOTATIONS
from tests.hgld.annotations.world import write_inputs

ROWS = 23_000


@pytest.fixture
def many(workspace: Workspace) -> Path:
    chance = random.Random(0)
    images = [
        {
            "split": "train",
            "image_id": f"{chance.getrandbits(64):016x}",
            "landmark_id": chance.choice([1, 2]),
            "in_clean": True,
        }
        for _ in range(ROWS)
    ]
    write_inputs(workspace, images)
    run_annotate(workspace, AnnotateConfig())
    (path,) = workspace.shards(ANNOTATIONS["train"])
    return path


def test_row_groups_are_small_sorted_and_say_so(many: Path) -> None:
    metadata = pq.read_metadata(many)
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    assert [group.num_rows for group in groups] == [10_000, 10_000, 3_000]
    names = [metadata.schema.column(place).path for place in range(metadata.num_columns)]
    for group in groups:
        by = [names[column.column_index] for column in group.sorting_columns]
        assert by == ["hierarchical_label", "landmark_id", "image_id"]
    rows = pq.read_table(many, columns=["hierarchical_label", "landmark_id", "image_id"])
    keys = [tuple(row.values()) for row in rows.to_pylist()]
    assert keys == sorted(keys)


def test_columns_have_an_index_of_their_pages_and_a_dictionary_where_values_repeat(
    many: Path,
) -> None:
    group = pq.read_metadata(many).row_group(0)
    columns = {group.column(place).path_in_schema: group.column(place) for place in range(9)}
    assert all(column.has_offset_index and column.has_column_index for column in columns.values())
    assert all(column.compression == "ZSTD" for column in columns.values())
    assert not columns["image_id"].has_dictionary_page
    assert columns["hierarchical_label"].has_dictionary_page
    assert columns["category"].has_dictionary_page


def test_a_flipped_bit_of_a_page_is_found_by_its_checksum(many: Path) -> None:
    column = pq.read_metadata(many).row_group(1).column(0)
    with many.open("r+b") as file:
        file.seek(column.data_page_offset + column.total_compressed_size // 2)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))
    with pytest.raises(OSError, match="CRC checksum verification failed"):
        pq.read_table(many, page_checksum_verification=True)
