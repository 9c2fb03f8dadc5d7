"""A sheet as a spreadsheet of any country saved it: its text, its cells, its letters.

Semicolons or tabs between the cells, UTF-16, a code page of the last century, a byte order mark too
many, a line `sep=;` before the header, columns in another order, added or left over: all that is
read. What cannot be read for certain is refused with its row.
"""

import contextlib
import csv
import io
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hgld.errors import InputError
from hgld.review.exchange.sheet import NEEDED, POSITION, unescape_cell
from hgld.review.exchange.spelling import reads_alike
from hgld.review.lettering import plain_text
from hgld.review.log.texts import harmless

_SEPARATORS = ",;\t|"
_SEPARATOR_LINE = re.compile(r'"?sep=."?[,;\t|]*(\r\n|\r|\n)', re.IGNORECASE)
# A byte order mark, also one that was taken for three letters.
_MARKS = ("\ufeff", "\u00ef\u00bb\u00bf")
_CODE_PAGES = ("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1257", "mac_roman")
"""What spreadsheets save that does not say which letters it has; the first is the commonest."""
_BYTES = "latin-1"
"""Each byte as a letter, until it is known which letters they are."""


_LINK = r"(?:https?://)?(?:www\.|m\.)?wikidata\.org/(?:wiki|entity)/(Q[0-9]+)(?:[?#/][^\"]*)?"
_QIDS = tuple(
    re.compile(one, re.IGNORECASE)
    for one in (
        r"'*(?:wd:)?(Q[0-9]+)",
        f"'*<?{_LINK}>?",
        f'\'*=HYPERLINK\\("{_LINK}"(?:[;,]"(Q[0-9]+)")?\\)',
    )
)
"""What a cell has for a Q-id: itself, a link to it, or a formula that makes one; without spaces."""
_WORKBOOKS = {b"PK\x03\x04": "a workbook (.xlsx, .ods)", b"\xd0\xcf\x11\xe0": "a workbook (.xls)"}
_HEADER_ROWS = 10  # in which the names of the columns are looked for


@dataclass(frozen=True, slots=True)
class SheetText:
    """What a sheet says."""

    rows: tuple[tuple[int, dict[str, str]], ...]
    """A row's number as a spreadsheet shows it, and its cells by column, those of NEEDED."""
    code_pages: tuple[str, ...] = ()
    """Empty where the file is Unicode; else in what it may have been saved: each gives every class
    its label. The cells were read by the first."""

    def check(self, text: str) -> None:
        """Refuses a text of which nobody can tell which letters were typed.

        Raises:
            ValueError: code pages read it differently, or have put ? for what they lack; or UTF-8
                was taken for a code page.
        """
        advice = "save the sheet as `CSV UTF-8`, or as `Unicode Text`, and look at that cell"
        if "\ufffd" in text:
            raise ValueError(f"{text!r} has letters that cannot be read; {advice}")
        if self.code_pages:
            letters = text.encode(self.code_pages[0], "replace")
            readings = {letters.decode(page, "replace") for page in self.code_pages}
            if "?" in text or len(readings) > 1:
                raise ValueError(
                    f"{text!r} may have lost letters, as the file is not saved as Unicode; {advice}"
                )
        for page in ("cp1252", _BYTES):
            try:
                meant = text.encode(page).decode("utf-8")
            except UnicodeError:
                continue
            if meant != text:
                raise ValueError(f"{text!r} seems to be {meant!r}, saved twice; {advice}")


