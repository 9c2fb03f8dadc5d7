"""The addresses of the guesses."""

from collections.abc import Callable

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from hgld.pages.review.fills.asking import FillsPlace, fills_place_of, guess_request_of
from hgld.pages.review.fills.desk import FillsDesk, GuessAnswer
from hgld.pages.review.rendering import PageSettings, Rendering, fields_of, reviewer_of
from hgld.pages.review.session import ReviewSession
from hgld.pages.review.views import Outcome

_Fields = list[tuple[str, str]]
_Write = Callable[[str, _Fields], Response]


def fills_router(session: ReviewSession, settings: PageSettings, rendering: Rendering) -> APIRouter:
    """Makes the addresses under /fills.

    Args:
        session: the review.
        settings: how it is served.
        rendering: writes templates.
    """
    answers = _FillsAnswers(FillsDesk(session), rendering)
    router = APIRouter(prefix="/fills")
    router.add_api_route("", answers.look, methods=["GET"], response_model=None)
    writes: dict[str, _Write] = {
        "/decide": answers.decide,
        "/undo": answers.undo,
        "/redo": answers.redo,
    }
    for path, write in writes.items():
        answer = _written(write, settings.reviewer)
        router.add_api_route(path, answer, methods=["POST"], response_model=None)
    return router


def _written(write: _Write, default: str) -> Callable[[Request], object]:
    async def answer(request: Request) -> Response:
        fields = await fields_of(request)
        return await run_in_threadpool(write, reviewer_of(request, default), fields)

    return answer


class _FillsAnswers:
    """What each address answers: the view, as it is then."""

    def __init__(self, desk: FillsDesk, rendering: Rendering) -> None:
        self._desk, self._rendering = desk, rendering

    def look(self, request: Request) -> Response:
        """The guesses of a group."""
        return self._view(fills_place_of(request.query_params))

    def decide(self, reviewer: str, fields: _Fields) -> Response:
        """Accepts or refuses guesses."""
        done = self._desk.decide(reviewer, guess_request_of(fields))
        if isinstance(done, GuessAnswer):
            return self._view(done.place, done.said)
        return self._rendering.page("conflict.html", 409, rows=done)

    def undo(self, reviewer: str, fields: _Fields) -> Response:
        """Takes back the last thing of a reviewer."""
        done = self._desk.undo(reviewer, fills_place_of(dict(fields)))
        return self._view(done.place, done.said)

    def redo(self, reviewer: str, fields: _Fields) -> Response:
        """Does it again."""
        done = self._desk.redo(reviewer, fills_place_of(dict(fields)))
        return self._view(done.place, done.said)

    def _view(self, place: FillsPlace, said: Outcome | None = None) -> Response:
        return self._rendering.page("fills/view.html", fills=self._desk.look(place, said))
