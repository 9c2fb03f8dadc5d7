import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hgld.errors import InputError
from hgld.review.sheet import COLUMNS, escape_cell, read_sheet, unescape_cell, write_sheet

# What trips CSV and spreadsheets, more often than chance would have it.
AWKWARD = st.lists(
    st.sampled_from(
        [*"=+-@'\"\t\r\n,; ", "\uff1d", "\ufeff", "\u202e", "e\u0301", "cmd|' /C calc'!A1"]
    )
    | st.text(st.characters(codec="utf-8"), max_size=3),
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


@given(st.lists(st.lists(AWKWARD, min_size=len(COLUMNS), max_size=len(COLUMNS)), max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # the file is overwritten
def test_a_sheet_reads_back_exactly(tmp_path: Path, cells: list[list[str]]) -> None:
    rows = [dict(zip(COLUMNS, values, strict=True)) for values in cells]
    write_sheet(tmp_path / "sheet.csv", rows)
    assert [row for _, row in read_sheet(tmp_path / "sheet.csv")] == [
        row for row in rows if any(row.values())
    ]


def edited(tmp_path: Path, header: list[str], *rows: list[str], delimiter: str = ",") -> Path:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([header, *rows])
    path = tmp_path / "edited.csv"
    path.write_text(text.getvalue(), encoding="utf-8")
    return path


def test_columns_may_stand_in_another_order_and_blank_lines_keep_the_numbers(
    tmp_path: Path,
) -> None:
    header = list(reversed(COLUMNS))
    blank = [""] * len(header)
    path = edited(tmp_path, header, blank, [], [str(place) for place in range(len(header))])
    ((number, row),) = read_sheet(path)
    assert number == 4
    assert row["log_position"] == "0"
    assert row["class_qid"] == str(len(header) - 1)


def test_a_missing_column_and_an_unknown_one_are_named(tmp_path: Path) -> None:
    header = [name for name in COLUMNS if name != "note"] + ["remark"]
    with pytest.raises(InputError, match="each once; missing: note; unknown: remark"):
        list(read_sheet(edited(tmp_path, header)))


def test_a_sheet_of_an_earlier_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    header = [name for name in COLUMNS if name != "log_position"]
    with pytest.raises(InputError, match=r"missing: log_position; .* export a new sheet and copy"):
        list(read_sheet(edited(tmp_path, header)))


def test_semicolons_are_recognised(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="save it with commas"):
        list(read_sheet(edited(tmp_path, list(COLUMNS), delimiter=";")))


def test_a_row_with_too_many_cells_is_named(tmp_path: Path) -> None:
    path = edited(tmp_path, list(COLUMNS), ["x"] * len(COLUMNS), ["x"] * (len(COLUMNS) + 1))
    with pytest.raises(InputError, match="row 3 must have 14 cells, got 15"):
        list(read_sheet(path))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "must have the columns"),
        ("class_qid,é".encode("latin-1"), "is not UTF-8"),
        (b'class_qid,"open', "cannot be read as CSV"),
    ],
)
def test_a_file_that_is_no_sheet_is_refused(tmp_path: Path, content: bytes, text: str) -> None:
    (tmp_path / "sheet.csv").write_bytes(content)
    with pytest.raises(InputError, match=text):
        list(read_sheet(tmp_path / "sheet.csv"))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*: No such file"):
        list(read_sheet(tmp_path / "sheet.csv"))
