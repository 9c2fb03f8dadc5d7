"""The addresses of the second opinion."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from hgld.pages.review.rendering import (
    PageSettings,
    Rendering,
    asked_number,
    fields_of,
    reviewer_of,
)
from hgld.pages.review.requests import RefusedError
from hgld.pages.review.second.desk import Reply, SecondDesk
from hgld.pages.review.session import ReviewSession
from hgld.pages.review.views import Outcome

_LONGEST = 200


async def _form(request: Request) -> dict[str, str]:
    return dict(await fields_of(request))


Form = Annotated[dict[str, str], Depends(_form)]


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
    answers = _Answers(session, settings, rendering)
    router = APIRouter(prefix="/second")
    router.add_api_route("", answers.look, methods=["GET"], response_model=None)
    router.add_api_route("/report", answers.report, methods=["GET"], response_model=None)
    for write in (answers.start, answers.answer, answers.settle, answers.undo, answers.redo):
        router.add_api_route(f"/{write.__name__}", write, methods=["POST"], response_model=None)
    return router


class _Answers:
    """What each address answers: a page, as it is then."""

    def __init__(
        self, session: ReviewSession, settings: PageSettings, rendering: Rendering
    ) -> None:
        self._session, self._settings, self._rendering = session, settings, rendering
        self._desk = SecondDesk(session, settings.known)

    def look(self, request: Request) -> Response:
        """The class that is asked."""
        return self._page(request, {})

    def report(self, request: Request) -> Response:
        """What comes of a sample."""
        return self._page(request, {"sample": request.query_params.get("sample", "0")})

    def start(self, request: Request, form: Form) -> Response:
        """Draws a sample."""
        of, size = form.get("of", ""), asked_number(form, "size")
        return self._page(request, {}, self._desk.start(self._who(request), of, size))

    def answer(self, request: Request, form: Form) -> Response:
        """Takes an answer."""
        return self._page(request, {}, self._desk.answer(self._who(request), _reply_of(form)))

    def settle(self, request: Request, form: Form) -> Response:
        """Settles a difference."""
        number = asked_number(form, "sample")
        outcome = self._desk.settle(self._who(request), number, _reply_of(form))
        return self._page(request, form, outcome)

    def undo(self, request: Request, form: Form) -> Response:
        """Takes back the last thing of a reviewer, here or elsewhere in the review."""
        return self._page(request, form, self._session.undo(self._who(request)))

    def redo(self, request: Request, form: Form) -> Response:
        """Does it again."""
        return self._page(request, form, self._session.redo(self._who(request)))

    def _who(self, request: Request) -> str:
        return reviewer_of(request, self._settings.reviewer)

    def _page(
        self, request: Request, form: Mapping[str, str], outcome: Outcome | None = None
    ) -> Response:
        """The report of a sample if the form names one; otherwise the class that is asked."""
        reviewer = self._who(request)
        told = {"reviewer": reviewer, "outcome": outcome}
        if "sample" in form:
            view = self._desk.report(reviewer, asked_number(form, "sample"))
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
    return Reply(**texts, is_sure=form.get("sure") == "1", seen=asked_number(form, "seen"))
