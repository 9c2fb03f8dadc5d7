"""What stands of a review: how far it is, who did it, and what is to be looked at again."""

import hashlib
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hgld.engine.files import write_text
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, MissingInputError
from hgld.review.log.decisions import DecisionLog, read_log
from hgld.review.progress import LandmarkCounts, ReviewCounts, review_progress
from hgld.review.replay import Replayed, replay
from hgld.tables import CLASS_CHANGES, PROPOSALS, TAXONOMY

KNOWN_CLASSES = "review/.known_classes.txt"
"""The SHA-256 of what follows, and the classes that there were when a review began, a line each.
Losing it loses marks alone: nothing is new then until that review has ended."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewStatus:
    """What stands of a review."""

    progress: ReviewCounts
    lines: int
    """Events of the log, of every kind."""
    edits: int
    """Those that say something of classes, and count."""
    reviewers: dict[str, int]
    """Reviewer to the number of their events, the busiest first."""
    second_opinions: int
    """Samples that a second reviewer was asked about."""
    new: dict[str, str]
    """class_qid to label of open classes that came after the last review."""
    replayed: list[Replayed]
    """Each edit that counts, and what became of the classes it decides."""


def review_status(workspace: Workspace) -> ReviewStatus:
    """Tells what stands of a review, and changes nothing.

    Args:
        workspace: a build whose `propose` has finished.

    Raises:
        MissingInputError: no proposals.
        DamagedError: the log is not as it was written.
        InputError: a line of it is no event.
    """
    columns = ["class_qid", "class_label", "landmarks", "cluster_id"]
    classes = workspace.read(PROPOSALS, columns).to_pylist()
    log = read_log(workspace)
    standing = log.standing()
    labels = {row["class_qid"]: row["class_label"] for row in classes}
    return ReviewStatus(
        progress=review_progress(classes, standing, LandmarkCounts(workspace, classes)),
        lines=len(log.events),
        edits=len(standing.active),
        reviewers=dict(Counter(event.reviewer for event in log.events).most_common()),
        second_opinions=len(standing.samples),
        new=new_classes(workspace, classes, log),
        replayed=replay(log.events, standing, labels),
    )


def new_classes(
    workspace: Workspace, classes: Sequence[Mapping[str, Any]], log: DecisionLog
) -> dict[str, str]:
    """Returns the classes that came after the last review, by `class_qid` with their labels.

    No event is about them, and the taxonomy that was made last does not have them. Before there is
    one: they were not there when the review began, or a refresh of the scrape has just brought
    them.

    Args:
        workspace: a build.
        classes: rows of PROPOSALS.
        log: of the build.
    """
    known = _known_before(workspace)
    if known is None:
        return {}
    known |= {qid for event in log.events for qid in event.classes}
    labels = {row["class_qid"]: row["class_label"] for row in classes}
    return {qid: label for qid, label in labels.items() if qid not in known}


def _known_before(workspace: Workspace) -> set[str] | None:
    """Returns the classes that a review may have seen; None: nothing tells."""
    try:
        return set(workspace.read(TAXONOMY, ["class_qid"])["class_qid"].to_pylist())
    except (MissingInputError, DamagedError):  # not reviewed to the end yet
        pass
    known = _noted(workspace)
    try:
        changes = workspace.read(CLASS_CHANGES, ["class_qid", "change"]).to_pylist()
        there = workspace.read(PROPOSALS, ["class_qid"])["class_qid"].to_pylist()
    except (MissingInputError, DamagedError):
        return known
    before = set(there) - {row["class_qid"] for row in changes if row["change"] == "new"}
    return before if known is None else known & before


def note_known_classes(workspace: Workspace, log: DecisionLog) -> None:
    """Notes once which classes there were when a review began.

    Once they are clustered again nothing else tells. So it is noted before new proposals are made,
    while those that were decided on first still stand.

    Args:
        workspace: a build.
        log: of the build; where nothing is in it, nothing is noted.
    """
    if not log.events or _noted(workspace) is not None:
        return
    try:
        qids = workspace.read(PROPOSALS, ["class_qid"])["class_qid"].to_pylist()
    except (MissingInputError, DamagedError):
        return
    lines = "".join(f"{qid}\n" for qid in qids)
    write_text(workspace.path(KNOWN_CLASSES), f"{_digest(lines)}\n{lines}")


def _noted(workspace: Workspace) -> set[str] | None:
    path = workspace.path(KNOWN_CLASSES)
    try:
        digest, _, lines = path.read_text(encoding="utf-8").partition("\n")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        digest = lines = ""
    if digest != _digest(lines):
        logger.warning("%s is not as it was written; no class counts as new by it", path)
        return None
    return set(lines.split())


def _digest(lines: str) -> str:
    return hashlib.sha256(lines.encode()).hexdigest()