def read_sheet(path: Path, labels: Mapping[str, str]) -> SheetText:
    """Reads a sheet.

    Args:
        path: what `write_sheet` wrote and a person edited, however it was saved.
        labels: `class_qid` to label of the classes that the build has; they tell the code page of
            a file that is not Unicode.

    Returns:
        Its rows, without blank ones.

    Raises:
        InputError: no such file, no CSV, a column that is needed and missing or there twice, or a
            row with too few or too many cells.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    if kind := _WORKBOOKS.get(data[:4]):
        raise InputError(
            f"{path} is {kind} and no CSV, whatever it is called; open it in a spreadsheet and "
            f"save the sheet as `CSV UTF-8`"
        )
    text, is_unicode = _decoded(data)
    rows = list(_cells(path, text))
    if is_unicode:
        labelled = (labels.get(qid_in(row["class_qid"]), "") for _, row in rows)
        lost = text.isascii() and not all(map(str.isascii, labelled))
        if not lost:
            return _sheet(rows)
    pages = [page for page in _CODE_PAGES if _explains(page, rows, labels)] or [_CODE_PAGES[0]]
    return _sheet(
        [
            (number, {name: _as_page(cell, pages[0]) for name, cell in row.items()})
            for number, row in rows
        ],
        tuple(pages),
    )


def still_says(cell: str, label: str) -> bool:
    """Says whether a cell still is a text that was exported, after whatever a spreadsheet did.

    Args:
        cell: as it was read.
        label: as it was exported.
    """
    if reads_alike(cell, label):
        return True
    return "?" in cell and any(
        reads_alike(cell, label.encode(page, "replace").decode(page)) for page in _CODE_PAGES
    )


def qid_in(cell: str) -> str:
    """Returns the Q-id that a cell has, also as a link; a cell without one as it is.

    Example:
        >>> qid_in("https://www.wikidata.org/wiki/Q12518"), qid_in(" q12518 "), qid_in("tower")
        ('Q12518', 'Q12518', 'tower')
    """
    text = "".join(plain_text(cell).split())
    match = next(filter(None, (one.fullmatch(text) for one in _QIDS)), None)
    if match is None or len({one.upper() for one in match.groups() if one}) != 1:
        return text
    return match[match.lastindex or 1].upper()


def _sheet(
    rows: Sequence[tuple[int, dict[str, str]]], code_pages: tuple[str, ...] = ()
) -> SheetText:
    return SheetText(
        tuple(
            (number, {name: unescape_cell(cell) for name, cell in row.items()})
            for number, row in rows
        ),
        code_pages,
    )


def _decoded(data: bytes) -> tuple[str, bool]:
    """Returns the text of a file, and whether it is Unicode; if not, a letter is a byte."""
    start, is_unicode = data[:200], True
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data.decode("utf-16", "replace")
    elif start.count(b"\0") * 3 > len(start):  # UTF-16 without a mark: half of it is nothing
        text = data.decode("utf-16-be" if start[0] == 0 else "utf-16-le", "replace")
    else:
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            text, is_unicode = data.decode(_BYTES), False
    before = ""
    while before != text:
        before = text
        for mark in _MARKS:
            text = text.removeprefix(mark)
        text = _SEPARATOR_LINE.sub("", text, count=1) if _SEPARATOR_LINE.match(text) else text
    return text, is_unicode


def _cells(path: Path, text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the number of each row that is not blank, and its cells by column."""
    try:
        separator = max(
            _SEPARATORS, key=lambda one: max(map(_needed_in, _first_rows(text, one)), default=0)
        )
        rows = list(_reader(text, separator))
    except csv.Error as error:
        raise InputError(f"{path} cannot be read as CSV: {error}; export a new sheet") from error
    header = [_column(cell) for cell in rows[0]] if rows else []
    if any(header.count(name) != 1 for name in NEEDED):
        raise InputError(_wrong_columns(path, header, rows[:_HEADER_ROWS]))
    width = max(place for place, name in enumerate(header, start=1) if name)
    for number, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        # Columns without a name are what a spreadsheet left over, where nothing stands in them.
        extra = [
            cell
            for place, cell in enumerate(row)
            if (place >= len(header) or not header[place]) and cell.strip()
        ]
        if len(row) < width or extra:
            got = f"{extra[0]!r} besides" if extra else str(len(row))
            raise InputError(
                f"{path} row {number} must have {width} cells, got {got}; quote cells that hold "
                f"a {separator!r}, and write under a column's name alone"
            )
        yield number, {name: row[header.index(name)] for name in NEEDED}


def _reader(text: str, separator: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)


def _first_rows(text: str, separator: str) -> list[list[str]]:
    found: list[list[str]] = []
    with contextlib.suppress(csv.Error):
        found += itertools.islice(_reader(text, separator), _HEADER_ROWS)
    return found


def _needed_in(row: Sequence[str]) -> int:
    """Returns how many of the columns that are needed a row names."""
    names = {_column(cell) for cell in row}
    return sum(name in names for name in NEEDED)


def _column(cell: str) -> str:
    return "_".join(cell.replace("\ufeff", "").split()).casefold()


def _explains(
    page: str, rows: Sequence[tuple[int, Mapping[str, str]]], labels: Mapping[str, str]
) -> bool:
    """Says whether by this code page each row has the label of its class."""
    for _, row in rows:
        label, cell = labels.get(qid_in(row["class_qid"])), row["class_label"]
        if label is None or (cell.isascii() and label.isascii()):
            continue
        seen = unescape_cell(_as_page(cell, page))
        if not reads_alike(seen, label.encode(page, "replace").decode(page)):
            return False
    return True


def _as_page(cell: str, page: str) -> str:
    return cell.encode(_BYTES, "replace").decode(page, "replace")


def _wrong_columns(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns what is wrong with the names of the columns, and what to do.

    Args:
        path: the sheet.
        header: its first row, as names.
        rows: its first rows.
    """
    for number, row in enumerate(rows[1:], start=2):
        if _needed_in(row) == len(NEEDED):
            return (
                f"{path} must have the names of the columns in its first row, and has them in row "
                f"{number}; above it is a title or nothing: remove the rows above it"
            )
    missing = [name for name in NEEDED if name not in header]
    twice = [name for name in NEEDED if header.count(name) > 1]
    hint = ""
    if missing == [POSITION]:
        hint = (
            "; without that column nobody can tell which rows you changed since the export: export "
            "a new sheet and copy over the cells that you filled in or changed, and no others"
        )
    return (
        f"{path} must have the columns {', '.join(NEEDED)}, each once; missing: "
        f"{', '.join(missing) or 'none'}; twice: {', '.join(twice) or 'none'}; got: "
        f"{harmless(', '.join(filter(None, header))) or 'none'}{hint}"
    )
