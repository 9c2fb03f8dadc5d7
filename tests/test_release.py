"""What a release says of itself, the same everywhere, and who tests it."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import hgld

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_version_and_its_date_are_in_the_citation_and_the_changelog() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    headings = re.findall(
        r"^## (\d+\.\d+\.\d+) - (\d{4}-\d\d-\d\d)$",
        (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert headings[0] == (hgld.__version__, cited["date-released"])
    assert cited["version"] == hgld.__version__
    assert cited["license"] == PROJECT["license"]


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        (".github/workflows/test.yml", "github-workflows"),
        ("CITATION.cff", "citation-file-format"),
        ("compose.yaml", "compose-spec"),
    ],
)
def test_a_file_that_others_read_has_their_schema(path: str, schema: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    assert subprocess.run([*command, ROOT / path], check=False).returncode == 0


def test_github_runs_the_lanes_of_the_makefile_on_the_python_of_the_project() -> None:
    text = (ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8")
    job = yaml.safe_load(text)["jobs"]["lane"]
    lanes = {
        lane
        for listed in re.findall(r"'\[(.+?)\]'", job["strategy"]["matrix"]["lane"])
        for lane in re.findall(r'"([\w-]+)"', listed)
    } - {"schedule", "workflow_dispatch"}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (targets,) = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert lanes == {*targets.split()} - {"demo", "docs", "packages"}
    assert f"container: python:{PROJECT['requires-python'].removeprefix('>=')}-" in text
