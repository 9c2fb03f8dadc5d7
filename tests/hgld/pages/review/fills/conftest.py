"""The small build with guesses, the first three of which have a picture."""

import pytest

from hgld.engine.workspace import Workspace
from hgld.pages.review.session import ReviewSession
from tests.hgld.pages.review.conftest import Opener
from tests.worlds.review.guesses import write_guesses


@pytest.fixture
def session(build: Workspace, opener: Opener) -> ReviewSession:
    """Its review."""
    write_guesses(build, pictures=3)
    return opener(build)
