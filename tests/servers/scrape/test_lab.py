"""The scrape against a real MediaWiki and a real SPARQL engine, row by row."""

import csv
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from hgld.engine.workspace import Workspace
from hgld.scrape.archive import COMMONS_WIKITEXT
from hgld.scrape.config import ScrapeConfig
from hgld.scrape.stage import run_scrape
from hgld.tables import CATEGORIES, CLASS_EVIDENCE, CLASSES
from tests.worlds.second_lab import TRAPS, second_key
from tests.worlds.second_lab.files import Row
from tests.worlds.second_lab.items import evidence_key
from tests.worlds.wikimedia.lab import Lab, lagging
from tests.worlds.wikimedia.scraping import kept_answers

Key = dict[str, Row]
"""Address of a category to what its row must be."""


@pytest.fixture(scope="module")
def traps() -> Key:
    rows = second_key()
    return {trap.url: rows[trap.name] for trap in TRAPS}


@pytest.fixture(scope="module")
def key(shared: Path) -> Key:
    """The right row of each landmark of the first lab."""
    with (shared / "wikimedia_lab/expected.csv").open(encoding="utf-8", newline="") as file:
        return {row["category"]: _row_of(row) for row in csv.DictReader(file)}


def _row_of(row: dict[str, str]) -> Row:
    qids, labels = (list(filter(None, row[name].split("|"))) for name in ("p31_qids", "p31_labels"))
    classes = frozenset(zip(qids, labels, strict=True))
    return Row(row["status"], row["page_title"], row["qid"], classes)


def scrape(lab: Lab, folder: Path, key: Key, **settings: Any) -> Workspace:  # noqa: ANN401
    landmarks = folder / "landmarks.csv"
    with landmarks.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("landmark_id", "category"), *enumerate(key)])
    workspace = Workspace(folder / "build")
    config = ScrapeConfig(commons=lab.commons, sparql=lab.sparql, **settings)
    run_scrape(workspace, config, landmarks)
    return workspace


def wrong_rows(workspace: Workspace, key: Key) -> dict[str, tuple[Row, Row]]:
    """Returns address to the row that is there and the right one, where they differ."""
    classes: defaultdict[int, set[tuple[str, str]]] = defaultdict(set)
    for row in workspace.read(CLASSES).to_pylist():
        classes[row["landmark_id"]].add((row["class_qid"], row["class_label"]))
    found = {}
    for row in workspace.read(CATEGORIES).to_pylist():
        number = row["landmark_id"]
        texts = (row["status"], row["page_title"] or "", row["qid"] or "")
        found[list(key)[number]] = Row(*texts, frozenset(classes[number]))
    assert found.keys() == key.keys()
    return {url: (row, key[url]) for url, row in found.items() if row != key[url]}


def test_every_landmark_ends_in_its_row_with_few_requests(
    lab: Lab, key: Key, tmp_path: Path
) -> None:
    before = lab.requests()
    workspace = scrape(lab, tmp_path, key)
    assert wrong_rows(workspace, key) == {}
    assert len({row.status for row in key.values()}) == 5
    answered = lab.requests() - before
    items = sum(1 for row in workspace.read(CATEGORIES).to_pylist() if row["qid"])
    queries = len(list(workspace.path("raw").glob("wikidata-*/*.json.gz")))
    assert len(key) / 50 < answered <= len(key) * 25 / 1000
    assert queries <= items * 5 / 1000


def test_no_trap_is_fallen_into_and_evidence_is_what_the_best_statements_say(
    lab: Lab, traps: Key, tmp_path: Path
) -> None:
    workspace = scrape(lab, tmp_path, traps)
    assert wrong_rows(workspace, traps) == {}
    rows = workspace.read(CLASS_EVIDENCE).to_pylist()
    assert {row["status"] for row in rows} == {"ok"}
    found = [(row["class_qid"], row["property"], row["value"]) for row in rows]
    assert sorted(found) == sorted(evidence_key())
    # An answer that is continued was read to its end.
    assert max(len(one.answer) for one in kept_answers(workspace.path(COMMONS_WIKITEXT))) == 2


def test_the_size_of_the_batches_and_a_lag_change_no_row(
    lab: Lab, traps: Key, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lagging(lab, monkeypatch) as waits:
        again = scrape(lab, tmp_path, traps, titles_per_request=3, items_per_request=2)
    # As long as MediaWiki says; its error answers are not in the archive.
    assert len(waits) == 1
    assert waits[0] >= 5
    assert len(list(again.path("raw/commons-pages").glob("*.gz"))) > len(TRAPS) / 10
    assert wrong_rows(again, traps) == {}
