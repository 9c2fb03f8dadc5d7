"""The page on loopback, asked with real HTTP; and how tests ask for actions."""

import contextlib
import http.client
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

from hgld.pages.review.acting.asking import ActRequest, Place, act_request_of
from hgld.pages.review.app import make_app
from hgld.pages.review.serving.rendering import HERE, PageSettings
from hgld.pages.review.session import ReviewSession
from hgld.pages.review.views import Said, Show, Workbench
from hgld.pages.serving.listening import PageServer, listen
from hgld.pages.serving.security import Guard

Fields = Mapping[str, str | Sequence[str]]

_PLAIN = {
    "bench.html": (
        '<div id="bench" data-line="{{ bench.line }}" data-scored="{{ bench.scored }}" '
        "data-group=\"{{ bench.view.row.group if bench.view else '' }}\">"
        "{% if bench.said %}<p>{{ bench.said.text }}</p>{% endif %}"
        "{% if bench.view %}{% for m in bench.view.members %}"
        '<li id="m-{{ m.class_qid }}" title="{{ m.class_label }}">{{ m.class_label }} '
        "{{ m.evidence }}{% for one in m.comments %}{{ one.text }}{% endfor %}</li>"
        "{% endfor %}{% endif %}</div>"
    ),
    "page.html": (
        '<!doctype html><html lang="en"><meta name="review-token" content="{{ token }}">'
        '{% include "bench.html" %}</html>'
    ),
    "refused.html": "<p>{{ text }} {{ suggestion }} {{ field }} {{ sure }}</p>",
    "conflict.html": "{% for row in rows %}<p>{{ row.theirs }} / {{ row.mine }}</p>{% endfor %}",
    "preview.html": "<p>{{ preview.text }}</p>",
    "history.html": "{% for row in rows %}<p>{{ row.text }}</p>{% endfor %}",
    "dependents.html": "<p>{{ row.text }}</p>{% for one in dependents %}{{ one.text }}{% endfor %}",
    "found.html": "{% for one in found.landmarks %}<p>{{ one.landmark.name }}</p>{% endfor %}",
    "similar.html": "{% for row in similar.rows %}<p>{{ row.member.class_label }}</p>{% endfor %}",
    "map.html": "<canvas></canvas>",
    "error.html": "<h1>{{ status }}</h1><p>{{ text }}</p>",
}


def look(  # noqa: PLR0913, PLR0917 - all that one may look at
    session: ReviewSession,
    reviewer: str = "",
    group: str = "",
    query: str = "",
    show: Show = "all",
    rows: int = 200,
    said: Said | None = None,
) -> Workbench:
    """Returns what the page shows."""
    place = Place(group=group, query=query, show=show, rows=rows)
    return session.bench_at(reviewer, place, said)


class Answer(NamedTuple):
    """What a server sent."""

    status: int
    headers: dict[str, str]
    text: str


@dataclass
class Served:
    """A page on loopback."""

    session: ReviewSession
    guard: Guard
    cookies: dict[str, str] = field(default_factory=lambda: {"reviewer": "ann"})

    @property
    def port(self) -> int:
        return self.guard.port

    def ask(
        self,
        method: str,
        path: str,
        body: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Sends a request as it is, with the cookies."""
        sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            connection.request(method, path, body, sent | dict(headers or {}))
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read().decode(errors="replace"))

    def get(self, path: str, **headers: str) -> Answer:
        """Reads."""
        return self.ask("GET", path, None, headers)

    def post(self, path: str, fields: Fields | None = None, **headers: str) -> Answer:
        """Writes as the page does."""
        sent = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Review-Token": self.guard.token,
            "Origin": f"http://127.0.0.1:{self.port}",
        }
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask("POST", path, urlencode(fields or {}, doseq=True), sent | named)

    def act(self, action: str, qids: Sequence[str] = (), **fields: str) -> Answer:
        """Does something."""
        return self.post("/act", {"action": action, "qid": qids, **fields})


def plain_templates(folder: Path) -> Path:
    """Returns the page's templates; plain ones where the checkout has none."""
    if (HERE / "templates/page.html").is_file():
        return HERE / "templates"
    path = folder / "plain-templates"
    path.mkdir(exist_ok=True)
    for name, text in _PLAIN.items():
        (path / name).write_text(text, encoding="utf-8")
    return path


@contextlib.contextmanager
def serve_session(
    session: ReviewSession,
    folder: Path,
    *,
    host: str = "127.0.0.1",
    access: str = "",
    reviewer: str = "",
) -> Iterator[Served]:
    """Serves a session in a thread."""
    listening = listen(host, 0)
    port = listening.getsockname()[1]
    guard = Guard(host=host, port=port, access=access, read_only=session.read_only)
    static = folder / "static"
    static.mkdir(exist_ok=True)
    (static / "page.css").write_text("p { color: red }", encoding="utf-8")
    settings = PageSettings(
        guard=guard, reviewer=reviewer, templates=plain_templates(folder), static=static
    )
    app = make_app(session, settings)
    server = PageServer(app, app.state.feed.close)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    until = time.monotonic() + 20
    while not server.started and time.monotonic() < until:
        time.sleep(0.01)
    try:
        yield Served(session, guard)
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        listening.close()
        assert not thread.is_alive()


def asked(action: str, *qids: str, **fields: str) -> ActRequest:
    """Returns a request as a form makes it."""
    return act_request_of([("action", action), *(("qid", qid) for qid in qids), *fields.items()])


def done(session: ReviewSession, reviewer: str, action: str, *qids: str, **fields: str) -> Said:
    """Does something that meets no conflict."""
    said = session.act(reviewer, asked(action, *qids, **fields))
    assert isinstance(said, Said)
    return said


def state(session: ReviewSession) -> dict[str, tuple[str, str | None, str]]:
    """Returns state, super-category and group of each class."""
    found: dict[str, tuple[str, str | None, str]] = {}
    bench = look(session, "nobody")
    for group in bench.groups:
        view = look(session, "nobody", group.group).view
        assert view is not None
        for member in view.members:
            label = member.answer.hierarchical_label if member.state != "open" else None
            found[member.class_qid] = (member.state, label, group.group)
    return found


def token_of(text: str) -> str:
    """Returns the token of a page."""
    match = re.search(r'name="review-token" content="([^"]+)"', text)
    assert match is not None
    return match[1]
