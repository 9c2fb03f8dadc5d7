"""The pages served on this machine: nothing can be written, and only what is listed is read."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from hgld.errors import InputError
from hgld.pages.browse import BROWSE_PORT
from hgld.pages.browse.images import PICTURE_FOLDER
from hgld.pages.browse.pages import ASSETS, HOME, BrowsePages
from hgld.pages.serving.listening import PageServer, address_of, listen, open_browser
from hgld.pages.serving.middleware import Guarded
from hgld.pages.serving.security import Guard

_DAY = "private, max-age=86400"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowseConfig:
    """How the pages are served."""

    host: str = "127.0.0.1"
    port: int = BROWSE_PORT
    """0: any free port. If it is taken: the next free one."""
    token: str = ""
    """The secret that visitors need; required if others can reach the address."""
    opens_browser: bool = True


def serve_browse(root: Path, config: BrowseConfig, say: Callable[[str], None] = print) -> None:
    """Serves a data set until Ctrl-C.

    Args:
        root: a build, its annotations/, or a release.
        config: how.
        say: told the address.

    Raises:
        InputError: no such data set; or the address is not free, or others can reach it and there
            is no token.
        DamagedError: a table cannot be read.
    """
    listening = listen(config.host, config.port)
    with contextlib.closing(listening):
        port = listening.getsockname()[1]
        try:
            guard = Guard(
                host=config.host, port=port, access=config.token, read_only=True, page="browse"
            )
        except ValueError as error:
            raise InputError(str(error)) from error
        say(f"reading {root} ...")
        app = make_browse_app(root, guard)
        url = address_of(guard)
        say(f"data set of {root}: {url}  (Ctrl-C ends it; nothing is written)")
        if config.opens_browser:
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
    pages = BrowsePages(root)
    files = {f"files/{file.name}": file.path for file in pages.files}
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
        if path.startswith(f"{PICTURE_FOLDER}/"):
            return _picture(pages, path, request.headers.get("if-none-match", ""))
        text = pages.text(path)
        if text is None:
            return HTMLResponse(pages.missing(path), HTTPStatus.NOT_FOUND)
        return Response(text, media_type="text/javascript" if path.endswith(".js") else "text/html")

    return Starlette(
        routes=[Route("/{path:path}", answer)], middleware=[Middleware(Guarded, guard=guard)]
    )


def _picture(pages: BrowsePages, path: str, known: str) -> Response:
    small = pages.picture(path)
    if small is None:
        return HTMLResponse(pages.missing(path), HTTPStatus.NOT_FOUND)
    headers = {"etag": f'"{small.tag}"', "cache-control": _DAY}
    if headers["etag"] in known:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(small.content, media_type="image/jpeg", headers=headers)
