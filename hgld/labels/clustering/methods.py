"""The methods that group points by their vectors, behind one function."""

from typing import TYPE_CHECKING

from hgld.errors import InputError
from hgld.labels.clustering.config import ClusterConfig, Unplaced
from hgld.labels.clustering.geometry import cluster_centres
from hgld.labels.clustering.kmeans import cold_groups

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_PAIRED = 20_000
"""Points of which all pairs fit into memory: 3 GB of distances in float64."""


def group_points(
    vectors: "NDArray[np.float32]",
    weights: "NDArray[np.float64]",
    config: ClusterConfig,
    *,
    seed: int,
    n_init: int,
) -> "NDArray[np.int64]":
    """Groups distinct points by their vectors alone, from nothing.

    Args:
        vectors: float32 (m, P), distinct, unit norm, m > 0.
        weights: float64 (m,).
        config: the method and what it needs.
        seed: of K-Means.
        n_init: starts of K-Means.

    Returns:
        int64 (m,), groups from 0 without a gap, in no particular order: K of them, or m where that
        is less; hdbscan makes as many as it finds.

    Raises:
        InputError: a method that compares all pairs, and more points than that is possible for.
        ValueError: subclasses, which are no matter of vectors (`subclass_tree`).

    Source:
        kmeans: Ramzi et al., Optimization of Rank Losses for Image Retrieval, TPAMI 2025 (on the
        text embeddings of the labels). ward: Ward, Hierarchical Grouping to Optimize an Objective
        Function, 1963. hdbscan: Campello et al., Density-Based Clustering Based on Hierarchical
        Density Estimates, PAKDD 2013.
    """
    match config.method:
        case "kmeans":
            return cold_groups(vectors, weights, config.clusters, seed=seed, n_init=n_init)
        case "ward" | "average":
            return _agglomerated(vectors, config)
        case "hdbscan":
            return placed_groups(vectors, _dense_groups(vectors, config), config.unplaced)
        case "subclasses":
            raise ValueError("subclasses group classes by what lies above them, not by vectors")


def placed_groups(
    vectors: "NDArray[np.float32]", groups: "NDArray[np.int64]", unplaced: Unplaced
) -> "NDArray[np.int64]":
    """Gives rows that are in no group one, so that none is lost.

    Args:
        vectors: float32 (n, D), unit norm; equal vectors that are in no group stay together.
        groups: int64 (n,), from 0 without a gap; -1 for in none.
        unplaced: nearest: that with the most similar centre. alone: one of its own; so also where
            there is no group at all to be near to.

    Returns:
        int64 (n,), none of them -1; groups that were there keep their members and number.
    """
    import numpy as np

    lost = groups < 0
    if not lost.any():
        return groups
    placed = groups.copy()
    found = int(groups.max(initial=-1)) + 1
    if unplaced == "nearest" and found:
        centres = cluster_centres(vectors[~lost], groups[~lost])
        placed[lost] = (vectors[lost] @ centres.T).argmax(axis=1)
        return placed
    _, alone = np.unique(vectors[lost], axis=0, return_inverse=True)
    placed[lost] = found + alone.reshape(-1)
    return placed


def require_pairs(method: str, count: int) -> None:
    """Refuses more points than a method that compares all pairs can do.

    Raises:
        InputError: more than `MOST_PAIRED`.
    """
    if count > MOST_PAIRED:
        raise InputError(
            f"{method} compares all pairs, of at most {MOST_PAIRED:,} different labels, got "
            f"{count:,}; set method = 'kmeans'"
        )


def _agglomerated(vectors: "NDArray[np.float32]", config: ClusterConfig) -> "NDArray[np.int64]":
    import numpy as np
    from sklearn.cluster import AgglomerativeClustering

    require_pairs(config.method, len(vectors))
    if len(vectors) <= config.clusters:
        return np.arange(len(vectors), dtype=np.int64)
    # Ward is defined by squared distances; average joins by the mean cosine.
    metric = "euclidean" if config.method == "ward" else "cosine"
    tree = AgglomerativeClustering(config.clusters, metric=metric, linkage=config.method)
    return np.asarray(tree.fit_predict(vectors.astype(np.float64)), dtype=np.int64)


def _dense_groups(vectors: "NDArray[np.float32]", config: ClusterConfig) -> "NDArray[np.int64]":
    """Returns the groups of HDBSCAN, -1 for noise."""
    import numpy as np
    from sklearn.cluster import HDBSCAN

    require_pairs(config.method, len(vectors))
    if len(vectors) < config.min_cluster_size:
        return np.full(len(vectors), -1, dtype=np.int64)
    # Trees of space are slower than all pairs in hundreds of dimensions.
    dense = HDBSCAN(min_cluster_size=config.min_cluster_size, algorithm="brute", copy=True)
    return np.asarray(dense.fit_predict(vectors.astype(np.float64)), dtype=np.int64)
