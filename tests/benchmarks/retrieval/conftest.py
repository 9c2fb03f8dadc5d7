"""What the tests of the retrieval benchmark share: a build whose benchmark is done."""

import shutil
from pathlib import Path

import pytest

from hgld.benchmarks.datasets.retrieval_data import read_data_set
from hgld.benchmarks.retrieval.protocol import Protocol, protocol_of_data_set
from hgld.benchmarks.retrieval.stage import run_benchmark
from hgld.engine.workspace import Workspace
from tests.benchmarks.datasets.worlds import write_sop
from tests.worlds.benchmark_builds import CONFIG, write_build, write_run
from tests.worlds.commands.once import made_once


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A build whose benchmark is done, for tests that only read it."""

    def make(folder: Path) -> None:
        write_build(Workspace(folder))
        write_run(Workspace(folder))
        run_benchmark(Workspace(folder), CONFIG)

    return Workspace(made_once(tmp_path_factory, "retrieval", make))


def protocol_of(name: str, folder: Path) -> Protocol:
    """Returns how a data set in a folder is searched with embeddings alone."""
    return protocol_of_data_set(read_data_set(name, folder), with_pictures=False)


@pytest.fixture
def products(tmp_path: Path) -> Protocol:
    """Four products, of which each image searches all others."""
    return protocol_of("sop", write_sop(tmp_path))


@pytest.fixture
def benchmarked(measured: Workspace, workspace: Workspace) -> Workspace:
    """A build whose benchmark is done."""
    shutil.copytree(measured.root, workspace.root)
    return workspace
