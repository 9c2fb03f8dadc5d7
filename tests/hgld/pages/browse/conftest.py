"""A finished build, made once, and copies of it."""

import shutil
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.pages.browse.pages import BrowsePages
from tests.hgld.pages.browse.world import released_alone, write_finished


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A build with two releases, to be looked at and not changed."""
    return write_finished(tmp_path_factory.mktemp("browse") / "build")


@pytest.fixture
def build(finished: Workspace, tmp_path: Path) -> Workspace:
    """A copy of it."""
    return Workspace(Path(shutil.copytree(finished.root, tmp_path / "build")))


@pytest.fixture(scope="session")
def alone(finished: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its release without the build, as users pull it."""
    return released_alone(finished, tmp_path_factory.mktemp("release") / "release")


@pytest.fixture(scope="session")
def pages(finished: Workspace) -> BrowsePages:
    """The pages of the build."""
    return BrowsePages(finished.root)
