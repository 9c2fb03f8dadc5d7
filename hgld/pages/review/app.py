"""The page as an application: its addresses, what they answer, and what becomes of errors."""

import mimetypes
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.staticfiles import StaticFiles

from hgld.errors import HgldError, MissingInputError
from hgld.pages.review.desks.fills import FillsDesk
from hgld.pages.review.desks.second import SecondDesk
from hgld.pages.review.feed import follow
from hgld.pages.review.files import Files
from hgld.pages.review.rendering import PageSettings, Rendering
from hgld.pages.review.requests import (
    REVIEWER_COOKIE,
    ActRequest,
    Form,
    Place,
    RefusedError,
    Who,
    act_request_of,
    checked_name,
    number_of,
    place_of,
)
from hgld.pages.review.session import ReviewSession
from hgld.pages.review.views import Conflict, Outcome, Question
from hgld.pages.serving.middleware import Guarded
from hgld.pages.serving.thumbnails import picture_answer

if TYPE_CHECKING:
    from starlette.types import Scope

_FOREVER = "private, max-age=31536000, immutable"
_YEAR_S = 365 * 24 * 3600
_LONGEST_QUERY = 200


def make_app(session: ReviewSession, settings: PageSettings) -> FastAPI:
    """Makes the application.

    Args:
        session: what is reviewed; who made it closes it.
        settings: who may ask, and where templates and static files lie.

    Returns:
        The application, for a `PageServer`; `app.state.rendering` may be told to compile.
    """
    rendering = Rendering(settings)
    rendering.tell(has_fills=session.has_fills, has_second=session.has_second)

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.state.rendering = rendering
    app.state.reviewer = settings.reviewer
    app.include_router(_Answers(session, rendering).router())
    app.include_router(Files(session, rendering).router)
    app.include_router(SecondDesk(session, rendering).router)
    app.include_router(FillsDesk(session, rendering).router)

    async def feed(line: int = 0) -> Response:
        events = follow(session, line, lambda: app.state.server.should_exit)
        return StreamingResponse(events, media_type="text/event-stream")

    app.add_api_route("/feed", feed, methods=["GET"], response_model=None)
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
    """What each address answers; all but the errors."""

    def __init__(self, session: ReviewSession, rendering: Rendering) -> None:
        self._session, self._rendering = session, rendering

    def router(self) -> APIRouter:
        """Returns the addresses; a write has its name as its address."""
        router = APIRouter()
        reads: dict[str, Callable[..., Response]] = {
            "/": self.front,
            "/history": self.history,
            "/taxonomy": self.taxonomy,
            "/go": self.go_to,
            "/picture/{image_id}": self.picture,
        }
        for path, read in reads.items():
            router.add_api_route(path, read, methods=["GET", "HEAD"], response_model=None)
        for write in (self.act, self.undo, self.redo, self.revert, self.name):
            router.add_api_route(f"/{write.__name__}", write, methods=["POST"], response_model=None)
        return router

    def front(self, request: Request, reviewer: Who) -> Response:
        """The whole page, or the panes alone where the page's own script asks."""
        place = place_of(request.query_params.multi_items())
        name = "desk.html" if "hx-request" in request.headers else "page.html"
        return self._desk(reviewer, place, name=name)

    def act(self, reviewer: Who, form: Form) -> Response:
        """Does what a form says, or asks first."""
        request = act_request_of(form)
        done = self._session.act(reviewer, request)
        if isinstance(done, Question):
            return self._rendering.question("question.html", question=done)
        if isinstance(done, Conflict):
            return self._rendering.page("conflict.html", 409, conflict=done)
        return self._desk(reviewer, request.place, done, request)

    def undo(self, reviewer: Who, form: Form) -> Response:
        """Takes back the last thing of a reviewer."""
        return self._switched(reviewer, form, self._session.undo(reviewer))

    def redo(self, reviewer: Who, form: Form) -> Response:
        """Does it again."""
        return self._switched(reviewer, form, self._session.redo(reviewer))

    def revert(self, reviewer: Who, form: Form) -> Response:
        """Takes one edit back alone, or brings it back."""
        number = number_of(dict(form), "number") or 0
        return self._history(reviewer, {}, self._session.revert(reviewer, number))

    def name(self, form: Form) -> Response:
        """Tells the browser who reviews."""
        name = quote(checked_name(dict(form).get("name", "")))
        answer = Response(status_code=204)
        answer.set_cookie(
            REVIEWER_COOKIE, name, max_age=_YEAR_S, path="/", httponly=True, samesite="strict"
        )
        return answer

    def history(self, request: Request, reviewer: Who) -> Response:
        """Some events, the latest first."""
        return self._history(reviewer, request.query_params)

    def taxonomy(self, reviewer: Who) -> Response:
        """The super-categories, as a table."""
        rows, today = self._session.taxonomy_rows()
        told = {"rows": rows, "today": today, "reviewer": reviewer, "line": self._session.line}
        return self._rendering.page("taxonomy.html", **told)

    def go_to(self, q: str = "") -> Response:
        """Classes and landmarks of a name, as JSON."""
        return JSONResponse([one._asdict() for one in self._session.go_to(q[:_LONGEST_QUERY])])

    def picture(self, request: Request, image_id: str) -> Response:
        """A picture made small."""
        small = self._session.picture(image_id)
        if small is None:
            return self._rendering.error(404, "there is no such picture")
        return picture_answer(small, request)

    def _history(
        self, reviewer: str, asked: Mapping[str, str], outcome: Outcome | None = None
    ) -> Response:
        is_mine = asked.get("only") == "mine"
        before = number_of(asked, "before") or 0
        page = self._session.history(before, reviewer if is_mine else "")
        told = {"page": page, "is_mine": is_mine, "reviewer": reviewer, "outcome": outcome}
        return self._rendering.page("history.html", **told)

    def _switched(self, reviewer: str, form: Form, outcome: Outcome) -> Response:
        place = place_of(form)
        # Where the mistake was, so that it can be done over.
        number = outcome.number
        group = (number and self._session.group_of_switch(number)) or place.group
        return self._desk(reviewer, replace(place, group=group), outcome)

    def _desk(
        self,
        reviewer: str,
        place: Place,
        outcome: Outcome | None = None,
        done: ActRequest | None = None,
        *,
        name: str = "desk.html",
    ) -> Response:
        with self._session.reading():  # until it is written, too: scoring waits
            desk = self._session.desk(reviewer, place, outcome, done)
            return self._rendering.page(name, desk=desk)


def _add_errors(app: FastAPI, rendering: Rendering) -> None:
    words = {404: "there is no such page", 405: "this page cannot be asked so"}
    answers: dict[type[Exception], Callable[[Any], Response]] = {
        RefusedError: rendering.refusal,
        MissingInputError: lambda error: rendering.error(404, str(error)),
        HgldError: lambda error: rendering.error(500, str(error)),
        HTTPException: lambda error: rendering.error(
            error.status_code, words.get(error.status_code, str(error.detail))
        ),
        RequestValidationError: lambda _: rendering.error(
            422, "this address has a number that is none; go back to the page"
        ),
        ClientDisconnect: lambda _: rendering.error(
            413, "what was sent was cut off; send it again"
        ),
    }
    for kind, answer in answers.items():
        app.add_exception_handler(kind, _handler(answer))


def _handler(answer: Callable[[Any], Response]) -> Callable[[Request, Exception], Any]:
    async def handle(_: Request, error: Exception) -> Response:
        return answer(error)

    return handle
