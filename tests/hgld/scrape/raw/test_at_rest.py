"""A finished scrape whose archive is damaged: every damage is named, and none becomes a table."""

import itertools
import random
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError
from hgld.scrape.archive import COMMONS_PAGES, SUMS
from hgld.scrape.stage import run_scrape
from hgld.scrape.verify import archive_findings
from hgld.tables import CATEGORIES
from tests.worlds.wikimedia.damage import (
    WAYS,
    Way,
    check_damage,
    check_poison,
    contents,
    flip,
)
from tests.worlds.wikimedia.scraping import STATUSES, fast_config, statuses_of
from tests.worlds.wikimedia.small import Server


@pytest.fixture
def scraped(server: Server, categories: Path, workspace: Workspace) -> Workspace:
    run_scrape(workspace, fast_config(server), categories)
    return workspace


@pytest.mark.fault(59, "archive damaged at random")
@pytest.mark.parametrize(
    "case",
    list(itertools.product(WAYS, ("commons-wikitext", "wikidata-evidence"))),
    ids=lambda case: f"{case[0].__name__} {case[1]}",
)
def test_no_damage_of_the_archive_becomes_another_table_or_a_traceback(
    server: Server,
    scraped: Workspace,
    categories: Path,
    clean: dict[str, str],
    case: tuple[Way, str],
) -> None:
    way, name = case
    before = contents(scraped)
    way(scraped.path("raw") / name / "000000.json.gz", random.Random(9))
    assert contents(scraped) != before
    assert archive_findings(scraped)
    check_damage(scraped, server, categories, clean)


@pytest.mark.fault(60, "poison in an archive without a list")
@pytest.mark.parametrize("seed", range(6))
def test_poison_in_an_archive_without_a_list_blocks_nothing(
    server: Server, scraped: Workspace, categories: Path, seed: int
) -> None:
    check_poison(scraped, server, categories, random.Random(seed))


@pytest.mark.fault(51, "archived answer altered, gone or added")
def test_a_replay_names_the_file_in_the_rows_that_fail_and_goes_on_with_the_others(
    server: Server, scraped: Workspace, categories: Path, clean: dict[str, str]
) -> None:
    target = scraped.path(COMMONS_PAGES) / "000000.json.gz"
    target.write_bytes(target.read_bytes()[:-1])
    before = contents(scraped)
    report = run_scrape(scraped, fast_config(server, replay=True), categories)
    statuses = statuses_of(scraped)
    failed = {number for number, status in statuses.items() if status == "failed"}
    assert 0 < len(failed) < 14
    assert report.manifest.failed == len(failed)
    assert {n: s for n, s in statuses.items() if n not in failed}.items() <= STATUSES.items()
    (shard,) = scraped.shards(CATEGORIES)
    errors = {row["error"] for row in pq.read_table(shard).to_pylist() if row["status"] == "failed"}
    assert all("commons-pages/000000.json.gz" in error for error in errors)
    assert contents(scraped) == before
    assert [path for path, _ in archive_findings(scraped)] == ["raw/commons-pages/000000.json.gz"]
    assert run_scrape(scraped, fast_config(server), categories).manifest.outputs == clean


@pytest.mark.fault(51, "archived answer altered, gone or added")
def test_a_replay_whose_rows_are_all_there_names_what_is_damaged_all_the_same(
    server: Server, scraped: Workspace, categories: Path
) -> None:
    first = scraped.path(COMMONS_PAGES) / "000000.json.gz"
    shutil.copy(first, first.with_name("000077.json.gz"))
    with pytest.raises(DamagedError, match="000077"):
        run_scrape(scraped, fast_config(server, replay=True), categories)


def test_an_archive_that_is_whole_has_no_findings_and_neither_has_none(
    scraped: Workspace, tmp_path: Path
) -> None:
    assert archive_findings(scraped) == []
    assert archive_findings(Workspace(tmp_path / "nothing")) == []


def test_a_list_that_is_lost_is_a_finding(scraped: Workspace) -> None:
    (scraped.path(COMMONS_PAGES) / SUMS).unlink()
    ((name, _),) = archive_findings(scraped)
    assert name == f"raw/commons-pages/{SUMS}"


def test_a_refreshed_generation_is_looked_at_too(
    server: Server, scraped: Workspace, categories: Path
) -> None:
    run_scrape(scraped, fast_config(server, refresh=True), categories)
    flip(scraped.path("raw/refresh-1/wikidata-items/000000.json.gz"), random.Random(0))
    ((name, _),) = archive_findings(scraped)
    assert name == "raw/refresh-1/wikidata-items/000000.json.gz"
