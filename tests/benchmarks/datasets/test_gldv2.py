import shutil
from pathlib import Path

import pyarrow.compute as pc
import pytest

from hgld.benchmarks.datasets.gldv2 import read_h_gldv2
from hgld.benchmarks.datasets.retrieval_data import read_data_set
from hgld.errors import InputError
from hgld.labels.fills.lexicon import name_of_category
from hgld.loading import load
from tests.hgld.loading.world import COUNTS, write_annotated


def test_the_files_that_google_published_are_read(shared: Path, tmp_path: Path) -> None:
    data = read_data_set("h-gldv2", shared / "gldv2_mini")
    assert len(data.train) > len(data.index) > len(data.queries) > 50
    assert not data.is_one_set
    row = data.queries.to_pylist()[0]
    name = row["image_id"]
    assert row["path"] == f"test/{name[0]}/{name[1]}/{name[2]}/{name}.jpg"
    assert [level.column for level in data.levels] == list(data.index.column_names[2:])
    # The files alone, with two landmarks of one category, which are told apart, and none.
    official = Path(shutil.copytree(shared / "gldv2_mini/metadata", tmp_path / "official"))
    labels = official / "index_label_to_hierarchical.csv"
    labels.write_text(labels.read_text().replace(":Tahoma_National", ":Bothell_Pioneer"))
    names = {**data.names, "61846": "Bothell Pioneer Cemetery (61846)"}
    assert read_h_gldv2(official).names == names | {"100471": "Bothell Pioneer Cemetery (100471)"}
    labels.write_text(labels.read_text().partition("\n")[0] + "\n")
    with pytest.raises(InputError, match="test"):
        read_h_gldv2(official)
    with pytest.raises(InputError, match="hgld annotate"):
        read_h_gldv2(tmp_path)


def test_a_build_is_read_with_its_pictures_where_they_lie(tmp_path: Path) -> None:
    write_annotated(tmp_path)
    data = read_h_gldv2(tmp_path)
    found = (len(data.train), len(data.index), len(data.queries))
    assert found == tuple(sum(COUNTS[split].values()) for split in ("train", "index", "test"))
    assert data.train["path"][0].as_py().startswith("images/train/")
    # Landmark 1 is another in the training split, and is called as in the index.
    split = load(tmp_path)["index"].where(pc.field("landmark_id") == 1)
    (category,) = set(split.to_arrow(["category"])["category"].to_pylist())
    assert data.names["1"] == name_of_category(category)
