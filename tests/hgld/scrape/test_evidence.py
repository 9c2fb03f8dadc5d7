"""What classes are called elsewhere: its rows, and that nothing waits for it."""

import re
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.scrape.archive import WIKIDATA_EVIDENCE
from hgld.scrape.stage import EVIDENCE_STAGE, run_scrape
from hgld.tables import CLASS_EVIDENCE, CLASSES
from tests.worlds.wikimedia import small as small_wikimedia
from tests.worlds.wikimedia.faults import Fault, reply
from tests.worlds.wikimedia.kept import kept_answers
from tests.worlds.wikimedia.scraping import fast_config
from tests.worlds.wikimedia.small import EVIDENCE, Server

_CLASSES = ["Q101", "Q102", "Q103", "Q104", "Q105"]
Found = tuple[str, str | None, str | None]


def _written(workspace: Workspace) -> list[dict[str, Any]]:
    """Returns what is written, whole or not."""
    (shard,) = workspace.shards(CLASS_EVIDENCE)
    rows: list[dict[str, Any]] = pq.read_table(shard, partitioning=None).to_pylist()
    return rows


def _rows(workspace: Workspace) -> list[Found]:
    return [(row["class_qid"], row["property"], row["value"]) for row in _written(workspace)]


def _errors(workspace: Workspace) -> dict[str, str]:
    """Returns class to error of the failed rows."""
    failed = [row for row in _written(workspace) if row["status"] == "failed"]
    assert all(row["property"] is row["value"] is None for row in failed)
    return {row["class_qid"]: row["error"] for row in failed}


def _is_evidence(service: str, text: str) -> bool:
    return service == "sparql" and "p:P1282 " in text


def _asked(server: Server) -> list[list[str]]:
    """Returns the classes of each query for evidence, in order."""
    queries = [form["query"] for name, form in server.hits if name == "sparql"]
    return [
        list(dict.fromkeys(re.findall(r"wd:(Q\d+)", query)))
        for query in queries
        if _is_evidence("sparql", query)
    ]


def _digest(workspace: Workspace) -> dict[str, str]:
    manifest = workspace.manifest(EVIDENCE_STAGE.name)
    assert manifest is not None
    return manifest.outputs


def _forget(workspace: Workspace) -> None:
    """Leaves a build as one that was stopped before it asked for evidence."""
    shutil.rmtree(workspace.path(WIKIDATA_EVIDENCE))
    shutil.rmtree(workspace.path(CLASS_EVIDENCE.path))
    workspace.manifest_path(EVIDENCE_STAGE.name).unlink()


@pytest.fixture
def scraped(server: Server, categories: Path, workspace: Workspace) -> Workspace:
    run_scrape(workspace, fast_config(server), categories)
    return workspace


def test_the_best_statements_of_each_class_are_kept_in_order(scraped: Workspace) -> None:
    assert _rows(scraped) == EVIDENCE
    assert set(scraped.read(CLASS_EVIDENCE)["status"].to_pylist()) == {"ok"}
    # Of Q104 there is nothing to say, and the best tag of Q102 is unknown: they have no row.
    assert {"Q102", "Q104"} <= set(scraped.read(CLASSES)["class_qid"].to_pylist())


def test_a_batch_of_classes_is_one_query_and_no_superclass_is_asked_about(
    server: Server, scraped: Workspace
) -> None:
    assert _asked(server) == [_CLASSES[:3], _CLASSES[3:]]
    assert [list(one.keys) for one in kept_answers(scraped.path(WIKIDATA_EVIDENCE))] == [
        _CLASSES[:3],
        _CLASSES[3:],
    ]


def test_a_second_run_asks_nothing_and_other_settings_or_rows_only_what_is_new(
    server: Server, scraped: Workspace, categories: Path
) -> None:
    before, asked = _digest(scraped), len(_asked(server))
    run_scrape(scraped, fast_config(server), categories)
    run_scrape(scraped, fast_config(server, superclass_depth=0), categories)
    assert _digest(scraped) == before
    lines = categories.read_text(encoding="utf-8").splitlines()
    # Without the landmarks that are towers.
    few = [line for line in lines if not re.search("Tower|Hard|Merged", line)]
    categories.write_text("\n".join(few) + "\n", encoding="utf-8")
    run_scrape(scraped, fast_config(server), categories)
    assert _rows(scraped) == [row for row in EVIDENCE if row[0] not in {"Q101", "Q102"}]
    assert len(_asked(server)) == asked


