"""The page as an application: nothing can be written, and only what is listed is read."""

from collections.abc import Callable
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.exceptions import HTTPException

from hgld.errors import HgldError
from hgld.pages.browse.addresses import LiveAddresses
from hgld.pages.browse.assets import ASSETS, MEDIA_TYPES, assets_version
from hgld.pages.browse.exhibit import Exhibit
from hgld.pages.browse.pages import PageWriter
from hgld.pages.browse.showing.downloads import release_files
from hgld.pages.browse.showing.finding import LONGEST_QUERY
from hgld.pages.serving.middleware import Guarded
from hgld.pages.serving.security import Guard
from hgld.pages.serving.thumbnails import Thumbnails

_FOREVER = "private, max-age=31536000, immutable"
_DAY = "private, max-age=86400"
_DIGITS = 9


def make_browse_app(exhibit: Exhibit, guard: Guard) -> FastAPI:
    """Makes the application.

    Args:
        exhibit: what is shown.
        guard: who may ask.
    """
    served = _Served(exhibit)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    answers: dict[str, Callable[..., Response]] = {
        "/": served.home,
        "/labels/{slug}": served.group,
        "/landmarks/{space}/{landmark_id}": served.landmark,
        "/search": served.search,
        "/changes": served.changes,
        "/downloads": served.downloads,
        "/files/{name:path}": served.file,
        "/picture/{name}": served.picture,
        "/static/{version}/{name:path}": served.asset,
    }
    for path, answer in answers.items():
        app.add_api_route(path, answer, methods=["GET", "HEAD"], response_model=None)

    async def unknown(_: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.NOT_FOUND
        return served.missing(status)

    async def failed(_: Request, error: Exception) -> Response:
        return served.missing(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))

    app.add_exception_handler(HTTPException, unknown)
    app.add_exception_handler(RequestValidationError, unknown)
    app.add_exception_handler(HgldError, failed)
    app.add_middleware(Guarded, guard=guard)
    return app


class _Served:
    """The answers."""

    def __init__(self, exhibit: Exhibit) -> None:
        self._exhibit = exhibit
        self._version = assets_version()
        self._writer = PageWriter(exhibit)
        self._to = LiveAddresses(self._version)
        self._files = release_files(exhibit.folder.folder)
        workspace = exhibit.folder.workspace
        self._thumbnails = (
            Thumbnails(exhibit.picture, workspace.root) if workspace is not None else None
        )

    def home(self) -> Response:
        return self._html(self._writer.home(self._to))

    def group(self, request: Request, slug: str) -> Response:
        return self._html(self._writer.group(self._to, slug, _page(request)))

    def landmark(self, space: str, landmark_id: int) -> Response:
        return self._html(self._writer.landmark(self._to, space, landmark_id))

    def search(self, request: Request) -> Response:
        query = request.query_params.get("q", "").strip()[:LONGEST_QUERY]
        return self._html(self._writer.search(self._to, query))

    def changes(self, request: Request) -> Response:
        return self._html(self._writer.changes(self._to, _page(request)))

    def downloads(self) -> Response:
        return self._html(self._writer.downloads(self._to))

    def file(self, name: str) -> Response:
        offered = {one.name for one in self._exhibit.downloads().files if one.can_fetch}
        path = self._files.get(name)
        inside = self._exhibit.folder.folder.resolve()
        if path is None or name not in offered or not path.resolve().is_relative_to(inside):
            return self.missing(HTTPStatus.NOT_FOUND)
        return FileResponse(
            path, media_type="application/octet-stream", filename=path.name
        )  # never opened as a page of ours

    def picture(self, request: Request, name: str) -> Response:
        try:
            small = None if self._thumbnails is None else self._thumbnails.of(name)
        except HgldError:
            self._exhibit.sights.broken.add(name)
            small = None
        if small is None:
            return self.missing(HTTPStatus.NOT_FOUND)
        headers = {"etag": f'"{small.tag}"', "cache-control": _DAY}
        if headers["etag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(small.content, media_type="image/jpeg", headers=headers)

    def asset(self, version: str, name: str) -> Response:
        path = ASSETS.get(name)
        if path is None or version != self._version:
            return self.missing(HTTPStatus.NOT_FOUND)
        headers = {"cache-control": _FOREVER}
        return FileResponse(path, media_type=MEDIA_TYPES[path.suffix], headers=headers)

    def missing(self, status: int, text: str = "") -> Response:
        return HTMLResponse(self._writer.missing(self._to, status, text), status)

    def _html(self, text: str | None) -> Response:
        return self.missing(HTTPStatus.NOT_FOUND) if text is None else HTMLResponse(text)


def _page(request: Request) -> int:
    """Returns which page is asked for; 0, which is none, where it is no number."""
    text = request.query_params.get("page", "1")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else 0
