"""The review sheet as a CSV file: its columns, and cells that a spreadsheet does not run."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from hgld.engine.files import write_text
from hgld.errors import InputError

SHOWN = (
    *("class_qid", "class_label", "landmarks", "cluster_id"),
    *("proposed_action", "proposed_label", "proposed_natural_or_human_made"),
    *("confidence", "evidence"),
)
"""Columns for the reviewer to read."""
FILLED_IN = ("action", "hierarchical_label", "natural_or_human_made", "note")
"""Columns for the reviewer to fill in."""
POSITION = "log_position"
"""Column that says how far the log of decisions went when the row was written."""
COLUMNS = (*SHOWN, *FILLED_IN, POSITION)

# What a spreadsheet may run as a formula, or cut off: = + - @, also full-width and after spaces,
# and a leading tab or line break. Apostrophes before it belong to it, so that escaping can be
# undone exactly: 's-Hertogenbosch stays as it is, and what was '=A1 is told from what was =A1.
_FORMULA = re.compile("'*\\s*[=+\\-@\uff1d\uff0b\uff0d\uff20\t\r\n]")


def write_sheet(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Writes a sheet, atomically.

    Args:
        path: where to.
        rows: values by column; None and what is absent give empty cells.
    """
    text = io.StringIO()
    sheet = csv.writer(text)
    sheet.writerow(COLUMNS)
    for row in rows:
        cells = (row.get(name) for name in COLUMNS)
        sheet.writerow(["" if cell is None else escape_cell(str(cell)) for cell in cells])
    # The byte order mark tells Excel that this is UTF-8.
    write_text(path, f"\ufeff{text.getvalue()}")


def read_sheet(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Reads a sheet, its columns in any order.

    Args:
        path: what `write_sheet` wrote and a person edited.

    Yields:
        A row's number as a spreadsheet shows it, and its cells by column. Blank lines are left
        out.

    Raises:
        InputError: no such file, no UTF-8, no CSV, other columns, or a row with too few or too
            many cells.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 ({error}); save it as `CSV UTF-8`") from error
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise InputError(f"{path} cannot be read as CSV: {error}; export a new sheet") from error
    header = rows[0] if rows else []
    if sorted(header) != sorted(COLUMNS):
        raise InputError(_wrong_columns(path, header))
    for number, row in enumerate(rows[1:], start=2):
        if row and len(row) != len(header):
            raise InputError(
                f"{path} row {number} must have {len(header)} cells, got {len(row)}; quote cells "
                f"that hold a comma"
            )
        if any(row):
            yield number, dict(zip(header, map(unescape_cell, row), strict=True))


def escape_cell(cell: str) -> str:
    """Puts an apostrophe before what a spreadsheet would run as a formula.

    Example:
        >>> escape_cell("=1+1"), escape_cell("church"), escape_cell("'s-Hertogenbosch")
        ("'=1+1", 'church', "'s-Hertogenbosch")
    """
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unescape_cell(cell: str) -> str:
    """Undoes `escape_cell`; a cell that it would not have written is returned as it is."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _wrong_columns(path: Path, header: list[str]) -> str:
    missing = [name for name in COLUMNS if name not in header]
    extra = [name for name in header if name not in COLUMNS]
    hint = ""
    if len(header) == 1:
        hint = "; save it with commas between the cells"
    elif missing == [POSITION]:
        hint = (
            "; without that column nobody can tell which rows you changed since the export: export "
            "a new sheet and copy over the cells that you filled in or changed, and no others"
        )
    return (
        f"{path} must have the columns {', '.join(COLUMNS)}, each once; missing: "
        f"{', '.join(missing) or 'none'}; unknown: {', '.join(extra) or 'none'}{hint}"
    )
