"""The addresses of the guesses, and what they read from a form."""

from collections.abc import Mapping
from typing import get_args

from fastapi import APIRouter, Request
from fastapi.responses import Response

from hgld.pages.review.fills.desk import (
    FillsDesk,
    FillsPlace,
    FillsView,
    GuessState,
    RulingEffect,
    RulingRequest,
)
from hgld.pages.review.rendering import Rendering
from hgld.pages.review.requests import Form, Who, number_of
from hgld.pages.review.session import ReviewSession
from hgld.pages.review.views import Conflict

_STATES: tuple[GuessState, ...] = get_args(GuessState)


def fills_router(session: ReviewSession, rendering: Rendering) -> APIRouter:
    """Makes the addresses under /fills.

    Args:
        session: the review.
        rendering: writes templates.
    """
    answers = _Answers(session, rendering)
    router = APIRouter(prefix="/fills")
    router.add_api_route("", answers.look, methods=["GET"], response_model=None)
    for write in (answers.accept, answers.refuse, answers.undo, answers.redo):
        router.add_api_route(f"/{write.__name__}", write, methods=["POST"], response_model=None)
    return router


class _Answers:
    """What each address answers: the view, as it is then."""

    def __init__(self, session: ReviewSession, rendering: Rendering) -> None:
        self._session, self._rendering = session, rendering
        self._desk = FillsDesk(session)

    def look(self, request: Request, reviewer: Who) -> Response:
        """The guesses of a group."""
        return self._page(reviewer, self._desk.look(_place_of(request.query_params)))

    def accept(self, reviewer: Who, form: Form) -> Response:
        """Accepts guesses."""
        return self._ruled(reviewer, form, "fill")

    def refuse(self, reviewer: Who, form: Form) -> Response:
        """Refuses guesses."""
        return self._ruled(reviewer, form, "refuse")

    def undo(self, reviewer: Who, form: Form) -> Response:
        """Takes back the last thing of a reviewer, here or elsewhere in the review."""
        outcome = self._session.undo(reviewer)
        return self._page(reviewer, self._desk.look_after(outcome, _place_of(dict(form))))

    def redo(self, reviewer: Who, form: Form) -> Response:
        """Does it again."""
        outcome = self._session.redo(reviewer)
        return self._page(reviewer, self._desk.look_after(outcome, _place_of(dict(form))))

    def _ruled(self, reviewer: str, form: Form, effect: RulingEffect) -> Response:
        fields = dict(form)
        ruling = RulingRequest(
            effect=effect,
            place=_place_of(fields),
            categories=frozenset(value for name, value in form if name == "category"),
            seen=(number_of(fields, "seen") or 0),
            keeps_theirs=fields.get("keep") == "theirs",
        )
        done = self._desk.decide(reviewer, ruling)
        if isinstance(done, Conflict):
            return self._rendering.page("conflict.html", 409, conflict=done)
        return self._page(reviewer, done)

    def _page(self, reviewer: str, fills: FillsView) -> Response:
        return self._rendering.page("fills/view.html", fills=fills, reviewer=reviewer)


def _place_of(fields: Mapping[str, str]) -> FillsPlace:
    asked = fields.get("show")
    show: GuessState = next((one for one in _STATES if one == asked), "open")
    return FillsPlace(fields.get("name", ""), fields.get("group", ""), show)
