"""What a user imports: every exported member, and an example of each that runs."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import hgld


def run(code: str) -> str:
    """Returns what Python code prints in a process of its own."""
    return subprocess.check_output([sys.executable, "-c", code], text=True)


def test_the_package_takes_nothing_heavy_along() -> None:
    heavy = ["torch", "pyarrow", "numpy", "requests", "prefect", "typer"]
    code = f"import sys, hgld; print(sorted(set({heavy}) & set(sys.modules)))"
    assert run(code).strip() == "[]"


@pytest.mark.parametrize("room", ["losses", "metrics"])
def test_the_mathematics_imports_only_torch_numpy_and_numba(room: str) -> None:
    names: set[str] = set()
    for path in (Path(hgld.__file__).parent / room).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        names.update(re.findall(r"^(?:import|from) (\w+)", text, re.MULTILINE))
    assert "torch" in names
    assert names - set(sys.stdlib_module_names) <= {"hgld", "numba", "numpy", "torch"}


def test_what_is_loaded_late_is_what_its_module_has() -> None:
    from hgld.training.model import embed, saved

    assert hgld.losses is importlib.import_module("hgld.losses")
    assert hgld.load_model is saved.load_model
    assert hgld.embed_images is embed.embed_images
    assert set(hgld.__all__) <= set(dir(hgld))


def test_what_is_not_there_is_said_with_what_is() -> None:
    with pytest.raises(AttributeError, match="sup_hap_loss"):
        _ = hgld.sup_hap_loss


def test_without_torch_it_says_what_to_install() -> None:
    statements = [
        *(f"hgld.{name}" for name in ("losses", "metrics", "embed_images")),
        "from hgld import load_model",
        "from hgld.losses import sup_hap_loss",
        "from hgld.metrics import evaluate",
    ]
    code = f"""
import sys, hgld
sys.modules["torch"] = None
for statement in {statements}:
    try:
        exec(statement)
    except ModuleNotFoundError as error:
        print(error)
"""
    said = run(code).splitlines()
    assert len(said) == len(statements)
    for line in said:
        assert "'torch>=" in line
        assert " -m pip install " in line
