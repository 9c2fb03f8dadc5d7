"""A build that was reviewed in events."""

import pytest

from hgld.engine.workspace import Workspace
from tests.hgld.review.log.acts import write_acted


@pytest.fixture
def acted(workspace: Workspace) -> Workspace:
    """Four classes, and edits of all kinds of which some are switched off."""
    return write_acted(workspace)
