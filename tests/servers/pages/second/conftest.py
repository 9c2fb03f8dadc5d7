"""A build that ann has decided."""

from pathlib import Path

import pytest

from tests.hgld.pages.review.second.reviewed import write_reviewed


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """Thirty classes in five clusters."""
    return write_reviewed(tmp_path / "build").root
