"""Sheets as spreadsheets of other countries save them."""

import csv
import io
import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hgld.errors import InputError
from hgld.review.exchange.reading import read_sheet, still_says
from hgld.review.sheet import COLUMNS, NEEDED, write_sheet
from tests.hgld.review.test_sheet import AWKWARD

LABELS = {"Q1": "café", "Q2": "chapel"}
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
    assert [row for _, row in read_sheet(tmp_path / "sheet.csv", {}).rows] == [
        {name: row[name] for name in NEEDED}
        for row in rows
        # A formula's apostrophe makes a cell of spaces one that is not blank.
        if any(cell.strip() or cell[:1] in {"\t", "\r", "\n"} for cell in row.values())
    ]


UNICODE = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be")
STARTS = ("", "sep={}\r\n", '"sep={}"\n', "\ufeff", "\ufeffsep={}\r\n")


@pytest.mark.parametrize("encoding", [*UNICODE, "cp1252", "mac_roman"])
def test_separators_encodings_and_line_breaks_are_told(tmp_path: Path, encoding: str) -> None:
    ways = itertools.product(",;\t|", ("\n", "\r\n", "\r"), STARTS)
    for separator, line_break, start in itertools.islice(ways, 0, None, 3):
        if encoding not in UNICODE and "\ufeff" in start:
            continue
        text = start.format(separator) + sheet_text(separator).replace("\r\n", line_break)
        text_read = read_sheet(saved(tmp_path, text, encoding), LABELS)
        assert text_read.rows == ((2, ROW),), (separator, line_break, start)
        assert bool(text_read.code_pages) == (encoding not in UNICODE)


@pytest.mark.parametrize("mark", ["\ufeff\ufeff\ufeff", "ï»¿", "\ufeffï»¿"])
def test_a_byte_order_mark_may_stand_there_twice_or_as_letters(tmp_path: Path, mark: str) -> None:
    assert read_sheet(saved(tmp_path, mark + sheet_text()), LABELS).rows == ((2, ROW),)


def test_columns_may_stand_in_another_order_and_blank_lines_keep_the_numbers(
    tmp_path: Path,
) -> None:
    header = [*reversed(COLUMNS), "my own column", "", " "]
    cells = [ROW.get(name, "x") for name in header[:-2]]
    text = text_of(header, [""] * len(header), [" "] * 3, [], [*cells, "", " "])
    ((number, row),) = read_sheet(saved(tmp_path, text), LABELS).rows
    assert number == 5
    assert row == ROW


def test_headings_may_be_written_otherwise(tmp_path: Path) -> None:
    text = sheet_text().replace("hierarchical_label", " Hierarchical  Label")
    assert read_sheet(saved(tmp_path, text), LABELS).rows == ((2, ROW),)


def test_a_sheet_of_an_earlier_version_has_all_that_is_needed(tmp_path: Path) -> None:
    old = (
        *("class_qid", "class_label", "landmarks", "cluster_id", "proposed_action"),
        *("proposed_label", "proposed_natural_or_human_made", "confidence", "evidence"),
        *("action", "hierarchical_label", "natural_or_human_made", "note", "log_position"),
    )
    assert read_sheet(saved(tmp_path, sheet_text(header=old)), LABELS).rows == ((2, ROW),)


def test_a_row_may_lack_cells_of_columns_that_have_no_name(tmp_path: Path) -> None:
    text = text_of([*NEEDED, "", ""], [ROW[name] for name in NEEDED])
    assert read_sheet(saved(tmp_path, text), LABELS).rows == ((2, ROW),)


@pytest.mark.parametrize("missing", NEEDED)
def test_a_column_that_is_missing_or_there_twice_is_named(tmp_path: Path, missing: str) -> None:
    header = [name for name in NEEDED if name != missing] + ["remark"]
    for columns in (header, [*NEEDED, missing]):
        with pytest.raises(InputError, match=rf"(missing|twice): {missing};"):
            read_sheet(saved(tmp_path, text_of(columns)), LABELS)


