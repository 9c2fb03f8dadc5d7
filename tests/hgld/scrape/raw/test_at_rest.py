"""A finished scrape whose archive is damaged: every damage is named, and none becomes a table."""

import gzip
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hgld.engine.stage import StageReport
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError
from hgld.scrape.archive import COMMONS_PAGES, SUMS
from hgld.scrape.config import ScrapeConfig
from hgld.scrape.stage import EVIDENCE_STAGE, STAGE, run_scrape
from hgld.scrape.verify import archive_findings
from hgld.tables import CATEGORIES
from tests.worlds.wikimedia.dump_writer import write_small_dumps
from tests.worlds.wikimedia.scraping import STATUSES, fast_config, statuses_of
from tests.worlds.wikimedia.small import Server

_DAMAGES = 154
_POISONS = 60


@pytest.fixture
def scraped(server: Server, categories: Path, workspace: Workspace) -> Workspace:
    run_scrape(workspace, fast_config(server), categories)
    return workspace


def _archived(workspace: Workspace) -> list[Path]:
    return sorted(workspace.path("raw").rglob("*.json.gz"))


def _contents(workspace: Workspace) -> dict[str, bytes]:
    raw = workspace.path("raw")
    return {str(p.relative_to(raw)): p.read_bytes() for p in raw.rglob("*") if p.is_file()}


def _again(workspace: Workspace, server: Server, categories: Path) -> StageReport:
    for stage in (STAGE, EVIDENCE_STAGE):
        workspace.manifest_path(stage.name).unlink(missing_ok=True)
    return run_scrape(workspace, fast_config(server), categories)


def _known(workspace: Workspace) -> dict[str, str]:
    """Returns the digest of the evidence, which must be whole."""
    manifest = workspace.manifest(EVIDENCE_STAGE.name)
    assert manifest is not None
    assert manifest.failed == 0
    return manifest.outputs


def _failed(workspace: Workspace) -> bool:
    """Says whether a row of the scrape or of the evidence has failed."""
    manifests = map(workspace.manifest, (STAGE.name, EVIDENCE_STAGE.name))
    return any(one is not None and one.failed for one in manifests)


