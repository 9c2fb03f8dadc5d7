"""CSV files that a person writes, or opens in a spreadsheet.

A list has a header, and a malformed row is refused. Cells that a spreadsheet would run as formulas
are escaped.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from hgld.errors import InputError

_BETWEEN = (",", ";", "\t")

# Starts of cells that a spreadsheet may run as a formula, or cut off: = + - @, also full-width and
# after spaces, and a leading tab or line break. Apostrophes before it are included, so that
# escaping can be undone exactly: 's-Hertogenbosch stays, and '=A1 differs from an escaped =A1.
_RUNS = "[=+\\-@\uff1d\uff0b\uff0d\uff20\t\r\n]"
_FORMULA = re.compile(f"['\\s]*{_RUNS}")
# The apostrophe of an escaped cell, even if a spreadsheet made it curly or put spaces before it.
_ESCAPE = re.compile(f"\\s*['\u2018\u2019](?=['\u2018\u2019\\s]*{_RUNS})")


def read_csv_list(
    path: Path, columns: Sequence[str], optional: Sequence[str] = (), *, fewest: int = 1
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the non-empty rows of a list, each with its number as a spreadsheet shows it.

    Args:
        path: a UTF-8 file, with a comma, semicolon or tab between cells.
        columns: the required columns; further ones are allowed.
        optional: columns to read if present.
        fewest: least number of rows below the header, 0 or 1.

    Yields:
        The number of the row, and column to cell, unchanged.

    Raises:
        InputError: the file cannot be read, a column is missing or repeated, there is no row below
            the header, a row has more or fewer cells than the header, or a cell continues in the
            next line, usually because of an open quote. The message names the row.
    """
    rows = _rows(path, columns)
    _, header = next(rows, (1, list[str]()))
    for column in (*columns, *optional):
        count = header.count(column)
        if count > 1 or (count == 0 and column in columns):
            got = ", ".join(header) or "an empty file"
            raise InputError(f"{path} row 1 must name the column {column} once, got {got}")
    found = 0
    for number, cells in rows:
        if len(cells) != len(header):
            raise InputError(
                f"{path} row {number} must have {len(header)} cells like row 1, got "
                f"{len(cells)}; quote text that has a comma or semicolon"
            )
        found += 1
        yield number, dict(zip(header, cells, strict=True))
    if found < fewest:
        raise InputError(f"{path} must have a row below row 1, got none")


def _rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Yields the number and the cells of each non-empty row, the header first."""
    number = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            between = _between(file.readline(), columns)
            file.seek(0)
            reader = csv.reader(file, delimiter=between, strict=True)
            for number, cells in enumerate(reader, 1):
                if reader.line_num > number:
                    raise InputError(
                        f"{path} row {number} continues in the next line; close its quote"
                    )
                if any(cells):
                    yield number, cells
    except csv.Error as error:
        raise InputError(f"{path} row {number + 1} cannot be read: {error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} must be UTF-8: {error}; save it as UTF-8") from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def _between(first_line: str, columns: Sequence[str]) -> str:
    """Returns the delimiter of a file; spreadsheets may write semicolons."""
    for sign in _BETWEEN:
        if {*columns}.issubset(next(csv.reader([first_line], delimiter=sign))):
            return sign
    return _BETWEEN[0]


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Returns rows as CSV; NaN is an empty cell, as None is."""
    text = io.StringIO()
    # No other value differs from itself.
    cells = ([None if one != one else one for one in row] for row in rows)  # noqa: PLR0124
    csv.writer(text, lineterminator="\n").writerows(cells)
    return text.getvalue()


def table_text(table: pa.Table) -> str:
    """Returns the CSV text of a table, of which a spreadsheet runs no cell."""
    rows = (
        [escape_cell(cell) if isinstance(cell, str) else cell for cell in row.values()]
        for row in table.to_pylist()
    )
    return csv_text([table.column_names, *rows])


def runs(cell: str) -> bool:
    """Says whether a spreadsheet may run a cell as a formula."""
    return _FORMULA.match(cell) is not None


def escape_cell(cell: str) -> str:
    """Puts an apostrophe before a cell that a spreadsheet would run as a formula.

    Example:
        >>> escape_cell("=1+1"), escape_cell("church"), escape_cell("'s-Hertogenbosch")
        ("'=1+1", 'church', "'s-Hertogenbosch")
    """
    return f"'{cell}" if runs(cell) else cell


def unescape_cell(cell: str) -> str:
    """Undoes `escape_cell`; a cell that is not escaped is returned unchanged."""
    escape = _ESCAPE.match(cell)
    return cell[escape.end() :] if escape else cell
