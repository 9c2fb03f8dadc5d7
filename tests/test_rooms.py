import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ["hgld", "training", "benchmarks", "flows"]
"""Each may import the ones before it."""


def imported_by(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("room", ROOMS)
def test_imports_between_rooms_point_one_way(room: str) -> None:
    later = set(ROOMS[ROOMS.index(room) + 1 :]) | {"tests"}
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    for path in files:
        assert not imported_by(path) & later, path


def test_training_never_imports_prefect() -> None:
    for path in (ROOT / "training").rglob("*.py"):
        assert "prefect" not in imported_by(path), path


@pytest.mark.parametrize(
    "module", ["hgld", "hgld.stage", "hgld.scrape", "hgld.annotate", "flows.cli"]
)
def test_importing_it_pulls_neither_torch_nor_prefect(module: str) -> None:
    heavy = ["torch", "prefect", "open_clip", "sklearn", "sentence_transformers"]
    code = f"import sys, {module}; print(sorted(set({heavy}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
