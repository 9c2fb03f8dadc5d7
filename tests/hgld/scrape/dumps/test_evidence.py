"""What classes are called elsewhere, from dumps."""

import gzip
import shutil
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.scrape.archive import DUMP_EVIDENCE
from hgld.scrape.dumps.entities import read_json_entities
from hgld.scrape.stage import EVIDENCE_STAGE, ScrapeConfig, run_scrape
from hgld.scrape.verify import archive_findings
from hgld.scrape.wikimedia.wikidata import Entity
from hgld.tables import CLASS_EVIDENCE
from tests.worlds.wikimedia.dump_writer import table_rows, write_small_dumps
from tests.worlds.wikimedia.lab import STATUSES, fast_config, statuses_of
from tests.worlds.wikimedia.small import EVIDENCE, Server


@pytest.fixture
def dumps(tmp_path: Path) -> Path:
    """The small Wikimedia as dumps."""
    folder = tmp_path / "dumps"
    write_small_dumps(folder)
    return folder


def _rows(workspace: Workspace) -> list[tuple[str, str, str]]:
    rows = workspace.read(CLASS_EVIDENCE).to_pylist()
    return [(row["class_qid"], row["property"], row["value"]) for row in rows]


def test_the_dumps_say_what_the_service_says(
    server: Server, dumps: Path, categories: Path, tmp_path: Path
) -> None:
    live, local = Workspace(tmp_path / "live"), Workspace(tmp_path / "local")
    run_scrape(live, fast_config(server), categories)
    run_scrape(local, ScrapeConfig(dumps=dumps), categories)
    assert table_rows(local, CLASS_EVIDENCE) == table_rows(live, CLASS_EVIDENCE)
    assert _rows(local) == EVIDENCE


@pytest.mark.parametrize("lacking", ["all.json", "truthy.nt"])
def test_either_dump_of_entities_is_enough(
    dumps: Path, categories: Path, workspace: Workspace, lacking: str
) -> None:
    next(dumps.glob(f"*-{lacking}.gz")).unlink()
    run_scrape(workspace, ScrapeConfig(dumps=dumps), categories)
    assert _rows(workspace) == EVIDENCE


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """What was looked for in each pass over the JSON dump."""
    seen: list[set[str]] = []

    def read(path: Path, wanted: set[str]) -> dict[str, Entity]:
        seen.append(set(wanted))
        return read_json_entities(path, wanted)

    monkeypatch.setattr("hgld.scrape.dumps.entities.read_json_entities", read)
    return seen


def test_evidence_takes_no_pass_of_its_own_but_where_an_earlier_version_kept_none(
    dumps: Path, categories: Path, workspace: Workspace, passes: list[set[str]]
) -> None:
    config = ScrapeConfig(dumps=dumps)
    run_scrape(workspace, config, categories)
    rounds = len(passes)
    assert rounds == 3  # items; their topics and classes; what is above those
    manifest = workspace.manifest(EVIDENCE_STAGE.name)
    assert manifest is not None
    shutil.rmtree(workspace.path(DUMP_EVIDENCE))
    shutil.rmtree(workspace.path(CLASS_EVIDENCE.path))
    workspace.manifest_path(EVIDENCE_STAGE.name).unlink()
    assert run_scrape(workspace, config, categories).skipped
    assert passes[rounds:] == [{"Q101", "Q102", "Q103", "Q104", "Q105"}]
    again = workspace.manifest(EVIDENCE_STAGE.name)
    assert again is not None
    assert again.outputs == manifest.outputs


@pytest.mark.fault(54, "odd text or number in an answer")
@pytest.mark.parametrize(
    "odd", [rb'"Tag:\n"', rb'"Tag:\ud800"', b"7", b'{"id":"Q1"}', b"null", b"true"], ids=str
)
def test_odd_evidence_fails_its_class_there_and_nowhere_else(
    dumps: Path, categories: Path, workspace: Workspace, passes: list[set[str]], odd: bytes
) -> None:
    path = next(dumps.glob("*-all.json.gz"))
    text = gzip.decompress(path.read_bytes())
    changed = text.replace(b'"Tag:man_made=tower"', odd)
    assert changed != text
    path.write_bytes(gzip.compress(changed))
    config = ScrapeConfig(dumps=dumps)
    report = run_scrape(workspace, config, categories)
    assert report.manifest.failed == 0
    assert statuses_of(workspace) == STATUSES
    manifest = workspace.manifest(EVIDENCE_STAGE.name)
    assert manifest is not None
    assert manifest.failed == 1
    assert archive_findings(workspace) == []
    # What is odd was not kept: the next run looks for it again, and for nothing else.
    before = len(passes)
    run_scrape(workspace, config, categories)
    assert passes[before:] == [{"Q101"}]


@pytest.mark.fault(54, "odd text or number in an answer")
def test_evidence_that_is_no_text_in_a_truthy_dump_fails_its_class(
    dumps: Path, categories: Path, workspace: Workspace
) -> None:
    next(dumps.glob("*-all.json.gz")).unlink()
    path = next(dumps.glob("*-truthy.nt.gz"))
    text = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(text.replace(b"Tag:man_made", b"Tag:\xff")))
    assert run_scrape(workspace, ScrapeConfig(dumps=dumps), categories).manifest.failed == 0
    manifest = workspace.manifest(EVIDENCE_STAGE.name)
    assert manifest is not None
    assert manifest.failed == 1


@pytest.mark.fault(64, "what was kept of dumps damaged")
def test_evidence_that_was_kept_and_is_damaged_is_looked_for_again(
    dumps: Path, categories: Path, workspace: Workspace
) -> None:
    config = ScrapeConfig(dumps=dumps)
    run_scrape(workspace, config, categories)
    for path in sorted(workspace.path(DUMP_EVIDENCE).glob("*.json.gz")):
        path.write_bytes(path.read_bytes()[:-1])
        assert archive_findings(workspace)
        workspace.manifest_path(EVIDENCE_STAGE.name).unlink()
        run_scrape(workspace, config, categories)
        assert archive_findings(workspace) == []
        assert _rows(workspace) == EVIDENCE
