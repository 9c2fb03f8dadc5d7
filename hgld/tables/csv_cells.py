"""Lists that a person writes as CSV, and cells that a spreadsheet would run."""

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from hgld.errors import InputError

# What a spreadsheet may run as a formula, or cut off: = + - @, also full-width and after spaces,
# and a leading tab or line break. Apostrophes before it belong to it, so that escaping can be
# undone exactly: 's-Hertogenbosch stays as it is, and what was '=A1 is told from what was =A1.
_RUNS = "[=+\\-@\uff1d\uff0b\uff0d\uff20\t\r\n]"
_FORMULA = re.compile(f"['\\s]*{_RUNS}")
# The apostrophe of an escaped one, also where it was made a curly one, or got spaces before it.
_ESCAPE = re.compile(f"\\s*['\u2018\u2019](?=['\u2018\u2019\\s]*{_RUNS})")


def runs(cell: str) -> bool:
    """Says whether a spreadsheet may run a cell as a formula."""
    return _FORMULA.match(cell) is not None


def escape_cell(cell: str) -> str:
    """Puts an apostrophe before what a spreadsheet would run as a formula.

    Example:
        >>> escape_cell("=1+1"), escape_cell("church"), escape_cell("'s-Hertogenbosch")
        ("'=1+1", 'church', "'s-Hertogenbosch")
    """
    return f"'{cell}" if runs(cell) else cell


def unescape_cell(cell: str) -> str:
    """Undoes `escape_cell`; a cell that it would not have written is returned as it is."""
    escape = _ESCAPE.match(cell)
    return cell[escape.end() :] if escape else cell


def read_list(
    path: Path, columns: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[tuple[str, dict[str, str]]]:
    """Reads a list that a person wrote; what is not clear is refused by its line.

    Args:
        path: a UTF-8 file, one row a line, with commas, semicolons or tabs between the cells.
        columns: those that it must have.
        optional: those that it may have; all others are left out.

    Yields:
        Of each row that is not blank its place, such as `mine.csv line 2`, and its cells.

    Raises:
        InputError: the file cannot be read, a column is missing or there twice, or there is no row;
            or a row goes on in the next line or has not as many cells as the first.
    """
    lines = _lines(path)
    _, header = next(lines, ("", list[str]()))
    for name in (*columns, *optional):
        if (count := header.count(name)) > 1 or (not count and name in columns):
            raise InputError(f"{path} line 1 must name the column {name} once, got {count} of it")
    is_empty = True
    for where, cells in lines:
        if any(cell.strip() for cell in cells):  # a spreadsheet leaves blank ones
            if len(cells) != len(header):
                raise InputError(
                    f"{where} must have {len(header)} cells as line 1 has, got {len(cells)}; put a "
                    f"text with a comma between quotes"
                )
            row, is_empty = dict(zip(header, cells, strict=True)), False
            yield where, {name: row[name] for name in (*columns, *optional) if name in row}
    if is_empty:
        raise InputError(f"{path} has no row below line 1; add one")


def _lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Yields the place and the cells of each line."""
    number = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            lines = csv.reader(file, delimiter=max(",;\t", key=first.count), strict=True)
            for number, cells in enumerate(lines, 1):
                where = f"{path} line {number}"
                if lines.line_num > number:
                    raise InputError(f"{where} goes on in the next one; close its quote")
                yield where, cells
    except csv.Error as error:
        where = f"{path} line {number + 1}"
        raise InputError(f"{where} cannot be read: {error}; is its quote closed?") from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} must be UTF-8: {error}; save it as that") from error