@pytest.mark.parametrize(
    "fault", [reply(403, b"no"), reply(500, b"oops")], ids=["refusal", "server error"]
)
def test_a_service_that_gives_no_evidence_fails_its_rows_and_holds_up_nothing(
    server: Server, categories: Path, workspace: Workspace, clean: dict[str, str], fault: Fault
) -> None:
    server.refuses, server.refusal = _is_evidence, fault
    report = run_scrape(workspace, fast_config(server, attempts=1), categories)
    assert "sparql" in server.fired
    assert report.manifest.outputs == clean
    assert report.manifest.failed == 0
    workspace.finished(CLASSES)
    errors = _errors(workspace)
    assert list(errors) == _CLASSES
    assert all(server.sparql in error for error in errors.values())
    assert not workspace.path(WIKIDATA_EVIDENCE).exists()
    server.refuses = None
    asked = len(server.hits)
    assert run_scrape(workspace, fast_config(server), categories).skipped
    assert len(server.hits) == asked + 2
    assert _rows(workspace) == EVIDENCE


def test_a_class_that_was_merged_since_the_scrape_is_asked_about_under_its_new_id(
    server: Server, scraped: Workspace, categories: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _forget(scraped)
    monkeypatch.setattr(small_wikimedia, "MERGED", {"Q104": "Q106", "Q106": "Q107", "Q105": "Q101"})
    tag = {"Q107": [("P1282", "Tag:new=yes", "Normal")]}
    monkeypatch.setattr(small_wikimedia, "STATEMENTS", {**small_wikimedia.STATEMENTS, **tag})
    run_scrape(scraped, fast_config(server), categories)
    rows = _rows(scraped)
    assert [row for row in rows if row[0] == "Q104"] == [("Q104", "P1282", "Tag:new=yes")]
    of_the_other = [row[1:] for row in EVIDENCE if row[0] == "Q101"]
    assert [row[1:] for row in rows if row[0] == "Q105"] == of_the_other


def test_a_refresh_asks_again_and_keeps_what_was_answered(
    server: Server, scraped: Workspace, categories: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = kept_answers(scraped.path(WIKIDATA_EVIDENCE))
    tag = {"Q104": [("P1282", "Tag:new=yes", "Normal")]}
    monkeypatch.setattr(small_wikimedia, "STATEMENTS", {**small_wikimedia.STATEMENTS, **tag})
    run_scrape(scraped, fast_config(server, refresh=True), categories)
    assert _rows(scraped) == [*EVIDENCE[:-1], ("Q104", "P1282", "Tag:new=yes"), EVIDENCE[-1]]
    assert kept_answers(scraped.path(WIKIDATA_EVIDENCE)) == kept
    assert len(kept_answers(scraped.path("raw/refresh-1/wikidata-evidence"))) == len(kept)
    assert scraped.manifest("refresh") is not None


def test_a_refresh_whose_evidence_fails_is_whole_all_the_same(
    server: Server, scraped: Workspace, categories: Path
) -> None:
    server.refuses = _is_evidence
    run_scrape(scraped, fast_config(server, refresh=True), categories)
    assert server.fired
    assert scraped.manifest("refresh") is not None
    # What stands is not replaced by rows that only failed.
    assert scraped.read(CLASS_EVIDENCE)["status"].to_pylist() == ["ok"] * len(EVIDENCE)
    server.refuses = None
    asked = len(server.hits)
    run_scrape(scraped, fast_config(server), categories)
    assert len(server.hits) == asked + 2
    assert _rows(scraped) == EVIDENCE


def test_who_asks_is_asked_for_only_where_there_is_something_to_ask(
    server: Server, scraped: Workspace, categories: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: str) -> None:
        raise InputError("who is calling?")

    monkeypatch.setattr("hgld.scrape.questions.require_contact", refuse)
    scraped.manifest_path(EVIDENCE_STAGE.name).unlink()
    run_scrape(scraped, fast_config(server), categories)
    _forget(scraped)
    asked = len(server.hits)
    # A finished build needs nobody's leave to go on.
    assert run_scrape(scraped, fast_config(server), categories).skipped
    assert len(server.hits) == asked
    assert _errors(scraped) == dict.fromkeys(_CLASSES, "who is calling?")
    monkeypatch.undo()
    run_scrape(scraped, fast_config(server), categories)
    assert _rows(scraped) == EVIDENCE
