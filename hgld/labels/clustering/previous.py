"""The clusters of the run before: read while they still stand, checked, and started from."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError
from hgld.labels.clustering.classes import ClassVectors
from hgld.labels.clustering.config import ClusterConfig
from hgld.tables import CENTRES, CLUSTER_CHANGES, CLUSTERS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_KNOWN_SHARE = 0.5
"""Of the classes, from which on a run is of the same world as the one before."""
_SIMILARITY_ERROR = 1e-3
"""Of vectors of one encoder: bfloat16 is off by some 1e-4 of float32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Previous:
    """What the stage wrote when it last ended, which stands until this run has."""

    settings: dict[str, object]
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

    Damage is said in one line. Nothing of what is left is used then: the run starts as the first
    of a build does, which is what the same build without the damage and its history would be.
    """
    done = workspace.manifest(CLUSTERS.stage)
    if done is None:
        return None
    try:
        return Previous(
            settings=done.settings,
            clusters=workspace.read(CLUSTERS),
            centres=workspace.read(CENTRES),
            changes=workspace.read(CLUSTER_CHANGES),
        )
    except (DamagedError, pa.ArrowException, OSError) as error:
        why = str(error).splitlines()[0].partition("; run ")[0]
        logger.warning("cluster: starts cold, as if nothing had been clustered before: %s", why)
        return None


def ids_before(previous: Previous | None, classes: ClassVectors) -> "NDArray[np.int64]":
    """Returns the id of each class's cluster in the run before, int64 (n,); -1: it had none."""
    import numpy as np

    ids = previous.ids if previous else {}
    return np.array([ids.get(qid, -1) for qid in classes.qids], dtype=np.int64)


def why_cold(previous: Previous | None, classes: ClassVectors, config: ClusterConfig) -> str:
    """Says why K-Means cannot start from the clusters of the run before; empty: it can."""
    if previous is None:
        return "no clusters were made before"
    return "that is asked for" if config.recluster else next(_others(previous, classes, config), "")


def _others(previous: Previous, classes: ClassVectors, config: ClusterConfig) -> Iterator[str]:
    """Yields what makes the clusters of before others than those wanted, the cheapest first."""
    then = (previous.settings.get("method"), previous.settings.get("clusters"))
    if then != ("kmeans", config.clusters):
        yield f"those of before were made by {then[0]}, {then[1]} of them"
    wanted = min(config.clusters, len(classes.points.vectors))
    if len(previous.centres) != wanted:
        yield f"there were {len(previous.centres)} of them, and are to be {wanted} now"
    known = ids_before(previous, classes) >= 0
    if known.mean() < _KNOWN_SHARE:
        yield f"only {known.sum():,} of {len(known):,} classes were there before"
    if not _is_same_space(previous, classes):
        yield "the vectors are of another encoder or prompt"


def start_of(
    previous: Previous, classes: ClassVectors
) -> "tuple[NDArray[np.int64], NDArray[np.float32]]":
    """Returns where K-Means starts warm, for `warm_groups`.

    Returns:
        int64 (m,), the group of each point, in the order of the ids, or -1. Where several classes
        have a point, that of the first that had one counts. And float32 (K, P), the stored centres
        in today's geometry; nothing is stored of superclasses, which are zero.
    """
    import numpy as np

    points = classes.points
    centres = _centres(previous)
    start = np.zeros((len(centres), points.vectors.shape[1]), dtype=np.float32)
    start[:, : centres.shape[1]] = points.geometry.apply(centres)
    before = ids_before(previous, classes)
    known = np.flatnonzero(before >= 0)
    first = np.full(len(points.vectors), len(before))
    np.minimum.at(first, points.row[known], known)
    groups = np.full(len(first), -1, dtype=np.int64)
    is_known = first < len(before)
    ids = np.array(previous.centres["cluster_id"].to_pylist())
    groups[is_known] = np.searchsorted(ids, before[first[is_known]])
    return groups, start


def _is_same_space(previous: Previous, classes: ClassVectors) -> bool:
    """Says whether classes are as similar to their stored centres as they were.

    So it is the vectors that tell, and not what an encoder is called.
    """
    import numpy as np

    centres = _centres(previous)
    if centres.shape[1] != classes.vectors.shape[1]:
        return False
    names = ("class_qid", "class_label", "cluster_id", "similarity")
    columns = (previous.clusters[name].to_pylist() for name in names)
    then = {(qid, label): (place, value) for qid, label, place, value in zip(*columns, strict=True)}
    place = {id_: row for row, id_ in enumerate(previous.centres["cluster_id"].to_pylist())}
    labels = classes.labels["class_label"].to_pylist()
    rows, old = [], []
    for row, key in enumerate(zip(classes.qids, labels, strict=True)):
        if key in then:
            rows.append(row)
            old.append((place[then[key][0]], then[key][1]))
    if not rows:
        return False
    kept, similarities = np.array([one[0] for one in old]), np.array([one[1] for one in old])
    now = (classes.vectors[rows] * centres[kept]).sum(axis=1)
    return bool(np.median(abs(now - similarities)) < _SIMILARITY_ERROR)


def _centres(previous: Previous) -> "NDArray[np.float32]":
    import numpy as np

    return np.array(previous.centres["centre"].to_pylist(), dtype=np.float32)
