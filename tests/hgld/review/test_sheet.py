"""Sheets as spreadsheets save them."""

import csv
import io
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hgld.errors import InputError
from hgld.review.sheet import COLUMNS, NEEDED, read_sheet, write_sheet
from tests.hgld.test_csv_files import AWKWARD

ROW = {
    "class_qid": "Q1",
    "class_label": "café",
    "action": "assign",
    "hierarchical_label": "restaurant",
    "natural_or_human_made": "human-made",
    "note": "naïve, and; so\ton",
    "log_position": "after line 0 (e3b0c44298fc)",
}


def text_of(*rows: Sequence[str], separator: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows(rows)
    return text.getvalue()


def sheet_text(separator: str = ",", header: Sequence[str] = NEEDED) -> str:
    return text_of(header, [ROW.get(name, "") for name in header], separator=separator)


def saved(tmp_path: Path, content: str | bytes, encoding: str = "utf-8") -> Path:
    path = tmp_path / "saved.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


@given(st.lists(st.lists(AWKWARD, min_size=len(COLUMNS), max_size=len(COLUMNS)), max_size=4))
@settings(
    max_examples=30,
    deadline=None,  # each writes and flushes a file
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # which is overwritten
)
def test_a_sheet_reads_back_exactly(tmp_path: Path, cells: list[list[str]]) -> None:
    rows = [dict(zip(COLUMNS, values, strict=True)) for values in cells]
    write_sheet(tmp_path / "sheet.csv", rows)
    assert [row for _, row in read_sheet(tmp_path / "sheet.csv")] == [
        {name: row[name] for name in NEEDED}
        for row in rows
        # A formula's apostrophe makes a cell of spaces one that is not blank.
        if any(cell.strip() or cell[:1] in {"\t", "\r", "\n"} for cell in row.values())
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_separators_encodings_and_line_breaks_are_told(tmp_path: Path, encoding: str) -> None:
    for separator, line_break, start in product(",;\t", ("\n", "\r\n", "\r"), ("", "\ufeff")):
        text = start + sheet_text(separator).replace("\r\n", line_break)
        assert read_sheet(saved(tmp_path, text, encoding)) == [(2, ROW)]


def test_columns_may_stand_in_another_order_and_blank_lines_count(tmp_path: Path) -> None:
    header = [*reversed(COLUMNS), "my own column", "", " "]
    cells = [ROW.get(name, "x") for name in header[:-2]]
    text = text_of(header, [""] * len(header), [" "] * 3, [], [*cells, "", " "])
    text = text.replace("hierarchical_label", " Hierarchical  Label", 1)
    assert read_sheet(saved(tmp_path, text)) == [(5, ROW)]


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "class_qid"),
        (sheet_text().replace("note", "remark", 1), "note"),
        (sheet_text(header=[*NEEDED, "action"]), "action"),
        ("My review\n" + sheet_text(), "first row"),
        (sheet_text() + "Q2,chapel\n", "row 3"),
        (sheet_text() + "Q2,chapel,,,,,x,y\n", "row 3"),
        (sheet_text() + '"Q2,chapel', "CSV"),
        (sheet_text() + '"x" y,,,,,,\n', "CSV"),
        (sheet_text().encode("cp1252"), "UTF-8"),
        (b"\xff\xfex", "UTF-8"),
    ],
)
def test_what_is_no_sheet_is_refused(tmp_path: Path, content: str | bytes, word: str) -> None:
    with pytest.raises(InputError, match=word):
        read_sheet(saved(tmp_path, content))
    for path in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(InputError, match=str(path)):
            read_sheet(path)
