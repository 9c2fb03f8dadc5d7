"""Progress of a review, and how a later scrape affects the edits in its log.

A class is decided if a person's decision on it is in force. A cluster, or a working group made by a
reviewer, is done if all its classes are decided. A landmark is settled if all its classes are
decided: no open decision can change its label.
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
    """Progress of a review, in numbers."""

    clusters: int
    clusters_open: int
    classes: int
    classes_open: int
    landmarks: int
    """Distinct landmarks; without a table of classes, one counts once for each of its classes."""
    landmarks_open: int

    def words(self) -> str:
        """Describes what is open.

        Example:
            >>> ReviewCounts(clusters=146, clusters_open=37, classes=9, classes_open=2,
            ...                landmarks=1000, landmarks_open=40).words()
            '37 of 146 clusters, 4% of landmarks'
        """
        share = share_of(self.landmarks_open, self.landmarks)
        return f"{self.clusters_open:,} of {self.clusters:,} clusters, {share} of landmarks"


def share_of(part: int, whole: int) -> str:
    """Formats a share in percent; only an empty part is 0% and only the whole is 100%.

    Example:
        >>> share_of(1, 9000), share_of(1, 3), share_of(8999, 9000), share_of(0, 0)
        ('under 1%', '33%', 'over 99%', '0%')
    """
    if part in {0, whole}:
        return "100%" if part else "0%"
    percent = round(100 * part / whole)
    return "under 1%" if not percent else "over 99%" if percent == 100 else f"{percent}%"  # noqa: PLR2004


class LandmarkCounts:
    """Counts the landmarks of classes, each once if the build has the table of classes."""

    def __init__(self, workspace: Workspace, classes: Sequence[Mapping[str, Any]]) -> None:
        """Reads which landmarks have which class.

        Args:
            workspace: a build.
            classes: rows of PROPOSALS.
        """
        self._numbers: dict[str, int] = {row["class_qid"]: row["landmarks"] for row in classes}
        self._rows: pa.Table | None = None
        with contextlib.suppress(MissingInputError):  # not scraped, or some landmarks failed
            self._rows = workspace.read(CLASSES, ["split", "landmark_id", "class_qid"])

    def count(self, qids: Collection[str]) -> int:
        """Returns how many landmarks have at least one of these classes."""
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
        standing: the state of the log.
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
    """An active edit, compared with the classes of a later scrape."""

    number: int
    event: str
    reviewer: str
    decided_at: str
    state: Literal["applied", "gone", "changed"]
    """gone: the build has none of its classes. changed: some are missing, or their labels differ
    from those at the time of the decision; the edit still counts."""
    applied: int
    """Decided classes whose label is unchanged."""
    gone: dict[str, str]
    """class_qid to its old label; the decision is kept, because the class may come back."""
    changed: dict[str, tuple[str, str]]
    """class_qid to its old and its new label."""


def replay(
    events: Sequence[Event], standing: Standing, labels: Mapping[str, str]
) -> list[Replayed]:
    """Returns each active edit, with what happened to the classes that it decides.

    If later edits decided all its classes again, an edit is `applied`: nothing of it needs a look.

    Args:
        events: of the log, in order.
        standing: the state that they add up to.
        labels: `class_qid` to label, for the classes of the build.
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
    """Progress of a review, who did it, and what needs another look."""

    progress: ReviewCounts
    lines: int
    """Events in the log, of every kind."""
    edits: int
    """Active edits."""
    reviewers: dict[str, int]
    """Reviewer to number of events, in descending order."""
    new: dict[str, str]
    """class_qid to label, for classes added since the last review."""
    replayed: list[Replayed]
    """See `replay`."""


def review_status(workspace: Workspace) -> ReviewStatus:
    """Returns the progress of a review, without changing anything.

    Args:
        workspace: a build whose `propose` has finished.

    Raises:
        MissingInputError: no proposals.
        DamagedError: the log does not match its checksums or its copy.
        InputError: a line of the log is not an event.
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
        new=new_classes(workspace, labels, log),
        replayed=replay(log.events, standing, labels),
    )


def new_classes(
    workspace: Workspace, labels: Mapping[str, str], log: DecisionLog
) -> dict[str, str]:
    """Returns the classes added since the last review: `class_qid` to label.

    They are in no event and not in the last taxonomy; before the first taxonomy no class is new.

    Args:
        workspace: a build.
        labels: `class_qid` to label, for the classes of the build.
        log: the log of the build.
    """
    try:
        known = set(workspace.read(TAXONOMY, ["class_qid"])["class_qid"].to_pylist())
    except (MissingInputError, DamagedError):  # no finished review yet
        return {}
    known |= {qid for event in log.events for qid in event.classes}
    return {qid: label for qid, label in labels.items() if qid not in known}
