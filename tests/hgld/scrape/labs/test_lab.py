"""The scrape against a real MediaWiki and a real SPARQL engine, row by row."""

import csv
from collections import Counter, defaultdict
from pathlib import Path

import pytest
import requests

from hgld.engine.workspace import Workspace
from hgld.scrape.stage import ScrapeConfig, run_scrape
from hgld.tables import CATEGORIES, CLASSES
from tests.worlds.wikimedia.lab import Lab, lagging
from tests.worlds.wikimedia.nginx import rate_limited
from tests.worlds.wikimedia.virtuoso import serving_virtuoso

pytestmark = pytest.mark.mediawiki

_RATE_LIMITED = 350


def _requests(lab: Lab) -> int:
    return (lab.folder / "server.log").read_text().count("POST /w/api.php")


@pytest.fixture(scope="module")
def scraped(lab: Lab, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace(tmp_path_factory.mktemp("scraped"))
    run_scrape(workspace, _config(lab), _categories(shared))
    return workspace


def test_every_row_of_the_answer_key_is_reproduced(scraped: Workspace, shared: Path) -> None:
    assert _rows(scraped) == _answer_key(shared)


def test_the_answer_key_has_every_status_but_failed(shared: Path) -> None:
    statuses = {status for _, status, *_ in _answer_key(shared)}
    assert statuses == {"ok", "no_page", "no_item", "no_p31", "redirect_loop"}


def test_fewer_requests_are_made_than_the_services_are_promised(
    lab: Lab, shared: Path, workspace: Workspace
) -> None:
    # Counted over a run of its own: the lab serves other tests too.
    before = _requests(lab)
    run_scrape(workspace, _config(lab), _categories(shared))
    answered = _requests(lab) - before
    items = sum(1 for row in workspace.read(CATEGORIES).to_pylist() if row["qid"])
    queries = len(list(workspace.path("raw").glob("wikidata-*/*.json.gz")))
    assert answered > 1400 / 50
    assert answered / 1400 * 1000 <= 25
    assert queries / items * 1000 <= 5


def test_a_replay_gives_the_same_files_and_makes_no_request(
    scraped: Workspace, lab: Lab, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _files(scraped)
    requests_before = (lab.folder / "server.log").read_text().count("api.php")

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a replay opened a connection")

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", refuse)
    for path in scraped.path("scrape").rglob("*.parquet"):
        path.unlink()
    run_scrape(scraped, _config(lab, replay=True), _categories(shared))
    assert _files(scraped) == before
    assert (lab.folder / "server.log").read_text().count("api.php") == requests_before


def test_a_lagging_server_is_waited_for_until_it_has_caught_up(
    lab: Lab, scraped: Workspace, shared: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    workspace = Workspace(tmp_path / "build")
    with lagging(lab, caplog):
        run_scrape(workspace, _config(lab), _categories(shared))
    waits = [record.getMessage() for record in caplog.records if "trying again" in record.message]
    assert len(waits) == 1
    assert "/w/api.php: answered 200 OK, to come back later" in waits[0]
    assert _rows(workspace) == _answer_key(shared)
    # The error answers are not in the archive: what is there was asked for once.
    kept = [
        sorted(path.name for path in one.path("raw").rglob("*.gz")) for one in (workspace, scraped)
    ]
    assert kept[0] == kept[1]


@pytest.mark.parametrize("at_once", [1, 3])
def test_a_rate_limit_is_obeyed_and_every_row_is_there_all_the_same(
    lab: Lab, shared: Path, tmp_path: Path, at_once: int
) -> None:
    # A quarter of them: each answer waits for a second. Every status is among these.
    part = tmp_path / "part.csv"
    lines = _categories(shared).read_text(encoding="utf-8").splitlines(keepends=True)
    part.write_text("".join(lines[: 1 + _RATE_LIMITED]), encoding="utf-8")
    workspace = Workspace(tmp_path / "build")
    with rate_limited(lab, tmp_path) as (address, log):
        config = ScrapeConfig(
            commons=f"{address}/w/", sparql=f"{address}/query", requests_at_once=at_once
        )
        run_scrape(workspace, config, part)
    expected = _answer_key(shared)[:_RATE_LIMITED]
    assert len({status for _, status, *_ in expected}) == 5
    assert _rows(workspace) == expected
    answers = Counter(log.read_text().splitlines())
    for path, kept, most in (("/w/api.php", "commons-*", at_once), ("/query", "wikidata-*", 1)):
        # As many as are archived: none was asked for twice, and no refusal is among them.
        answered = answers.pop(f"{path} 200")
        assert answered == len(list(workspace.path("raw").glob(f"{kept}/*.json.gz")))
        # Who waits as it is told is refused once for each answer at most, and each of those that
        # wait with it, too.
        assert 0 < answers.pop(f"{path} 429") <= most * answered
    assert not answers


def test_another_sparql_engine_gives_the_same_rows(lab: Lab, shared: Path, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "build")
    with serving_virtuoso(tmp_path, shared / "wikimedia_lab" / "wikidata.nt.gz") as sparql:
        run_scrape(workspace, ScrapeConfig(commons=lab.commons, sparql=sparql), _categories(shared))
    assert _rows(workspace) == _answer_key(shared)


def _config(lab: Lab, *, replay: bool = False) -> ScrapeConfig:
    return ScrapeConfig(commons=lab.commons, sparql=lab.sparql, replay=replay)


def _rows(workspace: Workspace) -> list[tuple[str, str, str, str, set[tuple[str, str]]]]:
    classes: defaultdict[int, set[tuple[str, str]]] = defaultdict(set)
    for row in workspace.read(CLASSES).to_pylist():
        classes[row["landmark_id"]].add((row["class_qid"], row["class_label"]))
    return [
        (
            row["category"],
            row["status"],
            row["page_title"] or "",
            row["qid"] or "",
            classes[row["landmark_id"]],
        )
        for row in workspace.read(CATEGORIES).to_pylist()
    ]


def _categories(shared: Path) -> Path:
    return shared / "wikimedia_lab" / "train_label_to_category.csv"


def _answer_key(shared: Path) -> list[tuple[str, str, str, str, set[tuple[str, str]]]]:
    with (shared / "wikimedia_lab" / "expected.csv").open(encoding="utf-8", newline="") as file:
        return [
            (
                row["category"],
                row["status"],
                row["page_title"],
                row["qid"],
                _classes(row["p31_qids"], row["p31_labels"]),
            )
            for row in csv.DictReader(file)
        ]


def _classes(qids: str, labels: str) -> set[tuple[str, str]]:
    return set(zip(qids.split("|"), labels.split("|"), strict=True)) if qids else set()


def _files(workspace: Workspace) -> dict[str, bytes]:
    paths = sorted(workspace.path("scrape").rglob("*.parquet"))
    return {str(path.relative_to(workspace.root)): path.read_bytes() for path in paths}
