import shutil
from pathlib import Path

import pytest

from tests.hgld.loading.world import draw_pictures, write_annotated


def _built(factory: pytest.TempPathFactory, *, has_fills: bool) -> Path:
    root = factory.mktemp("loading") / "build"
    write_annotated(root, has_fills=has_fills)
    draw_pictures(root)
    return root


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a build with annotations and pictures, which no test changes."""
    return _built(tmp_path_factory, has_fills=False)


@pytest.fixture(scope="session")
def built_with_fills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with landmarks that have a label and not of their classes."""
    return _built(tmp_path_factory, has_fills=True)


@pytest.fixture
def copied(built: Path, tmp_path: Path) -> Path:
    """Annotations that a test may damage."""
    return Path(shutil.copytree(built / "annotations", tmp_path / "annotations"))