def _flip(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def _cut(path: Path, chance: random.Random) -> None:
    path.write_bytes(path.read_bytes()[: chance.randrange(path.stat().st_size)])


def _zero(path: Path, chance: random.Random) -> None:
    path.write_bytes(bytes(chance.choice([0, path.stat().st_size])))


def _swap(path: Path, chance: random.Random) -> None:
    others = [one for one in path.parent.parent.rglob("*.json.gz") if one != path]
    other, data = chance.choice(others), path.read_bytes()
    path.write_bytes(other.read_bytes())
    other.write_bytes(data)


def _remove(path: Path, _: random.Random) -> None:
    path.unlink()


def _copy(path: Path, chance: random.Random) -> None:
    shutil.copy(path, path.with_name(f"{chance.randrange(20, 100):06d}.json.gz"))


def _poison(path: Path, chance: random.Random) -> None:
    """Writes an answer anew, with something odd in it, as a whole file."""
    text = gzip.decompress(path.read_bytes()).decode()
    at = chance.choice([at for at, sign in enumerate(text) if sign in '":,{}[]'])
    odd = chance.choice(["NaN", r'"\ud800"', "[]", "1" * 5_000, "-1e999", "{", ""])
    path.write_bytes(gzip.compress((text[:at] + odd + text[at + 1 :]).encode()))


_Way = Callable[[Path, random.Random], None]
_WAYS: tuple[_Way, ...] = (_flip, _cut, _zero, _swap, _remove, _copy, _poison)

_WAYS_OF_A_LIST: tuple[_Way, ...] = (_flip, _cut, _zero, _remove)


def _poison_a_part(path: Path, chance: random.Random) -> None:
    """Puts something odd in place of a part of an answer, in an archive without a list."""
    (path.parent / SUMS).unlink()
    fields = part = json.loads(gzip.decompress(path.read_bytes()))
    while True:
        keys = list(part) if isinstance(part, dict) else list(range(len(part)))
        key = chance.choice(keys)
        if not isinstance(part[key], dict | list) or not part[key] or chance.random() < 0.1:
            part[key] = chance.choice([None, "\udc00", -1, [7], {"x": 1}, 1 << 70, True, 1e300])
            break
        part = part[key]
    text = json.dumps(fields, ensure_ascii=False).encode("utf-8", "surrogatepass")
    path.write_bytes(gzip.compress(text))


@pytest.mark.slow
@pytest.mark.fault(59, "archive damaged at random")
def test_no_damage_of_the_archive_becomes_another_table_or_a_traceback(
    server: Server,
    scraped: Workspace,
    categories: Path,
    clean: dict[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    chance, evidence = random.Random(9), _known(scraped)
    good = scraped.root.with_name("good")
    shutil.copytree(scraped.root, good)
    before = _contents(scraped)
    damaged = 0
    for number in range(_DAMAGES):
        shutil.rmtree(scraped.root)
        shutil.copytree(good, scraped.root)
        target = chance.choice([*_archived(scraped), *sorted(scraped.path("raw").rglob(SUMS))])
        way = _WAYS[number % len(_WAYS)]
        if target.name == SUMS:
            way = chance.choice(_WAYS_OF_A_LIST)
        way(target, chance)
        if _contents(scraped) == before:
            continue
        damaged += 1
        what = f"{number}: {way.__name__} of {target.relative_to(scraped.root)}"
        found = archive_findings(scraped)
        # A flipped bit of the list may leave it saying the same, in a letter that nobody reads.
        assert found or target.name == SUMS, what
        caplog.clear()
        # Offline: the same tables, or failed rows, or an error of ours; and never unsaid.
        try:
            report = run_scrape(scraped, fast_config(server, replay=True), categories)
        except DamagedError as error:
            said = str(error)
        else:
            said = ""
            assert report.manifest.failed or report.manifest.outputs == clean, what
            wrong = statuses_of(scraped).items() - STATUSES.items()
            assert {status for _, status in wrong} <= {"failed"}, what
        assert "\n" not in said, what
        assert caplog.text or not found, what
        # Online: what is damaged is set aside and asked for again, and all is as it was.
        assert _again(scraped, server, categories).manifest.outputs == clean, what
        assert _known(scraped) == evidence, what
        assert archive_findings(scraped) == [], what
    assert damaged >= 150


@pytest.mark.slow
@pytest.mark.fault(60, "poison in an archive without a list")
def test_poison_that_an_earlier_version_archived_blocks_nothing(
    server: Server,
    scraped: Workspace,
    categories: Path,
    clean: dict[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    chance = random.Random(8)
    good = scraped.root.with_name("good")
    shutil.copytree(scraped.root, good)
    refused = 0
    for number in range(_POISONS):
        shutil.rmtree(scraped.root)
        shutil.copytree(good, scraped.root)
        target = chance.choice(_archived(scraped))
        before = target.read_bytes()
        _poison_a_part(target, chance)
        assert target.read_bytes() != before
        found = archive_findings(scraped)
        bad = [name for name, _ in found if not name.endswith(SUMS)]
        assert len(found) == len(bad) + 1
        refused += bool(bad)
        # Nothing proves such a file: what can be read of it is read, what is odd is left out.
        try:
            run_scrape(scraped, fast_config(server, replay=True), categories)
        except DamagedError:
            assert bad, number
        else:
            assert _failed(scraped) >= bool(bad), number
        report = _again(scraped, server, categories)
        assert report.manifest.outputs == clean or not bad, number
        assert not _failed(scraped), number
        assert archive_findings(scraped) == []
        caplog.text.encode()  # what a log in UTF-8 can hold: no half of a pair
    assert refused >= 20


@pytest.mark.fault(51, "archived answer altered, gone or added")
def test_a_replay_names_the_file_in_the_rows_that_fail_and_goes_on_with_the_others(
    server: Server, scraped: Workspace, categories: Path, clean: dict[str, str]
) -> None:
    target = scraped.path(COMMONS_PAGES) / "000000.json.gz"
    target.write_bytes(target.read_bytes()[:-1])
    before = _contents(scraped)
    report = run_scrape(scraped, fast_config(server, replay=True), categories)
    statuses = statuses_of(scraped)
    failed = {number for number, status in statuses.items() if status == "failed"}
    assert 0 < len(failed) < 14
    assert report.manifest.failed == len(failed)
    assert {n: s for n, s in statuses.items() if n not in failed}.items() <= STATUSES.items()
    (shard,) = scraped.shards(CATEGORIES)
    rows = pq.read_table(shard).to_pylist()
    named = "commons-pages/000000.json.gz has other bytes than were written"
    assert {row["error"] for row in rows if row["status"] == "failed"} == {
        f"not in the raw archive ({named}); run again without --replay"
    }
    assert _contents(scraped) == before
    assert archive_findings(scraped) == [
        ("raw/commons-pages/000000.json.gz", "has other bytes than were written")
    ]
    assert run_scrape(scraped, fast_config(server), categories).manifest.outputs == clean


@pytest.mark.fault(51, "archived answer altered, gone or added")
def test_a_replay_whose_rows_are_all_there_says_what_is_damaged_all_the_same(
    server: Server, scraped: Workspace, categories: Path, clean: dict[str, str]
) -> None:
    first = scraped.path(COMMONS_PAGES) / "000000.json.gz"
    shutil.copy(first, first.with_name("000077.json.gz"))
    words = r"every row is there, but commons-pages/000077\.json\.gz is not in SHA256SUMS"
    with pytest.raises(DamagedError, match=words):
        run_scrape(scraped, fast_config(server, replay=True), categories)
    _again(scraped, server, categories)
    report = run_scrape(scraped, fast_config(server, replay=True), categories)
    assert report.manifest.outputs == clean


@pytest.mark.parametrize("way", [_cut, _remove, _copy, _poison])
@pytest.mark.fault(64, "what was kept of dumps damaged")
def test_what_was_kept_of_dumps_is_read_again_where_it_is_damaged(
    categories: Path,
    workspace: Workspace,
    tmp_path: Path,
    way: _Way,
) -> None:
    write_small_dumps(tmp_path / "dumps")
    config = ScrapeConfig(dumps=tmp_path / "dumps")
    clean = run_scrape(workspace, config, categories).manifest.outputs
    files = _archived(workspace)
    assert {path.parent.name for path in files} == {
        "dump-pages",
        "dump-entities",
        "dump-evidence",
    }
    for target in files:
        way(target, random.Random(1))
        assert archive_findings(workspace)
        for stage in (STAGE, EVIDENCE_STAGE):
            workspace.manifest_path(stage.name).unlink()
        assert run_scrape(workspace, config, categories).manifest.outputs == clean
        assert archive_findings(workspace) == []


def test_an_archive_that_is_whole_has_no_findings_and_neither_has_none(
    scraped: Workspace, tmp_path: Path
) -> None:
    assert archive_findings(scraped) == []
    assert archive_findings(Workspace(tmp_path / "nothing")) == []


def test_a_list_that_is_lost_is_a_finding(scraped: Workspace) -> None:
    (scraped.path(COMMONS_PAGES) / SUMS).unlink()
    ((name, what),) = archive_findings(scraped)
    assert name == f"raw/commons-pages/{SUMS}"
    assert "nothing proves its files" in what


def test_a_refreshed_generation_is_looked_at_too(
    server: Server, scraped: Workspace, categories: Path
) -> None:
    run_scrape(scraped, fast_config(server, refresh=True), categories)
    scraped.path("raw/refresh-1/wikidata-items/000000.json.gz").write_bytes(b"")
    assert archive_findings(scraped) == [
        ("raw/refresh-1/wikidata-items/000000.json.gz", "has other bytes than were written")
    ]
