"""Dump files that are missing, cut off or not what their names say."""

import gzip
import signal
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hgld.benchmarks.faults.command import fork_server
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.scrape.stage import EVIDENCE_STAGE, ScrapeConfig, run_scrape
from hgld.scrape.verify import archive_findings
from hgld.tables import CATEGORIES
from tests.worlds.wikimedia.dump_writer import sql_text, write_small_dumps
from tests.worlds.wikimedia.lab import scrape_child, statuses_of


@pytest.fixture
def dumps(tmp_path: Path) -> Path:
    """The small Wikimedia as dumps."""
    folder = tmp_path / "dumps"
    write_small_dumps(folder)
    return folder


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _spoil(path: Path) -> None:
    path.write_bytes(b"<html>not found</html>")


def _replace(path: Path) -> None:
    path.write_bytes(gzip.compress(sql_text("redirect", [(1, 14, "A", "", "")])))


@pytest.mark.parametrize(
    ("pattern", "damage", "words"),
    [
        ("*-page.sql.gz", Path.unlink, r"has no commonswiki-\*-page\.sql\.gz; download it from"),
        ("*-page.sql.gz", _cut, r"-page\.sql\.gz stops before its end; download it again"),
        ("*-page.sql.gz", _spoil, r"is no whole gzip file"),
        ("*-page.sql.gz", _replace, r"dump of the table page: it holds the table redirect"),
        ("*-all.json.gz", _cut, r"all\.json\.gz stops before its end"),
        ("*-all.json.gz", _replace, r"has a line that is no entity"),
        ("*-truthy.nt.gz", _cut, r"truthy\.nt\.gz stops before its end"),
        ("*-truthy.nt.gz", _replace, r"is no N-Triples dump: it starts with"),
    ],
)
def test_a_dump_that_cannot_be_read_is_named(
    dumps: Path,
    categories: Path,
    workspace: Workspace,
    pattern: str,
    damage: Callable[[Path], None],
    words: str,
) -> None:
    damage(next(dumps.glob(pattern)))
    with pytest.raises(InputError, match=words):
        run_scrape(workspace, ScrapeConfig(dumps=dumps), categories)
    assert workspace.shards(CATEGORIES) == []


def test_two_dumps_of_one_table_are_refused(
    dumps: Path, categories: Path, workspace: Workspace
) -> None:
    page = next(dumps.glob("*-page.sql.gz"))
    (dumps / "commonswiki-20261201-page.sql.gz").write_bytes(page.read_bytes())
    with pytest.raises(InputError, match="keep one of them"):
        run_scrape(workspace, ScrapeConfig(dumps=dumps), categories)


def test_a_folder_that_is_not_there_is_named(categories: Path, workspace: Workspace) -> None:
    with pytest.raises(InputError, match="got nowhere; it is not there"):
        run_scrape(workspace, ScrapeConfig(dumps=Path("nowhere")), categories)


@pytest.mark.parametrize("settings", [{"replay": True}, {"follow_moves": True}])
def test_settings_that_dumps_cannot_serve_are_refused(settings: dict[str, bool]) -> None:
    with pytest.raises(ValueError, match=f"dumps and {next(iter(settings))} exclude each other"):
        ScrapeConfig(dumps=Path("dumps"), **settings)  # type: ignore[arg-type] # only flags


@pytest.mark.fault(150, "scrape from dumps killed at any write")
def test_a_run_killed_at_any_write_ends_as_if_nothing_had_happened(
    dumps: Path, categories: Path, tmp_path: Path
) -> None:
    config = ScrapeConfig(dumps=dumps)
    clean = run_scrape(Workspace(tmp_path / "clean"), config, categories).manifest.outputs
    known = Workspace(tmp_path / "clean").manifest(EVIDENCE_STAGE.name)
    assert known is not None
    context = fork_server()
    killed = 0
    for die_at in range(50):
        root = tmp_path / str(die_at)
        child = context.Process(target=scrape_child, args=(root, config, categories, die_at))
        child.start()
        child.join(60)
        if child.exitcode == 0:
            break
        assert child.exitcode == -signal.SIGKILL
        killed += 1
        assert run_scrape(Workspace(root), config, categories).manifest.outputs == clean
        evidence = Workspace(root).manifest(EVIDENCE_STAGE.name)
        assert evidence is not None
        assert evidence.outputs == known.outputs
    # Before and after the journal, what is kept of the pages and twice of three rounds, each table,
    # and the manifest, which is written beside its place and then put there; and for the evidence
    # its journal, table and manifest.
    assert killed == 2 * (1 + 1 + 2 * 3 + 3 + 2 + 1 + 1 + 2)


@pytest.mark.fault(54, "odd text or number in an answer")
@pytest.mark.parametrize(
    "change",
    [
        ("*-page.sql.gz", b",1001,", b",%d," % (1 << 70), 9),
        ("*-page_props.sql.gz", b"'Q7'", b"'Q%d'" % (1 << 63), 10),
        ("*-page_props.sql.gz", b"'Q7'", rb"'Q7\n'", 10),
        ("*-all.json.gz", b'"neighborhood in Utrecht (university"', rb'"a \ud800"', 9),
        ("*-all.json.gz", b'"neighborhood in Utrecht (university"', rb'"a \u0000"', 9),
        ("*-all.json.gz", b'"neighborhood in Utrecht (university"', b"7", 9),
    ],
)
def test_what_no_table_can_hold_fails_its_rows_and_no_other(
    dumps: Path,
    categories: Path,
    workspace: Workspace,
    change: tuple[str, bytes, bytes, int],
) -> None:
    pattern, part, odd, landmark = change
    path = next(dumps.glob(pattern))
    good = path.read_bytes()
    text = gzip.decompress(good)
    assert part in text
    path.write_bytes(gzip.compress(text.replace(part, odd)))
    config = ScrapeConfig(dumps=dumps)
    report = run_scrape(workspace, config, categories)
    statuses = statuses_of(workspace)
    assert {n for n, status in statuses.items() if status == "failed"} == {landmark}
    assert report.manifest.failed == 1
    (shard,) = workspace.shards(CATEGORIES)
    assert "the dumps are odd: " in pq.read_table(shard)["error"][landmark - 1].as_py()
    assert archive_findings(workspace) == []
    path.write_bytes(good)
    assert run_scrape(workspace, config, categories).manifest.failed == 0


@pytest.mark.parametrize("odd", [rb"\uD800", rb"\UFFFFFFFF", b"\xff"])
@pytest.mark.fault(54, "odd text or number in an answer")
def test_a_label_that_is_no_text_in_a_truthy_dump_fails_its_rows(
    dumps: Path, categories: Path, workspace: Workspace, odd: bytes
) -> None:
    next(dumps.glob("*-all.json.gz")).unlink()
    path = next(dumps.glob("*-truthy.nt.gz"))
    text = gzip.decompress(path.read_bytes())
    changed = text.replace(b"neighborhood in Utrecht", b"neighborhood " + odd)
    assert changed != text
    path.write_bytes(gzip.compress(changed))
    report = run_scrape(workspace, ScrapeConfig(dumps=dumps), categories)
    assert report.manifest.failed == 1
    assert statuses_of(workspace)[9] == "failed"
