"""What classes are called elsewhere: its rows, and that nothing waits for it."""

import shutil

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.scrape.archive import WIKIDATA_EVIDENCE
from hgld.scrape.stage import EVIDENCE_STAGE
from hgld.tables import CLASS_EVIDENCE, CLASSES
from tests.worlds.wikimedia import small as small_wikimedia
from tests.worlds.wikimedia.faults import Fault, reply
from tests.worlds.wikimedia.scraping import Small, kept_answers, written
from tests.worlds.wikimedia.small import EVIDENCE, Server

_CLASSES = ["Q101", "Q102", "Q103", "Q104", "Q105"]
Found = tuple[str, str | None, str | None]


def _rows(workspace: Workspace) -> list[Found]:
    rows = written(workspace, CLASS_EVIDENCE)
    return [(row["class_qid"], row["property"], row["value"]) for row in rows]


def _errors(workspace: Workspace) -> dict[str, str]:
    """Returns class to error of the rows, all of which have failed."""
    rows = written(workspace, CLASS_EVIDENCE)
    assert {(row["status"], row["property"]) for row in rows} == {("failed", None)}
    return {row["class_qid"]: row["error"] for row in rows}


def _is_evidence(service: str, text: str) -> bool:
    return service == "sparql" and "p:P1282 " in text


def _forget(workspace: Workspace) -> None:
    """Leaves a build as one that was stopped before it asked for evidence."""
    shutil.rmtree(workspace.path(WIKIDATA_EVIDENCE))
    shutil.rmtree(workspace.path(CLASS_EVIDENCE.path))
    workspace.manifest_path(EVIDENCE_STAGE.name).unlink()


def test_the_best_statements_of_each_class_are_kept_in_order(scraped: Small) -> None:
    assert _rows(scraped.workspace) == EVIDENCE
    assert set(scraped.workspace.read(CLASS_EVIDENCE)["status"].to_pylist()) == {"ok"}
    # Of Q104 there is nothing to say, and the best tag of Q102 is unknown: they have no row.
    assert {"Q102", "Q104"} <= set(scraped.workspace.read(CLASSES)["class_qid"].to_pylist())
    # No superclass is asked about.
    kept = [one.keys for one in kept_answers(scraped.workspace.path(WIKIDATA_EVIDENCE))]
    assert kept == [tuple(_CLASSES[:3]), tuple(_CLASSES[3:])]


@pytest.mark.parametrize("fault", [reply(403, b"no"), reply(500, b"oops")], ids=["403", "500"])
def test_evidence_that_fails_holds_up_nothing(small: Small, server: Server, fault: Fault) -> None:
    server.refuses, server.refusal = _is_evidence, fault
    report = small.scrape(attempts=1)
    assert "sparql" in server.fired
    assert report.manifest.outputs == small.clean
    assert report.manifest.failed == 0
    errors = _errors(small.workspace)
    assert [qid for qid, error in errors.items() if server.sparql in error] == _CLASSES
    assert not small.workspace.path(WIKIDATA_EVIDENCE).exists()
    server.refuses = None
    asked = len(server.hits)
    assert small.scrape().skipped
    assert len(server.hits) == asked + 2
    assert _rows(small.workspace) == EVIDENCE


def test_a_merged_class_is_asked_about(scraped: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    _forget(scraped.workspace)
    monkeypatch.setattr(small_wikimedia, "MERGED", {"Q104": "Q106", "Q106": "Q107", "Q105": "Q101"})
    monkeypatch.setitem(small_wikimedia.STATEMENTS, "Q107", [("P1282", "Tag:new=yes", "Normal")])
    scraped.scrape()
    rows = _rows(scraped.workspace)
    assert [row for row in rows if row[0] == "Q104"] == [("Q104", "P1282", "Tag:new=yes")]
    of_the_other = [row[1:] for row in EVIDENCE if row[0] == "Q101"]
    assert [row[1:] for row in rows if row[0] == "Q105"] == of_the_other


def test_a_refresh_needs_no_evidence(scraped: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(small_wikimedia.STATEMENTS, "Q104", [("P1282", "Tag:new=yes", "Normal")])
    scraped.server.refuses = _is_evidence
    scraped.scrape(refresh=True)
    assert scraped.server.fired
    assert scraped.workspace.manifest("refresh") is not None
    # What stands is not replaced by rows that only failed.
    assert _rows(scraped.workspace) == EVIDENCE
    scraped.server.refuses = None
    asked = len(scraped.server.hits)
    scraped.scrape()
    assert len(scraped.server.hits) == asked + 2
    new = ("Q104", "P1282", "Tag:new=yes")
    assert _rows(scraped.workspace) == [*EVIDENCE[:-1], new, EVIDENCE[-1]]


def test_a_contact_is_needed_only_for_what_is_missing_which_evidence_may_be(
    scraped: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: str) -> None:
        raise InputError("who is calling?")

    monkeypatch.setattr("hgld.scrape.questions.require_contact", refuse)
    asked = len(scraped.server.hits)
    assert scraped.scrape().skipped
    with pytest.raises(InputError, match="who is calling"):
        scraped.scrape(superclass_depth=2)
    _forget(scraped.workspace)
    assert scraped.scrape().skipped
    assert len(scraped.server.hits) == asked
    assert _errors(scraped.workspace) == dict.fromkeys(_CLASSES, "who is calling?")
