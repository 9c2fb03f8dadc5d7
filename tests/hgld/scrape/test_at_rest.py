"""A finished scrape whose archive is damaged: every damage is named, and none becomes a table."""

import gzip
import hashlib
import itertools
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, FetchError
from hgld.scrape.archive import COMMONS_PAGES, SUMS
from hgld.scrape.stage import run_scrape
from hgld.scrape.verify import archive_findings
from tests.worlds.wikimedia.damage import (
    WAYS,
    Way,
    check_damage,
    contents,
    copy,
    cut,
    flip,
    remove,
)
from tests.worlds.wikimedia.faults import reply
from tests.worlds.wikimedia.scraping import fast_config
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


@pytest.mark.fault(51, "archived answer altered, gone or added")
@pytest.mark.parametrize("way", [cut, copy, remove])
def test_a_replay_of_a_damaged_archive_names_the_file_and_leaves_the_tables(
    server: Server, scraped: Workspace, categories: Path, way: Way
) -> None:
    tables = _tables(scraped)
    way(scraped.path(COMMONS_PAGES) / "000000.json.gz", random.Random(1))
    before = contents(scraped)
    with pytest.raises(DamagedError, match=r"commons-pages/0.*--no-replay --force"):
        run_scrape(scraped, fast_config(server, replay=True), categories)
    assert _tables(scraped) == tables
    assert contents(scraped) == before


def _drop(folder: Path) -> None:
    (folder / "000001.json.gz").unlink()
    _relist(folder, lambda lines: [lines[0], *lines[2:]])


def _alter(folder: Path) -> None:
    data = gzip.decompress((folder / "000000.json.gz").read_bytes())
    packed = gzip.compress(data.replace(b"Q1", b"Q2"))
    (folder / "000000.json.gz").write_bytes(packed)
    line = f"{hashlib.sha256(packed).hexdigest()}  000000.json.gz\n"
    _relist(folder, lambda lines: [line, *lines[1:]])


def _relist(folder: Path, change: Callable[[list[str]], list[str]]) -> None:
    path = folder / SUMS
    path.write_text("".join(change(path.read_text().splitlines(keepends=True))))


@pytest.mark.fault(64, "archive lost, or altered with its list")
@pytest.mark.parametrize(
    "damage",
    [
        (_drop, "raw/commons-pages"),
        (_alter, "raw/wikidata-items"),
        (_alter, "raw/wikidata-evidence"),
        (shutil.rmtree, "raw/wikidata-classes"),
        (shutil.rmtree, "raw"),
    ],
    ids=lambda damage: f"{damage[0].__name__} {damage[1]}",
)
def test_an_answer_that_goes_with_its_line_is_named_and_changes_no_table(
    server: Server,
    scraped: Workspace,
    categories: Path,
    clean: dict[str, str],
    caplog: pytest.LogCaptureFixture,
    damage: tuple[Callable[[Path], None], str],
) -> None:
    do, folder = damage
    tables = _tables(scraped)
    do(scraped.path(folder))
    found = [path for path, _ in archive_findings(scraped)]
    assert found
    assert all(path.startswith(folder) and path.endswith(SUMS) for path in found)
    # Offline the tables stand; online they do too, and the damage is named.
    with pytest.raises(DamagedError, match=rf"{found[0]}.*--no-replay --force"):
        run_scrape(scraped, fast_config(server, replay=True), categories)
    asked = len(server.hits)
    caplog.clear()
    assert run_scrape(scraped, fast_config(server), categories).skipped
    assert found[0] in caplog.text
    assert len(server.hits) == asked
    assert _tables(scraped) == tables
    # Asked to, it sets aside what nothing proves, asks for that again, and is whole.
    again = Workspace(scraped.root, remakes=True)
    assert run_scrape(again, fast_config(server), categories).manifest.outputs == clean
    assert archive_findings(scraped) == []


def test_a_replay_that_is_forced_takes_the_archive_as_it_is_and_still_loses_no_row(
    server: Server, scraped: Workspace, categories: Path
) -> None:
    tables = _tables(scraped)
    shutil.rmtree(scraped.path("raw"))
    with pytest.raises(DamagedError, match="14 rows of scrape failed"):
        run_scrape(
            Workspace(scraped.root, remakes=True), fast_config(server, replay=True), categories
        )
    assert _tables(scraped) == tables


def test_a_service_that_gives_nothing_replaces_no_finished_table(
    server: Server, scraped: Workspace, categories: Path
) -> None:
    tables = _tables(scraped)
    shutil.rmtree(scraped.path("raw"))
    server.always["commons"] = reply(500, b"oops")
    with pytest.raises(FetchError, match="14 rows of scrape failed"):
        run_scrape(
            Workspace(scraped.root, remakes=True), fast_config(server, attempts=1), categories
        )
    assert _tables(scraped) == tables


def _tables(workspace: Workspace) -> dict[str, bytes]:
    paths = sorted(workspace.path("scrape").rglob("*.parquet"))
    return {str(path.relative_to(workspace.root)): path.read_bytes() for path in paths}


def test_an_archive_that_is_whole_has_no_findings_and_neither_has_none(
    scraped: Workspace, tmp_path: Path
) -> None:
    assert archive_findings(scraped) == []
    assert archive_findings(Workspace(tmp_path / "nothing")) == []


def test_a_list_that_is_lost_is_a_finding_and_made_again_of_its_files(
    server: Server, scraped: Workspace, categories: Path
) -> None:
    path = scraped.path(COMMONS_PAGES) / SUMS
    whole = path.read_bytes()
    path.unlink()
    assert f"{COMMONS_PAGES}/{SUMS}" in dict(archive_findings(scraped))
    run_scrape(scraped, fast_config(server, replay=True), categories)
    assert path.read_bytes() == whole
    assert archive_findings(scraped) == []


def test_a_refreshed_generation_is_looked_at_too(
    server: Server, scraped: Workspace, categories: Path
) -> None:
    run_scrape(scraped, fast_config(server, refresh=True), categories)
    flip(scraped.path("raw/refresh-1/wikidata-items/000000.json.gz"), random.Random(0))
    ((name, _),) = archive_findings(scraped)
    assert name == "raw/refresh-1/wikidata-items/000000.json.gz"
    shutil.rmtree(scraped.path("raw/refresh-1"))
    with pytest.raises(DamagedError, match="refresh-1"):
        run_scrape(scraped, fast_config(server, replay=True), categories)
