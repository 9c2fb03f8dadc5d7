"""The page, asked without a server; and how tests ask for actions."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemBytecodeCache

from hgld.pages.review.app import make_app
from hgld.pages.review.rendering import PageSettings
from hgld.pages.review.requests import ActRequest, Place, act_request_of
from hgld.pages.review.session import ReviewSession
from hgld.pages.review.views import Desk, GroupView, Outcome
from hgld.pages.serving.security import Guard
from hgld.pages.serving.templates import page_environment
from hgld.review.log.decisions import read_decisions
from tests.worlds.pages.asgi import Reply, ask_app

if TYPE_CHECKING:
    from starlette.types import ASGIApp

Fields = Mapping[str, str | Sequence[str]]
FORM = "application/x-www-form-urlencoded"


@dataclass
class Served:
    """A page, and the cookies of who asks."""

    session: ReviewSession
    guard: Guard
    app: "ASGIApp"
    cookies: dict[str, str] = field(default_factory=lambda: {"reviewer": "ann"})

    @property
    def own(self) -> dict[str, str]:
        """What the page itself sends with a write."""
        return {
            "Content-Type": FORM,
            "X-Review-Token": self.guard.token,
            "Origin": f"http://127.0.0.1:{self.guard.port}",
        }

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | Sequence[bytes] = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Sends a request as it is, with the cookies."""
        sent = {
            "Host": f"127.0.0.1:{self.guard.port}",
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
        }
        if isinstance(body, bytes):
            sent["Content-Length"] = str(len(body))
        return ask_app(self.app, method, path, sent | dict(headers or {}), body)

    def get(self, path: str, **headers: str) -> Reply:
        """Reads."""
        return self.ask("GET", path, headers=headers)

    def post(self, path: str, fields: Fields | None = None, **headers: str) -> Reply:
        """Writes as the page does."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        body = urlencode(fields or {}, doseq=True).encode()
        return self.ask("POST", path, body, self.own | named)

    def act(self, action: str, qids: Sequence[str] = (), **fields: str) -> Reply:
        """Does something."""
        return self.post("/act", {"action": action, "qid": qids, **fields})


def _environment(*folders: Path) -> Environment:
    environment = page_environment(*folders)
    # Compiled once for all tests: a page of templates takes 80 ms.
    environment.bytecode_cache = FileSystemBytecodeCache()
    return environment


def open_page(session: ReviewSession, folder: Path, *, access: str = "") -> Served:
    """Returns the page of a session, with static files of its own in a folder."""
    guard = Guard(port=8123, access=access, read_only=session.read_only)
    static = folder / "static"
    static.mkdir(exist_ok=True)
    (static / "page.css").write_text("p { color: red }", encoding="utf-8")
    with mock.patch("hgld.pages.review.rendering.page_environment", _environment):
        app = make_app(session, PageSettings(guard=guard, static=static))
    return Served(session, guard, app)


def look(
    session: ReviewSession,
    reviewer: str = "",
    group: str = "",
    query: str = "",
    facets: Sequence[str] = (),
    rows: int = 200,
) -> Desk:
    """Returns what the page shows."""
    place = Place(group=group, query=query, facets=tuple(facets), rows=rows)
    return session.desk(reviewer, place)


def view_of(session: ReviewSession, group: str) -> GroupView:
    """Returns what the page shows of a group."""
    view = look(session, "ann", group).view
    assert view is not None
    return view


def asked(action: str, *qids: str, **fields: str | Sequence[str]) -> ActRequest:
    """Returns a request as a form makes it."""
    named = [("action", action), *(("qid", qid) for qid in qids)]
    for name, value in fields.items():
        named += [(name, one) for one in ([value] if isinstance(value, str) else value)]
    return act_request_of(named)


def done(session: ReviewSession, reviewer: str, action: str, *qids: str, **fields: str) -> Outcome:
    """Does something that meets no conflict."""
    outcome = session.act(reviewer, asked(action, *qids, **fields))
    assert isinstance(outcome, Outcome)
    return outcome


def state(session: ReviewSession) -> dict[str, tuple[str, str | None, str]]:
    """Returns state, super-category and group of each class, as the page shows them."""
    return {
        member.class_qid: (
            member.state,
            member.answer.hierarchical_label if member.state != "open" else None,
            row.group,
        )
        for row in look(session, "nobody").groups
        for member in view_of(session, row.group).rows
    }


def decided(session: ReviewSession) -> dict[str, str]:
    """Returns the decisions as whoever reads the log sees them."""
    found = read_decisions(session.workspace)
    return {qid: one.hierarchical_label or "ignored" for qid, one in found.items()}


def shown(text: str, name: str) -> str:
    """Returns a datum of the page."""
    match = re.search(rf'data-{name}="([^"]*)"', text)
    assert match is not None, name
    return match[1]
