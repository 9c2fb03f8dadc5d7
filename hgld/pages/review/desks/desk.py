"""What the desks share: their addresses, undo and redo, and the events that they write."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import Response

from hgld.pages.review.rendering import Rendering
from hgld.pages.review.requests import Form, Who
from hgld.pages.review.session import ReviewSession
from hgld.pages.review.views import Outcome
from hgld.review.log.events import Change, Edit, Event


class Desk(ABC):
    """A page of its own, which each of its addresses answers. Any thread may call its methods."""

    def __init__(
        self,
        session: ReviewSession,
        rendering: Rendering,
        prefix: str,
        writes: Mapping[str, Callable[..., Response]],
    ) -> None:
        """Makes the addresses.

        Args:
            session: the review.
            rendering: writes templates.
            prefix: where the page is.
            writes: what its forms are sent to, by the rest of the address.
        """
        self._session, self._rendering = session, rendering
        self.router = APIRouter(prefix=prefix)
        """Its addresses."""
        self.router.add_api_route("", self.look, methods=["GET"], response_model=None)
        for path, write in {"undo": self.undo, "redo": self.redo, **writes}.items():
            self.router.add_api_route(f"/{path}", write, methods=["POST"], response_model=None)

    @abstractmethod
    def show(
        self, reviewer: str, fields: Mapping[str, str], outcome: Outcome | None = None
    ) -> Response:
        """Returns the page.

        Args:
            reviewer: who looks.
            fields: what of it is shown.
            outcome: of what was just done.
        """

    def look(self, request: Request, reviewer: Who) -> Response:
        """What an address names."""
        return self.show(reviewer, request.query_params)

    def undo(self, reviewer: Who, form: Form) -> Response:
        """Takes back the last thing of a reviewer, here or elsewhere in the review."""
        return self.show(reviewer, dict(form), self._session.undo(reviewer))

    def redo(self, reviewer: Who, form: Form) -> Response:
        """Does it again."""
        return self.show(reviewer, dict(form), self._session.redo(reviewer))


def edit_of(kind: Edit, reviewer: str, change: Change, seen: int, why: str = "") -> Event:
    """Returns an edit of now, to be appended."""
    return Event(
        event=kind,
        decided_at=datetime.now(UTC).isoformat(timespec="seconds"),
        reviewer=reviewer,
        why=why,
        seen=seen,
        changes=(change,),
    )
