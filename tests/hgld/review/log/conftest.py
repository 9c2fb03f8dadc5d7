"""A build that was reviewed in events."""

import pytest

from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import append_decisions
from hgld.review.log.opened import OpenLog
from hgld.review.log.undoing import jump, redo, revert, undo
from hgld.review.stage import run_review
from tests.hgld.review.log.acts import assigned, edited, ignored, said, switched
from tests.worlds.review.sheets import PROPOSE


@pytest.fixture
def acted(clustered: Workspace) -> Workspace:
    """Four classes, decided by bulk edits of which some are switched off, and by a sheet."""
    log = OpenLog(clustered)
    log.append(edited(assigned("Q16970", "Q10"), why="née “x”"))
    append_decisions(clustered, [ignored("Q9", "bob")])
    log.append(edited(assigned("Q23397", "Q9", label="ocean area "), who="bob"))
    log.append(edited(said("Q16970", "Q10", "Q9", effect="ignore"), event="ignore"))
    for way in (undo, redo, undo, undo):
        toggle = way(log.events, "ann")
        assert toggle
        log.append(switched(toggle))
    log.append(edited(said("Q10", effect="comment", note="?"), event="comment"))
    log.append(switched(revert(log.events, 1), "zoë"))
    back = jump(log.events, 5)
    assert back
    log.append(switched(back, "bob"))
    taken_back = undo(log.events, "bob")
    assert taken_back
    log.append(switched(taken_back, "bob"))
    run_review(clustered, PROPOSE)
    return clustered