@pytest.mark.parametrize(
    "cells",
    [["x"] * (len(NEEDED) + 1), ["x"] * (len(NEEDED) - 1), [*["x"] * len(NEEDED), "", "lost"]],
)
def test_a_row_with_too_few_or_too_many_cells_is_named(tmp_path: Path, cells: list[str]) -> None:
    path = saved(tmp_path, text_of([*NEEDED, ""], [*["x"] * len(NEEDED), ""], cells))
    with pytest.raises(InputError, match="row 3"):
        read_sheet(path, LABELS)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "columns"),
        (b"\xff\xfe", "columns"),
        ("class_qid,é".encode("latin-1"), "columns"),
        (b'class_qid,"open', "CSV"),
        (f'{text_of(NEEDED)}Q1,"open'.encode(), "CSV"),
        (f"{text_of(NEEDED)}{'x' * 200_000}".encode(), "CSV"),
    ],
)
def test_a_file_that_is_no_sheet_is_refused(tmp_path: Path, content: bytes, text: str) -> None:
    with pytest.raises(InputError, match=text):
        read_sheet(saved(tmp_path, content), LABELS)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"sheet\.csv"):
        read_sheet(tmp_path / "sheet.csv", LABELS)


def test_the_labels_of_classes_tell_the_code_page(tmp_path: Path) -> None:
    found = read_sheet(saved(tmp_path, sheet_text(), "mac_roman"), LABELS)
    assert found.code_pages == ("mac_roman",)
    found = read_sheet(saved(tmp_path, sheet_text(), "cp1252"), LABELS)
    assert set(found.code_pages) == {"cp1252", "cp1250", "cp1254", "cp1257"}  # é is one byte of all
    text = sheet_text().replace("café", "kościół").replace("naïve", "łatwe")
    found = read_sheet(saved(tmp_path, text, "cp1250"), {"Q1": "kościół"})
    assert found.code_pages == ("cp1250",)
    assert found.rows == ((2, ROW | {"class_label": "kościół", "note": "łatwe, and; so\ton"}),)
    found.check("zażółć")


def test_letters_that_code_pages_read_differently_are_not_guessed(tmp_path: Path) -> None:
    text = sheet_text().replace("café", "cafe")
    found = read_sheet(saved(tmp_path, text, "cp1252"), {"Q1": "cafe"})
    assert len(found.code_pages) > 2
    found.check("restaurant")
    with pytest.raises(ValueError, match="naïve"):
        found.check(found.rows[0][1]["note"])
    with pytest.raises(ValueError, match="lost"):
        found.check("is it so?")


def test_letters_that_a_code_page_lost_are_found_out_by_the_labels(tmp_path: Path) -> None:
    text = sheet_text().replace("café", "寺").replace("naïve", "naive")
    found = read_sheet(saved(tmp_path, text.encode("cp1252", "replace")), {"Q1": "寺"})
    assert found.rows[0][1]["class_label"] == "?"
    with pytest.raises(ValueError, match="lost"):
        found.check("??")
    plain = read_sheet(saved(tmp_path, sheet_text().replace("café", "cafe")), {"Q1": "cafe"})
    plain.check("is it so?")


def test_text_that_was_saved_twice_is_not_taken(tmp_path: Path) -> None:
    found = read_sheet(saved(tmp_path, sheet_text()), LABELS)
    with pytest.raises(ValueError, match="café"):
        found.check("cafÃ©")
    with pytest.raises(ValueError, match="caf"):
        found.check("caf\ufffd")
    found.check("Ärgernis, où, “x”, 寺")


def test_a_text_still_says_what_it_said_whatever_a_spreadsheet_did_to_it() -> None:
    said = "St. John's “parish” church"
    for seen in (
        said,
        "St. John\u2019s “parish” church",
        ' st. john\'s  "parish"\u00a0church ',
        "ST. JOHN'S “PARISH” CHURCH",
    ):
        assert still_says(seen, said)
    assert still_says("café ?", "café 寺")
    assert not still_says("café ??", "café 寺")
    assert not still_says("c?fé", "café")
    assert not still_says("St. Johns church", said)
    assert not still_says("?", "church")


@pytest.mark.parametrize("start", [b"PK\x03\x04\x14\0", b"\xd0\xcf\x11\xe0\xa1\xb1"])
def test_a_workbook_that_is_called_csv_is_told(tmp_path: Path, start: bytes) -> None:
    with pytest.raises(InputError, match="workbook"):
        read_sheet(saved(tmp_path, start + bytes(range(256))), LABELS)


@pytest.mark.parametrize("above", [["My review", "", ""], [""] * 7, [], ["a;b"]])
@pytest.mark.parametrize("separator", [",", ";"])
def test_names_of_columns_below_a_title_are_told_with_their_row(
    tmp_path: Path, above: list[str], separator: str
) -> None:
    title = text_of(above, separator=separator)
    path = saved(tmp_path, title + title + sheet_text(separator))
    with pytest.raises(InputError, match="row 3"):
        read_sheet(path, LABELS)
