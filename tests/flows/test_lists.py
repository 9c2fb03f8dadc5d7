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
from tests.hgld.labels.fills.worlds import PLACES, URL
from tests.worlds.builders import class_rows, write_scrape
from tests.worlds.commands.typed import invoke

HEADER = ["category", "hierarchical_label", "natural_or_human_made"]
ROWS = [
    *([f"{URL}{p}{'_Church' * (n % 3 > 0)}", "church", "human-made"] for n, p in enumerate(PLACES)),
    *([f"{URL}{'Lake_' * (n % 3 > 0)}{p}s", "lake", "natural"] for n, p in enumerate(PLACES)),
    [f"{URL}Schleswig-Holstein", "", ""],
]
NAMES = [
    *(["waterfall"], ["parish church"], ["lighthouse"], ["rapids"]),
    *(["church"], ["chapel"], ["bridge"], ["viaduct"]),
]


def written(path: Path, rows: Iterable[Sequence[object]]) -> Path:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def cluster(folder: Path, *rows: Sequence[object]) -> Result:
    labels = written(folder / "list.csv", rows)
    return invoke("cluster", "--labels", labels, "--out", folder / "out", "--clusters", "3")


def clustered(folder: Path, *rows: Sequence[object]) -> list[dict[str, Any]]:
    """Returns the proposals for the rows of a list."""
    done = cluster(folder, *rows)
    assert done.exit_code == 0, done.output
    proposed: list[dict[str, Any]] = pq.read_table(folder / "out" / RESULT).to_pylist()
    return proposed


def fill(folder: Path, labelled: Iterable[Sequence[str]], asked: Iterable[str] = "x") -> Result:
    known = written(folder / "labelled.csv", [HEADER, *labelled])
    names = written(folder / "asked.csv", [["category"], *([each] for each in asked)])
    return invoke("fill", "--labelled", known, "--categories", names, "--out", folder / "out")


def test_labels_only_are_clustered_and_proposed_the_same_elsewhere_and_in_a_longer_list(
    tmp_path: Path,
) -> None:
    rows = clustered(tmp_path / "here", ["label"], *NAMES)
    told = ("label", "class_qid", "proposed_label", "proposed_natural_or_human_made")
    assert [[row[name] for name in told] for row in rows[:3]] == [
        ["waterfall", None, "waterfall", "natural"],
        ["parish church", None, "church", "human-made"],
        ["lighthouse", None, "lighthouse", "human-made"],
    ]
    assert {row["proposed_action"] for row in rows} == {"accept"}
    assert all(0 <= row["confidence"] <= 1 and row["evidence"] for row in rows)
    clustered(tmp_path / "there", ["label"], *NAMES)
    here, there = (tmp_path / name / "out" / RESULT for name in ("here", "there"))
    assert here.read_bytes() == there.read_bytes()
    _, *longer = clustered(tmp_path / "here", ["label"], ["footbridge"], *NAMES)
    clusters = [[(row["label"], row["cluster_id"]) for row in each] for each in (rows, longer)]
    assert clusters[0] == clusters[1]


def test_each_q_id_is_a_row_a_q_id_under_two_labels_is_two_and_a_column_not_read_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = clustered(
        tmp_path,
        ["items_seen", "label", "qids", "note"],
        [7, "national park", "Q46169|Q20526152", "two of them"],
        ["", "lake", "", ""],
        [2, "lake, reservoir", "Q46169", "the same Q-id"],
        [0, "lake", "", "once more"],
        ["", " lake  (drained) ", "", "to the letter"],
    )
    assert [(row["label"], row["class_qid"], row["count"]) for row in rows] == [
        *(("national park", qid, 7) for qid in ("Q46169", "Q20526152")),
        ("lake", None, 2),
        ("lake, reservoir", "Q46169", 2),
        (" lake  (drained) ", None, 1),
    ]
    (warning,) = (one for one in caplog.records if one.levelname == "WARNING")
    assert "'note'" in warning.getMessage()


def test_a_label_that_is_not_clear_is_named(tmp_path: Path) -> None:
    for column, *values, word in (
        ("count", "1", "many", "got 'many'"),
        ("count", "20000000", "1", "20,000,000"),
        ("qids", "Q1", "Q1|23397", "Q-ids"),
    ):
        rows = [[f"lake {value}", value] for value in values]
        assert word in str(cluster(tmp_path, ["label", column], *rows).exception)
        assert not (tmp_path / "out").exists()
    assert "row 3" in str(cluster(tmp_path, ["label"], ["lake"], [" "]).exception)


def test_a_build_that_was_scraped_is_no_place_for_a_list(tmp_path: Path) -> None:
    build = Workspace(tmp_path / "out")
    write_scrape(build, class_rows({("train", 1): [("Q9", "castle")]}))
    before = {path: path.read_bytes() for path in build.root.rglob("*") if path.is_file()}
    assert "--out" in str(cluster(tmp_path, ["label"], ["lake"]).exception)
    assert all(path.read_bytes() == content for path, content in before.items())


def test_a_list_is_filled_in_its_order_with_the_columns_that_others_rely_on(tmp_path: Path) -> None:
    asked = ["Category:Kirche (Bernau)", f"{URL}Lake_Xqzt", "Xqzt", f"{URL}Lake_Xqzt", ROWS[0][0]]
    asked += ["Zürich Church", f"{URL}Zu\u0308rich_Church", "東京"]
    done = fill(tmp_path, [*ROWS, ["Category:Z%C3%BCrich_Church", "church", "human-made"]], asked)
    assert done.exit_code == 0, done.output
    assert FILLED_LIST in done.output
    table = pq.read_table(tmp_path / "out" / FILLED_LIST)
    assert table.column_names == [*HEADER, "confidence", "evidence", "method"]
    rows = table.to_pylist()
    assert [row["category"] for row in rows] == asked
    assert [[row[name] for name in HEADER[1:]] for row in rows[:2]] == [
        ["church", "human-made"],
        ["lake", "natural"],
    ]
    assert rows[1] == rows[3]
    assert rows[1]["confidence"] > rows[2]["confidence"]
    assert [row["method"] for row in rows] == ["words"] * 4 + ["labelled"] * 3 + ["words"]
    assert (rows[4]["hierarchical_label"], rows[4]["confidence"]) == ("church", 1.0)


def test_a_labelled_row_that_is_not_clear_is_named(tmp_path: Path) -> None:
    for *row, word in (
        ["x", "church", "", "labelled.csv row 203"],
        ["x", "", "natural", "hierarchical_label"],
        ["x", "church", "natural", "human-made"],
        [ROWS[0][0], "lake", "natural", "row 2 "],
        ["", "lake", "natural", "category"],
        ["Category:_", "lake", "natural", "Category:_"],
    ):
        assert word in str(fill(tmp_path, [*ROWS, row]).exception)
        assert not (tmp_path / "out").exists()


def test_one_super_category_or_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    assert "super-categories" in str(fill(tmp_path, ROWS[:5]).exception)
    (tmp_path / "out").write_text("a file", encoding="utf-8")
    assert str(tmp_path / "out") in str(fill(tmp_path, ROWS).exception)
