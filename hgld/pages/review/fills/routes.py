"""The addresses of the guesses, and what they read from a form."""

from collections.abc import Mapping
from typing import Annotated, get_args

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from hgld.pages.review.fills.desk import (
    FillsDesk,
    FillsPlace,
    FillsView,
    GuessState,
    RulingEffect,
    RulingRequest,
)
from hgld.pages.review.rendering import (
    PageSettings,
    Rendering,
    asked_number,
    fields_of,
    reviewer_of,
)
from hgld.pages.review.session import ReviewSession
from hgld.pages.review.views import Conflict

_STATES: tuple[GuessState, ...] = get_args(GuessState)


async def _form(request: Request) -> list[tuple[str, str]]:
    return await fields_of(request)


Form = Annotated[list[tuple[str, str]], Depends(_form)]


def fills_router(session: ReviewSession, settings: PageSettings, rendering: Rendering) -> APIRouter:
    """Makes the addresses under /fills.

    Args:
        session: the review.
        settings: how it is served.
        rendering: writes templates.
    """
    answers = _Answers(session, settings, rendering)
    router = APIRouter(prefix="/fills")
    router.add_api_route("", answers.look, methods=["GET"], response_model=None)
    for write in (answers.accept, answers.refuse, answers.undo, answers.redo):
        router.add_api_route(f"/{write.__name__}", write, methods=["POST"], response_model=None)
    return router


class _Answers:
    """What each address answers: the view, as it is then."""

    def __init__(
        self, session: ReviewSession, settings: PageSettings, rendering: Rendering
    ) -> None:
        self._session, self._settings, self._rendering = session, settings, rendering
        self._desk = FillsDesk(session)

    def look(self, request: Request) -> Response:
        """The guesses of a group."""
        return self._page(request, self._desk.look(_place_of(request.query_params)))

    def accept(self, request: Request, form: Form) -> Response:
        """Accepts guesses."""
        return self._ruled(request, form, "fill")

    def refuse(self, request: Request, form: Form) -> Response:
        """Refuses guesses."""
        return self._ruled(request, form, "refuse")

    def undo(self, request: Request, form: Form) -> Response:
        """Takes back the last thing of a reviewer, here or elsewhere in the review."""
        outcome = self._session.undo(self._who(request))
        return self._page(request, self._desk.look_after(outcome, _place_of(dict(form))))

    def redo(self, request: Request, form: Form) -> Response:
        """Does it again."""
        outcome = self._session.redo(self._who(request))
        return self._page(request, self._desk.look_after(outcome, _place_of(dict(form))))

    def _ruled(self, request: Request, form: Form, effect: RulingEffect) -> Response:
        fields = dict(form)
        prefer = fields.get("prefer")
        ruling = RulingRequest(
            effect=effect,
            place=_place_of(fields),
            categories=frozenset(value for name, value in form if name == "category"),
            # Who prefers their own knows what the conflict has told.
            seen=asked_number(fields, "told" if prefer == "mine" else "seen"),
            keeps_theirs=prefer == "theirs",
        )
        done = self._desk.decide(self._who(request), ruling)
        if isinstance(done, Conflict):
            return self._rendering.page("conflict.html", 409, conflict=done)
        return self._page(request, done)

    def _page(self, request: Request, fills: FillsView) -> Response:
        reviewer = self._who(request)
        return self._rendering.page("fills/view.html", fills=fills, reviewer=reviewer)

    def _who(self, request: Request) -> str:
        return reviewer_of(request, self._settings.reviewer)


def _place_of(fields: Mapping[str, str]) -> FillsPlace:
    asked = fields.get("show")
    show: GuessState = next((one for one in _STATES if one == asked), "open")
    return FillsPlace(fields.get("name", ""), fields.get("group", ""), show)
