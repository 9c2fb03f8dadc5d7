"""Builds to review, and a disk that is spared."""

import os

import pytest

from hgld.engine.workspace import Workspace
from hgld.review.exchange.applying import apply_sheet
from hgld.review.stage import run_review
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
    for reviewer, cells in (
        ("ann", {"Q16970": CHURCH}),
        ("ann", {"Q9": IGNORE}),
        ("bob", {"Q9": CHURCH | {"note": "née\n“x”"}}),
        ("ann", {"Q23397": LAKE}),
        ("ann", {"Q9": IGNORE}),
    ):
        apply_sheet(clustered, fill_in(clustered, cells), reviewer)
    run_review(clustered, PROPOSE)
    return clustered
