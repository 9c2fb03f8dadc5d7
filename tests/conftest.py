"""What every test may ask for."""

from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace

pytest_plugins = ["tests.worlds.wikimedia.lab"]

_SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the checkout, where there is one."""
    if not _SHARED.is_dir():
        pytest.skip("needs the shared data folder beside the checkout (../shared)")
    return _SHARED


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty build folder."""
    return Workspace(tmp_path / "build")
