"""The scrape against a real MediaWiki and real SPARQL engines, row by row."""

import csv
import math
from collections import Counter
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.scrape.archive import COMMONS_WIKITEXT
from hgld.tables import CATEGORIES, CLASS_EVIDENCE, CLASSES, FACTS, PLACES, SUPERCLASSES
from tests.servers.scrape.conftest import Key, first_key, scrape_lab, wrong_rows
from tests.worlds.second_lab import GONE, TRAPS, second_key
from tests.worlds.second_lab.items import evidence_key
from tests.worlds.second_lab.redirects import errors
from tests.worlds.wikimedia.lab import Lab, lagging
from tests.worlds.wikimedia.nginx import rate_limited
from tests.worlds.wikimedia.scraping import kept_answers


def test_every_landmark_ends_in_its_row_and_no_trap_is_fallen_into(
    scraped: Workspace, key: Key
) -> None:
    assert wrong_rows(scraped, key) == {}
    statuses = {row.status for row in key.values()}
    assert statuses == {"ok", "no_page", "no_item", "no_p31", "redirect_loop"}


def test_the_evidence_of_every_class_is_what_the_best_statements_say(scraped: Workspace) -> None:
    rows = scraped.read(CLASS_EVIDENCE).to_pylist()
    assert {row["status"] for row in rows} == {"ok"}
    found = [(row["class_qid"], row["property"], row["value"]) for row in rows]
    assert len(found) == len(set(found))
    right = evidence_key()
    classes = {qid for trap in TRAPS for qid in trap.classes}
    assert {row for row in found if row[0] in classes} == right


def test_where_every_item_lies_is_what_its_statements_of_today_say(
    scraped: Workspace, shared: Path
) -> None:
    with (shared / "wikimedia_lab" / "expected_places.csv").open(newline="") as file:
        right = {row.pop("qid"): row for row in csv.DictReader(file)}
    rows = {row["qid"]: row for row in scraped.read(PLACES).to_pylist()}
    found = {}
    for qid, key in right.items():
        row = rows[qid]
        found[qid] = {"case": key["case"]} | {
            name: "|".join(value) if isinstance(value := row[name], list) else str(value or "")
            for name in key
            if name != "case"
        }
        numbers = [key[name] and str(float(key[name])) for name in ("latitude", "longitude")]
        key["latitude"], key["longitude"] = numbers
    assert found == right
    why = {key["case"]: rows[qid]["place_missing"] for qid, key in right.items()}
    assert why["moon"]["coordinates"] == "not_on_earth"
    assert why["unknown_country"]["country"] == "unknown"
    assert why["dissolved_many"]["country"] == "dissolved"
    assert why["two_countries"]["country"] == "several"
    assert why["no_continent"]["continent"] == "none"


def test_an_answer_that_is_continued_is_read_to_its_end(scraped: Workspace) -> None:
    chunks = [len(one.answer) for one in kept_answers(scraped.path(COMMONS_WIKITEXT))]
    assert max(chunks) == 2


def test_fewer_requests_are_made_than_the_services_are_promised(
    lab: Lab, shared: Path, tmp_path: Path
) -> None:
    before = lab.requests()
    key = first_key(shared)
    workspace = scrape_lab(lab, tmp_path, key)
    answered = lab.requests() - before
    items = sum(1 for row in workspace.read(CATEGORIES).to_pylist() if row["qid"])
    kept = workspace.path("raw").glob("wikidata-*/*.json.gz")
    queries = Counter(path.parent.name for path in kept)
    of_places = queries.pop("wikidata-places")
    assert len(key) / 50 < answered <= len(key) * 25 / 1000
    assert queries.total() <= items * 5 / 1000
    # A batch of items brings the places that they lie in; what is above these takes some more.
    assert of_places <= math.ceil(items / 500) + 3


def test_categories_that_are_gone_are_followed_through_the_log(lab: Lab, tmp_path: Path) -> None:
    traps = second_key()
    key = {trap.url: traps[trap.name] for trap in GONE}
    workspace = scrape_lab(lab, tmp_path, key, follow_moves=True)
    assert wrong_rows(workspace, key) == {}
    said = workspace.read(CATEGORIES)["error"].to_pylist()
    assert {trap.name: error or "" for trap, error in zip(GONE, said, strict=True)} == errors()


def test_the_size_of_the_batches_and_a_lag_change_no_row(
    lab: Lab, key: Key, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    traps = {trap.url: key[trap.url] for trap in TRAPS}
    with lagging(lab, monkeypatch) as waits:
        again = scrape_lab(lab, tmp_path, traps, keys_per_request=3)
    # As long as MediaWiki says; its error answers are not in the archive.
    assert len(waits) == 1
    assert waits[0] >= 5
    assert len(list(again.path("raw/commons-pages").glob("*.gz"))) > len(TRAPS) / 10
    assert wrong_rows(again, traps) == {}


def test_a_rate_limit_is_obeyed_and_every_row_is_there_all_the_same(
    lab: Lab, shared: Path, tmp_path: Path
) -> None:
    # Few, since each wait is a real one; some of every status.
    key = dict(sorted(first_key(shared).items(), key=lambda one: one[1].status == "ok")[:120])
    assert len({row.status for row in key.values()}) == 5
    with rate_limited(lab, tmp_path) as (address, log):
        services = {"commons": f"{address}/w/", "sparql": f"{address}/query"}
        workspace = scrape_lab(lab, tmp_path, key, **services)
    assert wrong_rows(workspace, key) == {}
    answers = Counter(log.read_text().splitlines())
    for path, kept in (("/w/api.php", "commons-*"), ("/query", "wikidata-*")):
        # As many as are archived: none was asked for twice, and no refusal is among them.
        answered = answers.pop(f"{path} 200")
        assert answered == len(list(workspace.path("raw").glob(f"{kept}/*.json.gz")))
        # Who waits as it is told is refused once for each answer at most.
        assert 0 < answers.pop(f"{path} 429") <= answered
    assert not answers


def test_another_sparql_engine_gives_the_same_rows(
    lab: Lab, key: Key, scraped: Workspace, virtuoso: str, tmp_path: Path
) -> None:
    again = scrape_lab(lab, tmp_path, key, sparql=virtuoso)
    for dataset in (CATEGORIES, CLASSES, SUPERCLASSES, CLASS_EVIDENCE, FACTS, PLACES):
        columns = [name for name in dataset.schema.names if name != "fetched_at"]
        assert again.read(dataset, columns) == scraped.read(dataset, columns)
