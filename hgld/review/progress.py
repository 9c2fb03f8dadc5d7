"""How far the review of a build is: clusters, classes and landmarks, decided and open.

A class is decided if a person's decision on it is in force. A cluster, or a working group that a
reviewer made of classes, is done if all its classes are decided. A landmark is settled if all its
classes are: no decision that is still open can change its label.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hgld.engine.workspace import Workspace
from hgld.errors import MissingInputError
from hgld.review.log.history import Standing
from hgld.tables import CLASSES


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

    @property
    def is_done(self) -> bool:
        """Whether nothing is open."""
        return not self.classes_open

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
        self._landmarks: dict[str, set[tuple[str, int]]] | None = None
        try:
            rows = workspace.read(CLASSES, ["split", "landmark_id", "class_qid"])
        except MissingInputError:  # not scraped here, or some landmarks failed
            return
        self._landmarks = {qid: set() for qid in self._numbers}
        columns = (rows[name].to_pylist() for name in ("split", "landmark_id", "class_qid"))
        for split, landmark, qid in zip(*columns, strict=True):
            if qid in self._landmarks:
                self._landmarks[qid].add((split, landmark))

    def count(self, qids: Collection[str]) -> int:
        """Returns how many landmarks have one of these classes at least."""
        if self._landmarks is None:
            return sum(self._numbers.get(qid, 0) for qid in qids)
        return len(set().union(*(self._landmarks.get(qid, ()) for qid in qids)))

    def all(self) -> int:
        """Returns how many landmarks have a class."""
        return self.count(self._numbers)


def review_progress(
    classes: Sequence[Mapping[str, Any]], standing: Standing, landmarks: LandmarkCounts
) -> ReviewCounts:
    """Counts what is decided and what is open.

    Args:
        classes: rows of PROPOSALS.
        standing: what the log comes to.
        landmarks: of these classes.
    """
    decided = standing.decisions().keys()
    still_open = [row["class_qid"] for row in classes if row["class_qid"] not in decided]
    group_of = {
        row["class_qid"]: standing.groups.get(row["class_qid"], row["cluster_id"])
        for row in classes
    }
    return ReviewCounts(
        clusters=len(set(group_of.values())),
        clusters_open=len({group_of[qid] for qid in still_open}),
        classes=len(group_of),
        classes_open=len(still_open),
        landmarks=landmarks.all(),
        landmarks_open=landmarks.count(still_open),
    )
