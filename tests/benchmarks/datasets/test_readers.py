"""SOP and CUB, which are text files of a row a line, and what those rows must be."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from hgld.benchmarks.datasets.labelled_lists import read_cub, read_rows, read_sop
from hgld.benchmarks.datasets.retrieval_data import RetrievalData
from hgld.errors import InputError
from tests.benchmarks.datasets.worlds import SOP_TEST, write_cub, write_lines, write_sop


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        *(([], "Empty"), (["image_id class_id"], "empty"), (["class_id image_id", "1 a"], "first")),
        *((["image_id class_id", *lines], "a.txt") for lines in (["a 1", "b"], ["a 1 2"], ["a x"])),
    ],
)
def test_a_wrong_line_is_an_error(tmp_path: Path, lines: list[str], says: str) -> None:
    columns = {"image_id": pa.string(), "class_id": pa.int64()}
    write_lines(tmp_path / "b.txt", ["", "007 12", "NA 3", ""])
    rows = read_rows(tmp_path / "b.txt", columns)
    assert rows.to_pydict() == {"image_id": ["007", "NA"], "class_id": [12, 3]}
    write_lines(tmp_path / "a.txt", lines)
    with pytest.raises(InputError, match=says):
        read_rows(tmp_path / "a.txt", columns, has_header=True)


def test_sop_is_searched_by_its_test_pictures_with_two_levels(tmp_path: Path) -> None:
    data = read_sop(write_sop(tmp_path))
    assert data.is_one_set
    assert [level.column for level in data.levels] == ["class_id", "super_class_id"]
    assert data.train["image_id"].to_pylist() == ["1", "2", "3"]
    assert list(data.queries.to_pylist()[3].values()) == ["7", 5, 2, "mug_final/e_0.JPG"]


def test_the_first_hundred_classes_of_cub_are_trained_on(tmp_path: Path) -> None:
    data = read_cub(write_cub(tmp_path))
    assert data.is_one_set
    assert data.train["image_id"].to_pylist() == ["1", "2", "3"]
    assert data.queries["class_id"].to_pylist() == [101, 101, 102, 102]
    assert data.index["path"][0].as_py() == "images/101.Pelican/0004.jpg"


def of_six(last: str) -> list[str]:
    return [*(f"{one} 1" for one in range(1, 7)), *filter(None, [last])]


@pytest.mark.parametrize(
    ("write", "read", "name", "lines", "says"),
    [
        (write_sop, read_sop, "Ebay_test.txt", [*SOP_TEST, line], says)
        for line, says in (
            ("7 5 2 mug_final/e_9.JPG", "image_id"),
            ("2 5 2 mug_final/e_9.JPG", "image_id"),  # of the training list
            ("9 5 2 mug_final/e_0.JPG", "path"),
            ("9 1 2 mug_final/e_9.JPG", "super_class_id"),
        )
    ]
    + [
        (write_cub, read_cub, name, lines, says)
        for name, lines, says in (
            ("images.txt", ["1 a.jpg", "1 b.jpg"], "image_id 1"),
            ("images.txt", ["1 a.jpg", "2 a.jpg"], "path"),
            ("classes.txt", ["1 a", "1 b"], "class_id 1"),
            ("image_class_labels.txt", ["1 1", "1 2"], "image_id 1"),
            ("image_class_labels.txt", of_six("7 103"), "image 7"),
            ("image_class_labels.txt", of_six(""), "image 7"),
            ("image_class_labels.txt", [*of_six("7 1"), "8 1"], "image 8"),
            ("image_class_labels.txt", of_six("7 1"), "others"),
        )
    ],
)
def test_what_contradicts_itself_is_one_error(
    tmp_path: Path,
    write: Callable[[Path], Path],
    read: Callable[[Path], RetrievalData],
    name: str,
    lines: list[str],
    says: str,
) -> None:
    folder = write(tmp_path)
    header = ["image_id class_id super_class_id path"] if write is write_sop else []
    write_lines(folder / name, [*header, *lines])
    with pytest.raises(InputError, match=says):
        read(folder)
