"""The review sheet as a CSV file: its columns, and cells that a spreadsheet does not run."""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from hgld.engine.files import write_text

SHOWN = (
    *("class_qid", "class_label", "landmarks", "cluster_id", "status"),
    *("proposed_action", "proposed_label", "proposed_natural_or_human_made"),
    *("confidence", "evidence"),
    *("wikidata", "example_landmarks", "example_link"),
)
"""Columns for the reviewer to read."""
FILLED_IN = ("action", "hierarchical_label", "natural_or_human_made", "note")
"""Columns for the reviewer to fill in."""
POSITION = "log_position"
"""Column that says how far the log of decisions went when the row was written."""
COLUMNS = (*SHOWN, *FILLED_IN, POSITION)
NEEDED = ("class_qid", "class_label", *FILLED_IN, POSITION)
"""Columns without which a sheet cannot be applied; the others may be gone, or more be there."""

# What a spreadsheet may run as a formula, or cut off: = + - @, also full-width and after spaces,
# and a leading tab or line break. Apostrophes before it belong to it, so that escaping can be
# undone exactly: 's-Hertogenbosch stays as it is, and what was '=A1 is told from what was =A1.
_RUNS = "[=+\\-@\uff1d\uff0b\uff0d\uff20\t\r\n]"
_FORMULA = re.compile(f"['\\s]*{_RUNS}")
# The apostrophe of an escaped one, also where it was made a curly one, or got spaces before it.
_ESCAPE = re.compile(f"\\s*['\u2018\u2019](?=['\u2018\u2019\\s]*{_RUNS})")


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


def escape_cell(cell: str) -> str:
    """Puts an apostrophe before what a spreadsheet would run as a formula.

    Example:
        >>> escape_cell("=1+1"), escape_cell("church"), escape_cell("'s-Hertogenbosch")
        ("'=1+1", 'church', "'s-Hertogenbosch")
    """
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unescape_cell(cell: str) -> str:
    """Undoes `escape_cell`; a cell that it would not have written is returned as it is."""
    escape = _ESCAPE.match(cell)
    return cell[escape.end() :] if escape else cell
