"""Cells of CSV files that a spreadsheet would run."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hgld.tables.csv_cells import escape_cell, unescape_cell

# What trips CSV and spreadsheets, more often than chance would have it.
AWKWARD = st.lists(
    st.sampled_from(
        [*"=+-@'\"\t\r\n,; ", "\uff1d", "\ufeff", "\u202e", "e\u0301", "cmd|' /C calc'!A1"]
    )
    | st.text(st.characters(codec="utf-8", exclude_characters="\ufffd"), max_size=3),
    max_size=6,
).map("".join)


@given(AWKWARD)
@example("'=1")
@example("''@")
@example("'s-Hertogenbosch")
@example(" \u00a0=1+1")
@example(" \t")
def test_an_escaped_cell_reads_back_exactly_and_runs_as_no_formula(cell: str) -> None:
    escaped = escape_cell(cell)
    assert unescape_cell(escaped) == cell
    assert not escaped.lstrip(" \u00a0").startswith(tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"))


@pytest.mark.parametrize("cell", ["=SUM(A1)", "+1", "-1", "@x", "\t=1", "\r=1", "  =1", "\uff1d1"])
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(cell: str) -> None:
    assert escape_cell(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["church", "'s-Hertogenbosch", "castle / fort", "", "1-2", "'"])
def test_what_no_spreadsheet_runs_stays_as_it_is(cell: str) -> None:
    assert escape_cell(cell) == unescape_cell(cell) == cell


def test_an_apostrophe_that_was_made_a_curly_one_comes_off_as_well() -> None:
    assert unescape_cell("\u2019=1+1") == "=1+1"
    assert unescape_cell("\u2018s-Hertogenbosch") == "\u2018s-Hertogenbosch"
