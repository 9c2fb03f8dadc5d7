"""The whole scrape against a small Wikimedia: its rows, its input, its archive."""

import re
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests

from hgld.engine.stage import Stage, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.errors import InputError, MissingInputError
from hgld.scrape.stage import ScrapeConfig, run_scrape
from hgld.tables import CATEGORIES, CLASSES, LANDMARKS, SUPERCLASSES
from tests.worlds.wikimedia.scraping import STATUSES, fast_config, statuses_of
from tests.worlds.wikimedia.small import Server, serving


def test_every_landmark_ends_in_one_row_that_says_where_it_was_found(
    server: Server, categories: Path, workspace: Workspace
) -> None:
    report = run_scrape(workspace, fast_config(server), categories)
    assert list(statuses_of(workspace).items()) == list(STATUSES.items())
    assert report.manifest.failed == 0
    rows = {row["landmark_id"]: row for row in workspace.read(CATEGORIES).to_pylist()}
    assert [rows[n]["page_title"] for n in (2, 3)] == ["Category:Tower", "Category:Castle"]
    assert [rows[n]["qid"] for n in (1, 6, 7, 8)] == ["Q1", "Q3", "Q4", "Q5"]
    assert rows[5]["page_title"] == "Category:Bare"
    assert rows[11]["error"] is None
    assert rows[12]["error"] == "has a ["
    assert "UTF-8" in rows[15]["error"]
    assert rows[1]["revision_id"] is not None
    assert rows[1]["split"] == "train"


def test_classes_have_label_language_and_rank(
    server: Server, categories: Path, workspace: Workspace
) -> None:
    run_scrape(workspace, fast_config(server), categories)
    classes: dict[int, list[tuple[str, str, str | None, str]]] = {}
    for row in workspace.read(CLASSES).to_pylist():
        fields = (row["class_qid"], row["class_label"], row["label_language"], row["rank"])
        classes.setdefault(row["landmark_id"], []).append(fields)
    tower = [("Q101", "tower", "en", "normal"), ("Q102", "Turm", "mul", "normal")]
    assert classes[1] == classes[2] == classes[13] == tower
    assert classes[7] == [("Q104", "Q104", None, "normal")]
    assert classes[10] == [("Q103", "castle", "en", "preferred")]
    assert set(classes) == {n for n, status in STATUSES.items() if status == "ok"}


def test_moved_categories_are_followed_where_that_is_asked_for(
    server: Server, tmp_path: Path, workspace: Workspace
) -> None:
    path = tmp_path / "moved.csv"
    names = ("Moved", "Deleted", "Nowhere")
    lines = [f"{n},http://x/wiki/Category:{name}" for n, name in enumerate(names)]
    path.write_text("\n".join(["landmark_id,category", *lines]) + "\n", encoding="utf-8")
    run_scrape(workspace, fast_config(server), path)
    assert set(statuses_of(workspace).values()) == {"no_page"}
    # None of the pages is there: the answer is asked for once more, in halves.
    assert server.count("commons") == 1 + 2
    run_scrape(workspace, fast_config(server, follow_moves=True), path)
    rows = workspace.read(CATEGORIES).to_pylist()
    assert [row["status"] for row in rows] == ["ok", "no_page", "no_page"]
    assert [row["page_title"] for row in rows] == ["Category:Castle", None, None]
    assert [row["error"] for row in rows] == [None, "last in its log: delete", None]
    # One log a missing page, the empty one once more, and the page that one was moved to.
    assert server.count("commons") == 1 + 2 + 3 + 1 + 1


@pytest.mark.parametrize(
    ("depth", "above"),
    [(0, []), (1, [(1, "fortification")]), (2, [(1, "fortification"), (2, "structure")])],
)
def test_superclasses_are_followed_so_far(
    server: Server, categories: Path, workspace: Workspace, depth: int, above: list[tuple[int, str]]
) -> None:
    run_scrape(workspace, fast_config(server, superclass_depth=depth), categories)
    rows = workspace.read(SUPERCLASSES).to_pylist()
    assert [(row["depth"], row["superclass_label"]) for row in rows] == above
    assert {row["class_qid"] for row in rows} <= {"Q103"}


def test_no_title_and_no_item_is_asked_for_twice(
    server: Server, categories: Path, workspace: Workspace
) -> None:
    run_scrape(workspace, fast_config(server), categories)
    titles = Counter(
        title
        for name, form in server.hits
        if name == "commons" and "content" not in form["rvprop"]
        for title in form["titles"].split("|")
    )
    assert set(titles.values()) == {1}
    assert titles["Category:Tower"] == 1  # two landmarks, one page
    assert all(form["maxlag"] == "5" for name, form in server.hits if name == "commons")


def test_landmarks_come_from_the_metadata_stage_where_no_file_is_given(
    server: Server, workspace: Workspace
) -> None:
    metadata = Stage(name="metadata", version=1, outputs=(LANDMARKS,))
    url = "http://commons.wikimedia.org/wiki/Category:Tower"
    rows = [{"split": split, "landmark_id": 7, "category": url} for split in ("train", "index")]

    def write(writer: StageWriter) -> None:
        writer.write(LANDMARKS, "rows", pa.Table.from_pylist(rows, schema=LANDMARKS.schema))

    with pytest.raises(MissingInputError, match="hgld metadata"):
        run_scrape(workspace, fast_config(server))
    run_stage(workspace, metadata, {}, write)
    run_scrape(workspace, fast_config(server))
    got = [(row["split"], row["status"]) for row in workspace.read(CATEGORIES).to_pylist()]
    assert got == [("train", "ok"), ("index", "ok")]


