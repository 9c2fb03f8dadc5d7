"""Stage `cluster`: groups of classes that look alike, with a proposal for each group's label."""

import importlib.metadata
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from hgld.engine.config import check_settings, row_settings, setting
from hgld.engine.dataset import Dataset
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, MissingInputError, how_to_install
from hgld.labels.proposing.nearest import propose_labels, propose_sides
from hgld.tables import CLUSTERS, EMBEDDINGS, LABELS, WORDS, qid_numbers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_NORM_ERROR = 1e-3  # of a unit vector in float32 it is some 1e-7; of half precision 1e-3

STAGE = Stage(name="cluster", version=1, inputs=(LABELS, EMBEDDINGS, WORDS), outputs=(CLUSTERS,))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterConfig:
    """Settings of the stage."""

    clusters: int = setting(78, "How many groups K-Means makes; H-GLDv2 has 78.")
    seed: int = setting(0, "Seed of K-Means.")

    def __post_init__(self) -> None:
        """Refuses what no run could use.

        Raises:
            ValueError: no cluster, or a negative seed.
        """
        check_settings(self)
        if self.clusters < 1:
            raise ValueError(f"clusters must be at least 1, got {self.clusters}; H-GLDv2 has 78")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, got {self.seed}; choose 0 or more")
        if self.seed >= 1 << 32:
            raise ValueError(f"seed must be below 2^32, got {self.seed}; choose a smaller one")


def run_cluster(workspace: Workspace, config: ClusterConfig) -> StageReport:
    """Runs the stage.

    Args:
        workspace: a build whose `embed` has finished.
        config: the settings.

    Returns:
        The report; `rows` counts classes.

    Raises:
        MissingInputError: no embeddings, or the extra `cluster` is not installed.
        DamagedError: the embeddings are not unit vectors of one width, one for each class.
    """
    settings = row_settings(config) | _library(workspace)
    return run_stage(workspace, STAGE, settings, lambda writer: _produce(workspace, config, writer))


def _library(workspace: Workspace) -> dict[str, object]:
    """Returns which scikit-learn makes the groups: another one may make others of the same seed.

    Where there is none here, what the last run recorded counts.
    """
    try:
        return {"scikit_learn": importlib.metadata.version("scikit-learn")}
    except importlib.metadata.PackageNotFoundError:
        done = workspace.manifest(STAGE.name)
        recorded = done.settings if done else {}
        return {name: recorded[name] for name in ("scikit_learn",) if name in recorded}


def cluster_vectors(
    vectors: "NDArray[np.float32]", clusters: int, seed: int
) -> "NDArray[np.int64]":
    """Groups unit vectors by K-Means.

    Equal vectors count once and are sorted first, so that the groups depend neither on the order
    of the rows nor on how often one occurs.

    Args:
        vectors: float32 (n, D), unit norm.
        clusters: how many groups; where there are fewer distinct vectors, as many as those.
        seed: of the ten starts, the best of which is kept.

    Returns:
        int64 (n,), a group's number for each row, in no particular order of the groups; empty
        for no vector.

    Raises:
        MissingInputError: the extra `cluster` is not installed.

    Source:
        Ramzi et al., Optimization of Rank Losses for Image Retrieval, TPAMI 2025: K-Means on the
        text embeddings of the labels.
    """
    import numpy as np

    try:
        from sklearn.cluster import KMeans
        from threadpoolctl import threadpool_limits
    except ModuleNotFoundError as error:
        raise MissingInputError(
            f"clustering needs {error.name}: {how_to_install('cluster')}"
        ) from error
    if not len(vectors):
        return np.empty(0, dtype=np.int64)
    # 6 decimals: one text encoded in two batches differs by some 1e-8, and is one vector.
    rounded = vectors.round(6) + np.float32(0)  # + 0 makes -0.0 equal 0.0 bit by bit
    distinct, row = np.unique(rounded, axis=0, return_inverse=True)
    if len(distinct) < clusters:
        logger.warning(
            "cluster: %d clusters instead of %d: there are no more different labels",
            len(distinct),
            clusters,
        )
    means = KMeans(min(clusters, len(distinct)), n_init=10, random_state=seed)
    # One thread: scikit-learn's own threads collapse where a core is busy, and sums stay in order.
    with threadpool_limits(1):
        groups = means.fit_predict(distinct)
    return np.asarray(groups[row.reshape(-1)], dtype=np.int64)


