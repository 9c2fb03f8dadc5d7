"""How far the review of a build is, and what a later scrape changed for the edits of its log.

A class is decided if a person's decision on it is in force. A cluster, or a working group that a
reviewer made of classes, is done if all its classes are decided. A landmark is settled if all its
classes are: no decision that is still open can change its label.
"""

import contextlib
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, MissingInputError
from hgld.review.log.decisions import DecisionLog, read_log
from hgld.review.log.events import Event
from hgld.review.log.history import Standing
from hgld.tables import CLASSES, PROPOSALS, TAXONOMY


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewCounts:
    """How far a review is."""

    clusters: int
    clusters_open: int
    classes: int
    classes_open: int
    landmarks: int
    """Landmarks of the classes; where the build does not list them, a landmark counts once for each
    of its classes."""
    landmarks_open: int

    def words(self) -> str:
        """Returns what is open.

        Example:
            >>> ReviewCounts(clusters=146, clusters_open=37, classes=9, classes_open=2,
            ...                landmarks=1000, landmarks_open=40).words()
            '37 of 146 clusters, 4% of landmarks'
        """
        share = share_of(self.landmarks_open, self.landmarks)
        return f"{self.clusters_open:,} of {self.clusters:,} clusters, {share} of landmarks"


def share_of(part: int, whole: int) -> str:
    """Returns a share in percent, which is 0% only of nothing and 100% only of all.

    Example:
        >>> share_of(1, 9000), share_of(1, 3), share_of(8999, 9000), share_of(0, 0)
        ('under 1%', '33%', 'over 99%', '0%')
    """
    if part in {0, whole}:
        return "100%" if part else "0%"
    percent = round(100 * part / whole)
    return "under 1%" if not percent else "over 99%" if percent == 100 else f"{percent}%"  # noqa: PLR2004


class LandmarkCounts:
    """How many landmarks some classes have: each once, where the build lists them."""

    def __init__(self, workspace: Workspace, classes: Sequence[Mapping[str, Any]]) -> None:
        """Reads which landmarks have which class.

        Args:
            workspace: a build.
            classes: rows of PROPOSALS.
        """
        self._numbers: dict[str, int] = {row["class_qid"]: row["landmarks"] for row in classes}
        self._rows: pa.Table | None = None
        with contextlib.suppress(MissingInputError):  # not scraped here, or some landmarks failed
            self._rows = workspace.read(CLASSES, ["split", "landmark_id", "class_qid"])

    def count(self, qids: Collection[str]) -> int:
        """Returns how many landmarks have one of these classes at least."""
        if self._rows is None:
            return sum(self._numbers.get(qid, 0) for qid in qids)
        chosen = pc.is_in(self._rows["class_qid"], value_set=pa.array([*qids], pa.string()))
        return len(self._rows.filter(chosen).group_by(["split", "landmark_id"]).aggregate([]))


def review_progress(
    workspace: Workspace, classes: Sequence[Mapping[str, Any]], standing: Standing
) -> ReviewCounts:
    """Counts what is decided and what is open.

    Args:
        workspace: a build.
        classes: rows of PROPOSALS.
        standing: what the log comes to.
    """
    decided, landmarks = standing.decisions().keys(), LandmarkCounts(workspace, classes)
    group_of = {
        row["class_qid"]: standing.groups.get(row["class_qid"], row["cluster_id"])
        for row in classes
    }
    still_open = [qid for qid in group_of if qid not in decided]
    return ReviewCounts(
        clusters=len(set(group_of.values())),
        clusters_open=len({group_of[qid] for qid in still_open}),
        classes=len(group_of),
        classes_open=len(still_open),
        landmarks=landmarks.count(group_of),
        landmarks_open=landmarks.count(still_open),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """An edit that counts, on the classes of a later scrape."""

    number: int
    event: str
    reviewer: str
    decided_at: str
    state: Literal["applied", "gone", "changed"]
    """gone: the build has none of the classes that it decides. changed: it lacks some, or some have
    another label than when they were decided; the edit counts all the same."""
    applied: int
    """Classes that it decides, and whose label is the same."""
    gone: dict[str, str]
    """class_qid to the label it had; the decision is kept, since it may come back."""
    changed: dict[str, tuple[str, str]]
    """class_qid to the label it had and the one it has."""


def replay(
    events: Sequence[Event], standing: Standing, labels: Mapping[str, str]
) -> list[Replayed]:
    """Returns each edit that counts, with what became of the classes that it decides.

    An edit whose classes were all decided again later is applied: nothing of it is left to look at.

    Args:
        events: of the log, in order.
        standing: what they come to.
        labels: `class_qid` to label of the classes that the build has.
    """
    ruled = defaultdict[int, dict[str, str]](dict)
    for qid, word in standing.rulings.items():
        if word.change.effect != "clear":
            ruled[word.event.number][qid] = word.change.classes[qid]
    found = []
    for event in (one for one in events if one.number in standing.active):
        then = ruled[event.number]
        gone = {qid: label for qid, label in then.items() if qid not in labels}
        there = {qid: (label, labels[qid]) for qid, label in then.items() if qid in labels}
        changed = {qid: pair for qid, pair in there.items() if pair[0] != pair[1]}
        found.append(
            Replayed(
                number=event.number,
                event=event.event,
                reviewer=event.reviewer,
                decided_at=event.decided_at,
                state="gone" if gone and not there else "changed" if gone or changed else "applied",
                applied=len(there) - len(changed),
                gone=gone,
                changed=changed,
            )
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewStatus:
    """How far a review is, who did it, and what is to be looked at again."""

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
    """Returns how far a review is, and changes nothing.

    Args:
        workspace: a build whose `propose` has finished.

    Raises:
        MissingInputError: no proposals.
        DamagedError: the log is not as it was written.
        InputError: a line of it is not an event.
    """
    columns = ["class_qid", "class_label", "landmarks", "cluster_id"]
    classes = workspace.read(PROPOSALS, columns).to_pylist()
    log = read_log(workspace)
    standing = log.standing()
    labels = {row["class_qid"]: row["class_label"] for row in classes}
    return ReviewStatus(
        progress=review_progress(workspace, classes, standing),
        lines=len(log.events),
        edits=len(standing.active),
        reviewers=dict(Counter(event.reviewer for event in log.events).most_common()),
        second_opinions=len(standing.samples),
        new=new_classes(workspace, labels, log),
        replayed=replay(log.events, standing, labels),
    )


def new_classes(
    workspace: Workspace, labels: Mapping[str, str], log: DecisionLog
) -> dict[str, str]:
    """Returns the classes that came after the last review, by `class_qid` with their labels.

    No event is about them, and the taxonomy that was made last does not have them; before the first
    one none is new.

    Args:
        workspace: a build.
        labels: `class_qid` to label of the classes that the build has.
        log: of the build.
    """
    try:
        known = set(workspace.read(TAXONOMY, ["class_qid"])["class_qid"].to_pylist())
    except (MissingInputError, DamagedError):  # not reviewed to the end yet
        return {}
    known |= {qid for event in log.events for qid in event.classes}
    return {qid: label for qid, label in labels.items() if qid not in known}
