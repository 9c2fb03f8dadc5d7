"""A build with guesses."""

from pathlib import Path

import pytest

from tests.worlds.review.guesses import write_guesses
from tests.worlds.review.lists import write_small_review


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A small build, the first guesses of which have pictures."""
    workspace = write_small_review(tmp_path / "build")
    write_guesses(workspace, pictures=3)
    return workspace.root
