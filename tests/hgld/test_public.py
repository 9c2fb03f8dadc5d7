"""What a user imports, and what is said of what is not installed."""

import importlib
import importlib.metadata
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import hgld
from hgld.errors import how_to_install
from tests.worlds import users_program


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
    known = {"hgld", "llvmlite", "numba", "numpy", "torch"}  # llvmlite is what numba builds with
    assert names - set(sys.stdlib_module_names) <= known


def test_what_is_loaded_late_is_what_its_module_has() -> None:
    from hgld.training.model import embed, saved

    assert hgld.losses is importlib.import_module("hgld.losses")
    assert hgld.load_model is saved.load_model
    assert hgld.embed_images is embed.embed_images
    assert set(hgld.__all__) <= set(dir(hgld))


def test_the_program_that_mypy_checks_uses_every_public_name() -> None:
    assert set(hgld.__all__) <= set(vars(users_program))


@pytest.mark.parametrize("extra", ["cluster", "flows", "metric-learning", "offline", "train"])
def test_the_command_names_the_packages_of_the_extra_and_this_python(extra: str) -> None:
    text = (Path(__file__).resolve().parents[2] / "pyproject.toml").read_text()
    packages = tomllib.loads(text)["project"]["optional-dependencies"][extra]
    command = how_to_install(extra)
    assert command[0] == command[-1] == "`"
    words = shlex.split(command.strip("`"))
    assert words[:4] == [sys.executable, "-m", "pip", "install"]
    assert {*map(Requirement, words[4:])} == {*map(Requirement, packages)}


def test_a_checkout_that_is_not_installed_names_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def is_not_there(name: str) -> list[str]:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", is_not_there)
    assert how_to_install("train").endswith(" -m pip install '.[train]'`")
