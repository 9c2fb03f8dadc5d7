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
        ([], r"images.txt must list images, and is empty; fetch"),
        (["", " "], r"images.txt must list images, and is empty"),
        (["a 1", "b"], r"images.txt:2 must have 2 fields \(image_id class_id\), got 1: 'b'; fetch"),
        (["a 1 2"], r"images.txt:1 must have 2 fields .*, got 3: 'a 1 2'"),
        (["a 1", "", "b x"], r"images.txt:3: class_id must be a whole number, got 'x'"),
        (["a -1"], r"class_id must be a whole number, got '-1'"),
        (["a ²"], r"class_id must be a whole number, got '²'"),
    ],
)
def test_a_wrong_line_is_named(path: Path, lines: list[str], says: str) -> None:
    write_lines(path, lines)
    with pytest.raises(InputError, match=says):
        read_rows(path, COLUMNS)


@pytest.mark.parametrize("header", ["image_id", "class_id image_id", "image_id class_id path"])
def test_a_header_must_name_the_columns(path: Path, header: str) -> None:
    write_lines(path, [header, "a 1"])
    with pytest.raises(
        InputError, match=f"the first line must be 'image_id class_id', got '{header}'"
    ):
        read_rows(path, COLUMNS, has_header=True)
    write_lines(path, ["image_id class_id"])
    with pytest.raises(InputError, match="is empty"):
        read_rows(path, COLUMNS, has_header=True)


def test_a_file_that_is_not_there_or_no_text_is_said(path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*images.txt: No such file .*; put the"):
        read_rows(path, COLUMNS)
    path.write_bytes(b"\xff 1\n")
    with pytest.raises(InputError, match=r"images.txt must be UTF-8 text"):
        read_rows(path, COLUMNS)


def test_what_is_listed_twice_is_named_with_its_count(path: Path) -> None:
    require_once(path, "image", ["a", "b"])
    require_once(path, "image", [])
    with pytest.raises(InputError, match=r"images.txt: image b is listed 3 times; keep one"):
        require_once(path, "image", ["a", "b", "b", "a", "b"])


def test_a_label_lies_in_one_of_the_coarser_level(path: Path) -> None:
    rows = pa.table({"product": [2, 1, 2, 3], "kind": ["mug", "sofa", "mug", "mug"]})
    require_tree(path, rows, "product", "kind")
    split = pa.concat_tables([rows, pa.table({"product": [3], "kind": ["lamp"]})])
    with pytest.raises(
        InputError, match=r"each product must lie in one kind, and 3 lies in lamp and mug; correct"
    ):
        require_tree(path, split, "product", "kind")