def canonical_clusters(
    groups: "NDArray[np.int64]", landmarks: "NDArray[np.int64]", numbers: "NDArray[np.int64]"
) -> "NDArray[np.int32]":
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
    import numpy as np

    names, row = np.unique(groups, return_inverse=True)
    total = np.zeros(len(names), dtype=np.int64)
    np.add.at(total, row, landmarks)
    smallest = np.full(len(names), np.iinfo(np.int64).max)
    np.minimum.at(smallest, row, numbers)
    place = np.empty(len(names), dtype=np.int32)
    place[np.lexsort((smallest, -total))] = np.arange(len(names), dtype=np.int32)
    return np.asarray(place[row], dtype=np.int32)


def cluster_centres(
    vectors: "NDArray[np.float32]", cluster_ids: "NDArray[np.int32]"
) -> "NDArray[np.float32]":
    """Returns each cluster's mean vector at unit norm, float32 (K, D).

    A mean of zero (two opposite vectors) stays zero: nothing is similar to it.
    """
    import numpy as np

    clusters = int(cluster_ids.max(initial=-1)) + 1
    sums = np.zeros((clusters, vectors.shape[1]), dtype=np.float64)
    np.add.at(sums, cluster_ids, vectors)
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    unit = np.divide(sums, norms, out=np.zeros_like(sums), where=norms > 0)
    return np.asarray(unit, dtype=np.float32)


def _produce(workspace: Workspace, config: ClusterConfig, writer: StageWriter) -> None:
    # The embed stage wrote labels and embeddings in one order.
    labels, examples = workspace.read(LABELS), workspace.read(WORDS)
    if not len(labels):
        logger.warning("cluster: no landmark has a class; there is nothing to cluster")
        writer.write(CLUSTERS, "clusters", CLUSTERS.schema.empty_table())
        return
    vectors = _vectors(workspace, EMBEDDINGS, labels)
    words = _vectors(workspace, WORDS, examples)
    if words.shape[1] != vectors.shape[1]:
        raise _damaged(
            workspace, WORDS, f"has vectors of {words.shape[1]} numbers, not {vectors.shape[1]}"
        )
    groups = cluster_vectors(vectors, config.clusters, config.seed)
    ids = canonical_clusters(
        groups, labels["landmarks"].to_numpy(), qid_numbers(labels["class_qid"]).to_numpy()
    )
    centres = cluster_centres(vectors, ids)
    table = labels.drop_columns(["label_language"])
    table = table.append_column("cluster_id", pa.array(ids))
    table = table.append_column("similarity", pa.array((vectors * centres[ids]).sum(axis=1)))
    names = propose_labels(table)
    sides = propose_sides(centres, words, examples["natural_or_human_made"].to_pylist())
    table = table.append_column("proposed_label", pa.array([names[i] for i in ids]))
    table = table.append_column("proposed_natural_or_human_made", pa.array([sides[i] for i in ids]))
    writer.write(CLUSTERS, "clusters", table)


def _vectors(workspace: Workspace, dataset: Dataset, rows: pa.Table) -> "NDArray[np.float32]":
    """Returns the vectors of a data set as float32 (n, D).

    Args:
        workspace: the build.
        dataset: EMBEDDINGS or WORDS.
        rows: n rows that it must have a vector for, in their order, by the first column.

    Raises:
        DamagedError: it has others, or what is no unit vector of one width.
    """
    import numpy as np

    name = rows.column_names[0]
    table = workspace.read(dataset, [name, "embedding"])
    if not table[name].equals(rows[name]):
        raise _damaged(workspace, dataset, f"has not one row for each {name}")
    lists = table["embedding"].combine_chunks()
    width = len(lists[0].as_py())
    flat = lists.flatten().to_numpy(zero_copy_only=False)
    widths = set(lists.value_lengths().to_pylist())
    if widths != {width} or not width:
        raise _damaged(workspace, dataset, f"has vectors of {sorted(widths)} numbers, not of one")
    vectors = np.asarray(flat.reshape(-1, width), dtype=np.float32)
    with np.errstate(over="ignore"):
        norms = np.linalg.norm(vectors, axis=1)
    if not (abs(norms - 1) < _NORM_ERROR).all():  # NaN is not below it either
        raise _damaged(workspace, dataset, "has vectors that are not of unit norm")
    return vectors


def _damaged(workspace: Workspace, dataset: Dataset, what: str) -> DamagedError:
    path = workspace.path(dataset.path)
    return DamagedError(f"{path} {what}; delete it and run {workspace.command('embed')} again")
