"""What is installed: one name, the same from the checkout and from the source distribution."""

import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import PathDistribution
from pathlib import Path, PurePosixPath

import pytest

import hgld
from tests.worlds.commands.readme import ROOT
from tests.worlds.commands.typed import run


def built(source: Path, out: Path, kind: str) -> Path:
    """Builds a distribution of a source tree without a network."""
    command = [sys.executable, "-m", "build", f"--{kind}", "--outdir", str(out), str(source)]
    run(command, ROOT)
    (path,) = out.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return path


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(ROOT, tmp_path_factory.mktemp("wheel"), "wheel")


def test_the_wheel_holds_one_name_with_all_of_the_code(wheel: Path) -> None:
    names = contents(wheel)
    assert {PurePosixPath(name).parts[0].partition("-")[0] for name in names} == {"hgld"}
    assert "hgld/py.typed" in names
    tracked = run(["git", "ls-files", "hgld", "training", "benchmarks", "flows"], ROOT).split()
    files = {name if name.startswith("hgld/") else f"hgld/{name}" for name in tracked}
    links = {f"hgld/{room}" for room in ("training", "benchmarks", "flows")}
    results = {name for name in files if name.startswith("hgld/benchmarks/results/")}
    assert links <= files
    assert results
    assert files - links - results == {name for name in names if name.startswith("hgld/")}


def test_the_source_distribution_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    archive = built(ROOT, tmp_path / "sdist", "sdist")
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()
    files = {"CHANGELOG.md", "CITATION.cff", "LICENSE", "README.md", "pyproject.toml"}
    assert {one.name for one in source.iterdir()} == {
        *files,
        ".gitignore",
        "PKG-INFO",
        "docs",
        "hgld",
    }
    assert contents(built(source, tmp_path / "again", "wheel")) == contents(wheel)


def test_the_wheel_says_what_it_is_and_brings_the_command(wheel: Path) -> None:
    found = PathDistribution(zipfile.Path(wheel) / f"hgld-{hgld.__version__}.dist-info")
    assert found.version == hgld.__version__
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    about = found.metadata
    assert {*about.get_all("Provides-Extra", [])} == {*project["optional-dependencies"]}
    assert about["Requires-Python"] == project["requires-python"]
    assert about["License-Expression"] == project["license"]
    (command,) = found.entry_points.select(group="console_scripts")
    assert f"{command.module.replace('.', '/')}.py" in contents(wheel)
