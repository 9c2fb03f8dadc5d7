"""A build that ann has decided."""

from pathlib import Path

import pytest

from tests.hgld.pages.review.desks.reviewed import write_reviewed
from tests.worlds.commands.once import made_once


@pytest.fixture(scope="session")
def small_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a build that ann has decided, and its taxonomy."""
    return made_once(
        tmp_path_factory, "decided-review", lambda folder: write_reviewed(folder / "build")
    )
