import json
from pathlib import Path

import pytest

from hgld.benchmarks.datasets.labelled_lists import SPLIT_FILE, read_inaturalist
from hgld.benchmarks.datasets.pictures import labelled_images
from hgld.errors import InputError
from hgld.metrics.relevance import shared_levels
from tests.benchmarks.datasets.worlds import RANKS, categories, inat_path, write_inat, write_lines


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_inat(tmp_path)


def test_the_split_of_retrieval_has_seven_levels_or_two(folder: Path) -> None:
    data = read_inaturalist(folder)
    assert data.is_one_set
    assert [level.name for level in data.levels] == ["species", *RANKS]
    assert data.train["category_id"].to_pylist() == [1, 1, 1]
    first = data.queries.to_pylist()[0]
    assert first["image_id"] == first["path"] == inat_path(0, 0)
    assert (first["genus"], first["kingdom"]) == ("Morus", "Animalia")
    (folder / "categories.json").unlink()  # the training file has them too
    two = read_inaturalist(folder, taxonomy=False).queries.select(["category_id", "supercategory"])
    assert two["supercategory"].to_pylist() == ["Aves"] * 2 + ["Plantae"] * 4
    # Of a gannet with itself, another of its species, the mulberries, whose genus has the same
    # name, and the figs.
    images, _ = labelled_images(data, with_pictures=False)
    assert shared_levels(images.labels[:1], images.labels).tolist() == [[7, 7, 0, 0, 0, 0]]
    assert shared_levels(images.labels[2:3], images.labels).tolist() == [[0, 0, 7, 7, 5, 5]]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        *(([], "test_set1"), ([inat_path(0, 1)] * 2, "001"), ([inat_path(1, 1)], "001")),
        *(([f"train_val2018/Aves/{one}x.jpg"], "categories") for one in ("3/", "", "gull/")),
    ],
)
def test_a_broken_list_is_one_error(folder: Path, lines: list[str], says: str) -> None:
    write_lines(folder / SPLIT_FILE.format("test"), lines)
    with pytest.raises(InputError, match=says):
        read_inaturalist(folder)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([*categories(), categories()[0]], "category 0"),
        ([{"id": 0, "supercategory": "Aves"}], "genus"),
        ({}, "categories"),
    ],
)
def test_a_category_without_its_taxonomy_or_twice_is_refused(
    folder: Path, content: object, says: str
) -> None:
    (folder / "categories.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=says):
        read_inaturalist(folder)
