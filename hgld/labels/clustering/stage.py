"""Stage `cluster`: groups of classes that look alike, which keep their numbers from run to run."""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from hgld.engine.config import check_settings, row_settings, setting
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.labels.clustering.geometry import ClassVectors, cluster_centres, read_classes
from hgld.labels.clustering.kmeans import cold_groups, stability_of, warm_groups
from hgld.labels.clustering.matching import canonical_clusters, cluster_changes, matched_ids
from hgld.labels.clustering.previous import (
    Previous,
    ids_before,
    read_previous,
    start_of,
    why_cold,
)
from hgld.labels.scikit_learn import library_settings, one_thread
from hgld.tables import CENTRES, CLUSTER_CHANGES, CLUSTERS, EMBEDDINGS, LABELS, qid_numbers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

STAGE = Stage(
    name="cluster",
    version=2,  # centred vectors, ids that stay, stability; proposals are made elsewhere
    inputs=(LABELS, EMBEDDINGS),
    outputs=(CLUSTERS, CENTRES, CLUSTER_CHANGES),
    result=CLUSTERS.path,
)

_SEEDS = 1 << 32  # of scikit-learn
_MOST = 1_000
"""Starts of K-Means and draws: beyond it is a slip of the keyboard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterConfig:
    """Settings of the stage."""

    clusters: int = setting(78, "How many clusters K-Means makes; H-GLDv2 has 78 labels.")
    seed: int = setting(0, "Seed of K-Means, and of the draws that measure stability.")
    n_init: int = setting(
        10, "How often K-Means starts where it starts cold; the best inertia is kept."
    )
    draws: int = setting(
        20, "Bootstrap draws from which the stability of each cluster is measured; 0: it is not."
    )
    recluster: bool = setting(
        False,
        "Runs again although nothing changed, and starts cold: no cluster of the run before is "
        "held on to, except by its number.",
        changes_rows=False,  # it is said of one run, not of the build
    )

    def __post_init__(self) -> None:
        """Refuses what no run could use.

        Raises:
            ValueError: a number out of its range.
        """
        check_settings(self)
        if self.clusters < 1:
            raise ValueError(f"clusters must be at least 1, got {self.clusters}; H-GLDv2 has 78")
        if not 0 <= self.seed < _SEEDS:
            raise ValueError(f"seed must be from 0 to below 2^32, got {self.seed}")
        for name, least in (("n_init", 1), ("draws", 0)):
            if not least <= (value := getattr(self, name)) <= _MOST:
                raise ValueError(f"{name} must be from {least} to {_MOST:,}, got {value}")


def run_cluster(workspace: Workspace, config: ClusterConfig) -> StageReport:
    """Runs the stage.

    Clusters of an earlier run keep their ids, and K-Means starts from them, so that a re-scrape
    moves few classes. It starts cold where there are none or they are damaged, where the number of
    clusters, the encoder or most of the classes changed, and with `recluster`. Run again with
    nothing changed (`--force`), it writes the same rows: what it starts from is a fixed point, and
    CLUSTER_CHANGES tells of the last run that changed a cluster.

    Args:
        workspace: a build whose `embed` has finished.
        config: the settings.

    Returns:
        The report; `rows` counts classes, clusters and changes.

    Raises:
        MissingInputError: no embeddings, or the extra `cluster` is not installed.
    """
    settings = row_settings(config) | library_settings(workspace, STAGE.name)
    return run_stage(
        workspace,
        STAGE,
        settings,
        lambda writer: _produce(workspace, config, writer),
        force=config.recluster,
    )


def _produce(workspace: Workspace, config: ClusterConfig, writer: StageWriter) -> None:
    previous = read_previous(workspace)
    with one_thread():
        classes = read_classes(workspace)
        if classes is None:
            logger.warning("cluster: no landmark has a class; there is nothing to cluster")
            clusters, centres = CLUSTERS.schema.empty_table(), CENTRES.schema.empty_table()
        else:
            clusters, centres = _clustered(classes, config, previous)
    columns = (clusters[name].to_pylist() for name in ("class_qid", "cluster_id"))
    before, after = previous.ids if previous else {}, dict(zip(*columns, strict=True))
    is_same = previous is not None and before == after
    changes = previous.changes if previous and is_same else cluster_changes(before, after)
    writer.write(CLUSTERS, "clusters", clusters)
    writer.write(CENTRES, "centres", centres)
    writer.write(CLUSTER_CHANGES, "changes", changes)


def _clustered(
    classes: ClassVectors, config: ClusterConfig, previous: Previous | None
) -> tuple[pa.Table, pa.Table]:
    """Returns CLUSTERS and CENTRES."""
    points = classes.points
    of_points = _grouped(classes, config, previous)
    if len(points.vectors) < config.clusters:
        logger.warning(
            "cluster: %d clusters instead of %d: there are no more different labels",
            len(points.vectors),
            config.clusters,
        )
    stability = stability_of(points.vectors, of_points, draws=config.draws, seed=config.seed)
    groups = of_points[points.row]
    numbers = qid_numbers(classes.labels["class_qid"]).to_numpy()
    ids = canonical_clusters(groups, classes.labels["landmarks"].to_numpy(), numbers)
    if previous is not None:
        ids = matched_ids(ids_before(previous, classes), ids, previous.unused_id)
    return _tables(classes, groups, ids, stability)


def _grouped(
    classes: ClassVectors, config: ClusterConfig, previous: Previous | None
) -> "NDArray[np.int64]":
    """Groups the points, int64 (m,), warm where that can be."""
    vectors = classes.points.vectors
    if previous is None:
        why = "no clusters were made before"
    elif config.recluster:
        why = "that is asked for"
    else:
        why = why_cold(previous, classes, config.clusters)
        if not why:
            logger.info("cluster: starts from the %d clusters of before", len(previous.centres))
            return warm_groups(vectors, *start_of(previous, classes))
    logger.info("cluster: starts cold: %s", why)
    return cold_groups(vectors, config.clusters, seed=config.seed, n_init=config.n_init)


def _tables(
    classes: ClassVectors,
    groups: "NDArray[np.int64]",
    ids: "NDArray[np.int32]",
    stability: "NDArray[np.float64]",
) -> tuple[pa.Table, pa.Table]:
    """Returns CLUSTERS in the order of the classes, and CENTRES in the order of the ids."""
    import numpy as np

    centres = cluster_centres(classes.vectors, groups)
    similarity = (classes.vectors * centres[groups]).sum(axis=1)
    table = classes.labels.drop_columns(["label_language"])
    table = table.append_column("cluster_id", pa.array(ids))
    table = table.append_column("similarity", pa.array(similarity))
    cluster_ids, first = np.unique(ids, return_index=True)
    order = groups[first]  # the group of each id
    landmarks = np.zeros(len(order), dtype=np.int64)
    np.add.at(landmarks, groups, classes.labels["landmarks"].to_numpy())
    return table, pa.table(
        {
            "cluster_id": pa.array(cluster_ids),
            "classes": pa.array(np.bincount(groups)[order]),
            "landmarks": pa.array(landmarks[order]),
            "stability": pa.array(stability[order], from_pandas=True),  # NaN becomes null
            "centre": pa.array(list(centres[order]), pa.list_(pa.float32())),
        }
    )
