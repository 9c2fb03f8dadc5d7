"""The pages served on this machine: nothing can be written, and only what is listed is read."""

import contextlib
from collections.abc import Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from hgld.pages.browse.pages import ASSETS, HOME, BrowsePages
from hgld.pages.serving.listening import PageServer, address_of, listen, open_browser
from hgld.pages.serving.middleware import Guarded
from hgld.pages.serving.security import REPORT_HEADERS, Guard
from hgld.pages.serving.thumbnails import picture_answer


def serve_browse(
    root: Path, *, host: str, port: int, token: str, opens_browser: bool, say: Callable[[str], None]
) -> None:
    """Serves a data set until Ctrl-C.

    Args:
        root: a build, its annotations/, or a release.
        host: the address to bind.
        port: 0: any free port. If it is taken: the next free one.
        token: the secret that visitors need; required if others can reach the address.
        opens_browser: whether a browser is opened.
        say: told the address.

    Raises:
        InputError: no such data set; or the address is not free, or others can reach it and there
            is no token.
        DamagedError: a table cannot be read.
    """
    with contextlib.closing(listen(host, port)) as listening:
        port = listening.getsockname()[1]
        guard = Guard(host=host, port=port, access=token, read_only=True, page="browse")
        say(f"reading {root} ...")
        app = make_browse_app(root, guard)
        url = address_of(guard)
        say(f"data set of {root}: {url}  (Ctrl-C ends it; nothing is written)")
        if opens_browser:
            open_browser(url)
        PageServer(app).run(sockets=[listening])


def make_browse_app(root: Path, guard: Guard) -> Starlette:
    """Makes the application.

    Args:
        root: a build, its annotations/, or a release.
        guard: who may ask.

    Raises:
        InputError: no such data set.
        DamagedError: a table cannot be read.
    """
    pages = BrowsePages(root, has_reports=True)
    files = {f"files/{name}": file.path for name, file in pages.files.items()}
    assets = {f"static/{name}": path for name, path in ASSETS.items()}

    def answer(request: Request) -> Response:
        path: str = request.path_params["path"]
        if not path or path.endswith("/"):
            path += HOME
        if path in assets:
            return FileResponse(assets[path])
        if path in files:  # never opened as a page of ours
            name = files[path].name
            return FileResponse(files[path], media_type="application/octet-stream", filename=name)
        if (small := pages.picture(path)) is not None:
            return picture_answer(small, request)
        text = pages.text(path)
        if text is None and (report := pages.report(path)) is not None:
            return HTMLResponse(report, headers=REPORT_HEADERS)
        if text is None:
            return HTMLResponse(pages.missing(path), 404)
        return Response(text, media_type="text/javascript" if path.endswith(".js") else "text/html")

    return Starlette(
        routes=[Route("/{path:path}", answer)], middleware=[Middleware(Guarded, guard=guard)]
    )
