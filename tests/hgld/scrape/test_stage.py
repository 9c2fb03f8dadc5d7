"""The whole scrape against a small Wikimedia: its rows, its input, its archive."""

from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError, MissingInputError
from hgld.scrape.stage import ScrapeConfig, run_scrape
from hgld.tables import CATEGORIES, LANDMARKS, SUPERCLASSES
from tests.worlds.builders import table_of, write_stage
from tests.worlds.wikimedia.scraping import STATUSES, Small, fast_config, write_categories, written
from tests.worlds.wikimedia.small import Server


def test_every_landmark_ends_in_one_row(small: Small) -> None:
    assert small.scrape().manifest.failed == 0
    assert list(small.statuses().items()) == list(STATUSES.items())
    rows = {row["landmark_id"]: row for row in small.workspace.read(CATEGORIES).to_pylist()}
    pages = [rows[n]["page_title"] for n in (2, 3, 5)]
    assert pages == ["Category:Tower", "Category:Castle", "Category:Bare"]
    assert [rows[n]["qid"] for n in (1, 6, 7, 8)] == ["Q1", "Q3", "Q4", "Q5"]
    assert [rows[n]["error"] for n in (11, 12)] == [None, "has a ["]
    assert "UTF-8" in rows[15]["error"]
    assert (rows[1]["revision_id"] is not None, rows[1]["split"]) == (True, "train")


def test_moved_categories_are_followed(small: Small, server: Server, tmp_path: Path) -> None:
    path = write_categories(tmp_path / "moved.csv", "Moved", "Deleted", "Nowhere")
    small.scrape(path)
    assert set(small.statuses().values()) == {"no_page"}
    # None of the pages is there: the answer is asked for once more, in halves.
    assert server.count("commons") == 1 + 2
    small.scrape(path, follow_moves=True)
    rows = small.workspace.read(CATEGORIES).to_pylist()
    assert [(row["status"], row["page_title"], row["error"]) for row in rows] == [
        ("ok", "Category:Castle", None),
        ("no_page", None, "last in its log: delete"),
        ("no_page", None, None),
    ]
    # One log a missing page, the empty one once more, and the page that one was moved to.
    assert server.count("commons") == 1 + 2 + 3 + 1 + 1


@pytest.mark.parametrize("depth", [0, 2])
def test_superclasses_are_followed_so_far(small: Small, depth: int) -> None:
    small.scrape(superclass_depth=depth)
    rows = small.workspace.read(SUPERCLASSES).to_pylist()
    told = [(row["class_qid"], row["depth"], row["superclass_label"]) for row in rows]
    assert told == [("Q103", 1, "fortification"), ("Q103", 2, "structure")][:depth]


def test_without_a_file_landmarks_come_from_metadata(server: Server, workspace: Workspace) -> None:
    url = "http://commons.wikimedia.org/wiki/Category:Tower"
    rows = [{"split": split, "landmark_id": 7, "category": url} for split in ("train", "index")]
    with pytest.raises(MissingInputError, match="hgld metadata"):
        run_scrape(workspace, fast_config(server))
    write_stage(workspace, [(LANDMARKS, table_of(LANDMARKS, rows))])
    run_scrape(workspace, fast_config(server))
    got = [(row["split"], row["status"]) for row in workspace.read(CATEGORIES).to_pylist()]
    assert got == [("train", "ok"), ("index", "ok")]


def test_a_second_run_asks_nothing_and_other_rows_only_for_what_is_new(scraped: Small) -> None:
    before = len(scraped.server.hits)
    assert scraped.scrape().skipped
    # One row less at the front shifts every batch.
    lines = scraped.categories.read_text(encoding="utf-8").splitlines(keepends=True)
    scraped.categories.write_text("".join([lines[0], *lines[2:]]), encoding="utf-8")
    assert not scraped.scrape().skipped
    assert len(scraped.server.hits) == before
    assert list(scraped.statuses()) == list(range(2, 16))


def test_wikimedia_is_not_asked_without_a_contact_and_a_replay_says_what_is_lacking(
    small: Small, server: Server, categories: Path
) -> None:
    config = ScrapeConfig(replay=True)  # Wikimedia itself, and no contact: nothing is asked
    report = run_scrape(small.workspace, config, categories)
    assert small.statuses() == dict.fromkeys(range(1, 15), "failed") | {15: "no_page"}
    assert report.manifest.failed == 14
    assert "--no-replay" in written(small.workspace, CATEGORIES)[0]["error"]
    assert server.hits == []
    with pytest.raises(InputError, match="--contact"):
        run_scrape(small.workspace, ScrapeConfig(), categories)
    assert not small.workspace.path("raw").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("landmark,category\n1,x\n", "landmark_id"),
        ("landmark_id,category\n1,x\n\n1,y\n", "row 4 repeats landmark_id 1 of train from row 2"),
        ("landmark_id,category\n,x\n", "row 2"),
        ("landmark_id,category\n1,x\n-2,y\n", "row 3"),
        (f"landmark_id,category\n{'9' * 5_000},x\n", "row 2"),
        ("split,landmark_id,category\ntest,1,x\n", "row 2 must have split"),
    ],
)
def test_an_unusable_list_is_refused(small: Small, tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=told):
        small.scrape(path)
    assert small.server.hits == []
