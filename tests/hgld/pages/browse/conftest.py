"""A finished build, made once; copies of it; and a browser."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("fastapi", reason="needs `pip install 'hgld[review]'`")

from hgld.benchmarks.reviewing.chromium import PROGRAM, started_chromium
from hgld.engine.workspace import Workspace
from hgld.pages.browse.exhibit import Exhibit
from tests.hgld.pages.browse.world import released_alone, write_finished

if TYPE_CHECKING:
    from playwright.sync_api import Browser


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
def exhibit(finished: Workspace) -> Exhibit:
    """The build, held open."""
    return Exhibit(finished.root)


@pytest.fixture(scope="module")
def chromium() -> Iterator["Browser"]:
    """A browser for the tests of a file."""
    if shutil.which(PROGRAM) is None:
        pytest.skip(f"needs {PROGRAM}: apt-get install {PROGRAM}")
    pytest.importorskip("playwright", reason="needs playwright: pip install playwright")
    with started_chromium() as browser:
        yield browser
