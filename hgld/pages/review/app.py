"""The page as an application: its addresses, and what becomes of errors."""

import asyncio
import contextlib
import mimetypes
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.staticfiles import StaticFiles

from hgld.errors import HgldError
from hgld.pages.review.acting.asking import RefusedError
from hgld.pages.review.fills.routes import fills_router
from hgld.pages.review.second.routes import second_router
from hgld.pages.review.serving.answers import Answers, Fields
from hgld.pages.review.serving.feed import Feed
from hgld.pages.review.serving.rendering import PageSettings, Rendering, asked_number, fields_of
from hgld.pages.review.session import ReviewSession
from hgld.pages.serving.middleware import Guarded

if TYPE_CHECKING:
    from starlette.types import Scope

_FOREVER = "private, max-age=31536000, immutable"


def make_app(session: ReviewSession, settings: PageSettings) -> FastAPI:
    """Makes the application.

    Args:
        session: what is reviewed; who made it closes it.
        settings: who may ask, and where templates and static files lie.

    Returns:
        The application; `app.state.feed` is to be closed when the server ends, and
        `app.state.rendering` may be told to compile.
    """
    answers, feed = Answers(session, settings), Feed(session)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        following = asyncio.create_task(feed.run())
        yield
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.state.feed, app.state.rendering = feed, answers.rendering
    _add_reads(app, answers, feed)
    _add_writes(app, answers)
    app.include_router(second_router(session, settings, answers.rendering))
    app.include_router(fills_router(session, settings, answers.rendering))
    _add_errors(app, answers.rendering)
    mimetypes.add_type("text/javascript", ".js")
    mimetypes.add_type("text/javascript", ".mjs")
    if settings.static.is_dir():
        static = _Static(directory=settings.static)
        app.mount(answers.rendering.static, static, name="static")
    app.add_middleware(Guarded, guard=settings.guard)
    return app


class _Static(StaticFiles):
    """Files whose address holds a digest of them all."""

    async def get_response(self, path: str, scope: "Scope") -> Response:
        answer = await super().get_response(path, scope)
        answer.headers["cache-control"] = _FOREVER
        return answer


def _add_reads(app: FastAPI, answers: Answers, feed: Feed) -> None:
    reads: dict[str, Callable[..., Response]] = {
        "/": answers.front,
        "/bench": answers.bench,
        "/history": answers.history,
        "/search": answers.search,
        "/similar": answers.similar,
        "/map": answers.map,
        "/map.json": answers.points,
        "/labels.json": answers.labels,
        "/progress.json": answers.progress,
    }
    reads |= {"/revert/{number}": answers.dependents, "/picture/{image_id}": answers.picture}
    for path, answer in reads.items():
        app.add_api_route(path, answer, methods=["GET", "HEAD"], response_model=None)

    async def follow(request: Request) -> Response:
        line = asked_number(request.query_params, "line")
        return StreamingResponse(feed.events(line), media_type="text/event-stream")

    app.add_api_route("/feed", follow, methods=["GET"], response_model=None)


def _add_writes(app: FastAPI, answers: Answers) -> None:
    writes: dict[str, Callable[[str, Fields], Response]] = {
        "/act": answers.act,
        "/preview": answers.preview,
        "/undo": answers.undo,
        "/redo": answers.redo,
        "/name": answers.name,
        "/seen": answers.seen,
    }
    for path, answer in writes.items():
        app.add_api_route(path, _write(answers, answer), methods=["POST"], response_model=None)

    async def revert(request: Request, number: int) -> Response:
        fields = await fields_of(request)
        return await run_in_threadpool(answers.revert, answers.who(request), fields, number)

    async def restore(request: Request, number: int) -> Response:
        fields = await fields_of(request)
        return await run_in_threadpool(answers.restore, answers.who(request), fields, number)

    async def jump(request: Request, line: int) -> Response:
        fields = await fields_of(request)
        return await run_in_threadpool(answers.jump, answers.who(request), fields, line)

    app.add_api_route("/revert/{number}", revert, methods=["POST"], response_model=None)
    app.add_api_route("/restore/{number}", restore, methods=["POST"], response_model=None)
    app.add_api_route("/jump/{line}", jump, methods=["POST"], response_model=None)


def _write(
    answers: Answers, answer: Callable[[str, Fields], Response]
) -> Callable[[Request], object]:
    async def write(request: Request) -> Response:
        fields = await fields_of(request)
        return await run_in_threadpool(answer, answers.who(request), fields)

    return write


def _add_errors(app: FastAPI, rendering: Rendering) -> None:
    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, RefusedError)  # noqa: S101 - for the type checker
        return rendering.refusal(error)

    async def failed(_: Request, error: Exception) -> Response:
        return rendering.error(500, str(error))

    async def unknown(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - for the type checker
        words = {404: "there is no such page", 405: "this page cannot be asked so"}
        return rendering.error(error.status_code, words.get(error.status_code, str(error.detail)))

    async def unreadable(_: Request, __: Exception) -> Response:
        return rendering.error(422, "this address has a number that is none; go back to the page")

    async def too_long(_: Request, __: Exception) -> Response:
        return rendering.error(413, "what was sent is too long, or was cut off")

    app.add_exception_handler(RefusedError, refused)
    app.add_exception_handler(HgldError, failed)
    app.add_exception_handler(HTTPException, unknown)
    app.add_exception_handler(RequestValidationError, unreadable)
    app.add_exception_handler(ClientDisconnect, too_long)
