import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hgld.benchmarks.datasets.inaturalist import SPLIT_FILE, read_inaturalist
from hgld.benchmarks.datasets.opened import read_data_set
from hgld.benchmarks.datasets.pictures import labelled_images
from hgld.errors import InputError
from hgld.metrics.relevance import shared_levels
from tests.benchmarks.datasets.worlds import RANKS, inat_path, write_inat, write_lines


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_inat(tmp_path)


def edit(path: Path, change: Callable[[Any], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_the_split_of_retrieval_has_seven_levels(folder: Path) -> None:
    data = read_data_set("inat2018", folder)
    assert data.is_one_set
    assert [level.name for level in data.levels] == ["species", *RANKS]
    assert data.train["category_id"].to_pylist() == [1, 1, 1]
    assert data.queries["category_id"].to_pylist() == [0, 0, 2, 2, 7, 7]
    first = data.queries.to_pylist()[0]
    assert first["image_id"] == first["path"] == inat_path(0, 0)
    assert (first["genus"], first["kingdom"]) == ("Morus", "Animalia")


def test_a_genus_of_the_same_name_in_another_kingdom_shares_no_level(folder: Path) -> None:
    images, _ = labelled_images(read_data_set("inat2018", folder), with_pictures=False)
    assert images.labels[0, 1] == images.labels[2, 1]  # both Morus
    # of a gannet with itself, another of its species, the mulberries, and the figs
    assert shared_levels(images.labels[:1], images.labels).tolist() == [[7, 7, 0, 0, 0, 0]]
    assert shared_levels(images.labels[2:3], images.labels).tolist() == [[0, 0, 7, 7, 5, 5]]


def test_two_levels_are_species_and_super_category(folder: Path) -> None:
    data = read_data_set("inat2018-base", folder)
    assert [level.column for level in data.levels] == ["category_id", "supercategory"]
    assert data.queries["supercategory"].to_pylist() == ["Aves"] * 2 + ["Plantae"] * 4


def test_the_categories_may_be_those_of_the_training_file(folder: Path) -> None:
    expected = read_inaturalist(folder).queries
    (folder / "categories.json").unlink()
    assert read_inaturalist(folder).queries.equals(expected)
    (folder / "train2018.json").unlink()
    with pytest.raises(InputError, match="train2018"):
        read_inaturalist(folder)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([], "test_set1"),
        ([inat_path(0, 1)] * 2, "001"),
        ([inat_path(1, 1)], "001"),
        (["train_val2018/Aves/3/x.jpg"], "categories"),
        (["train_val2018/Aves/x.jpg"], "path"),
        (["train_val2018/Aves/gull/x.jpg"], "path"),
        (
            [inat_path(0, 0), "train_val2018/Fungi/0/x.jpg"],
            "folder",
        ),
    ],
)
def test_a_broken_list_is_one_error(folder: Path, lines: list[str], says: str) -> None:
    write_lines(folder / SPLIT_FILE.format("test"), lines)
    with pytest.raises(InputError, match=says):
        read_inaturalist(folder)


def test_a_category_without_its_taxonomy_or_twice_is_refused(folder: Path) -> None:
    path = folder / "categories.json"
    edit(path, lambda x: x.append(x[0]))
    with pytest.raises(InputError, match="category 0"):
        read_inaturalist(folder)
    edit(path, lambda x: (x.pop(), x[1].pop("genus")))
    with pytest.raises(InputError, match="genus"):
        read_inaturalist(folder)
    path.write_text("{}")
    with pytest.raises(InputError, match="categories"):
        read_inaturalist(folder)
