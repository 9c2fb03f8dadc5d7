import importlib.metadata
import shlex
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from hgld.errors import how_to_install

PROJECT = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text())
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]


@pytest.mark.parametrize("extra", ["cluster", "flows", "metric-learning", "offline", "train"])
def test_the_command_names_the_packages_of_the_extra_and_this_python(extra: str) -> None:
    command = how_to_install(extra)
    assert command[0] == command[-1] == "`"
    words = shlex.split(command.strip("`"))
    assert words[:4] == [sys.executable, "-m", "pip", "install"]
    assert {*map(Requirement, words[4:])} == {*map(Requirement, EXTRAS[extra])}


def test_a_checkout_that_is_not_installed_names_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def is_not_there(name: str) -> list[str]:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", is_not_there)
    assert how_to_install("train").endswith(" -m pip install '.[train]'`")
