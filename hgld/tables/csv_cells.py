"""Cells of CSV files that a person may open in a spreadsheet, which runs some of them."""

import re

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
