"""The Croissant files: what they describe is what is there, and their reader reads each row."""

import json
import math
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hgld.engine.files import file_digest
from hgld.engine.workspace import Workspace
from tests.hgld.annotations.release.worlds import release
from tests.hgld.annotations.world import write_inputs

# The reader uses what rdflib and pandas warn of.
pytestmark = pytest.mark.filterwarnings("ignore")

PATTERNS = {
    **{split: f"data/{split}-*.parquet" for split in ("train", "index", "test")},
    **{f"filled_{split}": f"filled/{split}-*.parquet" for split in ("train", "index", "test")},
    "landmarks": "landmarks.parquet",
    "hierarchy": "hierarchy.parquet",
    "excluded": "excluded.parquet",
    "bad": "bad.parquet",
    "credits": "credits-*.parquet",
}


def expected(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Returns the rows of each record set, without nested columns and with times as text."""
    found = {}
    for record, pattern in PATTERNS.items():
        tables = [pq.read_table(path) for path in sorted(folder.glob(pattern))]
        if not sum(map(len, tables)):
            continue
        table = pa.concat_tables(tables)
        flat = [one.name for one in table.schema if not pa.types.is_nested(one.type)]
        rows = table.select(flat).to_pylist()
        found[record] = [
            {
                name: value.isoformat() if hasattr(value, "isoformat") else value
                for name, value in row.items()
            }
            for row in rows
        ]
    return found


def plain(value: Any) -> Any:  # noqa: ANN401 - of any column
    """Returns a value of the reader as `expected` has it."""
    if isinstance(value, bytes):
        return value.decode()
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return value.isoformat() if hasattr(value, "isoformat") else value


def test_the_reader_reads_every_row_of_every_table(released_with_all: Path) -> None:
    import mlcroissant

    found = mlcroissant.Dataset(jsonld=str(released_with_all / "croissant.json"))
    rows = {
        record.id: [
            {key.partition("/")[2]: plain(value) for key, value in row.items()}
            for row in found.records(record.id)
        ]
        for record in found.metadata.record_sets
    }
    assert not found.metadata.ctx.issues.warnings
    wanted = expected(released_with_all)
    assert rows.keys() == wanted.keys() >= {"train", "filled_train", "bad", "credits"}
    for record, those in wanted.items():
        assert rows[record] == those, record


def records(folder: Path) -> set[str]:
    described = json.loads((folder / "croissant.json").read_text(encoding="utf-8"))
    return {one["@id"] for one in described["recordSet"]}


def test_only_tables_with_rows_are_described(released: Path, workspace: Workspace) -> None:
    assert records(released) == expected(released).keys()
    write_inputs(workspace, [])
    assert records(release(workspace)) == {"landmarks", "hierarchy"}


@pytest.fixture
def described(released: Path) -> dict[str, Any]:
    return dict(json.loads((released / "croissant.json").read_text(encoding="utf-8")))


def test_every_file_of_the_tables_is_there_with_its_digest(
    released: Path, described: dict[str, Any]
) -> None:
    files = {
        one["contentUrl"]: one
        for one in described["distribution"]
        if one["@type"] == "cr:FileObject"
    }
    there = {
        path.relative_to(released).as_posix()
        for path in released.rglob("*")
        if path.suffix in {".parquet", ".csv"}
    }
    assert set(files) == there
    for name, one in files.items():
        assert one["sha256"] == file_digest(released / name)
        assert one["contentSize"] == f"{(released / name).stat().st_size} B"


def test_a_label_is_attributed_to_its_reviewer(described: dict[str, Any]) -> None:
    people = described["prov:wasAttributedTo"]
    assert [one["sc:name"] for one in people] == ["ann", "hgld"]
    for one, landmarks in zip(people, (3, 1), strict=True):
        assert re.search(rf"\b{landmarks} landmarks", one["sc:description"])
    (train,) = [one for one in described["recordSet"] if one["@id"] == "train"]
    (label,) = [one for one in train["field"] if one["name"] == "hierarchical_label"]
    annotation = label["annotation"]
    assert annotation["equivalentProperty"] == "prov:wasAttributedTo"
    assert annotation["source"]["extract"] == {"column": "reviewer"}
