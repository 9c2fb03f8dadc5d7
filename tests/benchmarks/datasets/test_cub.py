from pathlib import Path

import pytest

from hgld.benchmarks.datasets.cub import read_cub
from hgld.benchmarks.datasets.opened import read_data_set
from hgld.benchmarks.datasets.pictures import labelled_images
from hgld.errors import InputError
from tests.benchmarks.datasets.worlds import CUB_CLASSES, write_cub, write_lines


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_cub(tmp_path)


def test_the_first_hundred_classes_are_trained_on_and_the_others_search_each_other(
    folder: Path,
) -> None:
    data = read_data_set("cub200", folder)
    assert data.is_one_set
    assert data.train["image_id"].to_pylist() == ["1", "2", "3"]
    assert data.queries["class_id"].to_pylist() == [101, 101, 102, 102]
    assert data.index["path"][0].as_py() == "images/101.Pelican/0004.jpg"
    assert [level.column for level in data.levels] == ["class_id"]
    images, _ = labelled_images(data, with_pictures=False)
    assert set(images.names[0]) <= set(CUB_CLASSES.values())


@pytest.mark.parametrize(
    ("name", "lines", "says"),
    [
        ("image_class_labels.txt", ["1 1", "2"], "image_class_labels"),
        ("images.txt", [], "images"),
        ("images.txt", ["1 a.jpg", "1 b.jpg"], "image 1"),
        ("images.txt", ["1 a.jpg", "2 a.jpg"], "path"),
        ("image_class_labels.txt", ["1 1", "1 2"], "image 1"),
        (
            "image_class_labels.txt",
            [*(f"{one} 1" for one in range(1, 7)), "7 103"],
            "103",
        ),
        (
            "image_class_labels.txt",
            [f"{one} 1" for one in range(1, 7)],
            "image 7",
        ),
        (
            "image_class_labels.txt",
            [f"{one} 1" for one in range(1, 9)],
            "image 8",
        ),
        (
            "image_class_labels.txt",
            [f"{one} 101" for one in range(1, 8)],
            "training",
        ),
        ("classes.txt", ["1 a", "1 b"], "class 1"),
    ],
)
def test_a_broken_file_is_one_error(folder: Path, name: str, lines: list[str], says: str) -> None:
    write_lines(folder / name, lines)
    with pytest.raises(InputError, match=says):
        read_cub(folder)
