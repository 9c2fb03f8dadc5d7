"""The addresses of the second opinion."""

from collections.abc import Mapping
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response

from hgld.pages.review.rendering import Rendering
from hgld.pages.review.requests import Form, RefusedError, Who, number_of
from hgld.pages.review.second.desk import Reply, SecondDesk
from hgld.pages.review.session import ReviewSession
from hgld.pages.review.views import Outcome

_LONGEST = 200


def second_router(session: ReviewSession, known: Path | None, rendering: Rendering) -> APIRouter:
    """Makes the addresses under /second.

    Args:
        session: the review.
        known: right answers to hide among the classes; None: those of the taxonomy.
        rendering: writes templates.

    Raises:
        InputError: the known answers cannot be read.
    """
    answers = _Answers(session, known, rendering)
    router = APIRouter(prefix="/second")
    router.add_api_route("", answers.look, methods=["GET"], response_model=None)
    router.add_api_route("/report", answers.report, methods=["GET"], response_model=None)
    for write in (answers.start, answers.answer, answers.settle, answers.undo, answers.redo):
        router.add_api_route(f"/{write.__name__}", write, methods=["POST"], response_model=None)
    return router


class _Answers:
    """What each address answers: a page, as it is then."""

    def __init__(self, session: ReviewSession, known: Path | None, rendering: Rendering) -> None:
        self._session, self._rendering = session, rendering
        self._desk = SecondDesk(session, known)

    def look(self, reviewer: Who) -> Response:
        """The class that is asked."""
        return self._page(reviewer, {})

    def report(self, request: Request, reviewer: Who) -> Response:
        """What comes of a sample."""
        return self._page(reviewer, {"sample": request.query_params.get("sample", "0")})

    def start(self, reviewer: Who, form: Form) -> Response:
        """Draws a sample."""
        asked = dict(form)
        size = number_of(asked, "size") or 0
        return self._page(reviewer, {}, self._desk.start(reviewer, asked.get("of", ""), size))

    def answer(self, reviewer: Who, form: Form) -> Response:
        """Takes an answer."""
        return self._page(reviewer, {}, self._desk.answer(reviewer, _reply_of(dict(form))))

    def settle(self, reviewer: Who, form: Form) -> Response:
        """Settles a difference."""
        asked = dict(form)
        number = number_of(asked, "sample") or 0
        outcome = self._desk.settle(reviewer, number, _reply_of(asked))
        return self._page(reviewer, asked, outcome)

    def undo(self, reviewer: Who, form: Form) -> Response:
        """Takes back the last thing of a reviewer, here or elsewhere in the review."""
        return self._page(reviewer, dict(form), self._session.undo(reviewer))

    def redo(self, reviewer: Who, form: Form) -> Response:
        """Does it again."""
        return self._page(reviewer, dict(form), self._session.redo(reviewer))

    def _page(
        self, reviewer: str, form: Mapping[str, str], outcome: Outcome | None = None
    ) -> Response:
        """The report of a sample if the form names one; otherwise the class that is asked."""
        told = {"reviewer": reviewer, "outcome": outcome}
        if "sample" in form:
            view = self._desk.report(reviewer, (number_of(form, "sample") or 0))
            return self._rendering.page("second/report.html", view=view, **told)
        return self._rendering.page("second/desk.html", view=self._desk.look(reviewer), **told)


def _reply_of(form: dict[str, str]) -> Reply:
    """Reads what somebody says of a class.

    Raises:
        RefusedError: the name is too long.
    """
    texts = {name: form.get(name, "") for name in ("qid", "kind", "label", "side")}
    if len(texts["label"]) > _LONGEST:
        raise RefusedError(f"a name must have at most {_LONGEST} characters; write a shorter one")
    return Reply(**texts, is_sure=form.get("sure") == "1", seen=(number_of(form, "seen") or 0))
