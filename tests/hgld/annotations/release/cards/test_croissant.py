"""Each Croissant file is read and iterated by the version of mlcroissant that it is for."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlcroissant
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mlcroissant._src.core.issues import GenerationError

from hgld.engine.files import file_digest
from hgld.engine.workspace import Workspace
from tests.hgld.annotations.release.worlds import release
from tests.hgld.annotations.world import write_inputs

# The reader uses what rdflib and pandas warn of.
pytestmark = pytest.mark.filterwarnings("ignore")

OLD = "1.0.12"
PATTERNS = {
    **{split: f"data/{split}-*.parquet" for split in ("train", "index", "test")},
    "landmarks": "landmarks.parquet",
    "hierarchy": "hierarchy.parquet",
    "excluded": "excluded.parquet",
    "credits": "credits-*.parquet",
}

# What both versions do: read the file, and every row of every record set.
_READER = """
import importlib.metadata, json, sys
import mlcroissant

def plain(value):
    if isinstance(value, bytes):
        return value.decode()
    if value is None or value != value:
        return None
    return value.isoformat() if hasattr(value, "isoformat") else value

found = mlcroissant.Dataset(jsonld=sys.argv[1])
rows = {
    record.id: [
        {key.partition("/")[2]: plain(value) for key, value in row.items()}
        for row in found.records(record.id)
    ]
    for record in found.metadata.record_sets
}
issues = found.metadata.ctx.issues
print(json.dumps({
    "version": importlib.metadata.version("mlcroissant"),
    "rows": rows,
    "warnings": sorted(map(str, issues.warnings)),
}))
"""


def read_with(paths: list[Path], jsonld: Path) -> subprocess.CompletedProcess[str]:
    """Reads a Croissant file in a process that finds packages in some folders first."""
    places = os.pathsep.join(map(str, paths))
    return subprocess.run(
        [sys.executable, "-c", _READER, str(jsonld)],
        env={**os.environ, "PYTHONPATH": places, "CROISSANT_CACHE": str(jsonld.parent / "cache")},
        capture_output=True,
        text=True,
        timeout=120,
    )


def expected(
    folder: Path, patterns: Mapping[str, str] = PATTERNS
) -> dict[str, list[dict[str, Any]]]:
    """Returns the rows of each record set, without nested columns and with times as text."""
    found = {}
    for record, pattern in patterns.items():
        tables = [pq.read_table(path) for path in sorted(folder.glob(pattern))]
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


@pytest.fixture(scope="session")
def old_reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with mlcroissant of before Croissant 1.1; it uses the packages that are here."""
    folder = tmp_path_factory.mktemp("mlcroissant")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    done = subprocess.run(
        [*pip, "--target", str(folder), f"mlcroissant=={OLD}"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.returncode:
        pytest.skip(f"needs mlcroissant {OLD} of a package index: {done.stderr.splitlines()[-1]}")
    return folder


def test_the_newest_reader_reads_every_row_of_1_1(released: Path) -> None:
    done = read_with([], released / "croissant.json")
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout)
    assert said["version"] >= "1.1"
    assert said["warnings"] == []
    rows = expected(released)
    assert said["rows"].keys() == rows.keys()
    for record in rows:
        assert said["rows"][record] == rows[record], record


def test_filled_labels_are_records_of_their_own(released_with_fills: Path) -> None:
    done = read_with([], released_with_fills / "croissant.json")
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout)
    assert said["warnings"] == []
    rows = expected(released_with_fills, PATTERNS | {"filled_train": "filled/train-*.parquet"})
    assert said["rows"].keys() == rows.keys()
    for record in rows:
        assert said["rows"][record] == rows[record], record
    assert {row["method"] for row in said["rows"]["filled_train"]} == {"words+parents", "reviewed"}


def test_images_that_are_bad_are_records_where_there_are_some(
    released: Path, released_with_bad: Path
) -> None:
    def records(folder: Path) -> list[str]:
        described = json.loads((folder / "croissant.json").read_text(encoding="utf-8"))
        return [one["@id"] for one in described["recordSet"]]

    assert "bad" not in records(released)
    assert "bad" in records(released_with_bad)
    dataset = mlcroissant.Dataset(jsonld=str(released_with_bad / "croissant.json"))
    (row,) = dataset.records("bad")
    assert (row["bad/image_id"], row["bad/reason"]) == (b"a0", b"truncated")


