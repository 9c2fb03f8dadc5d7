"""`hgld cluster --labels` and `hgld fill --labelled`."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import Result

from hgld.engine.workspace import Workspace
from hgld.flows.fill_list import FILLED_LIST
from hgld.flows.label_list import RESULT
from tests.worlds.builders import class_rows, write_scrape
from tests.worlds.commands.typed import invoke

NAMED = {
    *("class_qid", "label", "cluster_id", "proposed_label", "proposed_natural_or_human_made"),
    *("proposed_action", "confidence", "evidence"),
}
HEADER = ["category", "hierarchical_label", "natural_or_human_made"]
URL = "http://commons.wikimedia.org/wiki/Category:"
SYLLABLES = ("ba", "do", "fe", "gu", "hi", "ka", "lo", "mu", "ne", "pi")
PLACES = [f"{one}{other}".capitalize() for one in SYLLABLES for other in SYLLABLES]
ROWS = [
    *([f"{URL}{p}{'_Church' * (n % 3 > 0)}", "church", "human-made"] for n, p in enumerate(PLACES)),
    *([f"{URL}{'Lake_' * (n % 3 > 0)}{p}s", "lake", "natural"] for n, p in enumerate(PLACES)),
    [f"{URL}Schleswig-Holstein", "", ""],
]


def written(path: Path, rows: Iterable[Sequence[object]]) -> Path:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def clustered(folder: Path, rows: Iterable[Sequence[object]]) -> list[dict[str, Any]]:
    """Returns the proposals for the rows of a list."""
    path = written(folder / "list.csv", rows)
    done = invoke("cluster", "--labels", path, "--out", folder / "out", "--clusters", "3")
    assert done.exit_code == 0, done.output
    table = pq.read_table(folder / "out" / RESULT)
    assert set(table.column_names) >= NAMED
    rows_read: list[dict[str, Any]] = table.to_pylist()
    return rows_read


def filled(folder: Path, labelled: Iterable[Sequence[str]], asked: Iterable[str]) -> Result:
    known = written(folder / "labelled.csv", [HEADER, *labelled])
    names = written(folder / "asked.csv", [["category"], *([each] for each in asked)])
    return invoke("fill", "--labelled", known, "--categories", names, "--out", folder / "out")


def test_a_list_of_labels_alone_is_clustered_and_proposed(tmp_path: Path) -> None:
    rows = clustered(tmp_path, [["label"], ["waterfall"], ["parish church"], ["lighthouse"]])
    assert [row["label"] for row in rows] == ["waterfall", "parish church", "lighthouse"]
    assert [row["class_qid"] for row in rows] == [None] * 3
    found = [(row["proposed_label"], row["proposed_natural_or_human_made"]) for row in rows]
    made = "human-made"
    assert found == [("waterfall", "natural"), ("church", made), ("lighthouse", made)]
    assert {row["proposed_action"] for row in rows} == {"accept"}
    assert all(0 <= row["confidence"] <= 1 and row["evidence"] for row in rows)


def test_each_q_id_is_a_row_and_a_q_id_under_two_labels_is_two(tmp_path: Path) -> None:
    rows = clustered(
        tmp_path,
        [
            ["count", "label", "qids", "note"],
            [7, "national park", "Q46169|Q20526152", "two of them"],
            ["", "lake", "", ""],
            [2, "lake, reservoir", "Q46169", "the same Q-id"],
            [1, "lake", "", "once more"],
            ["", " lake  (drained) ", "", "to the letter"],
        ],
    )
    assert [(row["label"], row["class_qid"], row["count"]) for row in rows] == [
        ("national park", "Q46169", 7),
        ("national park", "Q20526152", 7),
        ("lake", None, 2),
        ("lake, reservoir", "Q46169", 2),
        (" lake  (drained) ", None, 1),
    ]


def test_a_longer_list_keeps_the_clusters_and_the_same_list_its_bytes(tmp_path: Path) -> None:
    names = [[name] for name in ("waterfall", "rapids", "church", "chapel", "bridge", "viaduct")]
    first = clustered(tmp_path, [["label"], *names])
    written_first = (tmp_path / "out" / RESULT).read_bytes()
    longer = clustered(tmp_path, [["label"], ["footbridge"], *names])
    after = {row["label"]: row["cluster_id"] for row in longer}
    assert {row["label"]: after[row["label"]] for row in first} == {
        row["label"]: row["cluster_id"] for row in first
    }
    clustered(tmp_path / "elsewhere", [["label"], *names])
    assert (tmp_path / "elsewhere/out" / RESULT).read_bytes() == written_first


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        ([["label", "count"], ["lake", 1], [" ", 2]], "row 3"),
        ([["label", "count"], ["lake", "many"]], "count"),
        ([["label", "count"], ["lake", "0"]], "count"),
        ([["label", "qids"], ["lake", "Q1|23397"]], "Q-ids"),
        ([["label", "count"], ["lake", "20000000"], ["dam", "1"]], "20,000,000"),
    ],
)
def test_a_label_that_is_not_clear_is_named(
    tmp_path: Path, rows: Iterable[Sequence[object]], word: str
) -> None:
    labels = written(tmp_path / "list.csv", rows)
    done = invoke("cluster", "--labels", labels, "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert word in str(done.exception)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["cluster", "--labels", "list.csv"], "--out"),
        (["cluster", "--out", "folder"], "--labels"),
        (["cluster", "--encoder", "minilm"], "--labels"),
        (["fill", "--labelled", "list.csv"], "--categories"),
    ],
)
def test_options_that_need_one_another_say_so(words: list[str], text: str) -> None:
    assert text in str(invoke(*words).exception)


def test_a_build_that_was_scraped_is_no_place_for_a_list(
    workspace: Workspace, tmp_path: Path
) -> None:
    write_scrape(workspace, class_rows({("train", 1): [("Q9", "castle")]}))
    before = {path: path.read_bytes() for path in workspace.root.rglob("*") if path.is_file()}
    labels = written(tmp_path / "list.csv", [["label"], ["lake"]])
    done = invoke("cluster", "--labels", labels, "--out", workspace.root)
    assert "--out" in str(done.exception)
    assert all(path.read_bytes() == content for path, content in before.items())


def test_a_list_is_filled_in_its_order_with_the_columns_that_others_rely_on(tmp_path: Path) -> None:
    asked = ["Category:Kirche (Bernau)", f"{URL}Lake_Xqzt", "Xqzt", f"{URL}Lake_Xqzt", ROWS[0][0]]
    asked += ["Zürich Church", f"{URL}Zu\u0308rich_Church", "東京"]
    done = filled(tmp_path, [*ROWS, ["Category:Z%C3%BCrich_Church", "church", "human-made"]], asked)
    assert done.exit_code == 0, done.output
    assert FILLED_LIST in done.output
    table = pq.read_table(tmp_path / "out" / FILLED_LIST)
    assert table.column_names == [*HEADER, "confidence", "evidence", "method"]
    rows = table.to_pylist()
    assert [row["category"] for row in rows] == asked
    assert [row["hierarchical_label"] for row in rows][:2] == ["church", "lake"]
    assert [row["natural_or_human_made"] for row in rows][:2] == ["human-made", "natural"]
    assert rows[1] == rows[3]
    assert rows[1]["confidence"] > rows[2]["confidence"]
    assert [row["method"] for row in rows] == ["words"] * 4 + ["labelled"] * 3 + ["words"]
    assert (rows[4]["hierarchical_label"], rows[4]["confidence"]) == ("church", 1.0)
    assert rows[2]["hierarchical_label"] in {"church", "lake"}


@pytest.mark.parametrize(
    ("row", "word"),
    [
        (["x", "church", ""], "labelled.csv row 203"),
        (["x", "", "natural"], "hierarchical_label"),
        (["x", "church", "made"], "'made'"),
        (["x", "church", "natural"], "human-made"),
        ([ROWS[0][0], "lake", "natural"], "row 2 "),
        (["", "lake", "natural"], "category"),
        (["Category:_", "lake", "natural"], "Category:_"),
    ],
)  # fmt: skip
def test_a_labelled_row_that_is_not_clear_is_named(
    tmp_path: Path, row: list[str], word: str
) -> None:
    done = filled(tmp_path, [*ROWS, row], ["x"])
    assert done.exit_code == 1
    assert word in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_one_super_category_or_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    assert "super-categories" in str(filled(tmp_path, ROWS[:5], ["x"]).exception)
    (tmp_path / "out").write_text("a file", encoding="utf-8")
    assert str(tmp_path / "out") in str(filled(tmp_path, ROWS, ["x"]).exception)
