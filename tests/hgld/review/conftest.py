"""Builds to review, and a disk that is spared."""

import os

import pytest

from hgld.engine.workspace import Workspace
from tests.worlds.builders import write_proposals
from tests.worlds.review.sheets import CLASSES, write_reviewed


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
def reviewed(workspace: Workspace) -> Workspace:
    """The same; three classes are decided by five lines, one is left to its proposal."""
    return write_reviewed(workspace)
