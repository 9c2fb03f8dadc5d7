"""Each Croissant file is read by the version of mlcroissant that it is for, in its own process."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hgld.annotations.release.cards.test_croissant import expected

OLD = "1.0.12"

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


def test_the_newest_reader_reads_every_row_of_both_files(
    released_with_all: Path, released: Path
) -> None:
    for folder, name in ((released_with_all, "croissant.json"), (released, "croissant-1.0.json")):
        done = read_with([], folder / name)
        assert done.returncode == 0, done.stderr[-3000:]
        said = json.loads(done.stdout)
        assert said["version"] >= "1.1"
        assert said["rows"] == expected(folder)
    assert said["warnings"] == []


def test_the_reader_is_not_needed_to_write_it() -> None:
    assert importlib.util.find_spec("mlcroissant") is not None
    code = "import sys, hgld.annotations.release.stage; print('mlcroissant' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
