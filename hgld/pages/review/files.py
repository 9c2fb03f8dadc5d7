"""Decisions as files: what the page exports, and what an import of a sheet would do, or does."""

import csv
import io
import tempfile
import zipfile
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from openpyxl import Workbook, load_workbook
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

from hgld.errors import ConflictError, InputError
from hgld.pages.review.names import KnownName
from hgld.pages.review.rendering import Rendering
from hgld.pages.review.requests import RefusedError, Who
from hgld.pages.review.rows import suggestions
from hgld.pages.review.session import ReviewSession
from hgld.pages.review.wording import count_of
from hgld.review.applying import ApplyChoices, Prefer, apply_file, preview_file
from hgld.review.exporting import export_file
from hgld.review.log.decisions import DECISIONS_FILE
from hgld.review.log.events import SIDES
from hgld.review.sheet import COLUMNS

_KINDS = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "ttl": "text/turtle; charset=utf-8",
    "jsonl": "application/jsonl; charset=utf-8",
}
_ACTIONS = ("assign", "ignore", "clear")


async def _body_of(request: Request) -> bytes:
    return await request.body()


class Files:
    """The view of files: exports of a review, and sheets that are imported."""

    def __init__(self, session: ReviewSession, rendering: Rendering) -> None:
        """Takes the review."""
        self._session, self._rendering = session, rendering
        self.router = APIRouter()
        """Its addresses."""
        self.router.add_api_route("/files", self.view)
        self.router.add_api_route("/export/review.{kind}", self.export)
        self.router.add_api_route("/imported", self.imported, methods=["POST"])

    def view(self, reviewer: Who) -> Response:
        """The view itself."""
        return self._rendering.page("files.html", reviewer=reviewer, said="")

    def export(self, kind: str) -> Response:
        """A file of all decisions."""
        if kind not in _KINDS:
            raise RefusedError(f"a review is exported as one of {', '.join(_KINDS)}, got {kind!r}")
        headers = {"content-disposition": f'attachment; filename="review.{kind}"'}
        return Response(self._exported(kind), media_type=_KINDS[kind], headers=headers)

    def imported(
        self,
        reviewer: Who,
        sent: Annotated[bytes, Depends(_body_of)],
        *,
        asks: bool = False,
        prefer: Prefer | None = None,
    ) -> Response:
        """Applies a sheet, or a workbook's first; where it `asks`, says what that would do."""
        workspace = self._session.workspace
        with self._session.reading() as board:
            choices = ApplyChoices(prefer=prefer, known=dict(suggestions(board)))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "sheet.csv"
            path.write_bytes(_csv_of(sent) if sent.startswith(b"PK") else sent)
            try:
                if asks:
                    applied, changes = preview_file(workspace, path, choices)
                    told = {"applied": applied, "changes": changes, "conflicts": ()}
                    return self._rendering.question("import.html", **told)
                applied = apply_file(workspace, path, reviewer, choices)
            except ConflictError as error:
                return self._rendering.page("import.html", 409, conflicts=error.conflicts)
            except InputError as error:
                raise RefusedError(str(error).replace(str(path), "the sheet")) from error
        self._session.sync()
        said = f"Imported {count_of(applied.appended, 'decision')}. u takes it back."
        return self._rendering.page("files.html", reviewer=reviewer, said=said)

    def _exported(self, kind: str) -> bytes:
        workspace = self._session.workspace
        with tempfile.TemporaryDirectory() as folder, self._session.reading() as board:
            if kind == "jsonl":
                log = workspace.path(DECISIONS_FILE)
                return log.read_bytes() if log.exists() else b""
            path = Path(folder) / f"review.{'csv' if kind == 'xlsx' else kind}"
            export_file(workspace, path)
            return _workbook(path, suggestions(board)) if kind == "xlsx" else path.read_bytes()


def _workbook(path: Path, names: tuple[KnownName, ...]) -> bytes:
    """Returns a sheet as a workbook, with lists to choose action, name and side from."""
    book = Workbook()
    sheet, lists = book.worksheets[0], book.create_sheet("names")
    for name in names:
        lists.append(name)
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.reader(file):
            sheet.append(row)
    choices = {
        "action": f'"{",".join(_ACTIONS)}"',
        "hierarchical_label": f"=names!$A$1:$A${max(len(names), 1)}",
        "natural_or_human_made": f'"{",".join(SIDES)}"',
    }
    for column, formula in choices.items():
        # A new name may be typed: only the two others are closed lists.
        is_closed = column != "hierarchical_label"
        rule = DataValidation(type="list", formula1=formula, showErrorMessage=is_closed)
        sheet.add_data_validation(rule)
        letter = get_column_letter(COLUMNS.index(column) + 1)
        rule.add(f"{letter}2:{letter}{max(sheet.max_row, 2)}")
    sheet.freeze_panes = "C2"
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def _csv_of(workbook: bytes) -> bytes:
    """Returns a workbook's first sheet as CSV.

    Raises:
        RefusedError: it cannot be read.
    """
    try:
        book = load_workbook(io.BytesIO(workbook), read_only=True, data_only=True)
        text = io.StringIO()
        csv.writer(text).writerows(book.worksheets[0].iter_rows(values_only=True))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise RefusedError(f"the sheet cannot be read: {error}; export a new one") from error
    return text.getvalue().encode()
