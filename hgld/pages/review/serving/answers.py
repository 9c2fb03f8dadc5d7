"""What each address answers with."""

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import Response

from hgld.pages.review.acting.asking import Place, act_request_of, place_of
from hgld.pages.review.serving.rendering import (
    REVIEWER_COOKIE,
    PageSettings,
    Rendering,
    checked_name,
    reviewer_of,
)
from hgld.pages.review.session import ReviewSession
from hgld.pages.review.views import Said

Fields = list[tuple[str, str]]

_YEAR_S = 365 * 24 * 3600


class Answers:
    """The answers of the page: reads take a request, writes who asks and the fields of a form."""

    def __init__(self, session: ReviewSession, settings: PageSettings) -> None:
        """Takes what is shown, and how it is served."""
        self._session, self._settings = session, settings
        self.rendering = Rendering(settings)

    def who(self, request: Request) -> str:
        """Returns who reviews; empty where nobody has said."""
        return reviewer_of(request, self._settings.reviewer)

    def front(self, request: Request) -> Response:
        """The whole page."""
        bench = self._session.bench_at(self.who(request), place_of(request.query_params))
        return self.rendering.page(
            "page.html",
            bench=bench,
            token=self._settings.guard.token,
            static=self.rendering.static,
        )

    def bench(self, request: Request) -> Response:
        """The three panes."""
        reviewer = self.who(request)
        if request.query_params.get("sort") == "1":
            self._session.sort_groups(reviewer)
        return self._bench(reviewer, place_of(request.query_params))

    def act(self, reviewer: str, fields: Fields) -> Response:
        """Does what a form says."""
        request = act_request_of(fields)
        done = self._session.act(reviewer, request)
        if not isinstance(done, Said):
            return self.rendering.page("conflict.html", 409, rows=done)
        group = self._session.next_place(reviewer, request)
        return self._bench(reviewer, replace(request.place, group=group), done)

    def preview(self, reviewer: str, fields: Fields) -> Response:
        """What a form would do."""
        preview = self._session.preview(reviewer, act_request_of(fields))
        return self.rendering.page("preview.html", preview=preview)

    def undo(self, reviewer: str, fields: Fields) -> Response:
        """Takes back the last thing of a reviewer."""
        return self._switched(reviewer, fields, self._session.undo)

    def redo(self, reviewer: str, fields: Fields) -> Response:
        """Does it again."""
        return self._switched(reviewer, fields, self._session.redo)

    def revert(self, reviewer: str, fields: Fields, number: int) -> Response:
        """Takes one edit back alone, or brings it back."""
        return self._switched(reviewer, fields, lambda who: self._session.revert(who, number))

    def jump(self, reviewer: str, fields: Fields, line: int) -> Response:
        """Goes to what counted after a line."""
        return self._switched(reviewer, fields, lambda who: self._session.jump(who, line))

    def name(self, _: str, fields: Fields) -> Response:
        """Tells the browser who reviews."""
        name = checked_name(dict(fields).get("name", ""))
        answer = Response(status_code=204)
        answer.set_cookie(
            REVIEWER_COOKIE,
            quote(name),
            max_age=_YEAR_S,
            path="/",
            httponly=True,
            samesite="strict",
        )
        return answer

    def seen(self, reviewer: str, _: Fields) -> Response:
        """Notes that a reviewer has seen all events."""
        self._session.mark_seen(reviewer)
        return Response(status_code=204)

    def _switched(self, reviewer: str, fields: Fields, switch: Callable[[str], Said]) -> Response:
        said = switch(reviewer)
        return self._bench(reviewer, place_of(dict(fields)), said)

    def _bench(self, reviewer: str, place: Place, said: Said | None = None) -> Response:
        bench = self._session.bench_at(reviewer, place, said)
        return self.rendering.page("bench.html", bench=bench)
