"""A browser whose pages are watched, and reviews that are looked at in it."""

import contextlib
import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.servers.pages.looking import WIDE
from tests.servers.pages.serving import OpenReview, review_served
from tests.worlds.review.desk import Desk
from tests.worlds.watch import Watch

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Opener = Callable[..., "Page"]
Servers = Callable[..., OpenReview]
Seats = Callable[..., Desk]


@pytest.fixture(scope="session", autouse=True)
def imported() -> None:
    """Before any test, since it sets variables of the environment."""
    importlib.import_module("sklearn")


@pytest.fixture
def watch() -> Watch:
    """What all pages of a test do."""
    return Watch()


@pytest.fixture
def at_end() -> Iterator[contextlib.ExitStack]:
    """What is ended when no page of the test is open any more: pages follow their server."""
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def opener(
    chromium: "Browser",
    watch: Watch,
    at_end: contextlib.ExitStack,  # noqa: ARG001 - to be ended after the pages
) -> Iterator[Opener]:
    """Opens pages, each in a context of its own.

    What goes wrong in one, or is asked of anybody beyond this machine, fails the test.
    """
    with contextlib.ExitStack() as stack:

        def opens(address: str, cookies: object = (), **options: Any) -> "Page":  # noqa: ANN401 - of playwright
            context = chromium.new_context(**{"viewport": WIDE, **options})
            stack.callback(context.close)
            watch.follow(context)
            context.add_cookies(list(cookies))  # type: ignore[call-overload]
            page = context.new_page()
            page.set_default_timeout(20_000)
            page.goto(address)
            return page

        yield opens
    assert {one for one in watch.strangers if not one.startswith(("file:", "about:"))} == set()
    assert watch.errors == []


@pytest.fixture
def serve(at_end: contextlib.ExitStack) -> Servers:
    """Serves reviews until the end of the test."""
    return lambda root, **options: at_end.enter_context(review_served(root, **options))


@pytest.fixture
def visit(opener: Opener) -> Seats:
    """Gives a person a browser of their own, at an address where nothing may have the focus."""

    def go(url: str, reviewer: str, address: str, **options: object) -> Desk:
        named = [{"name": "reviewer", "value": quote(reviewer), "url": url}] if reviewer else []
        return Desk(opener(address, named, **options), url)

    return go


@pytest.fixture
def seat(visit: Seats) -> Seats:
    """Gives a person a browser of their own, with a review open."""

    def take(url: str, reviewer: str = "ann", path: str = "", **options: object) -> Desk:
        return visit(url, reviewer, "about:blank", **options).open(path)

    return take


@pytest.fixture
def served(build: Path, serve: Servers) -> OpenReview:
    """The review of the test's own build."""
    return serve(build)


@pytest.fixture
def desk(served: OpenReview, seat: Seats) -> Desk:
    """Ann, who has it open."""
    return seat(served.url)
