"""The page as an application: its addresses, what they answer, and what becomes of errors."""

import asyncio
import contextlib
import mimetypes
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.staticfiles import StaticFiles

from hgld.errors import HgldError
from hgld.pages.review.feed import Feed
from hgld.pages.review.files import Files
from hgld.pages.review.fills.routes import fills_router
from hgld.pages.review.rendering import (
    REVIEWER_COOKIE,
    PageSettings,
    Rendering,
    asked_number,
    checked_name,
    fields_of,
    reviewer_of,
)
from hgld.pages.review.requests import Place, RefusedError, act_request_of, place_of
from hgld.pages.review.second.routes import second_router
from hgld.pages.review.session import ReviewSession
from hgld.pages.review.views import Conflict, Outcome, Question
from hgld.pages.serving.middleware import Guarded

if TYPE_CHECKING:
    from starlette.types import Scope

Fields = list[tuple[str, str]]


class Write(Protocol):
    """What answers a write: of who asks, and the fields of a form."""

    __name__: str

    def __call__(self, reviewer: str, fields: Fields, /) -> Response:
        """Does it."""
        ...


_FOREVER = "private, max-age=31536000, immutable"
_YEAR_S = 365 * 24 * 3600
_LONGEST_QUERY = 200


def make_app(session: ReviewSession, settings: PageSettings) -> FastAPI:
    """Makes the application.

    Args:
        session: what is reviewed; who made it closes it.
        settings: who may ask, and where templates and static files lie.

    Returns:
        The application; `app.state.feed` is to be closed when the server ends, and
        `app.state.rendering` may be told to compile.
    """
    rendering, feed = Rendering(settings), Feed(session)
    rendering.tell(has_fills=session.has_fills, has_second=session.has_second)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        following = asyncio.create_task(feed.run())
        yield
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.state.feed, app.state.rendering = feed, rendering
    answers = _Answers(session, settings, rendering)
    _add_reads(app, answers, feed)
    files = Files(session, settings, rendering)
    files.add_to(app)
    _add_writes(app, (*answers.writes, files.imported), settings)
    app.include_router(second_router(session, settings, rendering))
    app.include_router(fills_router(session, settings, rendering))
    _add_errors(app, rendering)
    mimetypes.add_type("text/javascript", ".js")
    app.mount(rendering.static, _Static(directory=settings.static), name="static")
    app.add_middleware(Guarded, guard=settings.guard)
    return app


class _Static(StaticFiles):
    """Files whose address holds a digest of them all."""

    async def get_response(self, path: str, scope: "Scope") -> Response:
        answer = await super().get_response(path, scope)
        answer.headers["cache-control"] = _FOREVER
        return answer


