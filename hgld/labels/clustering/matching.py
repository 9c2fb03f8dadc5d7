"""Clusters of one run and the next: where a run starts from, ids that stay, and what changed."""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError
from hgld.labels.clustering.kmeans import Floats, Ints, Points, unit_rows
from hgld.labels.embedding.cache import from_lists
from hgld.tables import CENTRES, CLUSTER_CHANGES, CLUSTERS

logger = logging.getLogger(__name__)

_KNOWN_SHARE = 0.5
"""Of the classes, from which on a run starts from the clusters of the one before."""
_SIMILARITY_ERROR = 1e-3
"""Of vectors of one encoder: those of bfloat16 are off by some 1e-4 of those of float32."""


@dataclass(frozen=True, slots=True)
class Previous:
    """What the stage wrote when it last ended, which stands until this run has."""

    clusters: pa.Table
    """CLUSTERS"""
    centres: pa.Table
    """CENTRES"""
    changes: pa.Table
    """CLUSTER_CHANGES"""

    def ids(self, labels: pa.Table) -> Ints:
        """Returns the id of each class's cluster then, int64 (n,); -1: it had none."""
        ids = self._rows_of(labels)["cluster_id"].cast(pa.int64())
        return np.asarray(pc.fill_null(ids, -1).to_numpy())

    @property
    def unused_id(self) -> int:
        """The first id that no cluster had, as far back as is written down."""
        columns = [self.clusters["cluster_id"], *self.changes.select([1, 2]).columns]
        used = [one for column in columns if (one := pc.max(column).as_py()) is not None]
        return max(used, default=-1) + 1

    def why_cold(self, labels: pa.Table, vectors: Floats, wanted: int) -> str:
        """Says why K-Means cannot start from these clusters; empty: it can.

        Args:
            labels: LABELS of n > 0 classes.
            vectors: theirs, (n, D).
            wanted: how many clusters there are to be.
        """
        if len(self.centres) != wanted:
            return f"there were {len(self.centres)} clusters, and there are to be {wanted} now"
        known = self.ids(labels) >= 0
        if known.mean() < _KNOWN_SHARE:
            return f"only {known.sum():,} of {len(known):,} classes were there before"
        if not self._is_same_space(labels, vectors):
            return "the vectors are of another encoder or prompt"
        return ""

    def start(self, labels: pa.Table, points: Points) -> tuple[Ints, Floats]:
        """Returns where K-Means starts warm, for `warm_groups`.

        Returns:
            int64 (m,), the group of each point, in the order of the ids, or -1. Where several
            classes have a point, the first that had a group counts. And float32 (K, D), the stored
            centres with today's mean taken off.
        """
        groups, before = np.full(len(points.vectors), -1, dtype=np.int64), self.ids(labels)
        known = np.flatnonzero(before >= 0)[::-1]  # numpy keeps what is written last: the first
        ids = self.centres["cluster_id"].to_numpy()
        groups[points.row[known]] = np.searchsorted(ids, before[known])
        return groups, unit_rows(from_lists(self.centres["centre"]) - points.mean)

    def _rows_of(self, labels: pa.Table) -> pa.Table:
        """Returns the rows of classes in CLUSTERS, null where they were not there."""
        return self.clusters.take(
            pc.index_in(labels["class_qid"], value_set=self.clusters["class_qid"])
        )

    def _is_same_space(self, labels: pa.Table, vectors: Floats) -> bool:
        """Says whether classes are as similar to their stored centres as they were.

        The vectors tell whether the encoder is the same; its name does not.
        """
        centres, rows = from_lists(self.centres["centre"]), self._rows_of(labels)
        is_same = pc.fill_null(pc.equal(rows["class_label"], labels["class_label"]), False)
        same, rows = is_same.to_numpy(), rows.filter(is_same)
        if centres.shape[1] != vectors.shape[1] or not len(rows):
            return False
        place = np.searchsorted(self.centres["cluster_id"].to_numpy(), rows["cluster_id"])
        now = (vectors[same] * centres[place]).sum(axis=1)
        return bool(np.median(abs(now - rows["similarity"].to_numpy())) < _SIMILARITY_ERROR)


