"""Pages on loopback, served by a thread of the tests, and folders as any web server shows them."""

import contextlib
import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.labels.taxonomy.rows import load_taxonomy_tables
from hgld.pages.browse.app import make_browse_app
from hgld.pages.review.app import make_app
from hgld.pages.review.rendering import PageSettings
from hgld.pages.review.session import ReviewSession
from hgld.pages.serving.listening import PageServer, listen
from hgld.pages.serving.security import Guard
from tests.worlds.review.lists import small_settings

_END_S = 20.0
_taxonomy = functools.cache(load_taxonomy_tables)  # half of what it costs to open a review


@dataclass(frozen=True, slots=True)
class OpenReview:
    """The review of a build, and where it is served."""

    root: Path
    session: ReviewSession
    url: str


@contextlib.contextmanager
def review_served(root: Path, *, read_only: bool = False) -> Iterator[OpenReview]:
    """Serves the review of a build."""
    workspace = Workspace(root)
    settings = small_settings(workspace)
    has_own = settings.taxonomy is not None and settings.taxonomy.is_dir()
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr("hgld.pages.review.session.load_taxonomy_tables", _taxonomy)
        session = ReviewSession(
            workspace, read_only=read_only, propose=settings if has_own else None
        )
        stack.enter_context(contextlib.closing(session))

        def page_at(port: int) -> PageServer:
            app = make_app(session, PageSettings(guard=Guard(port=port, read_only=read_only)))
            return PageServer(app)

        url = stack.enter_context(_running(page_at))
        yield OpenReview(root, session, f"{url}/")


@contextlib.contextmanager
def data_set_served(root: Path) -> Iterator[str]:
    """Serves the page of a data set; yields its address without a slash."""

    def page_at(port: int) -> PageServer:
        guard = Guard(port=port, read_only=True, page="browse")
        return PageServer(make_browse_app(root, guard))

    with _running(page_at) as url:
        yield url


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def folder_served(folder: Path) -> Iterator[str]:
    """Serves a folder as `python -m http.server` does; yields its address without a slash."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def _running(page_at: Callable[[int], PageServer]) -> Iterator[str]:
    """Runs a server; who asks before it has started waits in the queue of its address."""
    with contextlib.closing(listen("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
        server = page_at(port)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join(_END_S)
            assert not thread.is_alive()
