"""A build that was reviewed in events."""

import pytest

from hgld.engine.workspace import Workspace
from tests.hgld.review.log.acts import write_acted


@pytest.fixture
def acted(workspace: Workspace) -> Workspace:
    """Four classes, decided by bulk edits of which some are switched off, and by a sheet."""
    return write_acted(workspace)