class _Answers:
    """The answers: reads take a request, writes who asks and the fields of a form."""

    def __init__(
        self, session: ReviewSession, settings: PageSettings, rendering: Rendering
    ) -> None:
        self._session, self._settings, self._rendering = session, settings, rendering

    @property
    def writes(self) -> tuple[Write, ...]:
        """Each has its name as its address."""
        return (self.act, self.undo, self.redo, self.revert, self.name)

    def front(self, request: Request) -> Response:
        """The whole page, or the panes alone where the page's own script asks."""
        place = place_of(request.query_params.multi_items())
        name = "desk.html" if "hx-request" in request.headers else "page.html"
        desk = self._session.desk(self._who(request), place)
        return self._rendering.page(name, desk=desk)

    def act(self, reviewer: str, fields: Fields) -> Response:
        """Does what a form says, or asks first."""
        request = act_request_of(fields)
        done = self._session.act(reviewer, request)
        if isinstance(done, Question):
            return self._question("question.html", question=done)
        if isinstance(done, Conflict):
            return self._rendering.page("conflict.html", 409, conflict=done)
        place = self._session.place_after(reviewer, request)
        return self._desk(reviewer, place, done)

    def undo(self, reviewer: str, fields: Fields) -> Response:
        """Takes back the last thing of a reviewer."""
        return self._switched(reviewer, fields, self._session.undo(reviewer))

    def redo(self, reviewer: str, fields: Fields) -> Response:
        """Does it again."""
        return self._switched(reviewer, fields, self._session.redo(reviewer))

    def revert(self, reviewer: str, fields: Fields) -> Response:
        """Takes one edit back alone, or brings it back; asks first where the form says so."""
        asked = dict(fields)
        number = asked_number(asked, "number")
        if asked.get("asks") == "1":
            edit, stays = self._session.revert_question(number)
            return self._question("revert.html", edit=edit, stays=stays)
        outcome = self._session.revert(reviewer, number)
        return self._rendering.page("history.html", outcome=outcome, **self._history(reviewer, {}))

    def name(self, _: str, fields: Fields) -> Response:
        """Tells the browser who reviews."""
        name = quote(checked_name(dict(fields).get("name", "")))
        answer = Response(status_code=204, headers={"hx-refresh": "true"})
        answer.set_cookie(
            REVIEWER_COOKIE, name, max_age=_YEAR_S, path="/", httponly=True, samesite="strict"
        )
        return answer

    def history(self, request: Request) -> Response:
        """Some events, the latest first."""
        told = self._history(self._who(request), dict(request.query_params))
        return self._rendering.page("history.html", outcome=None, **told)

    def taxonomy(self, request: Request) -> Response:
        """The super-categories, as a table."""
        rows, today = self._session.taxonomy_rows()
        reviewer, session = self._who(request), self._session
        return self._rendering.page(
            "taxonomy.html", rows=rows, today=today, reviewer=reviewer, line=session.line
        )

    def go_to(self, request: Request) -> Response:
        """Classes and landmarks of a name, as JSON."""
        found = self._session.go_to(request.query_params.get("q", "")[:_LONGEST_QUERY])
        return JSONResponse([one._asdict() for one in found])

    def picture(self, request: Request, image_id: str) -> Response:
        """A picture made small."""
        small = self._session.picture(image_id)
        if small is None:
            return self._rendering.error(404, "there is no such picture")
        headers = {"etag": f'"{small.tag}"', "cache-control": "private, max-age=86400"}
        if headers["etag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(small.content, media_type="image/jpeg", headers=headers)

    def _question(self, name: str, **context: object) -> Response:
        """Something to be agreed to, which the page shows in its dialog."""
        answer = self._rendering.page(name, **context)
        answer.headers["hx-retarget"] = "#ask"
        return answer

    def _who(self, request: Request) -> str:
        return reviewer_of(request, self._settings.reviewer)

    def _history(self, reviewer: str, asked: dict[str, str]) -> dict[str, object]:
        is_mine = asked.get("only") == "mine"
        before = asked_number(asked, "before")
        page = self._session.history(before, reviewer if is_mine else "")
        return {"page": page, "is_mine": is_mine, "reviewer": reviewer}

    def _switched(self, reviewer: str, fields: Fields, outcome: Outcome) -> Response:
        place = place_of(fields)
        # Where the mistake was, so that it can be done over.
        group = self._session.group_of_switch(outcome.number) or place.group
        return self._desk(reviewer, replace(place, group=group), outcome)

    def _desk(self, reviewer: str, place: Place, outcome: Outcome) -> Response:
        desk = self._session.desk(reviewer, place, outcome)
        return self._rendering.page("desk.html", desk=desk)


def _add_reads(app: FastAPI, answers: _Answers, feed: Feed) -> None:
    reads: dict[str, Callable[..., Response]] = {
        "/": answers.front,
        "/history": answers.history,
        "/taxonomy": answers.taxonomy,
        "/go": answers.go_to,
        "/picture/{image_id}": answers.picture,
    }
    for path, answer in reads.items():
        app.add_api_route(path, answer, methods=["GET", "HEAD"], response_model=None)

    async def follow(request: Request) -> Response:
        line = asked_number(request.query_params, "line")
        return StreamingResponse(feed.events(line), media_type="text/event-stream")

    app.add_api_route("/feed", follow, methods=["GET"], response_model=None)


def _add_writes(app: FastAPI, writes: Iterable[Write], settings: PageSettings) -> None:
    for answer in writes:
        route = written(answer, settings.reviewer)
        app.add_api_route(f"/{answer.__name__}", route, methods=["POST"], response_model=None)


def written(write: Write, default: str) -> Callable[[Request], Awaitable[Response]]:
    """Returns the route of a write: it reads who asks and the form, and works in a thread.

    Args:
        write: what answers.
        default: who reviews where the browser has not been told.
    """

    async def answer(request: Request) -> Response:
        fields = await fields_of(request)
        return await run_in_threadpool(write, reviewer_of(request, default), fields)

    return answer


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