@pytest.mark.slow
def test_the_old_reader_reads_every_row_of_1_0_and_refuses_1_1(
    released: Path, old_reader: Path
) -> None:
    done = read_with([old_reader], released / "croissant-1.0.json")
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout)
    assert said["version"] == OLD
    assert said["warnings"] == []
    assert said["rows"] == expected(released)
    refused = read_with([old_reader], released / "croissant.json")
    assert refused.returncode != 0


def test_the_newest_reader_reads_1_0_too(released: Path) -> None:
    done = read_with([], released / "croissant-1.0.json")
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout)["rows"] == expected(released)


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


def test_a_file_that_is_not_the_one_described_stops_the_reader(released: Path) -> None:
    path = released / "hierarchy.parquet"
    content = path.read_bytes()
    pq.write_table(pq.read_table(path).slice(1), path)
    dataset = mlcroissant.Dataset(jsonld=str(released / "croissant.json"))
    with pytest.raises(GenerationError, match=r"Download\(hierarchy\.parquet\)") as raised:
        list(dataset.records("hierarchy"))
    assert "is not identical with the reference" in str(raised.value.__cause__)
    path.write_bytes(content)
    rows = list(mlcroissant.Dataset(jsonld=str(released / "croissant.json")).records("hierarchy"))
    assert len(rows) == 3


def test_it_says_what_responsible_use_asks_for(described: dict[str, Any]) -> None:
    for name in (
        *("dataCollection", "dataCollectionTimeFrame", "dataCollectionMissingData"),
        *("dataBiases", "dataLimitations", "dataReleaseMaintenancePlan", "dataUseCases"),
        *("dataAnnotationProtocol", "personalSensitiveInformation", "dataSocialImpact"),
    ):
        assert described[f"rai:{name}"]
    metadata = mlcroissant.Metadata.from_json(ctx=mlcroissant.Context(), json_=described)
    assert len(metadata.data_biases) == 4
    assert metadata.data_release_maintenance_plan.startswith("Mistakes that are reported")


def test_a_label_is_attributed_to_its_reviewer(described: dict[str, Any]) -> None:
    people = described["prov:wasAttributedTo"]
    assert [one["sc:name"] for one in people] == ["ann", "hgld"]
    assert people[0]["sc:description"] == "Decided on 3 landmarks' labels, or on their classes."
    assert people[1]["sc:description"] == (
        "Proposed or filled 1 landmarks' labels that nobody looked at."
    )
    (train,) = [one for one in described["recordSet"] if one["@id"] == "train"]
    (label,) = [one for one in train["field"] if one["name"] == "hierarchical_label"]
    annotation = label["annotation"]
    assert annotation["equivalentProperty"] == "prov:wasAttributedTo"
    assert annotation["source"]["extract"] == {"column": "reviewer"}
    metadata = mlcroissant.Metadata.from_json(ctx=mlcroissant.Context(), json_=described)
    (record,) = [one for one in metadata.record_sets if one.id == "train"]
    (field,) = [one for one in record.fields if one.id == "train/hierarchical_label"]
    (read,) = field.annotations
    assert read.source.extract.column == "reviewer"
    assert "wasAttributedTo" in str(read.equivalentProperty)


def test_the_older_file_has_none_of_that(released: Path) -> None:
    text = (released / "croissant-1.0.json").read_text(encoding="utf-8")
    assert '"http://mlcommons.org/croissant/1.0"' in text
    assert "annotation" not in text.replace("dataAnnotation", "").replace("Annotation", "")
    assert "prov:" not in text


def test_a_build_without_images_is_described(workspace: Workspace) -> None:
    write_inputs(workspace, [])
    folder = release(workspace)
    done = read_with([], folder / "croissant.json")
    assert done.returncode == 0, done.stderr[-3000:]
    rows = json.loads(done.stdout)["rows"]
    assert rows.keys() == {"landmarks", "hierarchy", "excluded"}
    assert len(rows["landmarks"]) == 7


def test_the_reader_is_not_needed_to_write_it() -> None:
    assert importlib.util.find_spec("mlcroissant") is not None
    code = "import sys, hgld.annotations.release.stage; print('mlcroissant' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
