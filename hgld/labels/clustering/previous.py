"""The clusters of the run before: read while they still stand, and started from."""

import logging
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError
from hgld.labels.clustering.geometry import ClassVectors, unit_rows
from hgld.labels.embedding.cache import from_lists
from hgld.tables import CENTRES, CLUSTER_CHANGES, CLUSTERS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_KNOWN_SHARE = 0.5
"""Of the classes, from which on a run starts from the clusters of the one before."""
_SIMILARITY_ERROR = 1e-3
"""Of vectors of one encoder: those of bfloat16 are off by some 1e-4 of those of float32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Previous:
    """What the stage wrote when it last ended, which stands until this run has."""

    clusters: pa.Table
    """CLUSTERS"""
    centres: pa.Table
    """CENTRES"""
    changes: pa.Table
    """CLUSTER_CHANGES"""

    @property
    def ids(self) -> dict[str, int]:
        """Q-id of each class to the id of its cluster."""
        columns = (self.clusters[name].to_pylist() for name in ("class_qid", "cluster_id"))
        return dict(zip(*columns, strict=True))

    @property
    def unused_id(self) -> int:
        """The first id that no cluster had, as far back as is written down."""
        columns = (
            self.clusters["cluster_id"],
            self.changes["cluster_id_before"],
            self.changes["cluster_id_after"],
        )
        used = [one for column in columns for one in column.to_pylist() if one is not None]
        return max(used, default=-1) + 1


def read_previous(workspace: Workspace) -> Previous | None:
    """Reads the clusters of the run before; None where there are none, or they are damaged.

    Of damaged ones nothing is used: the run starts as the first run of a build does.
    """
    if workspace.manifest(CLUSTERS.stage) is None:
        return None
    try:
        return Previous(
            clusters=workspace.read(CLUSTERS),
            centres=workspace.read(CENTRES),
            changes=workspace.read(CLUSTER_CHANGES),
        )
    except (DamagedError, pa.ArrowException, OSError) as error:
        why = str(error).splitlines()[0].partition("; run ")[0]
        logger.warning("cluster: starts cold, as if nothing had been clustered before: %s", why)
        return None


def ids_before(previous: Previous, classes: ClassVectors) -> "NDArray[np.int64]":
    """Returns the id of each class's cluster in the run before, int64 (n,); -1: it had none."""
    import numpy as np

    ids = previous.ids
    return np.array([ids.get(qid, -1) for qid in classes.qids], dtype=np.int64)


def why_cold(previous: Previous, classes: ClassVectors, clusters: int) -> str:
    """Says why K-Means cannot start from the clusters of the run before; empty: it can."""
    wanted = min(clusters, len(classes.points.vectors))
    if len(previous.centres) != wanted:
        return f"there were {len(previous.centres)} clusters, and there are to be {wanted} now"
    known = ids_before(previous, classes) >= 0
    if known.mean() < _KNOWN_SHARE:
        return f"only {known.sum():,} of {len(known):,} classes were there before"
    if not _is_same_space(previous, classes):
        return "the vectors are of another encoder or prompt"
    return ""


def start_of(
    previous: Previous, classes: ClassVectors
) -> "tuple[NDArray[np.int64], NDArray[np.float32]]":
    """Returns where K-Means starts warm, for `warm_groups`.

    Returns:
        int64 (m,), the group of each point, in the order of the ids, or -1. Where several classes
        have a point, the first that had a group counts. And float32 (K, D), the stored centres
        with today's mean taken off.
    """
    import numpy as np

    points, before = classes.points, ids_before(previous, classes)
    ids = previous.centres["cluster_id"].to_numpy()
    groups = np.full(len(points.vectors), -1, dtype=np.int64)
    known = np.flatnonzero(before >= 0)[::-1]  # numpy keeps what is written last: the first class
    groups[points.row[known]] = np.searchsorted(ids, before[known])
    return groups, unit_rows(from_lists(previous.centres["centre"]) - points.mean)


def _is_same_space(previous: Previous, classes: ClassVectors) -> bool:
    """Says whether classes are as similar to their stored centres as they were.

    The vectors tell whether the encoder is the same; its name does not.
    """
    centres = from_lists(previous.centres["centre"])
    if centres.shape[1] != classes.vectors.shape[1]:
        return False
    centre_of = dict(zip(previous.centres["cluster_id"].to_pylist(), centres, strict=True))
    then = {(row["class_qid"], row["class_label"]): row for row in previous.clusters.to_pylist()}
    now = zip(classes.qids, classes.labels["class_label"].to_pylist(), strict=True)
    differences = [
        abs(float(vector @ centre_of[row["cluster_id"]]) - row["similarity"])
        for key, vector in zip(now, classes.vectors, strict=True)
        if (row := then.get(key)) is not None
    ]
    return bool(differences) and statistics.median(differences) < _SIMILARITY_ERROR
