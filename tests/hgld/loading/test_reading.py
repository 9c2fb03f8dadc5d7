"""Files that are damaged, and what is said of them."""

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import hgld
from hgld.errors import DamagedError, InputError


@pytest.fixture
def copied(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built / "annotations", tmp_path / "annotations"))


def flip_bit(path: Path, column: str) -> None:
    """Flips a bit in the data of a column."""
    group = pq.read_metadata(path).row_group(0)
    columns = [group.column(place) for place in range(group.num_columns)]
    (chunk,) = [one for one in columns if one.path_in_schema == column]
    content = bytearray(path.read_bytes())
    content[chunk.data_page_offset + chunk.total_compressed_size // 2] ^= 1
    path.write_bytes(content)


def test_a_flipped_bit_is_found_in_the_file_that_has_it(copied: Path) -> None:
    flip_bit(copied / "data/train-00001-of-00002.parquet", "image_id")
    train = hgld.load(copied).train
    with pytest.raises(DamagedError, match=r"train-00001-of-00002\.parquet"):
        train.image_ids()
    assert len(train.labels()) == 17  # of other columns


def test_a_file_that_was_cut_short_is_no_parquet(copied: Path) -> None:
    path = copied / "data/index-00000-of-00001.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"index-00000-of-00001\.parquet"):
        hgld.load(copied).index.labels()


def test_a_file_that_went_meanwhile_is_named(copied: Path) -> None:
    data = hgld.load(copied)
    (copied / "landmarks.parquet").unlink()
    with pytest.raises(InputError, match=r"landmarks\.parquet"):
        data.train.labels()


def test_tables_of_two_releases_are_not_mixed(copied: Path) -> None:
    path = copied / "hierarchy.parquet"
    rows = pq.read_table(path)
    pq.write_table(rows.slice(0, 2), path)
    with pytest.raises(InputError, match="ocean area "):
        hgld.load(copied).train.labels()
