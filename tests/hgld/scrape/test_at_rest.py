"""A finished scrape whose archive is damaged: every damage is named, and none becomes a table."""

import gzip
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hgld.engine.files import file_digest
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, FetchError
from hgld.scrape.archive import SUMS
from hgld.scrape.verify import archive_findings
from tests.worlds.damage import Way, flip
from tests.worlds.wikimedia.damage import WAYS, check_damage, contents
from tests.worlds.wikimedia.faults import reply
from tests.worlds.wikimedia.scraping import Small


@pytest.mark.fault(59, "archive damaged at random")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("folder", ["raw/commons-wikitext", "raw/wikidata-evidence"])
def test_no_damage_of_the_archive_becomes_a_table(scraped: Small, way: Way, folder: str) -> None:
    before = contents(scraped.workspace)
    way(scraped.workspace.path(folder) / "000000.json.gz", random.Random(9))
    assert contents(scraped.workspace) != before
    assert archive_findings(scraped.workspace)
    check_damage(scraped)


def _drop(folder: Path) -> None:
    (folder / "000001.json.gz").unlink()
    _relist(folder, 1)


def _alter(folder: Path) -> None:
    path = folder / "000000.json.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()).replace(b"Q1", b"Q2")))
    _relist(folder, 0, f"{file_digest(path)}  {path.name}\n")


def _relist(folder: Path, number: int, *line: str) -> None:
    """Puts another line in the place of one, or none."""
    lines = (folder / SUMS).read_text().splitlines(keepends=True)
    lines[number : number + 1] = line
    (folder / SUMS).write_text("".join(lines))


def _tables(workspace: Workspace) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in workspace.path("scrape").rglob("*.parquet")}


@pytest.mark.fault(64, "archive lost, or altered with its list")
@pytest.mark.parametrize(
    ("damage", "folder"),
    [
        (_drop, "raw/commons-pages"),
        (_alter, "raw/wikidata-items"),
        (_alter, "raw/wikidata-evidence"),
        (shutil.rmtree, "raw/wikidata-classes"),
        (shutil.rmtree, "raw"),
    ],
)
def test_an_answer_that_goes_with_its_line_is_named_and_changes_no_table(
    scraped: Small, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None], folder: str
) -> None:
    workspace, tables = scraped.workspace, _tables(scraped.workspace)
    damage(workspace.path(folder))
    found = [path for path, _ in archive_findings(workspace)]
    assert found
    assert all(path.startswith(folder) and path.endswith(SUMS) for path in found)
    # Offline the tables stand; online they do too, and the damage is named.
    with pytest.raises(DamagedError, match=rf"{found[0]}.*--no-replay --force"):
        scraped.scrape(replay=True)
    asked = len(scraped.server.hits)
    caplog.clear()
    assert scraped.scrape().skipped
    assert found[0] in caplog.text
    assert len(scraped.server.hits) == asked
    assert _tables(workspace) == tables
    # Asked to, it sets aside what nothing proves, asks for that again, and is whole.
    assert scraped.scrape(force=True).manifest.outputs == scraped.clean
    assert archive_findings(workspace) == []


@pytest.mark.parametrize(
    ("folder", "replay"), [("raw", True), ("raw/commons-wikitext", True), ("raw", False)]
)
def test_rows_that_only_failed_replace_no_table(scraped: Small, folder: str, replay: bool) -> None:
    error = DamagedError if replay else FetchError
    tables = _tables(scraped.workspace)
    shutil.rmtree(scraped.workspace.path(folder))
    scraped.server.always["commons"] = reply(500, b"oops")
    with pytest.raises(error, match="rows of scrape failed"):
        scraped.scrape(force=True, replay=replay, attempts=1)
    assert _tables(scraped.workspace) == tables


def test_a_refreshed_generation_is_looked_at_too(scraped: Small) -> None:
    scraped.scrape(refresh=True)
    flip(scraped.workspace.path("raw/refresh-1/wikidata-items/000000.json.gz"), random.Random(0))
    ((name, _),) = archive_findings(scraped.workspace)
    assert name == "raw/refresh-1/wikidata-items/000000.json.gz"
    shutil.rmtree(scraped.workspace.path("raw/refresh-1"))
    with pytest.raises(DamagedError, match="refresh-1"):
        scraped.scrape(replay=True)
