"""What the tests of the retrieval benchmark share: a build, and one whose benchmark is done."""

import shutil
from pathlib import Path

import pytest

from hgld.benchmarks.retrieval.stage import run_benchmark
from hgld.engine.workspace import Workspace
from tests.worlds.benchmark_builds import CONFIG, write_build, write_run
from tests.worlds.commands.once import made_once


@pytest.fixture(scope="session")
def made_builds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build with pictures, labels and one run, and the same after its benchmark."""

    def make(folder: Path) -> None:
        build = Workspace(folder / "build")
        write_build(build)
        write_run(build)
        shutil.copytree(build.root, folder / "benchmarked")
        run_benchmark(Workspace(folder / "benchmarked"), CONFIG)

    return made_once(tmp_path_factory, "retrieval", make)


@pytest.fixture
def build(made_builds: Path, workspace: Workspace) -> Workspace:
    """A build with pictures, labels and one run."""
    shutil.copytree(made_builds / "build", workspace.root)
    return workspace


@pytest.fixture
def benchmarked(made_builds: Path, workspace: Workspace) -> Workspace:
    """A build whose benchmark is done."""
    shutil.copytree(made_builds / "benchmarked", workspace.root)
    return workspace


@pytest.fixture(scope="session")
def measured(made_builds: Path) -> Workspace:
    """A build whose benchmark is done, for tests that only read it."""
    return Workspace(made_builds / "benchmarked")
