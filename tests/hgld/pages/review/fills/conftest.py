"""The small build with guesses, and their view."""

import pytest

from hgld.engine.workspace import Workspace
from hgld.pages.review.fills.desk import FillsDesk, FillsPlace
from hgld.pages.review.session import ReviewSession
from tests.hgld.pages.review.conftest import Opener
from tests.worlds.review.guesses import write_guesses


@pytest.fixture
def session(build: Workspace, opener: Opener) -> ReviewSession:
    """The review of a build with guesses, the first three of which have a picture."""
    write_guesses(build, pictures=3)
    return opener(build)


@pytest.fixture
def desk(session: ReviewSession) -> FillsDesk:
    """The view, with pictures."""
    desk = FillsDesk(session)
    desk.look(FillsPlace())
    desk.wait()
    return desk
