"""What may be given to `hgld.load`, and what is said of anything else, and of damage."""

import shutil
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import hgld
from hgld.errors import DamagedError, HgldError, InputError
from tests.worlds.gldv2.folder_server import serve
from tests.worlds.review.sheets import rows_of


def test_a_build_its_annotations_and_its_address_are_the_same(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = hgld.load(built).train.image_ids()
    monkeypatch.chdir(built / "annotations/data")
    with serve(built) as served:
        for source in (str(built), built / "annotations", "..", f"{served.url}/annotations/"):
            assert hgld.load(source).train.image_ids() == ids, source


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


def test_a_flipped_bit_is_found_in_the_file_that_has_it(copied: Path) -> None:
    path = copied / "data/train-00001-of-00002.parquet"
    group = pq.read_metadata(path).row_group(0)
    columns = [group.column(place) for place in range(group.num_columns)]
    (chunk,) = [one for one in columns if one.path_in_schema == "image_id"]
    content = bytearray(path.read_bytes())
    content[chunk.data_page_offset + chunk.total_compressed_size // 2] ^= 1
    path.write_bytes(content)
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


@pytest.fixture
def mini(shared: Path) -> Path:
    return shared / "gldv2_mini/metadata"


def labels_of(folder: Path, space: str) -> dict[str, dict[str, str]]:
    rows = rows_of(folder / f"{space}_label_to_hierarchical.csv")
    return {row["landmark_id"]: row for row in rows if row["hierarchical_label"]}


def test_the_published_filter_is_that_of_a_plain_loop(mini: Path) -> None:
    labels = labels_of(mini, "train")
    expected = [
        (row["hierarchical_label"], int(landmark), image)
        for clean in rows_of(mini / "train_clean.csv")
        for image in clean["images"].split()
        if (row := labels.get(landmark := clean["landmark_id"]))
    ]
    assert len(expected) > 100
    train = hgld.load(mini).train
    columns = ["hierarchical_label", "landmark_id", "image_id"]
    assert [tuple(row.values()) for row in train.to_arrow(columns).to_pylist()] == sorted(expected)


def test_index_and_queries_are_those_of_a_plain_loop(mini: Path) -> None:
    data = hgld.load(mini / "index_label_to_hierarchical.csv")
    labels = labels_of(mini, "index")
    of_image = {r["id"]: r["landmark_id"] for r in rows_of(mini / "index_image_to_landmark.csv")}
    labelled = {image for image, landmark in of_image.items() if landmark in labels}
    assert set(data.index.image_ids()) == labelled
    expected = {}
    for row in rows_of(mini / "retrieval_solution_v2.1.csv"):
        if row["images"] not in {"", "None"}:
            votes = Counter(int(of_image[image]) for image in row["images"].split())
            landmark = min(votes, key=lambda one: (-votes[one], one))
            if str(landmark) in labels:
                expected[row["id"]] = landmark
    rows = data.query.to_arrow(["image_id", "landmark_id"]).to_pylist()
    assert {row["image_id"]: row["landmark_id"] for row in rows} == expected
    assert len(expected) > 50


def test_ids_are_those_of_the_label_files(mini: Path) -> None:
    data = hgld.load(mini)
    both = [labels_of(mini, space) for space in ("train", "index")]
    names = sorted({row["hierarchical_label"] for labels in both for row in labels.values()})
    assert data.train.names("hierarchical_label") == data.query.names("hierarchical_label")
    assert list(data.index.names("hierarchical_label")) == names
    assert list(data.train.names("landmark_id")) == sorted(both[0], key=int)


def test_a_file_that_is_missing_is_named_when_it_is_needed(mini: Path, tmp_path: Path) -> None:
    shutil.copy(mini / "train_label_to_hierarchical.csv", tmp_path)
    data = hgld.load(tmp_path)
    assert list(data.splits) == ["train"]
    with pytest.raises(InputError, match=r"train_clean\.csv"):
        len(data.train)
