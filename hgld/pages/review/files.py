"""Decisions as files: what the page exports, and what it would import."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from fastapi.responses import Response

from hgld.pages.review.rendering import PageSettings, Rendering, reviewer_of
from hgld.pages.review.requests import RefusedError
from hgld.review.exporting import export_file
from hgld.review.log.decisions import DECISIONS_FILE

if TYPE_CHECKING:
    from hgld.pages.review.session import ReviewSession

_KINDS = {
    "csv": "text/csv; charset=utf-8",
    "ttl": "text/turtle; charset=utf-8",
    "jsonl": "application/jsonl; charset=utf-8",
}


def add_files(
    app: FastAPI, session: "ReviewSession", settings: PageSettings, rendering: Rendering
) -> None:
    """Adds the addresses of exports to an application."""

    def view(request: Request) -> Response:
        return rendering.page("files.html", reviewer=reviewer_of(request, settings.reviewer))

    def export(kind: str) -> Response:
        if kind not in _KINDS:
            raise RefusedError(f"a review is exported as one of {', '.join(_KINDS)}, got {kind!r}")
        headers = {"content-disposition": f'attachment; filename="review.{kind}"'}
        return Response(_exported(session, kind), media_type=_KINDS[kind], headers=headers)

    app.add_api_route("/files", view, methods=["GET"], response_model=None)
    app.add_api_route("/export/review.{kind}", export, methods=["GET"], response_model=None)


def _exported(session: "ReviewSession", kind: str) -> bytes:
    if kind == "jsonl":
        return session.workspace.path(DECISIONS_FILE).read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"review.{kind}"
        with session.reading():
            export_file(session.workspace, path)
        return path.read_bytes()
