"""Builds to review, and a disk that is spared."""

import os

import pytest

from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import append_decisions
from hgld.review.stage import run_review
from tests.worlds.builders import write_proposals
from tests.worlds.review.sheets import CHURCH, CLASSES, IGNORE, LAKE, PROPOSE, decision_of


@pytest.fixture
def unflushed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spares the disk: hundreds of logs are written, and no power is cut."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def clustered(workspace: Workspace) -> Workspace:
    """A build of four classes, none of them decided."""
    write_proposals(workspace, CLASSES)
    return workspace


@pytest.fixture
def reviewed(clustered: Workspace) -> Workspace:
    """The same; three classes are decided by five lines, one is left to its proposal."""
    note = "née\n“x”"
    for reviewer, qid, cells in (
        ("ann", "Q16970", CHURCH),
        ("ann", "Q9", IGNORE),
        ("bob", "Q9", CHURCH | {"note": note}),
        ("ann", "Q23397", LAKE | {"action": "assign"}),
        ("ann", "Q9", IGNORE | {"note": note}),
    ):
        append_decisions(clustered, [decision_of(qid, cells, reviewer)])
    run_review(clustered, PROPOSE)
    return clustered