def test_a_second_run_asks_nothing(server: Server, categories: Path, workspace: Workspace) -> None:
    run_scrape(workspace, fast_config(server), categories)
    before = len(server.hits)
    assert run_scrape(workspace, fast_config(server), categories).skipped
    assert len(server.hits) == before


def test_other_rows_are_another_run_and_ask_only_for_what_is_new(
    server: Server, categories: Path, workspace: Workspace
) -> None:
    run_scrape(workspace, fast_config(server), categories)
    before = len(server.hits)
    # One row less at the front shifts every batch.
    lines = categories.read_text(encoding="utf-8").splitlines()
    other = categories.with_name("other.csv")
    other.write_text("\n".join([lines[0], *lines[2:]]) + "\n", encoding="utf-8")
    assert not run_scrape(workspace, fast_config(server), other).skipped
    assert len(server.hits) == before
    assert list(statuses_of(workspace)) == list(range(2, 16))


def test_answers_of_another_server_do_not_count(categories: Path, workspace: Workspace) -> None:
    for _ in range(2):
        with serving() as server:
            run_scrape(workspace, fast_config(server), categories)
            assert server.count("commons") > 0
            assert server.count("sparql") > 0


def test_a_replay_rebuilds_the_same_files_without_a_connection(
    server: Server, categories: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_scrape(workspace, fast_config(server), categories)
    paths = sorted(workspace.path("scrape").rglob("*.parquet"))
    before = [path.read_bytes() for path in paths]
    for path in paths:
        path.write_bytes(b"spoiled")

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a replay opened a connection")

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", refuse)
    assert not run_scrape(workspace, fast_config(server, replay=True), categories).skipped
    assert [path.read_bytes() for path in paths] == before


def test_a_replay_says_which_rows_the_archive_does_not_have(
    server: Server, categories: Path, workspace: Workspace
) -> None:
    config = ScrapeConfig(replay=True)  # Wikimedia itself, and no contact: nothing is asked
    report = run_scrape(workspace, config, categories)
    statuses = Counter(statuses_of(workspace).values())
    assert statuses == {"failed": 14, "no_page": 1}
    assert report.manifest.failed == 14
    error = pq.read_table(workspace.shards(CATEGORIES)[0])["error"][0].as_py()
    assert "--no-replay" in error
    assert server.hits == []


def test_wikimedia_is_not_asked_without_a_contact(categories: Path, workspace: Workspace) -> None:
    with pytest.raises(InputError, match="--contact"):
        run_scrape(workspace, ScrapeConfig(), categories)
    assert not workspace.path("raw").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("landmark,category\n1,x\n", "landmark_id"),
        ("landmark_id,category\n1,x\n1,y\n", "line 3 has landmark_id 1"),
        ("landmark_id,category\n,x\n", "line 2"),
        ("landmark_id,category\none,x\n", "line 2"),
        ("landmark_id,category\n1,x\n-2,y\n", "line 3"),
        ("landmark_id,category\n99999999999999999999,x\n", "line 2"),
        ("split,landmark_id,category\ntest,1,x\n", "line 2: split"),
        ("split,landmark_id,category\nindex,1,x\nindex,1,y\n", "landmark_id 1 of index"),
    ],
)
def test_an_unusable_file_is_refused_before_the_first_request(
    server: Server, tmp_path: Path, workspace: Workspace, text: str, told: str
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=told):
        run_scrape(workspace, fast_config(server), path)
    assert server.hits == []


def test_the_same_id_in_train_and_index_is_two_landmarks(
    server: Server, tmp_path: Path, workspace: Workspace
) -> None:
    path = tmp_path / "both.csv"
    url = "http://commons.wikimedia.org/wiki/Category:Tower"
    path.write_text(f"split,landmark_id,category\ntrain,1,{url}\nindex,1,{url}\n", encoding="utf-8")
    run_scrape(workspace, fast_config(server), path)
    splits = workspace.read(CATEGORIES)["split"].to_pylist()
    assert splits == ["train", "index"]


def test_a_rerun_asks_for_the_failed_rows_and_nothing_else(
    server: Server, categories: Path, workspace: Workspace
) -> None:
    server.refuses = lambda name, text: name == "sparql" and "wd:Q6 " in text
    assert run_scrape(workspace, fast_config(server), categories).manifest.failed == 1
    assert server.fired
    server.refuses = None
    before = len(server.hits)
    report = run_scrape(workspace, fast_config(server), categories)
    assert report.manifest.failed == 0
    assert statuses_of(workspace) == STATUSES
    # The item, and then its class: no row that had not failed. All rows are there now, so that
    # evidence of their classes is asked for.
    queries = [form["query"] for name, form in server.hits[before:] if name == "sparql"]
    assert len(queries) == len(server.hits) - before
    asked = [set(re.findall(r"wd:(Q\d+) ", query)) for query in queries]
    assert asked == [{"Q6"}, {"Q105"}, {"Q101", "Q102", "Q103"}, {"Q104", "Q105"}]
    assert ["p:P1282 " in query for query in queries] == [False, False, True, True]


def test_who_asks_is_asked_for_only_where_there_is_something_to_ask(
    server: Server, categories: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: str) -> None:
        raise InputError("who is calling?")

    monkeypatch.setattr("hgld.scrape.stage.require_contact", refuse)
    with pytest.raises(InputError, match="who is calling"):
        run_scrape(workspace, fast_config(server), categories)
    assert server.hits == []
    monkeypatch.undo()
    run_scrape(workspace, fast_config(server), categories)
    asked = len(server.hits)
    monkeypatch.setattr("hgld.scrape.stage.require_contact", refuse)
    assert run_scrape(workspace, fast_config(server), categories).skipped
    with pytest.raises(InputError, match="who is calling"):
        run_scrape(workspace, fast_config(server, superclass_depth=2), categories)
    assert len(server.hits) == asked
