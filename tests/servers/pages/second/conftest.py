"""The page of a build that nobody has decided, and persons at it."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hgld.benchmarks.reviewing.chromium import Watch
from hgld.benchmarks.reviewing.served import ServedPage
from tests.hgld.pages.review.conftest import WIDE
from tests.hgld.pages.review.second.reviewed import write_reviewed
from tests.worlds.review.lists import write_settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Seat = Callable[..., "Page"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServedPage]:
    """The page of a build that nobody has decided."""
    workspace = write_reviewed(tmp_path / "build", is_decided=False)
    write_settings(workspace)
    with ServedPage(workspace.root) as page:
        yield page


@pytest.fixture
def sit(chromium: "Browser", server: ServedPage, watch: Watch) -> Iterator[Seat]:
    """Gives a person a browser of their own; what goes wrong in it fails the test."""
    # While the server is killed, its feed is asked for again and again.
    watch.forgiven = ("net::ERR_",)
    with contextlib.ExitStack() as stack:

        def take(who: str, **more: object) -> "Page":
            context = chromium.new_context(**{"viewport": WIDE, **more})  # type: ignore[arg-type]
            stack.callback(context.close)
            watch.follow(context)
            context.add_cookies([{"name": "reviewer", "value": who, "url": server.url}])
            return context.new_page()

        yield take
    assert watch.strangers == set()
    assert watch.errors == []
