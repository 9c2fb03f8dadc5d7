"""The whole scrape against a small Wikimedia: settings, input, rows, archive, evidence."""

from pathlib import Path
from typing import Any

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError, MissingInputError
from hgld.scrape.archive import WIKIDATA_EVIDENCE
from hgld.scrape.config import ScrapeConfig
from hgld.scrape.stage import run_scrape
from hgld.tables import CATEGORIES, CLASS_EVIDENCE, FACTS, LANDMARKS, PLACES, SUPERCLASSES
from tests.worlds.builders import table_of, write_stage
from tests.worlds.wikimedia import scraping
from tests.worlds.wikimedia.faults import Fault, reply
from tests.worlds.wikimedia.scraping import STATUSES, Small, fast_config, written
from tests.worlds.wikimedia.small import EVIDENCE, Server


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


def test_an_item_that_is_named_itself_needs_no_page(small: Small, tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    wikidata = "https://www.wikidata.org/wiki/Q30"
    cells = ["Q1", wikidata, "Q40", "Q999", "Q103", "Q0", f"Q{'9' * 30}"]
    lines = [f"{number},{cell}\n" for number, cell in enumerate(cells)]
    path.write_text("".join(["landmark_id,category\n", *lines]), encoding="utf-8")
    small.scrape(path)
    rows = small.workspace.read(CATEGORIES).to_pylist()
    assert [(row["status"], row["qid"]) for row in rows] == [
        ("ok", "Q1"),
        ("ok", "Q3"),  # which it was merged into
        ("ok", "Q4"),  # the topic of a category
        ("no_p31", "Q999"),  # nobody knows it, or it was deleted
        ("no_p31", "Q103"),  # itself a class
        ("no_page", None),
        ("no_page", None),
    ]
    assert {row["page_title"] for row in rows} == {row["fetched_at"] for row in rows} == {None}
    assert small.server.count("commons") == 0


def test_moved_categories_are_followed(small: Small, server: Server, tmp_path: Path) -> None:
    path = scraping.write_categories(tmp_path / "moved.csv", "Moved", "Deleted", "Nowhere")
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


def test_wikimedia_is_not_asked_without_a_contact_nor_in_a_replay(
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


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        *(("commons", {"commons": bad}) for bad in ("commons.wikimedia.org", "http://x/w/api.php")),
        ("sparql", {"sparql": "ftp://x/sparql"}),
        *(("keys_per_request", {"keys_per_request": bad}) for bad in (0, 501)),
        ("superclass_depth", {"superclass_depth": -1}),
        ("replay and refresh", {"replay": True, "refresh": True}),
    ],
)
def test_settings_that_cannot_work_are_refused_by_name(name: str, settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=name):
        ScrapeConfig(**settings)


def test_where_a_landmark_lies_is_followed_up_to_its_continent(scraped: Small) -> None:
    rows = scraped.workspace.read(PLACES).to_pylist()
    assert [row["landmark_id"] for row in rows] == list(STATUSES)
    tower, bare = rows[0], rows[4]
    assert tower["place_names"] == ["Bergamo", "Lombardia"]
    assert (tower["country"], tower["continent"]) == ("Italy", "Europe")
    assert tower["style_names"] == ["Q305"]
    assert (tower["latitude"], tower["longitude"]) == (45.7042, 9.6627)
    assert (tower["inception_year"], tower["inception_precision"]) == (1357, "year")
    # It has all but the country's code.
    assert set(tower["place_missing"].values()) == {None, "none"}
    assert (bare["status"], bare["place_missing"]["country"]) == ("no_item", "no_item")
    facts = scraped.workspace.read(FACTS, ["qid", "property", "value"]).to_pylist()
    assert {"qid": "Q302", "property": "P131", "value": "Q303"} in facts


def test_places_that_fail_hold_up_nothing_and_are_asked_for_again(
    small: Small, server: Server
) -> None:
    # Of an item nothing comes, nor of a place that others lead to.
    server.refuses = lambda _, text: (
        "p:P131 " in text and any(f"wd:{qid} " in text for qid in ("Q2", "Q303"))
    )
    report = small.scrape(attempts=1)
    assert "sparql" in server.fired
    assert (report.manifest.outputs, report.manifest.failed) == (small.clean, 0)
    rows = {row["landmark_id"]: row for row in written(small.workspace, PLACES)}
    assert {n for n, row in rows.items() if row["status"] == "failed"} == {1, 2, 3, 13}
    assert "Q303" in rows[1]["error"]
    server.refuses = None
    asked = len(server.hits)
    assert small.scrape().skipped
    again = [form["query"] for _, form in server.hits[asked:]]
    assert any("wd:Q2 " in query for query in again)
    assert not any("wd:Q1 " in query for query in again)
    done = small.workspace.read(PLACES).to_pylist()
    assert {row["status"] for row in done} == {"ok", "no_item"}


@pytest.mark.parametrize("fault", [reply(403, b"no"), reply(500, b"oops")])
def test_evidence_that_fails_holds_up_nothing(small: Small, server: Server, fault: Fault) -> None:
    server.refuses = lambda service, text: service == "sparql" and "p:P1282 " in text
    server.refusal = fault
    report = small.scrape(attempts=1)
    assert "sparql" in server.fired
    assert report.manifest.outputs == small.clean
    assert report.manifest.failed == 0
    rows = written(small.workspace, CLASS_EVIDENCE)
    assert {(row["status"], row["property"]) for row in rows} == {("failed", None)}
    asked_for = ["Q101", "Q102", "Q103", "Q104", "Q105"]
    assert [row["class_qid"] for row in rows if server.sparql in row["error"]] == asked_for
    assert not small.workspace.path(WIKIDATA_EVIDENCE).exists()
    server.refuses = None
    asked = len(server.hits)
    assert small.scrape().skipped
    assert len(server.hits) == asked + 2
    rows = small.workspace.read(CLASS_EVIDENCE).to_pylist()
    assert [(row["class_qid"], row["property"], row["value"]) for row in rows] == EVIDENCE


def test_a_contact_is_needed_only_for_what_is_missing(
    scraped: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: str) -> None:
        raise InputError("who is calling?")

    monkeypatch.setattr("hgld.scrape.questions.require_contact", refuse)
    asked = len(scraped.server.hits)
    assert scraped.scrape().skipped
    with pytest.raises(InputError, match="who is calling"):
        scraped.scrape(superclass_depth=2)
    assert len(scraped.server.hits) == asked
