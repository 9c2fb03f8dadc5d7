"""A small build to review, made once and copied for each test; sessions of it; and its page."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.pages.review.session import ReviewSession
from tests.hgld.pages.review.served import Served, open_page
from tests.worlds.commands.once import made_once
from tests.worlds.review.lists import small_settings, write_small_review

Opener = Callable[..., ReviewSession]


@pytest.fixture(scope="session")
def small_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a build and its taxonomy."""
    return made_once(
        tmp_path_factory, "small-review", lambda folder: write_small_review(folder / "build")
    )


@pytest.fixture
def build(tmp_path: Path, small_build: Path) -> Workspace:
    """A copy of it."""
    shutil.copytree(small_build, tmp_path / "copy")
    return Workspace(tmp_path / "copy/build")


@pytest.fixture
def opener() -> Iterator[Opener]:
    """What opens sessions that are closed at the end of the test."""
    opened = []

    def opens(workspace: Workspace, *, read_only: bool = False) -> ReviewSession:
        settings = small_settings(workspace)
        session = ReviewSession(workspace, read_only=read_only, propose=settings)
        opened.append(session)
        assert session.settle()
        return session

    yield opens
    for session in opened:
        session.close()


@pytest.fixture
def session(build: Workspace, opener: Opener) -> ReviewSession:
    """The review of the small build."""
    return opener(build)


@pytest.fixture
def served(session: ReviewSession, tmp_path: Path) -> Served:
    """Its page."""
    return open_page(session, tmp_path)