def read_previous(workspace: Workspace) -> Previous | None:
    """Reads the clusters of the run before; None where there are none, or they are damaged.

    Of damaged ones nothing is used: the run starts as the first run of a build does.
    """
    if workspace.manifest(CLUSTERS.stage) is None:
        return None
    try:
        return Previous(*map(workspace.read, (CLUSTERS, CENTRES, CLUSTER_CHANGES)))
    except (DamagedError, pa.ArrowException, OSError) as error:
        why = str(error).splitlines()[0].partition("; run ")[0]
        logger.warning("cluster: starts cold, as if nothing had been clustered before: %s", why)
        return None


def canonical_clusters(groups: Ints, landmarks: Ints, numbers: Ints) -> NDArray[np.int32]:
    """Numbers groups by descending landmarks, then by the smallest Q-id in them.

    Args:
        groups: int64 (n,), any numbers that tell the groups apart.
        landmarks: int64 (n,), landmarks of each class; a group has the sum of its classes.
        numbers: int64 (n,), the number of each class's Q-id.

    Returns:
        int32 (n,), 0 for the group with most landmarks.

    Example:
        >>> import numpy as np
        >>> canonical_clusters(np.array([7, 3, 7]), np.array([1, 5, 2]), np.array([10, 20, 30]))
        array([1, 0, 1], dtype=int32)
    """
    names, row = np.unique(groups, return_inverse=True)
    total = np.zeros(len(names), dtype=np.int64)
    np.add.at(total, row, landmarks)
    smallest = np.full(len(names), np.iinfo(np.int64).max)
    np.minimum.at(smallest, row, numbers)
    place = np.empty(len(names), dtype=np.int32)
    place[np.lexsort((smallest, -total))] = np.arange(len(names), dtype=np.int32)
    return np.asarray(place[row], dtype=np.int32)


def matched_ids(before: Ints, groups: NDArray[np.int32], unused: int) -> NDArray[np.int32]:
    """Gives clusters the ids of those of the run before, one to one.

    Pairs are chosen so that as many classes as possible stay under their id. A cluster that is left
    over, or shares no class with the one left for it, gets an id that none had.

    Args:
        before: int64 (n,), a class's id in the run before, or -1: it was not there.
        groups: int32 (n,), its cluster now, as `canonical_clusters` numbers them; of choices that
            keep as many classes, that order decides.
        unused: the first id that none had.

    Returns:
        int32 (n,), ids.

    Example:
        >>> import numpy as np
        >>> matched_ids(np.array([4, 4, 4, 9, -1]), np.array([1, 1, 0, 1, 2]), unused=10)
        array([ 4,  4, 10,  4, 11], dtype=int32)

    Source:
        Kuhn, The Hungarian method for the assignment problem, 1955; by SciPy.
    """
    from scipy.optimize import linear_sum_assignment

    count = int(groups.max(initial=-1)) + 1
    known = before >= 0
    old, column = np.unique(before[known], return_inverse=True)
    shared = np.zeros((count, len(old)), dtype=np.int64)
    np.add.at(shared, (groups[known], column), 1)
    rows, columns = linear_sum_assignment(shared, maximize=True)
    ids = np.full(count, -1, dtype=np.int64)
    is_real = shared[rows, columns] > 0
    ids[rows[is_real]] = old[columns[is_real]]
    new = ids < 0
    ids[new] = unused + np.arange(new.sum())
    return np.asarray(ids[groups], dtype=np.int32)


def cluster_changes(before: Mapping[str, int], after: Mapping[str, int]) -> pa.Table:
    """Tells where the classes of each cluster went and came from.

    Args:
        before: class_qid to the id of its cluster in the run before.
        after: the same now; an id that both have is one cluster.

    Returns:
        A CLUSTER_CHANGES table, by cluster now and then before, the gone last.
    """
    flows = Counter((before.get(qid), after.get(qid)) for qid in before.keys() | after.keys())
    standing = {*after.values()}

    def change(old: int | None, new: int | None) -> str:
        if old is None or new is None:
            return "new" if old is None else "gone"
        return "kept" if old == new else "split" if old in standing else "merged"

    def place(pair: tuple[int | None, int | None]) -> tuple[bool, int, bool, int]:
        old, new = pair
        return (new is None, new or 0, old is None, old or 0)

    names = CLUSTER_CHANGES.schema.names
    rows = [(change(*pair), *pair, flows[pair]) for pair in sorted(flows, key=place)]
    told = [dict(zip(names, row, strict=True)) for row in rows]
    return pa.Table.from_pylist(told, CLUSTER_CHANGES.schema)
