"""The page of a build with guesses, and a browser; as for the rest of the page."""

from pathlib import Path

import pytest

from hgld.benchmarks.reviewing.served import ServedPage
from hgld.engine.workspace import Workspace
from tests.hgld.pages.review.browser.conftest import Servers, gallery, seat, serve
from tests.worlds.review.guesses import write_guesses
from tests.worlds.review.lists import write_settings

__all__ = ["gallery", "seat", "serve"]


@pytest.fixture
def served(build: Workspace, serve: Servers) -> ServedPage:
    """The page of the small build, the first guesses of which have pictures."""
    write_guesses(build, pictures=3)
    write_settings(build)
    return serve(Path(build.root))
