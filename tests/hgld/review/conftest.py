"""Builds to review, and a disk that is spared."""

import os

import pytest

from hgld.engine.workspace import Workspace
from hgld.review.stage import apply_sheet, run_review
from tests.worlds.builders import write_proposals
from tests.worlds.reviewing import CHURCH, CLASSES, IGNORE, LAKE, PROPOSE, fill_in


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
    apply_sheet(clustered, fill_in(clustered, {"Q16970": CHURCH, "Q9": IGNORE}), "ann")
    apply_sheet(clustered, fill_in(clustered, {"Q9": CHURCH | {"note": "née\n“x”"}}), "bob")
    apply_sheet(clustered, fill_in(clustered, {"Q23397": LAKE, "Q9": IGNORE}), "ann")
    run_review(clustered, PROPOSE)
    return clustered
