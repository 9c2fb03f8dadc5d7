"""Decisions as files: what the page exports, and what an import of a sheet would do, or does."""

import base64
import binascii
import csv
import io
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import APIRouter
from fastapi.responses import Response
from openpyxl import Workbook, load_workbook
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

from hgld.errors import ConflictError, InputError
from hgld.labels.taxonomy.rows import load_taxonomy_tables
from hgld.pages.review.rendering import Rendering
from hgld.pages.review.requests import Form, RefusedError, Who
from hgld.pages.review.wording import count_of
from hgld.review.applying import ApplyChoices, apply_file, preview_file
from hgld.review.exporting import export_file
from hgld.review.log.decisions import DECISIONS_FILE
from hgld.review.log.events import SIDES

if TYPE_CHECKING:
    from hgld.pages.review.session import ReviewSession

IMPORT_PATH = "/imported"
"""To which sheets are sent."""

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_KINDS = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": _XLSX,
    "ttl": "text/turtle; charset=utf-8",
    "jsonl": "application/jsonl; charset=utf-8",
}
_ACTIONS = ("assign", "ignore", "clear")
_BROKEN = (OSError, ValueError, KeyError, zipfile.BadZipFile)


def files_router(session: "ReviewSession", rendering: Rendering) -> APIRouter:
    """Makes the addresses of exports and of the import.

    Args:
        session: what is exported.
        rendering: writes templates.
    """
    files = _Files(session, rendering)
    router = APIRouter()
    router.add_api_route("/files", files.view, methods=["GET"], response_model=None)
    path = "/export/review.{kind}"
    router.add_api_route(path, files.export, methods=["GET"], response_model=None)
    router.add_api_route(IMPORT_PATH, files.imported, methods=["POST"], response_model=None)
    return router


class _Files:
    """The view of files: exports of a review, and sheets that are imported."""

    def __init__(self, session: "ReviewSession", rendering: Rendering) -> None:
        self._session, self._rendering = session, rendering

    def view(self, reviewer: Who) -> Response:
        """The view itself."""
        return self._rendering.page("files.html", reviewer=reviewer, said="")

    def export(self, kind: str) -> Response:
        """A file of all decisions."""
        if kind not in _KINDS:
            raise RefusedError(f"a review is exported as one of {', '.join(_KINDS)}, got {kind!r}")
        headers = {"content-disposition": f'attachment; filename="review.{kind}"'}
        return Response(self._exported(kind), media_type=_KINDS[kind], headers=headers)

    def imported(self, reviewer: Who, form: Form) -> Response:
        """Applies a sheet; or says what that would do, where it is not agreed to yet."""
        asked = dict(form)
        if not reviewer:
            raise RefusedError("say who you are first: decisions are kept with who made them")
        tables = load_taxonomy_tables(self._session.taxonomy).supercategories
        prefer = asked.get("prefer")
        choices = ApplyChoices(
            prefer="mine" if prefer == "mine" else "theirs" if prefer == "theirs" else None,
            known={one.hierarchical_label: one.natural_or_human_made for one in tables},
        )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "sheet.csv"
            path.write_bytes(_sheet_of(asked.get("data", "")))
            try:
                return self._applied(path, reviewer, choices, is_agreed=asked.get("asks") != "1")
            except ConflictError as error:
                told = {"conflicts": error.conflicts}
                return self._rendering.page("import.html", 409, changes=(), applied=None, **told)
            except InputError as error:
                raise RefusedError(str(error).replace(str(path), "the sheet")) from error

    def _applied(
        self, path: Path, reviewer: str, choices: ApplyChoices, *, is_agreed: bool
    ) -> Response:
        workspace = self._session.workspace
        if not is_agreed:
            applied, changes = preview_file(workspace, path, choices)
            told = {"applied": applied, "changes": changes, "conflicts": ()}
            return self._rendering.question("import.html", **told)
        applied = apply_file(workspace, path, reviewer, choices)
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
            if kind != "xlsx":
                return path.read_bytes()
            names = [board.names.words(number) for number in range(1, len(board.names))]
            with path.open(encoding="utf-8-sig", newline="") as file:
                return _workbook(csv.reader(file), sorted(names))


def _workbook(rows: Iterable[list[str]], names: list[str]) -> bytes:
    """Returns a sheet as a workbook, with lists to choose action, name and side from."""
    book = Workbook()
    sheet, lists = book.worksheets[0], book.create_sheet("names")
    for name in names:
        lists.append([name])
    header: list[str] = []
    for row in rows:
        header = header or row
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
        letter = get_column_letter(header.index(column) + 1)
        rule.add(f"{letter}2:{letter}{max(sheet.max_row, 2)}")
    sheet.freeze_panes = "C2"
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def _sheet_of(data: str) -> bytes:
    """Returns what was sent, as base64, as CSV; a workbook's first sheet.

    Raises:
        RefusedError: it is no base64, or no workbook that can be read.
    """
    try:
        sent = base64.b64decode(data, validate=True)
        return _csv_of(sent) if sent.startswith(b"PK") else sent
    except (*_BROKEN, binascii.Error) as error:
        raise RefusedError(f"the sheet cannot be read: {error}; export a new one") from error


def _csv_of(workbook: bytes) -> bytes:
    sheet = load_workbook(io.BytesIO(workbook), read_only=True, data_only=True).worksheets[0]
    text = io.StringIO()
    csv.writer(text).writerows(_cells(sheet.iter_rows(values_only=True)))
    return text.getvalue().encode()


def _cells(rows: Iterable[tuple[object, ...]]) -> Iterator[list[str]]:
    for row in rows:
        yield ["" if cell is None else str(cell) for cell in row]
