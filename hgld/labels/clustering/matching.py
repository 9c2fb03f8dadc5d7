"""From the clusters of one run to the next: warm starts, stable ids, and what changed."""

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
"""The least share of known classes for a warm start."""
_SIMILARITY_ERROR = 1e-3
"""Largest error within one encoder: bfloat16 and float32 differ by about 1e-4."""


@dataclass(frozen=True, slots=True)
class Previous:
    """The tables of the last finished run."""

    clusters: pa.Table
    """CLUSTERS"""
    centres: pa.Table
    """CENTRES"""
    changes: pa.Table
    """CLUSTER_CHANGES"""

    def ids(self, labels: pa.Table) -> Ints:
        """Returns the previous cluster id of each class, int64 (n,); -1 if it had none."""
        ids = self._rows_of(labels)["cluster_id"].cast(pa.int64())
        return np.asarray(pc.fill_null(ids, -1).to_numpy())

    @property
    def unused_id(self) -> int:
        """The first id above all ids in these tables."""
        columns = [self.clusters["cluster_id"], *self.changes.select([1, 2]).columns]
        used = [one for column in columns if (one := pc.max(column).as_py()) is not None]
        return max(used, default=-1) + 1

    def why_cold(self, labels: pa.Table, vectors: Floats, wanted: int) -> str:
        """Says why K-Means cannot start from these clusters; empty if it can.

        Args:
            labels: LABELS of n > 0 classes.
            vectors: their vectors, (n, D).
            wanted: number of clusters to make.
        """
        if len(self.centres) != wanted:
            return f"the number of clusters changed from {len(self.centres)} to {wanted}"
        known = self.ids(labels) >= 0
        if known.mean() < _KNOWN_SHARE:
            return f"only {known.sum():,} of {len(known):,} classes existed before"
        if not self._is_same_space(labels, vectors):
            return "the encoder or the prompt changed"
        return ""

    def start(self, labels: pa.Table, points: Points) -> tuple[Ints, Floats]:
        """Returns the warm start for `warm_groups`.

        Returns:
            int64 (m,), the group of each point, numbered in the order of the ids, or -1; if several
            classes share a point, the first with a group counts. And float32 (K, D), the stored
            centres minus the current mean.
        """
        groups, before = np.full(len(points.vectors), -1, dtype=np.int64), self.ids(labels)
        known = np.flatnonzero(before >= 0)[::-1]  # reversed: numpy keeps the last write
        ids = self.centres["cluster_id"].to_numpy()
        groups[points.row[known]] = np.searchsorted(ids, before[known])
        return groups, unit_rows(from_lists(self.centres["centre"]) - points.mean)

    def _rows_of(self, labels: pa.Table) -> pa.Table:
        """Returns the CLUSTERS row of each class, null for new classes."""
        return self.clusters.take(
            pc.index_in(labels["class_qid"], value_set=self.clusters["class_qid"])
        )

    def _is_same_space(self, labels: pa.Table, vectors: Floats) -> bool:
        """Says whether classes are as similar to their stored centres as before.

        The vectors show whether the encoder is the same; its name does not.
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
    """Reads the clusters of the previous run; None if there are none or they are damaged.

    Damaged clusters are ignored completely: the run starts like the first run of a build.
    """
    if workspace.manifest(CLUSTERS.stage) is None:
        return None
    try:
        return Previous(*map(workspace.read, (CLUSTERS, CENTRES, CLUSTER_CHANGES)))
    except (DamagedError, pa.ArrowException, OSError) as error:
        why = str(error).splitlines()[0].partition("; run ")[0]
        logger.warning("cluster: ignores the previous clusters and starts cold: %s", why)
        return None


def canonical_clusters(groups: Ints, landmarks: Ints, numbers: Ints) -> NDArray[np.int32]:
    """Numbers groups by descending landmarks, then by the smallest Q-id in them.

    Args:
        groups: int64 (n,), any distinct number per group.
        landmarks: int64 (n,), landmarks of each class; a group has the sum of its classes.
        numbers: int64 (n,), the number of each class's Q-id.

    Returns:
        int32 (n,), 0 for the group with the most landmarks.

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
    """Gives clusters the ids of the previous run's clusters, one to one.

    Clusters are paired so that as many classes as possible keep their id. A cluster without a
    partner, or without a class in common with it, gets an unused id.

    Args:
        before: int64 (n,), a class's previous id; -1 for a new class.
        groups: int32 (n,), its cluster now, numbered by `canonical_clusters`; that order breaks
            ties.
        unused: the first unused id.

    Returns:
        int32 (n,), ids.

    Example:
        >>> import numpy as np
        >>> matched_ids(np.array([4, 4, 4, 9, -1]), np.array([1, 1, 0, 1, 2]), unused=10)
        array([ 4,  4, 10,  4, 11], dtype=int32)

    Source:
        Kuhn, The Hungarian method for the assignment problem, 1955; SciPy's implementation.
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
    """Returns where the classes of each cluster came from and went.

    Args:
        before: class_qid to its previous cluster id.
        after: class_qid to its current cluster id; equal ids are the same cluster.

    Returns:
        A CLUSTER_CHANGES table, by current and then previous cluster, removed classes last.
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
