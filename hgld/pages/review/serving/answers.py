"""What each address answers with."""

import json
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import Response

from hgld.pages.review.acting.asking import Place, act_request_of, place_of
from hgld.pages.review.acting.switching import JumpQuestion
from hgld.pages.review.acting.weighing import Conflict
from hgld.pages.review.serving.pieces import Sight
from hgld.pages.review.serving.rendering import (
    REVIEWER_COOKIE,
    PageSettings,
    Rendering,
    asked_number,
    checked_name,
    reviewer_of,
)
from hgld.pages.review.session import ReviewSession
from hgld.pages.review.views import PreviewView, Said

Fields = list[tuple[str, str]]

_YEAR_S = 365 * 24 * 3600
_JSON = "application/json"
_LONGEST_QUERY = 200
_LEAST = 0.6
_MOST_WINDOWS = 256  # whose events are told from others'; each reload makes another one
_FIRST_ROWS = 24  # where the browser does not say how many its window has room for


class Answers:
    """The answers of the page: reads take a request, writes who asks and the fields of a form."""

    def __init__(self, session: ReviewSession, settings: PageSettings) -> None:
        """Takes what is shown, and how it is served."""
        self._session, self._settings = session, settings
        self._made: OrderedDict[str, set[int]] = OrderedDict()
        """Window of a browser to the numbers of the events made in it; the last used last."""
        self.rendering = Rendering(settings)

    def who(self, request: Request) -> str:
        """Returns who reviews; empty where nobody has said."""
        return reviewer_of(request, self._settings.reviewer)

    def front(self, request: Request) -> Response:
        """The whole page."""
        place = place_of(request.query_params)
        return self.rendering.page(
            "page.html",
            bench=self._session.bench_at(self.who(request), place),
            rows=place.rows,
            pieces=self.rendering.sent.after(""),
            token=self._settings.guard.token,
        )

    def bench(self, request: Request) -> Response:
        """The three panes."""
        reviewer = self.who(request)
        if request.query_params.get("sort") == "1":
            self._session.sort_groups(reviewer)
        asked = request.query_params
        return self._bench(reviewer, asked, place_of(asked))

    def act(self, reviewer: str, fields: Fields) -> Response:
        """Does what a form says."""
        request, asked = act_request_of(fields), dict(fields)
        window = asked.get("window", "")  # of the browser
        done = self._session.act(reviewer, request, self._made.get(window, ()))
        if isinstance(done, PreviewView):
            return self.rendering.page("preview.html", 409, preview=done, is_other=True)
        if isinstance(done, Conflict):
            return self.rendering.page(
                "conflict.html", 409, rows=done.rows, line=done.line, rest=done.rest
            )
        self._note(asked, done)
        group = self._session.next_place(reviewer, request)
        return self._bench(reviewer, asked, replace(request.place, group=group), done)

    def preview(self, _: str, fields: Fields) -> Response:
        """What a form would do."""
        preview = self._session.preview(act_request_of(fields))
        return self.rendering.page("preview.html", preview=preview)

    def undo(self, reviewer: str, fields: Fields) -> Response:
        """Takes back the last thing of a reviewer."""
        return self._switched(reviewer, fields, self._session.undo)

    def redo(self, reviewer: str, fields: Fields) -> Response:
        """Does it again."""
        return self._switched(reviewer, fields, self._session.redo)

    def revert(self, reviewer: str, fields: Fields, number: int) -> Response:
        """Takes one edit back alone."""
        return self._switched(reviewer, fields, lambda who: self._session.revert(who, number))

    def restore(self, reviewer: str, fields: Fields, number: int) -> Response:
        """Brings one edit back alone."""
        return self._switched(reviewer, fields, lambda who: self._session.restore(who, number))

    def jump(self, reviewer: str, fields: Fields, line: int) -> Response:
        """Goes to what counted after a line; asks first where it switches what others did."""
        asked = dict(fields)
        # A program that has no window says what it wants, and nobody would answer.
        agreed = asked.get("shown", "" if "window" in asked else None)
        is_own = asked.get("only") == "mine"
        done = self._session.jump(reviewer, line, agreed, is_own=is_own)
        if isinstance(done, JumpQuestion):
            return self.rendering.page("dependents.html", 409, jump=done)
        return self._shown(reviewer, asked, done)

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

    def history(self, request: Request) -> Response:
        """Some events, the latest first."""
        reviewer, asked = self.who(request), request.query_params
        only = asked.get("only", "")
        page = self._session.look_back.history(reviewer, asked_number(asked, "before"), only)
        bench = self._session.bench_at(reviewer, place_of({}))
        return self.rendering.page(
            "views/history.html",
            rows=page.rows,
            more=page.more,
            only=only,
            line=bench.line,
            unseen=bench.unseen,
        )

    def dependents(self, request: Request, number: int) -> Response:
        """What depends on an edit."""
        row, later = self._session.look_back.dependents(self.who(request), number)
        return self.rendering.page("dependents.html", row=row, dependents=later)

    def search(self, request: Request) -> Response:
        """What a search over everything finds."""
        query = request.query_params.get("q", "")[:_LONGEST_QUERY]
        return self.rendering.page("views/found.html", found=self._session.browsing.search(query))

    def similar(self, request: Request) -> Response:
        """The classes near to a selection."""
        asked = request.query_params
        qids = asked.getlist("qid") or asked.getlist("of")
        similar = self._session.browsing.similar(qids, _share_of(asked.get("least", "")))
        return self.rendering.page("views/similar.html", similar=similar)

    def map(self, _: Request) -> Response:
        """The map of all classes; its points come apart."""
        return self.rendering.page("views/map.html")

    def points(self, _: Request) -> Response:
        """The points of the map."""
        return Response(self._session.browsing.points(), media_type=_JSON)

    def labels(self, _: Request) -> Response:
        """All classes, for the type-ahead."""
        return Response(self._session.browsing.labels(), media_type=_JSON)

    def progress(self, _: Request) -> Response:
        """What was settled when."""
        return Response(json.dumps(self._session.look_back.progress_points()), media_type=_JSON)

    def picture(self, request: Request, image_id: str) -> Response:
        """A picture made small."""
        small = self._session.browsing.picture(image_id)
        if small is None:
            return self.rendering.error(404, "there is no such picture")
        headers = {"etag": f'"{small.tag}"', "cache-control": "private, max-age=86400"}
        if headers["etag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(small.content, media_type="image/jpeg", headers=headers)

    def _switched(self, reviewer: str, fields: Fields, switch: Callable[[str], Said]) -> Response:
        return self._shown(reviewer, dict(fields), switch(reviewer))

    def _shown(self, reviewer: str, asked: Mapping[str, str], said: Said) -> Response:
        self._note(asked, said)
        place = place_of(asked)
        # Where the mistake was, so that it can be done over.
        group = self._session.group_of_switch(said.number) or place.group
        return self._bench(reviewer, asked, replace(place, group=group), said)

    def _note(self, asked: Mapping[str, str], said: Said) -> None:
        """Notes that a window of a browser knows of an event: it made it."""
        window = asked.get("window", "")
        if window and said.number:
            self._made.setdefault(window, set()).add(said.number)
            self._made.move_to_end(window)
            if len(self._made) > _MOST_WINDOWS:
                self._made.popitem(last=False)

    def _bench(
        self, reviewer: str, asked: Mapping[str, str], place: Place, said: Said | None = None
    ) -> Response:
        """The panes at a place: of a group not shown yet, or in part, what rows fit the window.

        The page asks for rows out of sight that an action has changed once these are painted, and
        for the other rows and what is near the group when the person does not go on at once.
        """
        is_new = "at" in asked and (asked["at"] != place.group or "part" in asked)
        fit = min(asked_number(asked, "fit") or _FIRST_ROWS, place.rows)
        first = fit if is_new else None
        # Of what was just done the rows in sight come first; a page that only looks gets all.
        is_bounded = said is not None and "fit" in asked
        sight = _sight_of(asked, asked_number(asked, "sight") or fit) if is_bounded else None
        return self.rendering.page(
            "bench.html",
            bench=self._session.bench_at(
                reviewer, replace(place, first=first, near=not is_new), said
            ),
            rows=place.rows,
            pieces=self.rendering.sent.after(asked.get("have", ""), sight),
        )


def _sight_of(asked: Mapping[str, str], rows: int) -> Sight:
    """Returns what a browser says is in sight."""
    names = range(asked_number(asked, "from"), asked_number(asked, "to")) if "to" in asked else None
    return Sight(asked.get("on", ""), rows, names)


def _share_of(text: str) -> float:
    """Returns a number from 0 to 1; 0.6 where it is none."""
    try:
        share = float(text)
    except ValueError:
        return _LEAST
    return min(max(share, 0.0), 1.0) if math.isfinite(share) else _LEAST
