"""What the last review read is missed also of a log of events, and without copy and manifest."""

import json

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError
from hgld.review.log.chain import sealed
from hgld.review.log.decisions import read_log
from hgld.review.log.events import Event, event_content
from hgld.review.log.opened import OpenLog
from hgld.review.log.undoing import undo
from hgld.review.stage import run_review
from hgld.tables import TAXONOMY
from tests.hgld.review.log.acts import assigned, edited, said, switched
from tests.worlds.review.sheets import PROPOSE, copy_of, finished, log_of

BULK = edited(assigned("Q16970", "Q10"))
IGNORED = edited(said("Q9", effect="ignore"), event="ignore")
REMARK = edited(said("Q9", effect="comment", note="?"), said("Q9", effect="doubt"), event="comment")
CLEARED = edited(said("Q9", "Q10", effect="clear"), event="clear")

LACKS = "last review"


def write_log(workspace: Workspace, *events: Event) -> None:
    """Writes a log and its copy, as from a backup."""
    data = sealed(b"", map(event_content, events))
    for path in (log_of(workspace), copy_of(workspace)):
        path.write_bytes(data)


@pytest.fixture
def unfinished(clustered: Workspace) -> Workspace:
    """A build whose review read a bulk edit, and was begun anew: the manifest is gone."""
    log = OpenLog(clustered)
    for event in (BULK, IGNORED):
        log.append(event)
    run_review(clustered, PROPOSE)
    clustered.manifest_path("review").unlink()
    return clustered


@pytest.mark.fault(21, "log and copy of decisions gone")
@pytest.mark.parametrize(
    "events",
    [
        [BULK],
        [IGNORED],
        [BULK, REMARK],  # a remark on a class rules nothing
        [edited(assigned("Q10")), IGNORED],  # a part of the bulk
        [BULK, CLEARED],
    ],
)
def test_a_class_of_a_bulk_edit_is_missed_where_no_line_rules_it(
    unfinished: Workspace, events: list[Event]
) -> None:
    write_log(unfinished, *events)
    for call in (
        lambda: run_review(unfinished, PROPOSE),
        lambda: OpenLog(unfinished),
        lambda: OpenLog(unfinished, mend=False),
    ):
        with pytest.raises(DamagedError, match=LACKS):
            call()


@pytest.mark.parametrize(
    "events", [[BULK, IGNORED], [IGNORED, BULK, REMARK], [BULK, IGNORED, CLEARED]]
)
def test_a_class_that_some_line_rules_is_not_missed_whatever_became_of_it(
    unfinished: Workspace, events: list[Event]
) -> None:
    write_log(unfinished, *events)
    assert len(OpenLog(unfinished).events) == len(events)
    run_review(unfinished, PROPOSE)
    assert finished(unfinished).rows


@pytest.mark.parametrize("has_manifest", [True, False])
def test_a_class_whose_edit_was_switched_off_is_not_missed(
    clustered: Workspace, has_manifest: bool
) -> None:
    log = OpenLog(clustered)
    for event in (BULK, IGNORED):
        log.append(event)
    run_review(clustered, PROPOSE)
    if not has_manifest:
        clustered.manifest_path("review").unlink()
    for _ in range(2):
        toggle = undo(log.events, "ann")
        assert toggle
        log.append(switched(toggle))
    assert OpenLog(clustered).events == log.events
    assert not run_review(clustered, PROPOSE).skipped
    assert read_log(clustered).in_force() == {}


@pytest.mark.fault(24, "emptied log")
def test_an_undo_that_is_cut_off_with_its_copy_is_missed(clustered: Workspace) -> None:
    """The classes are all there: that they count no more is what the log lost."""
    log = OpenLog(clustered)
    log.append(BULK)
    toggle = undo(log.events, "ann")
    assert toggle
    log.append(switched(toggle))
    run_review(clustered, PROPOSE)
    for path in (log_of(clustered), copy_of(clustered)):
        path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    with pytest.raises(DamagedError, match="line 1"):
        run_review(clustered, PROPOSE)


@pytest.mark.parametrize(
    "values",
    [
        {"changes": 5},
        {"changes": [5, {"effect": "assign", "classes": ["Q9"]}, {"effect": ["assign"]}]},
        {"changes": None},
        {"changes": {"Q9": 1}},
        [1],
    ],
)
def test_lines_that_are_no_event_rule_nothing_and_are_named(
    unfinished: Workspace, values: object
) -> None:
    """As a hand may write them into a log of an earlier version."""
    if isinstance(values, dict):
        values |= {"event": "assign", "decided_at": "2026-11-26T09:00:00+00:00", "reviewer": "eve"}
    for each in (log_of(unfinished), copy_of(unfinished)):
        each.write_text(f"{json.dumps(values)}\n", encoding="utf-8")
    with pytest.raises(DamagedError, match=LACKS):
        read_log(unfinished)
    for each in unfinished.shards(TAXONOMY):
        each.unlink()
    with pytest.raises(InputError, match="line 1"):
        read_log(unfinished)
