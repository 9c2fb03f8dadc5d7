"""Builds to review, the page served for them, and a browser."""

import contextlib
import os
import re
import shutil
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hgld.benchmarks.reviewing.chromium import Watch
from hgld.benchmarks.reviewing.desk import Desk
from hgld.benchmarks.reviewing.served import ServedPage
from hgld.labels.embedding import stage as embed
from tests.hgld.pages.review.conftest import WIDE
from tests.worlds.builders import TrigramEncoder
from tests.worlds.review.lists import write_review_list

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Seats = Callable[..., Desk]
Servers = Callable[..., ServedPage]


@pytest.fixture(scope="session")
def long_list(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of 10,000 labels in 150 clusters, to be copied: 16 s of work."""
    return _written(tmp_path_factory.mktemp("long"), labels=10_000, clusters=150)


@pytest.fixture(scope="session")
def short_list(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of 200 labels in 12 clusters, to be copied."""
    return _written(tmp_path_factory.mktemp("short"), labels=200, clusters=12)


def _written(folder: Path, labels: int, clusters: int) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embed, "load_encoder", lambda _: TrigramEncoder())
        return write_review_list(folder / "build", labels, clusters).root


@pytest.fixture
def build(short_list: Path, tmp_path: Path) -> Path:
    """A small build that nobody has reviewed."""
    return Path(shutil.copytree(short_list, tmp_path / "build"))


@pytest.fixture
def served(build: Path, serve: Servers) -> ServedPage:
    """Its page."""
    return serve(build)


@pytest.fixture
def serve() -> Iterator[Servers]:
    """Serves builds until the end of a test: longer than `seat` looks at them."""
    with contextlib.ExitStack() as stack:
        yield lambda root, *options: stack.enter_context(ServedPage(root, *options))


@pytest.fixture
def seat(chromium: "Browser", watch: Watch, serve: Servers) -> Iterator[Seats]:
    """Gives a person a browser of their own with the page open."""
    del serve  # what it serves outlives the browser, which follows its feed
    with contextlib.ExitStack() as stack:

        def take(
            server: ServedPage, reviewer: str = "ann", path: str = "", **options: object
        ) -> Desk:
            context = chromium.new_context(**{"viewport": WIDE, **options})  # type: ignore[arg-type]
            stack.callback(context.close)
            watch.follow(context)
            return Desk(context.new_page(), server.url).open(path, reviewer)

        yield take
    assert watch.strangers == set()
    assert watch.errors == []


@pytest.fixture(scope="module")
def lasting(short_list: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedPage]:
    """A page of the small build for all tests of a file: a server takes seconds to start."""
    root = shutil.copytree(short_list, tmp_path_factory.mktemp("lasting") / "build")
    with ServedPage(Path(root)) as server:
        yield server


@pytest.fixture
def desk(lasting: ServedPage, seat: Seats) -> Desk:
    """Such a page, of which nothing that was decided counts, and at which Ann sits."""
    _start_over(lasting)
    return seat(lasting)


def _start_over(server: ServedPage) -> None:
    """Has the page go back to before the first line, as a person who is not Ann."""
    with urllib.request.urlopen(server.url) as answer:
        token = re.search('name="review-token" content="([^"]+)"', answer.read().decode())
    assert token
    headers = {"X-Review-Token": token[1], "Cookie": "reviewer=caretaker"}
    request = urllib.request.Request(f"{server.url}jump/0", b"seen=0", headers)
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200


@pytest.fixture(scope="session")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of the page are kept: `REVIEW_SCREENSHOTS`, or a folder of pytest's."""
    named = os.environ.get("REVIEW_SCREENSHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
