"""Lists that a person made, and cells that a spreadsheet would run."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hgld.errors import InputError
from hgld.tables.csv_files import escape_cell, read_csv_list, unescape_cell


def _read(path: Path, text: str | bytes) -> list[tuple[int, dict[str, str]]]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(read_csv_list(path, ("id", "name"), ("split",)))


@pytest.mark.parametrize(
    "text", ["name,id\r\nb c,1", "\ufeffid;name\n1;b c\n", "id\tname\n1\tb c\n"]
)
def test_a_list_is_read_whatever_program_saved_it(tmp_path: Path, text: str) -> None:
    assert _read(tmp_path / "list.csv", text) == [(2, {"id": "1", "name": "b c"})]


def test_cells_are_read_to_the_letter_with_other_columns_and_empty_rows_left_out(
    tmp_path: Path,
) -> None:
    rows = _read(tmp_path / "list.csv", 'id,name,note\n\n 1,"b, ""c""",x\n,,\n2,,\n')
    first, second = {"id": " 1", "name": 'b, "c"', "note": "x"}, {"id": "2", "name": "", "note": ""}
    assert rows == [(3, first), (5, second)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "row 1 .*id once"),
        ("id\n1\n", "row 1 .*name once"),
        ("id,name,name\n1,x,y\n", "row 1 .*name once"),
        ("id,name,split,split\n1,x,,\n", "row 1 .*split once"),
        ("id,name\n", "below"),
        ("id,name\n\n,\n", "below"),
        ("id,name\n1,x\n2,x,y\n", "row 3"),
        ("id,name\n1\n", "row 2"),
        ('id,name\n1,"x\n2,y\n', "row 2"),
        ('id,name\n1,"x\n2,"y"\n', "row 2"),
        ('id,name\n1,x\n\n2,"y\nz"\n', "row 4"),
        ('id,name\n1,x\n2,"y" z\n', "row 3"),
        (b"id,name\n1,\xff\n", "UTF-8"),
    ],
)
def test_a_row_that_is_not_clear_is_refused_by_its_number(
    tmp_path: Path, text: str | bytes, told: str
) -> None:
    with pytest.raises(InputError, match=told):
        _read(tmp_path / "list.csv", text)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        next(read_csv_list(tmp_path / "nowhere.csv", ("id",)))


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
