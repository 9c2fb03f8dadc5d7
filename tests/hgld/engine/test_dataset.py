from pathlib import Path

import pyarrow as pa
import pytest

from hgld.engine.dataset import conform, read_csv, volatile_columns
from hgld.errors import InputError
from hgld.tables import CATEGORIES, LANDMARKS

COLUMNS = {"landmark_id": pa.int64(), "category": pa.string()}


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_columns_are_put_in_order_and_cast() -> None:
    table = pa.table({"category": ["a"], "landmark_id": pa.array([1], pa.int32()), "split": ["x"]})
    assert conform(table, LANDMARKS.schema).schema == LANDMARKS.schema


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"split": ["x"], "landmark_id": [1]}, r"missing or extra: \['category'\]"),
        (
            {"split": ["x"], "landmark_id": [None], "category": ["a"]},
            "landmark_id' with null values",
        ),
        ({"split": ["x"], "landmark_id": ["one"], "category": ["a"]}, "int64"),
    ],
)
def test_rows_that_drift_from_the_schema_are_refused(
    columns: dict[str, list[object]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        conform(pa.table(columns), LANDMARKS.schema)


def test_the_time_of_a_fetch_is_volatile() -> None:
    assert volatile_columns(CATEGORIES.schema) == ["fetched_at"]
    assert volatile_columns(LANDMARKS.schema) == []


def test_a_csv_with_a_mark_extra_columns_and_quoted_newlines_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", b'\xef\xbb\xbfx,landmark_id,category\n0,7,"a\n""b"""\n0,8,\n')
    assert read_csv(path, COLUMNS).to_pylist() == [
        {"landmark_id": 7, "category": 'a\n"b"'},
        {"landmark_id": 8, "category": ""},
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"landmark_id,name\n1,a\n", "'category' .* needs the columns landmark_id, category"),
        (b"landmark_id,category\n1,a\n1,b\n", "landmark_id 1 stands in 2 rows; keep one"),
        (b"landmark_id,category\none,a\n", "invalid value 'one'"),
        (b"landmark_id,category\n1,a,b\n", "Expected 2 columns, got 3"),
        (b"landmark_id,category\n1,\xff\n", "invalid UTF8"),
        (b"", "Empty CSV file"),
    ],
)
def test_a_bad_csv_is_refused_in_words(tmp_path: Path, data: bytes, message: str) -> None:
    path = write(tmp_path / "a.csv", data)
    with pytest.raises(InputError, match=message):
        read_csv(path, COLUMNS, unique="landmark_id")


def test_a_missing_csv_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*a\.csv"):
        read_csv(tmp_path / "a.csv", COLUMNS)
