"""How far a cluster is more than chance: whether it is found again in draws of the points."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from hgld.labels.clustering.config import ClusterConfig
from hgld.labels.clustering.geometry import Points
from hgld.labels.clustering.methods import group_points

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def point_stability(
    points: Points, groups: "NDArray[np.int64]", config: ClusterConfig
) -> "NDArray[np.float64]":
    """Measures the stability of groups of points, each draw grouped by the same method.

    Args:
        points: the m points.
        groups: int64 (m,), from 0 without a gap.
        config: the method, `draws` and `seed`. K-Means starts once a draw: a draw whose start was
            unlucky tells of chance too, and 20 draws cost two cold runs of ten.

    Returns:
        As `bootstrap_stability`.
    """

    def regroup(drawn: "NDArray[np.int64]", draw: int) -> "NDArray[np.int64]":
        vectors, weights = points.vectors[drawn], points.weights[drawn]
        return group_points(vectors, weights, config, seed=draw, n_init=1)

    return bootstrap_stability(groups, regroup, draws=config.draws, seed=config.seed)


def bootstrap_stability(
    groups: "NDArray[np.int64]",
    regroup: "Callable[[NDArray[np.int64], int], NDArray[np.int64]]",
    *,
    draws: int,
    seed: int,
) -> "NDArray[np.float64]":
    """Measures the stability of clusters: J(C) = mean over draws b of max_D J(C and b, D).

    A draw takes m of the m points with replacement, each that it hits once, and clusters them from
    nothing. D goes through its clusters; C and b are the points of C that were drawn; J is the
    Jaccard index, |A and B| / |A or B|. A draw that hits no point of C says nothing of it.

    A draw starts cold, also where the clusters themselves started warm: what is asked is whether
    the data make this cluster, and a start from its own centre would answer yes by itself. Hennig
    reads 0.75 and above as stable, and below 0.6 as not to be trusted.

    Args:
        groups: int64 (m,), from 0 without a gap.
        regroup: given the drawn points, as int64 rows in ascending order, and the number of the
            draw, returns the groups of these.
        draws: how many.
        seed: of the draws.

    Returns:
        float64 (K,), from 0 to 1; NaN for one that no draw hit, and for all without draws.

    Source:
        Hennig, Cluster-wise assessment of cluster stability, CSDA 2007 (`clusterboot` of the R
        package fpc, with `multipleboot = FALSE`).
    """
    import numpy as np

    clusters = int(groups.max(initial=-1)) + 1
    found = np.full((draws, clusters), np.nan)
    for draw in range(draws):
        random = np.random.default_rng([seed, draw])
        drawn = np.unique(random.integers(len(groups), size=len(groups)))
        found[draw] = best_jaccard(groups[drawn], regroup(drawn, draw), clusters)
    hits = ~np.isnan(found)
    sums = np.where(hits, found, 0).sum(axis=0)
    counts = hits.sum(axis=0)
    means = np.divide(sums, counts, out=np.full(clusters, np.nan), where=counts > 0)
    return np.asarray(means, dtype=np.float64)


def best_jaccard(
    groups: "NDArray[np.int64]", others: "NDArray[np.int64]", clusters: int
) -> "NDArray[np.float64]":
    """Returns of each group the Jaccard index with the most alike of other groups.

    Args:
        groups: int64 (n,), from 0 to `clusters` - 1.
        others: int64 (n,), of the same points.
        clusters: how many groups there are.

    Returns:
        float64 (clusters,); NaN for a group without a point.

    Example:
        >>> import numpy as np
        >>> best_jaccard(np.array([0, 0, 0, 1]), np.array([5, 5, 6, 6]), 3)
        array([0.66666667, 0.5       ,        nan])
    """
    import numpy as np

    _, other = np.unique(others, return_inverse=True)
    both = np.zeros((clusters, int(other.max(initial=0)) + 1), dtype=np.int64)
    np.add.at(both, (groups, other), 1)
    own, theirs = both.sum(axis=1, keepdims=True), both.sum(axis=0, keepdims=True)
    best = (both / np.maximum(own + theirs - both, 1)).max(axis=1)
    return np.where(own[:, 0] > 0, best, np.nan)
