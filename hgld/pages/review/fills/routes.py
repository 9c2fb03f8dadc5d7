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
from hgld.pages.review.requests import RefusedError
from hgld.pages.review.session import ReviewSession
from hgld.pages.review.views import Conflict

_STATES: tuple[GuessState, ...] = get_args(GuessState)
_EFFECTS: tuple[RulingEffect, ...] = get_args(RulingEffect)


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
    desk, router = FillsDesk(session), APIRouter(prefix="/fills")

    def who(request: Request) -> str:
        return reviewer_of(request, settings.reviewer)

    def page(request: Request, fills: FillsView) -> Response:
        return rendering.page("fills/view.html", fills=fills, reviewer=who(request))

    @router.get("", response_model=None)
    def look(request: Request) -> Response:
        return page(request, desk.look(_place_of(request.query_params)))

    @router.post("/decide", response_model=None)
    def decide(request: Request, form: Form) -> Response:
        done = desk.decide(who(request), _ruling_of(form))
        if isinstance(done, Conflict):
            return rendering.page("conflict.html", 409, conflict=done)
        return page(request, done)

    @router.post("/undo", response_model=None)
    def undo(request: Request, form: Form) -> Response:
        return page(request, desk.look_after(session.undo(who(request)), _place_of(dict(form))))

    @router.post("/redo", response_model=None)
    def redo(request: Request, form: Form) -> Response:
        return page(request, desk.look_after(session.redo(who(request)), _place_of(dict(form))))

    return router


def _place_of(fields: Mapping[str, str]) -> FillsPlace:
    asked = fields.get("show")
    show: GuessState = next((one for one in _STATES if one == asked), "open")
    return FillsPlace(fields.get("name", ""), fields.get("group", ""), show)


def _ruling_of(form: list[tuple[str, str]]) -> RulingRequest:
    """Reads a ruling.

    Raises:
        RefusedError: it is neither to accept nor to refuse.
    """
    fields = dict(form)
    prefer = fields.get("prefer")
    effect = next((one for one in _EFFECTS if one == fields.get("effect")), None)
    if effect is None:
        raise RefusedError("effect must be fill or refuse; reload the page")
    return RulingRequest(
        effect=effect,
        place=_place_of(fields),
        categories=frozenset(value for name, value in form if name == "category"),
        # Who prefers their own knows what the conflict has told.
        seen=asked_number(fields, "told" if prefer == "mine" else "seen"),
        keeps_theirs=prefer == "theirs",
    )
