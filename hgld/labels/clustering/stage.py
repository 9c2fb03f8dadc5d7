"""Stage `cluster`: groups of classes that look alike, which keep their numbers from run to run."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pyarrow as pa

from hgld.engine.config import row_settings
from hgld.engine.stage import StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.labels.clustering.classes import ClassVectors, class_vectors
from hgld.labels.clustering.config import ClusterConfig, cluster_stage
from hgld.labels.clustering.geometry import cluster_centres
from hgld.labels.clustering.kmeans import warm_groups
from hgld.labels.clustering.matching import canonical_clusters, cluster_changes, matched_ids
from hgld.labels.clustering.methods import group_points, placed_groups
from hgld.labels.clustering.previous import (
    Previous,
    ids_before,
    read_previous,
    start_of,
    why_cold,
)
from hgld.labels.clustering.stability import point_stability
from hgld.labels.clustering.subclass_tree import cut_groups, cut_points_digest, read_cut_points
from hgld.labels.scikit_learn import library_settings, one_thread
from hgld.labels.taxonomy.rows import SHIPPED
from hgld.tables import CENTRES, CLUSTER_CHANGES, CLUSTERS, LABELS, qid_numbers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["STAGE", "ClusterConfig", "cluster_stage", "run_cluster"]

logger = logging.getLogger(__name__)

STAGE = cluster_stage(ClusterConfig())

SHIPPED_CUT_POINTS = SHIPPED / "cut_points.csv"


def run_cluster(workspace: Workspace, config: ClusterConfig) -> StageReport:
    """Runs the stage.

    Clusters of an earlier run keep their ids, and K-Means starts from them, so that a re-scrape
    moves few classes. It starts cold where there are none or they are damaged, where the method,
    the number of clusters, the encoder or most of the classes are others, and with `recluster`.
    Run again with nothing changed (`--force`), it writes the same rows: what it starts from is a
    fixed point, and CLUSTER_CHANGES tells of the last run that changed a cluster.

    Args:
        workspace: a build whose `embed` has finished.
        config: the settings.

    Returns:
        The report; `rows` counts classes, clusters and changes.

    Raises:
        MissingInputError: no embeddings, or the extra `cluster` is not installed.
        DamagedError: the embeddings are not unit vectors of one width, one for each class.
        InputError: cut points that cannot be read, or too many labels for the method.
    """
    cut_points = _cut_points(config)
    settings = row_settings(config) | library_settings(workspace, STAGE.name)
    if config.method == "subclasses":
        name = "shipped_cut_points" if config.cut_points is None else "cut_points"
        settings[name] = cut_points_digest(cut_points)
    return run_stage(
        workspace,
        cluster_stage(config),
        settings,
        lambda writer: _produce(workspace, config, cut_points, writer),
        force=config.recluster,
    )


def _cut_points(config: ClusterConfig) -> dict[str, str]:
    if config.method != "subclasses":
        return {}
    return read_cut_points(config.cut_points or SHIPPED_CUT_POINTS)


def _produce(
    workspace: Workspace,
    config: ClusterConfig,
    cut_points: Mapping[str, str],
    writer: StageWriter,
) -> None:
    previous, labels = read_previous(workspace), workspace.read(LABELS)
    if not len(labels):
        logger.warning("cluster: no landmark has a class; there is nothing to cluster")
        _write(writer, CLUSTERS.schema.empty_table(), CENTRES.schema.empty_table(), previous)
        return
    with one_thread():
        classes = class_vectors(workspace, labels, config)
        if config.method == "subclasses":
            found = cut_groups(classes.qids, classes.ancestors, cut_points)
            laid_out = classes.points.vectors[classes.points.row]
            groups, stability = placed_groups(laid_out, found, config.unplaced), None
        else:
            of_points = _grouped(classes, config, previous)
            groups = of_points[classes.points.row]
            stability = point_stability(classes.points, of_points, config)
        _tell_of_too_many(config, len(classes.points.vectors), int(groups.max()) + 1)
        ids = _ids(classes, groups, previous)
        _write(writer, *_tables(classes, groups, ids, stability), previous)


def _grouped(
    classes: ClassVectors, config: ClusterConfig, previous: Previous | None
) -> "NDArray[np.int64]":
    """Groups the points, int64 (m,), warm where that can be."""
    points = classes.points
    if config.method == "kmeans":
        why = why_cold(previous, classes, config)
        if previous is not None and not why:
            logger.info("cluster: starts from the %d clusters of before", len(previous.centres))
            return warm_groups(points.vectors, points.weights, *start_of(previous, classes))
        logger.info("cluster: starts cold: %s", why)
    return group_points(
        points.vectors, points.weights, config, seed=config.seed, n_init=config.n_init
    )


def _tell_of_too_many(config: ClusterConfig, points: int, clusters: int) -> None:
    if config.method in {"hdbscan", "subclasses"}:
        if 1 < points == clusters:
            logger.warning("cluster: %s puts no two labels together", config.method)
    elif points < config.clusters:
        logger.warning(
            "cluster: %d clusters instead of %d: there are no more different labels",
            points,
            config.clusters,
        )


def _ids(
    classes: ClassVectors, groups: "NDArray[np.int64]", previous: Previous | None
) -> "NDArray[np.int32]":
    """Returns the id of each class's cluster: those of before where there are any."""
    numbers = qid_numbers(classes.labels["class_qid"]).to_numpy()
    canonical = canonical_clusters(groups, classes.labels["landmarks"].to_numpy(), numbers)
    if previous is None:
        return canonical
    return matched_ids(ids_before(previous, classes), canonical, previous.unused_id)


def _tables(
    classes: ClassVectors,
    groups: "NDArray[np.int64]",
    ids: "NDArray[np.int32]",
    stability: "NDArray[np.float64] | None",
) -> tuple[pa.Table, pa.Table]:
    """Returns CLUSTERS in the order of the classes, and CENTRES in the order of the ids."""
    import numpy as np

    centres = cluster_centres(classes.vectors, groups)
    table = classes.labels.drop_columns(["label_language"])
    table = table.append_column("cluster_id", pa.array(ids))
    similarity = (classes.vectors * centres[groups]).sum(axis=1)
    table = table.append_column("similarity", pa.array(similarity))
    cluster_ids, first = np.unique(ids, return_index=True)
    order = groups[first]  # the group of each id
    landmarks = np.zeros(len(order), dtype=np.int64)
    np.add.at(landmarks, groups, classes.labels["landmarks"].to_numpy())
    measured = np.full(len(order), np.nan) if stability is None else stability
    return table, pa.table(
        {
            "cluster_id": pa.array(cluster_ids),
            "classes": pa.array(np.bincount(groups)[order]),
            "landmarks": pa.array(landmarks[order]),
            "stability": pa.array(measured[order], from_pandas=True),  # NaN becomes null
            "centre": pa.array(list(centres[order]), pa.list_(pa.float32())),
        }
    )


def _write(
    writer: StageWriter, clusters: pa.Table, centres: pa.Table, previous: Previous | None
) -> None:
    columns = (clusters[name].to_pylist() for name in ("class_qid", "cluster_id"))
    before, after = previous.ids if previous else {}, dict(zip(*columns, strict=True))
    is_same = previous is not None and before == after
    changes = previous.changes if previous and is_same else cluster_changes(before, after)
    writer.write(CLUSTERS, "clusters", clusters)
    writer.write(CENTRES, "centres", centres)
    writer.write(CLUSTER_CHANGES, "changes", changes)
