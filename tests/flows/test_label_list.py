import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from hgld.engine.workspace import Workspace
from hgld.flows.label_list import RESULT
from tests.worlds.builders import class_rows, write_scrape
from tests.worlds.commands.typed import invoke

NAMED = {
    *("class_qid", "label", "cluster_id", "proposed_label", "proposed_natural_or_human_made"),
    *("proposed_action", "confidence", "evidence"),
}


def written(path: Path, rows: Iterable[Sequence[object]]) -> Path:
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


def test_a_list_of_labels_alone_is_clustered_and_proposed(tmp_path: Path) -> None:
    rows = clustered(tmp_path, [["label"], ["waterfall"], ["parish church"], ["lighthouse"]])
    assert [row["label"] for row in rows] == ["waterfall", "parish church", "lighthouse"]
    assert [row["class_qid"] for row in rows] == [None] * 3
    found = [(row["proposed_label"], row["proposed_natural_or_human_made"]) for row in rows]
    assert found == [
        ("waterfall", "natural"),
        ("church", "human-made"),
        ("lighthouse", "human-made"),
    ]
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


def test_a_longer_list_keeps_the_clusters(tmp_path: Path) -> None:
    names = ["waterfall", "rapids", "church", "chapel", "bridge", "viaduct"]
    first = clustered(tmp_path, [["label"], *([name] for name in names)])
    longer = clustered(tmp_path, [["label"], ["footbridge"], *([name] for name in names)])
    before = {row["label"]: row["cluster_id"] for row in first}
    after = {row["label"]: row["cluster_id"] for row in longer}
    assert {name: after[name] for name in names} == before


def test_the_same_list_gives_the_same_bytes_elsewhere(tmp_path: Path) -> None:
    rows: list[Sequence[object]] = [
        ["label", "count"],
        ["canal", 3],
        ["lock", 1],
        ["World Heritage Site", 2],
    ]
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        clustered(tmp_path / name, rows)
    one, other = ((tmp_path / name / "out" / RESULT).read_bytes() for name in ("one", "other"))
    assert one == other


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        ([["name"], ["lake"]], "label"),
        ([["label"], ["lake"], [" "]], "row 3"),
        ([["label", "count"], ["lake", "many"]], "count"),
        ([["label", "count"], ["lake", "0"]], "count"),
        ([["label", "qids"], ["lake", "Q1|23397"]], "Q-ids"),
        ([["label"], ["lake", "dam"]], "row 2"),
        (
            [["label", "count"], ["lake", "20000000"], ["dam", "1"]],
            "20,000,000",
        ),
    ],
)
def test_a_row_that_is_not_clear_is_named(
    tmp_path: Path, rows: Iterable[Sequence[object]], word: str
) -> None:
    done = invoke(
        "cluster", "--labels", written(tmp_path / "list.csv", rows), "--out", tmp_path / "o"
    )
    assert done.exit_code == 1
    assert word in str(done.exception)
    assert not (tmp_path / "o").exists()


def test_a_file_that_is_none_or_no_text_is_one_line(tmp_path: Path) -> None:
    done = invoke("cluster", "--labels", tmp_path / "none.csv", "--out", tmp_path / "o")
    assert "cannot read" in str(done.exception)
    (tmp_path / "list.csv").write_bytes("label\ncaf\xe9\n".encode("latin-1"))
    done = invoke("cluster", "--labels", tmp_path / "list.csv", "--out", tmp_path / "o")
    assert "must be UTF-8" in str(done.exception)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--labels", "list.csv"], "--out"),
        (["--out", "folder"], "--labels"),
        (["--encoder", "minilm"], "--labels"),
    ],
)
def test_options_that_need_one_another_say_so(options: list[str], text: str) -> None:
    assert text in str(invoke("cluster", *options).exception)


def test_a_build_that_was_scraped_is_no_place_for_a_list(
    workspace: Workspace, tmp_path: Path
) -> None:
    write_scrape(workspace, class_rows({("train", 1): [("Q9", "castle")]}))
    before = {path: path.read_bytes() for path in workspace.root.rglob("*") if path.is_file()}
    labels = written(tmp_path / "list.csv", [["label"], ["lake"]])
    done = invoke("cluster", "--labels", labels, "--out", workspace.root)
    assert "--out" in str(done.exception)
    assert all(path.read_bytes() == content for path, content in before.items())
