"""Sheets as spreadsheets save them, and the names that people type into them."""

import csv
import io
from collections.abc import Sequence
from itertools import combinations, product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hgld.errors import InputError
from hgld.labels.taxonomy.rows import SHIPPED, load_taxonomy_tables
from hgld.review.names import Spellings, alike_key, one_of, plain_text, typos
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


OFFICIAL = [one.hierarchical_label for one in load_taxonomy_tables(SHIPPED).supercategories]
WORDS = st.text("abc ", max_size=6)


def by_definition(one: str, other: str) -> int:
    """Optimal string alignment, as its recurrence is written."""
    if not one or not other:
        return len(one) + len(other)
    found = min(
        by_definition(one[:-1], other) + 1,
        by_definition(one, other[:-1]) + 1,
        by_definition(one[:-1], other[:-1]) + (one[-1] != other[-1]),
    )
    if len(one) > 1 and len(other) > 1 and one[-1] == other[-2] and one[-2] == other[-1]:
        found = min(found, by_definition(one[:-2], other[:-2]) + 1)
    return found


@given(WORDS, WORDS, st.integers(0, 3))
def test_typos_are_those_of_the_recurrence_up_to_a_most(one: str, other: str, most: int) -> None:
    assert typos(one, other, most) == min(by_definition(one, other), most + 1)


def test_a_name_takes_the_spelling_that_is_known() -> None:
    spellings = Spellings((), OFFICIAL)
    for typed in ("ocean area", "Ocean  Area", "\u00a0OCEAN area\u202f", "ocean\narea\n"):
        assert spellings.read(typed) == "ocean area "
    words = "\u06a9\u062a\u0627\u0628\u200c\u062e\u0627\u0646\u0647"  # Persian, with a joiner
    assert spellings.read(f" {words} ") == words


def test_no_official_name_is_asked_about_though_some_are_a_typo_apart() -> None:
    near = {
        (one, other)
        for one, other in combinations(OFFICIAL, 2)
        if typos(one.strip(), other.strip(), 1) == 1
    }
    assert near == {("fountain", "mountain")}
    assert Spellings((), OFFICIAL).questions(OFFICIAL) == {}
    assert Spellings(["fountain"], OFFICIAL).questions(["mountain"]) == {}
    assert Spellings(["fountain"]).questions(["mountain"]) == {"mountain": "fountain"}


def test_a_long_name_may_be_two_typos_away_and_of_two_new_ones_the_later_is_asked_about() -> None:
    near = {"pwer plannt": "power plant", "Towwer": "tower"}
    spellings = Spellings((), ["power plant", "cave", "tower"])
    assert spellings.questions(["pwer plannt", "lake", "Towwer"]) == near
    new = ["filling station", "filing station", "weir"]
    assert Spellings(()).questions(new) == {"filing station": "filling station"}


def test_words_are_told_whatever_their_case_spaces_and_hyphens() -> None:
    sides = ("natural", "human-made")
    for typed in ("Human-Made", " human made", "human\u2011made", "HUMANMADE", "human_made\u00a0"):
        assert one_of(typed, sides) == "human-made"
    assert one_of("", sides) is one_of("naturel", sides) is None


@given(st.text(max_size=8))
def test_a_text_reads_like_itself_made_plain(text: str) -> None:
    assert alike_key(text) == alike_key(plain_text(text))
    assert plain_text(plain_text(text)) == plain_text(text)


@pytest.mark.parametrize("unseen", ["\u2060", "\ufe0f", "\u200d", "\u034f", "\u3164", "\u2063"])
def test_what_cannot_be_seen_makes_no_other_name(unseen: str) -> None:
    typed = f"Wind{unseen}mill"
    assert Spellings(["windmill"]).read(typed) == "windmill"
    assert Spellings(()).read(typed) == "Windmill"
    assert Spellings([typed]).read("windmill") == typed  # of an older log
