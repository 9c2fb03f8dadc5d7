from pathlib import Path

import pyarrow as pa
import pytest

from hgld.benchmarks.datasets.rows import Columns, read_rows, require_once, require_tree
from hgld.errors import InputError
from tests.benchmarks.datasets.worlds import write_lines

COLUMNS: Columns = {"image_id": str, "class_id": int}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "images.txt"


def test_rows_have_the_types_of_their_columns_and_blank_lines_are_none(path: Path) -> None:
    write_lines(path, ["", "007 12", "b\t3", ""])
    rows = read_rows(path, COLUMNS)
    assert rows.schema == pa.schema([("image_id", pa.string()), ("class_id", pa.int64())])
    assert rows.to_pylist() == [
        {"image_id": "007", "class_id": 12},
        {"image_id": "b", "class_id": 3},
    ]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([], "empty"),
        (["", " "], "empty"),
        (["a 1", "b"], ":2 "),
        (["a 1 2"], ":1 "),
        (["a 1", "", "b x"], ":3: class_id"),
        (["a -1"], "class_id"),
        (["a ²"], "class_id"),
    ],
)
def test_a_wrong_line_is_named(path: Path, lines: list[str], says: str) -> None:
    write_lines(path, lines)
    with pytest.raises(InputError, match=says):
        read_rows(path, COLUMNS)


@pytest.mark.parametrize("header", ["image_id", "class_id image_id", "image_id class_id path"])
def test_a_header_must_name_the_columns(path: Path, header: str) -> None:
    write_lines(path, [header, "a 1"])
    with pytest.raises(InputError, match="first line"):
        read_rows(path, COLUMNS, has_header=True)
    write_lines(path, ["image_id class_id"])
    with pytest.raises(InputError, match="is empty"):
        read_rows(path, COLUMNS, has_header=True)


def test_a_file_that_is_not_there_or_no_text_is_said(path: Path) -> None:
    with pytest.raises(InputError, match="images"):
        read_rows(path, COLUMNS)
    path.write_bytes(b"\xff 1\n")
    with pytest.raises(InputError, match="UTF-8"):
        read_rows(path, COLUMNS)


def test_what_is_listed_twice_is_named_with_its_count(path: Path) -> None:
    require_once(path, "image", ["a", "b"])
    require_once(path, "image", [])
    with pytest.raises(InputError, match="image"):
        require_once(path, "image", ["a", "b", "b", "a", "b"])


def test_a_label_lies_in_one_of_the_coarser_level(path: Path) -> None:
    rows = pa.table({"product": [2, 1, 2, 3], "kind": ["mug", "sofa", "mug", "mug"]})
    require_tree(path, rows, "product", "kind")
    split = pa.concat_tables([rows, pa.table({"product": [3], "kind": ["lamp"]})])
    with pytest.raises(InputError, match="product"):
        require_tree(path, split, "product", "kind")
