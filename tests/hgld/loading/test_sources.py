"""What may be given to `hgld.load`, and what is said of anything else, and of damage."""

import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import hgld
from hgld.errors import DamagedError, HgldError, InputError
from tests.worlds.gldv2.folder_server import FolderServer


def test_a_build_its_annotations_and_its_address_are_the_same(
    built: Path, served: FolderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = hgld.load(built).train.image_ids()
    monkeypatch.chdir(built / "annotations/data")
    for source in (str(built), built / "annotations", "..", f"{served.url}/annotations/"):
        assert hgld.load(source).train.image_ids() == ids, source


def test_all_but_pictures_for_torch_needs_no_torch(built: Path) -> None:
    code = (
        "import sys; sys.modules |= {'torch': None, 'prefect': None}; import hgld; "
        f"train = hgld.load({str(built)!r}).train; print(train.labels().shape); train.torch('.')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "(17, 3)\n"
    assert "torch" in done.stderr.splitlines()[-1]


def test_nothing_is_read_before_it_is_asked_for(copied: Path) -> None:
    for path in copied.rglob("*.parquet"):
        if "train" not in path.name:
            path.write_bytes(path.read_bytes()[:-100])
    data = hgld.load(copied.rename(copied.with_name("hgld-1.0")))  # a release has any name
    assert len(data.train) == 17
    with pytest.raises(HgldError, match=r"index-00000-of-00001\.parquet"):
        len(data.index)
    with pytest.raises(HgldError, match=r"hierarchy\.parquet"):
        data.train.labels(["hierarchical_label"])


def test_what_cannot_be_loaded_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("annotations/data").mkdir(parents=True)
    Path("notes.txt").touch()
    Path("text.parquet").write_text("image_id,landmark_id\n")
    for source, word in (
        *(("no/such/folder", "no/such/folder"), ("empty", "empty"), ("notes.txt", "parquet")),
        *(("text.parquet", "parquet"), ("annotations", "data/")),
    ):
        with pytest.raises(InputError, match=word):
            hgld.load(source)


def test_a_shard_that_is_missing_or_of_another_release_is_noticed(copied: Path) -> None:
    data = copied / "data"
    (data / "train-00000-of-00002.parquet").unlink()
    with pytest.raises(InputError, match="1 of 2"):
        hgld.load(copied)
    shutil.copy(data / "train-00001-of-00002.parquet", data / "train-00000-of-00001.parquet")
    with pytest.raises(InputError, match="train"):
        hgld.load(copied)


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


def test_tables_of_two_releases_are_not_mixed(copied: Path) -> None:
    path = copied / "hierarchy.parquet"
    rows = pq.read_table(path)
    pq.write_table(rows.slice(0, 2), path)
    with pytest.raises(InputError, match="ocean area "):
        hgld.load(copied).train.labels()
