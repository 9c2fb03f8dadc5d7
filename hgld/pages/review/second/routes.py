"""The addresses of the second opinion."""

from collections.abc import Callable

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from hgld.pages.review.rendering import (
    PageSettings,
    Rendering,
    asked_number,
    fields_of,
    reviewer_of,
)
from hgld.pages.review.requests import RefusedError
from hgld.pages.review.second.answering import BlindDesk
from hgld.pages.review.second.material import Reply, SecondMaterial
from hgld.pages.review.second.settling import SecondReports
from hgld.pages.review.session import ReviewSession
from hgld.pages.review.views import Outcome

_LONGEST = 200

_Write = Callable[[str, dict[str, str]], Response]


def second_router(
    session: ReviewSession, settings: PageSettings, rendering: Rendering
) -> APIRouter:
    """Makes the addresses under /second.

    Args:
        session: the review.
        settings: how it is served.
        rendering: writes templates.

    Raises:
        InputError: the known answers cannot be read.
    """
    answers = _SecondAnswers(SecondMaterial(session, settings.known), settings, rendering)
    router = APIRouter(prefix="/second")
    for path, read in (("", answers.desk), ("/report", answers.report)):
        router.add_api_route(path, read, methods=["GET"], response_model=None)
    writes: dict[str, _Write] = {
        "/start": answers.start,
        "/answer": answers.answer,
        "/undo": answers.undo,
        "/redo": answers.redo,
        "/settle": answers.settle,
        "/unsettle": answers.unsettle,
        "/resettle": answers.resettle,
    }
    for path, write in writes.items():
        answer = _written(write, settings.reviewer)
        router.add_api_route(path, answer, methods=["POST"], response_model=None)
    return router


def _written(write: _Write, default: str) -> Callable[[Request], object]:
    async def answer(request: Request) -> Response:
        fields = dict(await fields_of(request))
        return await run_in_threadpool(write, reviewer_of(request, default), fields)

    return answer


class _SecondAnswers:
    """What each address answers: reads with a page, writes with what is in its middle."""

    def __init__(
        self, material: SecondMaterial, settings: PageSettings, rendering: Rendering
    ) -> None:
        self._desk, self._reports = BlindDesk(material), SecondReports(material)
        self._settings, self._rendering = settings, rendering

    def desk(self, request: Request) -> Response:
        """The class that is asked."""
        reviewer = reviewer_of(request, self._settings.reviewer)
        return self._page("second/page.html", desk=self._desk.look(reviewer))

    def report(self, request: Request) -> Response:
        """What comes of a sample."""
        asked = request.query_params
        reader = reviewer_of(request, self._settings.reviewer)
        report = self._reports.report(
            reader, asked_number(asked, "sample"), is_open=asked.get("open") == "1"
        )
        return self._page("second/report_page.html", report=report, reviewer=reader)

    def start(self, reviewer: str, fields: dict[str, str]) -> Response:
        """Draws a sample."""
        of = _text(fields, "of")
        return self._looked(reviewer, self._desk.start(reviewer, of, asked_number(fields, "size")))

    def answer(self, reviewer: str, fields: dict[str, str]) -> Response:
        """Takes an answer."""
        return self._looked(reviewer, self._desk.answer(reviewer, _reply_of(fields)))

    def undo(self, reviewer: str, _: dict[str, str]) -> Response:
        """Takes the last answer back."""
        return self._looked(reviewer, self._desk.undo(reviewer))

    def redo(self, reviewer: str, _: dict[str, str]) -> Response:
        """Gives it again."""
        return self._looked(reviewer, self._desk.redo(reviewer))

    def settle(self, reviewer: str, fields: dict[str, str]) -> Response:
        """Settles a difference."""
        said = self._reports.settle(reviewer, asked_number(fields, "sample"), _reply_of(fields))
        return self._reported(reviewer, fields, said)

    def unsettle(self, reviewer: str, fields: dict[str, str]) -> Response:
        """Takes back what was settled last."""
        said = self._reports.unsettle(reviewer, asked_number(fields, "sample"))
        return self._reported(reviewer, fields, said)

    def resettle(self, reviewer: str, fields: dict[str, str]) -> Response:
        """Settles it again."""
        return self._reported(reviewer, fields, self._reports.resettle(reviewer))

    def _looked(self, reviewer: str, said: Outcome) -> Response:
        desk = self._desk.look(reviewer, said)
        return self._rendering.page("second/desk.html", desk=desk)

    def _reported(self, reviewer: str, fields: dict[str, str], said: Outcome) -> Response:
        number = asked_number(fields, "sample")
        report = self._reports.report(reviewer, number, is_open=True, said=said)
        return self._rendering.page("second/report.html", report=report, reviewer=reviewer)

    def _page(self, name: str, **context: object) -> Response:
        return self._rendering.page(name, token=self._settings.guard.token, **context)


def _reply_of(fields: dict[str, str]) -> Reply:
    return Reply(
        qid=_text(fields, "qid"),
        kind=_text(fields, "kind"),
        label=_text(fields, "label"),
        side=_text(fields, "side"),
        is_sure=fields.get("sure") == "1",
        seen=asked_number(fields, "seen"),
    )


def _text(fields: dict[str, str], name: str) -> str:
    text = fields.get(name, "").strip()
    if len(text) > _LONGEST or not text.isprintable():
        raise RefusedError(f"{name} must be text of at most {_LONGEST} characters; write it anew")
    return text
