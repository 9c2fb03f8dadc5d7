"""Releases that are made once, and builds that begin with one."""

import shutil
from pathlib import Path

import pytest

from hgld.annotations.stage import AnnotateConfig
from hgld.engine.workspace import Workspace
from tests.hgld.annotations.release.worlds import ALL, kept, release
from tests.hgld.annotations.world import write_bad, write_fills, write_inputs
from tests.worlds.commands.once import made_once


def _released(factory: pytest.TempPathFactory, name: str, config: AnnotateConfig) -> Path:
    """Returns a folder with a released build, and a copy of the release as its users have it."""

    def make(folder: Path) -> None:
        workspace = Workspace(folder / "build")
        write_inputs(workspace)
        write_fills(workspace)
        write_bad(workspace, {"train": ["a0"], "index": [], "test": []})
        kept(release(workspace, annotate=config), "release")

    return made_once(factory, name, make)


@pytest.fixture(scope="session")
def first_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build with its first release; nobody changes it."""
    return _released(tmp_path_factory, "release-first", ALL) / "build"


@pytest.fixture
def published(first_build: Path, workspace: Workspace) -> Workspace:
    """A build with its first release, to go on with."""
    shutil.copytree(first_build, workspace.root)
    return workspace


@pytest.fixture
def before(published: Workspace) -> Path:
    """The first release of that build, as its users have it."""
    return kept(published.path("annotations"), "before")


@pytest.fixture(scope="session")
def released(first_build: Path) -> Path:
    """Its release, as users have it; nobody changes it."""
    return first_build.parent / "release"


@pytest.fixture(scope="session")
def released_with_all(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release with all that there may be: labels that no class gives, a bad picture, shards."""
    config = AnnotateConfig(train="all", fills=True, pictures=True, images_per_shard=1)
    return _released(tmp_path_factory, "release-all", config) / "release"
