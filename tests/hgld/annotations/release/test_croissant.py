"""The Croissant files: what they describe is what is there, and their reader reads each row."""

import math
from pathlib import Path
from typing import Any

import pytest

from hgld.engine.files import file_digest
from tests.hgld.annotations.release.worlds import described, rows_of

# The reader uses what rdflib and pandas warn of.
pytestmark = pytest.mark.filterwarnings("ignore")

PATTERNS = {
    **{split: f"data/{split}-*.parquet" for split in ("train", "index", "test")},
    **{f"filled_{split}": f"filled/{split}-*.parquet" for split in ("train", "index", "test")},
    **{
        name: f"{name}*.parquet"
        for name in ("landmarks", "hierarchy", "excluded", "bad", "credits")
    },
}


def expected(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Returns the rows of each record set that has any, without nested columns."""
    tables = {record: rows_of(folder, pattern) for record, pattern in PATTERNS.items()}
    return {
        record: [
            {key: plain(value) for key, value in row.items() if not isinstance(value, list | dict)}
            for row in rows
        ]
        for record, rows in tables.items()
        if rows
    }


def plain(value: Any) -> Any:  # noqa: ANN401 - of any column
    """Returns a value of a table, or of the reader, in one form for both."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bytes):
        return value.decode()
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


def test_every_file_of_the_tables_is_there_with_its_digest(released: Path) -> None:
    files = [one for one in described(released)["distribution"] if one["@type"] == "cr:FileObject"]
    paths = [path for path in released.rglob("*") if path.suffix in {".parquet", ".csv"}]
    assert {one["contentUrl"]: (one["sha256"], one["contentSize"]) for one in files} == {
        path.relative_to(released).as_posix(): (file_digest(path), f"{path.stat().st_size} B")
        for path in paths
    }


def test_a_label_is_attributed_to_its_reviewer(released: Path) -> None:
    told = described(released)
    people = {one["sc:name"]: one["sc:description"] for one in told["prov:wasAttributedTo"]}
    assert list(people) == ["ann", "hgld"]
    assert " 3 landmarks" in people["ann"]
    assert " 1 landmarks" in people["hgld"]
    (train,) = [one for one in told["recordSet"] if one["@id"] == "train"]
    (label,) = [one for one in train["field"] if one["name"] == "hierarchical_label"]
    annotation = label["annotation"]
    assert annotation["equivalentProperty"] == "prov:wasAttributedTo"
    assert annotation["source"]["extract"] == {"column": "reviewer"}
