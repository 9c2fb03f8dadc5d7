"""Stage `cluster`: groups classes with similar labels; groups keep their ids from run to run."""

import logging
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hgld.engine.config import Settings, row_settings, setting
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.labels.clustering.kmeans import (
    Floats,
    Ints,
    Points,
    cluster_centres,
    cold_groups,
    points_of,
    warm_groups,
)
from hgld.labels.clustering.matching import (
    Previous,
    canonical_clusters,
    cluster_changes,
    matched_ids,
    read_previous,
)
from hgld.labels.embedding.cache import from_lists
from hgld.labels.scikit_learn import library_settings, one_thread
from hgld.tables import CENTRES, CLUSTER_CHANGES, CLUSTERS, EMBEDDINGS, LABELS, qid_numbers

logger = logging.getLogger(__name__)

STAGE = Stage(
    name="cluster",
    version=2,  # centred vectors, stable ids; proposals moved to their own stage
    inputs=(LABELS, EMBEDDINGS),
    outputs=(CLUSTERS, CENTRES, CLUSTER_CHANGES),
    result=CLUSTERS.path,
)

_MOST_SEED = (1 << 32) - 1  # of scikit-learn


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterConfig(Settings):
    """Settings of the stage."""

    clusters: int = setting(78, "How many clusters K-Means makes; H-GLDv2 has 78 labels.", least=1)
    seed: int = setting(0, "Seed of K-Means.", least=0, most=_MOST_SEED)
    recluster: bool = setting(
        False,
        "Whether to run again even if nothing changed, from a cold start: previous clusters only "
        "pass on their numbers.",
        changes_rows=False,  # applies to one run, not to the build
    )


def run_cluster(workspace: Workspace, config: ClusterConfig) -> StageReport:
    """Runs the stage.

    K-Means starts from the clusters of the previous run, which keep their ids, so a new scrape
    moves few classes. It starts cold if there are none or they are damaged, if the number of
    clusters, the encoder or most of the classes changed, and with `recluster`. A forced run with
    nothing changed writes the same rows: it starts from a fixed point, and CLUSTER_CHANGES keeps
    the changes of the last run that had any.

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
    clusters, centres = CLUSTERS.schema.empty_table(), CENTRES.schema.empty_table()
    with one_thread():
        if len(labels := workspace.read(LABELS)):
            # The stage `embed` writes labels and embeddings in the same order.
            vectors = from_lists(workspace.read(EMBEDDINGS, ["embedding"])["embedding"])
            clusters, centres = _clustered(labels, vectors, config, previous)
        else:
            logger.warning("cluster: nothing to cluster, because no landmark has a class")
    before, after = _ids(previous.clusters) if previous else {}, _ids(clusters)
    is_same = previous is not None and before == after
    changes = previous.changes if previous and is_same else cluster_changes(before, after)
    writer.write(CLUSTERS, "clusters", clusters)
    writer.write(CENTRES, "centres", centres)
    writer.write(CLUSTER_CHANGES, "changes", changes)


def _ids(clusters: pa.Table) -> dict[str, int]:
    columns = (clusters[name].to_pylist() for name in ("class_qid", "cluster_id"))
    return dict(zip(*columns, strict=True))


def _clustered(
    labels: pa.Table, vectors: Floats, config: ClusterConfig, previous: Previous | None
) -> tuple[pa.Table, pa.Table]:
    """Returns CLUSTERS and CENTRES of n > 0 classes."""
    points = points_of(vectors)
    if (found := len(points.vectors)) < config.clusters:
        logger.warning("cluster: only %d clusters, because no more labels are distinct", found)
    groups = _grouped(labels, vectors, points, config, previous)[points.row]
    numbers = qid_numbers(labels["class_qid"]).to_numpy()
    ids = canonical_clusters(groups, labels["landmarks"].to_numpy(), numbers)
    if previous is not None:
        ids = matched_ids(previous.ids(labels), ids, previous.unused_id)
    return _tables(labels, vectors, groups, ids)


def _grouped(
    labels: pa.Table,
    vectors: Floats,
    points: Points,
    config: ClusterConfig,
    previous: Previous | None,
) -> Ints:
    """Groups the points, int64 (m,), from a warm start if possible."""
    if previous is None:
        why = "there are no previous clusters"
    elif config.recluster:
        why = "recluster is set"
    else:
        why = previous.why_cold(labels, vectors, min(config.clusters, len(points.vectors)))
        if not why:
            logger.info("cluster: starts from the %d previous clusters", len(previous.centres))
            return warm_groups(points.vectors, *previous.start(labels, points))
    logger.info("cluster: starts cold: %s", why)
    return cold_groups(points.vectors, config.clusters, seed=config.seed)


def _tables(
    labels: pa.Table, vectors: Floats, groups: Ints, ids: NDArray[np.int32]
) -> tuple[pa.Table, pa.Table]:
    """Returns CLUSTERS in the order of the classes, and CENTRES in the order of the ids."""
    centres = cluster_centres(vectors, groups)
    similarity = (vectors * centres[groups]).sum(axis=1)
    table = labels.drop_columns(["label_language"])
    table = table.append_column("cluster_id", pa.array(ids))
    table = table.append_column("similarity", pa.array(similarity))
    cluster_ids, first = np.unique(ids, return_index=True)
    order = groups[first]  # the group of each id
    landmarks = np.zeros(len(order), dtype=np.int64)
    np.add.at(landmarks, groups, labels["landmarks"].to_numpy())
    return table, pa.table(
        {
            "cluster_id": pa.array(cluster_ids),
            "classes": pa.array(np.bincount(groups)[order]),
            "landmarks": pa.array(landmarks[order]),
            "centre": pa.array(list(centres[order]), pa.list_(pa.float32())),
        }
    )
