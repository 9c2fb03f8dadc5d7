from pathlib import Path

import pyarrow.compute as pc
import pytest

from hgld.benchmarks.datasets.gldv2 import read_h_gldv2
from hgld.benchmarks.datasets.opened import read_data_set
from hgld.benchmarks.datasets.pictures import labelled_images
from hgld.errors import InputError
from hgld.loading import load
from hgld.scrape.wikimedia.titles import category_name
from tests.benchmarks.datasets.worlds import hex_id, write_labels, write_official
from tests.hgld.loading.world import COUNTS, write_annotated


@pytest.fixture
def official(tmp_path: Path) -> Path:
    return write_official(tmp_path / "official")


def test_the_files_that_google_published_are_read(official: Path) -> None:
    data = read_data_set("h-gldv2", official)
    assert sorted(data.queries["image_id"].to_pylist()) == [hex_id("test", x, 0) for x in (7, 80)]
    assert len(data.index) == 6
    assert len(data.train) == 0
    assert not data.is_one_set
    row = data.queries.to_pylist()[0]
    name = row["image_id"]
    assert row["path"] == f"test/{name[0]}/{name[1]}/{name[2]}/{name}.jpg"
    assert [level.column for level in data.levels] == list(data.index.column_names[2:])


def test_a_build_is_read_with_its_pictures_where_they_lie(tmp_path: Path) -> None:
    write_annotated(tmp_path)
    data = read_h_gldv2(tmp_path)
    found = (len(data.train), len(data.index), len(data.queries))
    assert found == tuple(sum(COUNTS[split].values()) for split in ("train", "index", "test"))
    assert data.train["path"][0].as_py().startswith("images/train/")


def test_landmarks_are_called_by_their_category_and_told_apart(
    official: Path, tmp_path: Path
) -> None:
    alike = read_h_gldv2(official)
    assert alike.names == {"7": "c (7)", "80": "c (80)"}  # written with one category for all
    path = official / "index_label_to_hierarchical.csv"
    address = "http://commons.wikimedia.org/wiki/Category:Eltz_%28castle%29"
    path.write_text(path.read_text().replace("7,c,", f"7,{address},").replace("80,c,", "80,,"))
    data = read_h_gldv2(official)
    assert data.names == {"7": "Eltz (castle)"}
    _, index = labelled_images(data, with_pictures=False)
    assert index.names[0] == ("Eltz (castle)", "80")
    # Landmark 1 is another in the training split, and is called as in the index.
    write_annotated(tmp_path / "build")
    split = load(tmp_path / "build")["index"].where(pc.field("landmark_id") == 1)
    (category,) = set(split.to_arrow(["category"])["category"].to_pylist())
    assert read_h_gldv2(tmp_path / "build").names["1"] == category_name(category)


def test_the_layout_of_the_downloader_is_read(shared: Path) -> None:
    data = read_h_gldv2(shared / "gldv2_mini")
    assert len(data.train) > len(data.index) > len(data.queries) > 50


def test_files_that_are_missing_or_empty_are_one_error(official: Path, tmp_path: Path) -> None:
    write_labels(official, [("8", "bridge", "human-made")])
    with pytest.raises(InputError, match="test"):
        read_h_gldv2(official)
    with pytest.raises(InputError, match="hgld annotate"):
        read_h_gldv2(tmp_path)
