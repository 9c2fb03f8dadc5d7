import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hgld.loading.world import draw_pictures, write_annotated
from tests.worlds.gldv2.folder_server import FolderServer, serve


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a build with annotations and pictures, which no test changes."""
    root = tmp_path_factory.mktemp("loading") / "build"
    write_annotated(root)
    draw_pictures(root)
    return root


@pytest.fixture(scope="session")
def built_with_fills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with landmarks that have a label and not of their classes."""
    root = tmp_path_factory.mktemp("loading-fills") / "build"
    write_annotated(root, has_fills=True)
    draw_pictures(root)
    return root


@pytest.fixture
def copied(built: Path, tmp_path: Path) -> Path:
    """Annotations that a test may damage."""
    return Path(shutil.copytree(built / "annotations", tmp_path / "annotations"))


@pytest.fixture
def served(built: Path) -> Iterator[FolderServer]:
    """The same over HTTP."""
    with serve(built) as server:
        yield server
