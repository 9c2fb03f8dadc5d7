import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import Result

from hgld.flows.fill_list import FILLED_LIST
from tests.worlds.commands.typed import invoke

HEADER = ["category", "hierarchical_label", "natural_or_human_made"]
URL = "http://commons.wikimedia.org/wiki/Category:"
SYLLABLES = ("ba", "do", "fe", "gu", "hi", "ka", "lo", "mu", "ne", "pi")
PLACES = [f"{one}{other}".capitalize() for one in SYLLABLES for other in SYLLABLES]
ROWS = [
    *(
        [f"{URL}{place}{'_Church' * (n % 3 > 0)}", "church", "human-made"]
        for n, place in enumerate(PLACES)
    ),
    *(
        [f"{URL}{'Lake_' * (n % 3 > 0)}{place}s", "lake", "natural"]
        for n, place in enumerate(PLACES)
    ),
    [f"{URL}Schleswig-Holstein", "", ""],
]


def written(path: Path, rows: Iterable[Sequence[str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def filled(folder: Path, labelled: Iterable[Sequence[str]], asked: Iterable[str]) -> Result:
    arguments = {
        "--labelled": written(folder / "labelled.csv", [HEADER, *labelled]),
        "--categories": written(folder / "asked.csv", [["category"], *([one] for one in asked)]),
        "--out": folder / "out",
    }
    typed = [str(part) for pair in arguments.items() for part in pair]
    return invoke("fill", *typed)


def test_a_list_is_filled_in_its_order_with_the_columns_that_others_rely_on(tmp_path: Path) -> None:
    asked = ["Category:Kirche (Bernau)", f"{URL}Lake_Xqzt", "Xqzt", f"{URL}Lake_Xqzt", ROWS[0][0]]
    done = filled(tmp_path, ROWS, asked)
    assert done.exit_code == 0, done.output
    assert FILLED_LIST in done.output
    table = pq.read_table(tmp_path / "out" / "fills.parquet")
    assert table.column_names == [*HEADER, "confidence", "evidence", "method"]
    rows = table.to_pylist()
    assert [row["category"] for row in rows] == asked
    assert [row["hierarchical_label"] for row in rows][:2] == ["church", "lake"]
    assert [row["natural_or_human_made"] for row in rows][:2] == ["human-made", "natural"]
    assert rows[1] == rows[3]
    assert rows[1]["confidence"] > rows[2]["confidence"]
    assert [row["method"] for row in rows] == ["words"] * 4 + ["labelled"]
    assert (rows[4]["hierarchical_label"], rows[4]["confidence"]) == ("church", 1.0)
    assert rows[2]["hierarchical_label"] in {"church", "lake"}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("category\n", "row 1"),
        ("category,category\nx,y\n", "row 1"),
        ('category\nx\n"y\nz\n', "row 3"),
        ('category\nx\n"y\nz"\n', "row 3"),
        ('category\nx\n"y\n"z"\n', "row 3"),
    ],
)
def test_a_list_that_is_not_clear_is_named_by_its_row(tmp_path: Path, text: str, word: str) -> None:
    known = written(tmp_path / "known.csv", [HEADER, *ROWS])
    (tmp_path / "asked.csv").write_text(text, encoding="utf-8")
    listed = ("--labelled", known, "--categories", tmp_path / "asked.csv")
    done = invoke("fill", *listed, "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert word in str(done.exception)


@pytest.mark.parametrize(
    ("row", "word"),
    [
        (["x", "church", ""], "labelled.csv row 203"),
        (["x", "", "natural"], "hierarchical_label"),
        (["x", "church", "made"], "'made'"),
        (["x", "church", "natural"], "human-made"),
        ([ROWS[0][0], "lake", "natural"], "row 2"),
        (["", "lake", "natural"], "category"),
        (["Category:_", "lake", "natural"], "Category:_"),
        (["x", "lake", "natural", "y"], "cells"),
    ],
)  # fmt: skip
def test_a_row_that_is_not_clear_is_named(tmp_path: Path, row: list[str], word: str) -> None:
    done = filled(tmp_path, [*ROWS, row], ["x"])
    assert done.exit_code == 1
    assert word in str(done.exception)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("between", [";", "\t"])
def test_a_file_as_a_spreadsheet_writes_it_is_read(tmp_path: Path, between: str) -> None:
    rows = [["x", *HEADER[::-1]], *(["1", *row[::-1]] for row in ROWS), ["", "", "", ""]]
    text = "\r\n".join(between.join(row) for row in rows)
    (tmp_path / "labelled.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    asked = f"category{between}\r\nLake Xqzt{between}\r\n{between}\r\n"
    (tmp_path / "asked.csv").write_bytes(asked.encode())
    listed = ("--labelled", tmp_path / "labelled.csv", "--categories", tmp_path / "asked.csv")
    done = invoke("fill", *listed, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    rows_out = pq.read_table(tmp_path / "out" / FILLED_LIST).to_pylist()
    assert [(row["category"], row["hierarchical_label"]) for row in rows_out] == [
        ("Lake Xqzt", "lake")
    ]


def test_a_category_is_the_same_however_it_is_written(tmp_path: Path) -> None:
    rows = [*ROWS, ["Category:Z%C3%BCrich_Church", "church", "human-made"]]
    asked = ["Zürich Church", f"{URL}Zu\u0308rich_Church", "Category:Zürich Church", "東京"]
    done = filled(tmp_path, rows, asked)
    assert done.exit_code == 0, done.output
    methods = pq.read_table(tmp_path / "out" / FILLED_LIST)["method"].to_pylist()
    assert methods == ["labelled"] * 3 + ["words"]
    done = filled(tmp_path, [*rows, ["Zürich Church", "lake", "natural"]], asked)
    assert done.exit_code == 1
    assert "row 203" in str(done.exception)


def test_one_super_category_is_nothing_to_choose_from(tmp_path: Path) -> None:
    done = filled(tmp_path, ROWS[:5], ["x"])
    assert done.exit_code == 1
    assert "super-categories" in str(done.exception)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    known = written(tmp_path / "known.csv", [HEADER, *ROWS])
    bare = written(tmp_path / "bare.csv", [["name"], ["x"]])
    latin = tmp_path / "latin.csv"
    latin.write_bytes(b"category\n\xe4\n")
    for asked, error in (
        (bare, "category"),
        (latin, "UTF-8"),
        (tmp_path / "none.csv", "none.csv"),
    ):
        listed = ("--labelled", known, "--categories", asked)
        done = invoke("fill", *listed, "--out", tmp_path / "out")
        assert done.exit_code == 1
        assert error in str(done.exception)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file", encoding="utf-8")
    done = filled(tmp_path, ROWS, ["x"])
    assert done.exit_code == 1
    assert str(tmp_path / "out") in str(done.exception)


def test_the_three_options_go_together(tmp_path: Path) -> None:
    done = invoke("fill", "--labelled", tmp_path / "a.csv")
    assert done.exit_code == 1
    assert "--categories" in str(done.exception)
