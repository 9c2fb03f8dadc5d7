"""A small build to review, made once and copied for each test; sessions of it; and a server."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs `pip install 'hgld[review]'`")

from hgld.benchmarks.reviewing.chromium import Watch
from hgld.engine.workspace import Workspace
from hgld.pages.review.session import ReviewSession
from tests.hgld.pages.review.served import Served, serve_session
from tests.worlds.review.lists import small_settings, write_small_review

Opener = Callable[..., ReviewSession]
WIDE = {"width": 1280, "height": 800}
NARROW = {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def small_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a build and its taxonomy."""
    folder = tmp_path_factory.mktemp("small")
    write_small_review(folder / "build")
    return folder


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
        session = ReviewSession(
            workspace, read_only=read_only, propose=small_settings(workspace), scores_apart=False
        )
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
def served(session: ReviewSession, tmp_path: Path) -> Iterator[Served]:
    """The same on loopback."""
    with serve_session(session, tmp_path) as server:
        yield server


@pytest.fixture
def watch() -> Watch:
    """What all pages of a test do; at its end they must have broken no rule."""
    return Watch()
