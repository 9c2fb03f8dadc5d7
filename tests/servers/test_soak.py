"""The soak goes on where it was stopped, and says what it covered."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.worlds.commands.readme import ROOT

TESTS = """
import pytest
from pathlib import Path

def test_a():
    assert Path("mended").exists()

@pytest.mark.parametrize("number", range(3))
def test_b(number, record_property):
    record_property("told", f"of {number % 2}")
"""


def soak(folder: Path, *words: str) -> tuple[str, dict[str, Any]]:
    """Runs the tests of a folder; returns pytest's last line, and the results."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "xdist", "-p", "tests.soak.resume"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        [*command, *words], cwd=folder, env=environment, capture_output=True, text=True
    )
    results = json.loads((folder / "benchmarks/results/reliability.json").read_text("utf-8"))
    return done.stdout.splitlines()[-1], results


def test_a_soak_goes_on_where_it_was_and_tells_all_that_was_covered(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").touch()
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "benchmarks/results").mkdir(parents=True)
    assert soak(tmp_path, "--maxfail=1")[1]["tests_left"] == 2  # the failing one came second
    line, results = soak(tmp_path, "-n2")
    assert line.startswith("1 failed, 2 passed")
    assert results["covered"] == {
        "test_it.py::test_a": {"failed": 1},
        "test_it.py::test_b": {"passed": 3, "of 0": 2, "of 1": 1},
    }
    (bad,) = results["bad"]
    assert bad["test"] == "test_it.py::test_a"
    assert "mended" in bad["said"]
    assert results["tests_left"] == 0
    (tmp_path / "mended").touch()
    records = tmp_path / "soak.jsonl"
    lines = records.read_text("utf-8").splitlines()
    of_another = [
        line.replace(bad["commit"], "another") if "b[0]" in line else line for line in lines
    ]
    records.write_text("\n".join([*of_another, lines[0][:-1]]) + "\n")
    line, results = soak(tmp_path)
    assert line.startswith("2 passed")  # what failed, and what only another commit has covered
    assert results["covered"]["test_it.py::test_a"] == {"passed": 1}
    assert results["bad"] == []
