import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hgld.engine.dataset import Dataset, ParquetLayout, conform, read_csv, write_shard
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError
from hgld.tables import LANDMARKS

COLUMNS = {"landmark_id": pa.int64(), "category": pa.string()}


def test_columns_are_put_in_order_and_cast() -> None:
    table = pa.table({"category": ["a"], "landmark_id": pa.array([1], pa.int32()), "split": ["x"]})
    assert conform(table, LANDMARKS.schema).schema == LANDMARKS.schema


@pytest.mark.parametrize(
    ("columns", "word"),
    [
        ({"split": ["x"], "landmark_id": [1]}, "category"),
        ({"split": ["x"], "landmark_id": [1], "category": ["a"], "more": [1]}, "more"),
        ({"split": ["x"], "landmark_id": [None], "category": ["a"]}, "landmark_id"),
        ({"split": ["x"], "landmark_id": ["one"], "category": ["a"]}, "one"),
    ],
)
def test_rows_that_drift_are_refused(columns: dict[str, list[object]], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        conform(pa.table(columns), LANDMARKS.schema)


def test_a_csv_with_a_mark_extra_columns_and_quoted_newlines_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'\xef\xbb\xbfx,landmark_id,category\n0,7,"a\n""b"""\n0,8,\n')
    assert read_csv(path, COLUMNS).to_pylist() == [
        {"landmark_id": 7, "category": 'a\n"b"'},
        {"landmark_id": 8, "category": ""},
    ]


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"landmark_id,name\n1,a\n", "category"),
        (b"landmark_id,category\n1,a\n1,b\n", "landmark_id 1 "),
        (b"landmark_id,category\none,a\n", "one"),
        (b"landmark_id,category\n1,a,b\n", "columns landmark_id, category"),
        (b"landmark_id,category\n1,\xff\n", "UTF8"),
        (b"", "Empty"),
        (None, r"a\.csv"),
    ],
)
def test_a_bad_csv_is_refused(tmp_path: Path, data: bytes | None, word: str) -> None:
    path = tmp_path / "a.csv"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(InputError, match=word):
        read_csv(path, COLUMNS, unique="landmark_id")


LEFT, RIGHT, ONLY = (
    Dataset(path=path, stage="mixed", schema=pa.schema([("number", pa.int64())]))
    for path in ("out/left-*.parquet", "out/right-*.parquet", "out/only.parquet")
)
MIXED = Stage(name="mixed", version=1, outputs=(LEFT, RIGHT, ONLY))


def write_mixed(workspace: Workspace, left: int, *, change: int = 0) -> StageReport:
    def produce(writer: StageWriter) -> None:
        for dataset, count in ((LEFT, left), (RIGHT, 2), (ONLY, 1)):
            for number in range(count):
                writer.write(dataset, str(number), pa.table({"number": [number + change]}))

    return run_stage(workspace, MIXED, {"left": left, "change": change}, produce)


def numbers(workspace: Workspace, dataset: Dataset) -> list[int]:
    return list(workspace.read(dataset)["number"].to_pylist())


def test_tables_that_share_a_folder_are_each_read_alone(workspace: Workspace) -> None:
    write_mixed(workspace, left=3)
    assert [numbers(workspace, one) for one in (LEFT, RIGHT, ONLY)] == [[0, 1, 2], [0, 1], [0]]
    names = {path.stem for path in workspace.path("out").iterdir()}
    assert names == {"left-0", "left-1", "left-2", "only", "right-0", "right-1"}
    assert write_mixed(workspace, left=3).skipped
    # Fewer shards of one table leave those of the other.
    write_mixed(workspace, left=1, change=5)
    assert [numbers(workspace, one) for one in (LEFT, RIGHT, ONLY)] == [[5], [5, 6], [5]]
    assert len(list(workspace.path("out").iterdir())) == 4  # and no folder .next


def test_a_shard_that_nobody_wrote_damages_the_table_of_its_name(workspace: Workspace) -> None:
    write_mixed(workspace, left=1)
    shutil.copy(workspace.path("out/right-0.parquet"), workspace.path("out/left-7.parquet"))
    assert numbers(workspace, RIGHT) == [0, 1]
    with pytest.raises(DamagedError, match=r"left-7\.parquet"):
        numbers(workspace, LEFT)
    write_mixed(workspace, left=1)
    assert numbers(workspace, LEFT) == [0]
    assert workspace.path("out/left-7.parquet.aside").is_file()


def test_columns_say_whether_a_dictionary_is_worth_it(tmp_path: Path) -> None:
    table = pa.table({"id": ["a", "b"], "nested": [[{"x": "y"}], [{"x": "y"}]]})
    write_shard(table, tmp_path / "t.parquet", ParquetLayout(rows_per_group=1, plain=("id",)))
    group = pq.read_metadata(tmp_path / "t.parquet").row_group(1)
    found = {group.column(at).path_in_schema: group.column(at) for at in range(2)}
    has_dictionary = {name: column.has_dictionary_page for name, column in found.items()}
    assert has_dictionary == {"id": False, "nested.list.element.x": True}


def test_a_shard_says_what_it_is_sorted_by(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_shard(pa.table({"split": ["a"], "id": [1]}), path, ParquetLayout(sorted_by=("id",)))
    (order,) = pq.read_metadata(path).row_group(0).sorting_columns
    assert (order.column_index, order.descending) == (1, False)
