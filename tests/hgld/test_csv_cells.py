"""Lists that a person writes as CSV, and cells that a spreadsheet would run."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hgld.errors import InputError
from hgld.tables.csv_cells import escape_cell, read_list, unescape_cell

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


@pytest.mark.parametrize("between", [",", ";", "\t"])
def test_a_list_is_read_as_a_spreadsheet_writes_it(tmp_path: Path, between: str) -> None:
    rows = (("note", "name", "count"), ("a", " x ", "1"), ("", " ", ""), ("", 'y, ""z""', ""))
    lines = [between.join(f'"{cell}"' for cell in row) for row in rows]
    path = tmp_path / "list.csv"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    assert list(read_list(path, ("name",), ("count", "other"))) == [
        (f"{path} line 2", {"name": " x ", "count": "1"}),
        (f"{path} line 4", {"name": 'y, "z"', "count": ""}),
    ]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        *((b"", "line 1 .* a once, got 0"), (b"b\n1\n", "column a"), (b"a,a\n1,2\n", "got 2")),
        *((b"a,c,c\n1,2,3\n", "column c"), (b"a\n", "no row"), (b"a\n\n \n", "no row")),
        *((b"a,b\n1\n", "line 2 .* 2 cells .* got 1"), (b"a\n1\n\n1,2\n", "line 4 .* got 2")),
        *((b'a\n"1\n2\n', "line 2 cannot"), (b'a\n1\n"1"2\n', "line 3 cannot")),
        *((b'a\n1\n"1\n2"\n', "line 3 goes on"), (b'"a\nb"\n1\n', "line 1 goes on")),
        (b"a\n\xff\n", "UTF-8"),
    ],
)
def test_a_list_that_is_not_clear_is_refused_by_its_line(
    tmp_path: Path, text: bytes, word: str
) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(text)
    with pytest.raises(InputError, match=word):
        list(read_list(path, ("a",), ("c",)))
    with pytest.raises(InputError, match="cannot read"):
        list(read_list(tmp_path / "none.csv", ("a",)))
