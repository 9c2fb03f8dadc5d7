"""The page and the site of a small data set with hostile names, and a browser that is watched."""

import contextlib
import functools
import http.server
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hgld.benchmarks.reviewing.chromium import Watch
from hgld.engine.workspace import Workspace
from hgld.pages.browse.site.writer import SiteConfig, write_site
from tests.hgld.pages.browse.serving.served import serving
from tests.hgld.pages.browse.world import write_hostile

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Opener = Callable[..., "Page"]


class Quiet(http.server.SimpleHTTPRequestHandler):
    """What `python -m http.server` answers, without a log."""

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextlib.contextmanager
def site_served(folder: Path) -> Iterator[str]:
    """Serves a folder as `python -m http.server` does, and yields its address."""
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A build whose names are long, or attacks."""
    return write_hostile(tmp_path_factory.mktemp("hostile") / "build")


@pytest.fixture(scope="module", params=["page", "site", "site of many"])
def shown(
    hostile: Workspace, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator["Shown"]:
    """The data set as a page; as a site; and as one whose landmarks share pages."""
    if request.param == "page":
        with serving(hostile.root) as server:
            yield Shown(server.url, is_site=False)
        return
    folder = tmp_path_factory.mktemp("site") / "site"
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "site of many":
            patch.setattr("hgld.pages.browse.site.writer.OWN_PAGES", 0)
        write_site(hostile.root, folder, SiteConfig())
    with site_served(folder) as url:
        yield Shown(url, is_site=True, several=request.param == "site of many")


class Shown:
    """Where a data set is shown, and where its pages are."""

    def __init__(self, url: str, *, is_site: bool, several: bool = False) -> None:
        self.url, self.is_site, self.several = url, is_site, several

    @property
    def name(self) -> str:
        """In names of screenshots."""
        return ("many" if self.several else "site") if self.is_site else "page"

    def pages(self) -> dict[str, str]:
        """Returns one page of each kind."""
        if not self.is_site:
            return {
                "home": "/",
                "label": "/labels/church",
                "none": "/labels/no-label-no-item",
                "landmark": "/landmarks/train/1",
                "unlabelled": "/landmarks/train/4",
                "search": "/search?q=c",
                "changes": "/changes",
                "downloads": "/downloads",
                "found": "/search?q=zzzz",
            }
        one = {"landmark": "landmarks/train/0/1.html", "unlabelled": "landmarks/train/0/4.html"}
        many = {
            "landmark": "landmarks/church/#train-1",
            "unlabelled": "landmarks/no-label-no-item/",
        }
        pages = {
            "home": "",
            "label": "labels/church/",
            "none": "labels/no-label-no-item/",
            **(many if self.several else one),
            "search": "search.html?q=c",
            "changes": "changes/",
            "downloads": "downloads.html",
            "found": "search.html?q=zzzz",
        }
        return {name: f"/{path}" for name, path in pages.items()}


@pytest.fixture
def watch() -> Watch:
    """What the pages of a test do."""
    return Watch()


@pytest.fixture
def serve() -> Iterator[Callable[[Path], str]]:
    """Serves folders until the pages of `opener` are closed: Chromium asks late for icons."""
    with contextlib.ExitStack() as stack:
        yield lambda folder: stack.enter_context(site_served(folder))


@pytest.fixture
def opener(chromium: "Browser", watch: Watch, serve: object) -> Iterator[Opener]:  # noqa: ARG001
    """Opens pages that ask nobody beyond this machine, and say no error."""
    with contextlib.ExitStack() as stack:

        def opens(address: str, **options: Any) -> "Page":  # noqa: ANN401 - of playwright
            context = chromium.new_context(**options)
            stack.callback(context.close)
            watch.follow(context)
            page = context.new_page()
            page.goto(address)
            return page

        yield opens
    assert watch.strangers == set()
    assert watch.errors == []


@pytest.fixture(scope="session")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots are kept: `BROWSE_SCREENSHOTS`, or a folder of pytest's."""
    named = os.environ.get("BROWSE_SCREENSHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
