"""K-Means on points, cold or from clusters that are there, and how stable its clusters are.

Every result is a fixed point: no point is nearer to another group's mean than to its own.
"""

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MARGIN = 1e-5
"""By how much a centre must be nearer (squared distance of unit vectors) for a point to leave its
cluster: a hundred times what float32 is off, so that a fixed point is one however it is reached."""


def cold_groups(
    vectors: "NDArray[np.float32]", clusters: int, *, seed: int, n_init: int
) -> "NDArray[np.int64]":
    """Groups distinct points by K-Means from k-means++ starts, the best of them by inertia.

    Args:
        vectors: float32 (m, D), distinct, unit norm.
        clusters: K; with m <= K each point is a group.
        seed: of the starts.
        n_init: how many.

    Returns:
        int64 (m,), groups from 0, min(K, m) of them, none empty.

    Source:
        Arthur and Vassilvitskii, k-means++: The Advantages of Careful Seeding, SODA 2007. On the
        text embeddings of labels: Ramzi et al., Optimization of Rank Losses for Image Retrieval,
        TPAMI 2025.
    """
    import numpy as np
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    if len(vectors) <= clusters:
        return np.arange(len(vectors), dtype=np.int64)
    means = KMeans(clusters, n_init=n_init, random_state=seed)
    with warnings.catch_warnings():  # of groups that stayed empty; they are filled below
        warnings.simplefilter("ignore", ConvergenceWarning)
        groups = means.fit(vectors).labels_.astype(np.int64)
    return settled_groups(vectors, np.ones(len(vectors)), groups, clusters)


def warm_groups(
    vectors: "NDArray[np.float32]", before: "NDArray[np.int64]", centres: "NDArray[np.float32]"
) -> "NDArray[np.int64]":
    """Groups points by K-Means from groups that are there.

    A group starts at the mean of its points that are still here, and at its stored centre where
    none is: with nothing changed, that mean is the fixed point itself.

    Args:
        vectors: float32 (m, D), distinct, m >= K.
        before: int64 (m,), a point's group from 0, or -1: a new one.
        centres: float32 (K, D), the stored centres.

    Returns:
        As `cold_groups`; a group keeps its number.
    """
    import numpy as np

    known, ones = before >= 0, np.ones(len(vectors))
    starts = group_means(vectors[known], ones[known], before[known], len(centres))
    gone = np.bincount(before[known], minlength=len(centres)) == 0
    starts[gone] = centres[gone]
    groups = np.where(known, before, _scores(vectors, starts).argmax(axis=1))
    return settled_groups(vectors, ones, groups, len(centres))


def settled_groups(
    vectors: "NDArray[np.float32]",
    weights: "NDArray[np.float64]",
    groups: "NDArray[np.int64]",
    clusters: int,
) -> "NDArray[np.int64]":
    """Moves points to the nearest mean until none moves any more (Lloyd's algorithm).

    A group that has become empty takes the point that adds most to the inertia. Each round lowers
    the inertia, so that it ends.

    Args:
        vectors: float32 (m, D), distinct, m >= K.
        weights: float64 (m,), above 0: how much each point counts in a mean.
        groups: int64 (m,), from 0 to K - 1.
        clusters: K.

    Returns:
        int64 (m,). What has settled does not move if it is given again.

    Source:
        Lloyd, Least squares quantization in PCM, 1982.
    """
    import numpy as np

    rows, groups = np.arange(len(vectors)), groups.copy()
    while True:
        _fill_empty(vectors, weights, groups, clusters)
        scores = _scores(vectors, group_means(vectors, weights, groups, clusters))
        best = scores.argmax(axis=1)
        # Squared distances differ by twice what scores do.
        moves = scores[rows, best] - scores[rows, groups] > _MARGIN / 2
        if not moves.any():
            return groups
        groups[moves] = best[moves]


def group_means(
    vectors: "NDArray[np.float32]",
    weights: "NDArray[np.float64]",
    groups: "NDArray[np.int64]",
    clusters: int,
) -> "NDArray[np.float64]":
    """Returns the weighted mean of each group, float64 (K, D); zero for an empty one."""
    import numpy as np
    from scipy.sparse import csr_array

    member = csr_array((weights, (groups, np.arange(len(groups)))), (clusters, len(groups)))
    totals = np.bincount(groups, weights, minlength=clusters)[:, None]  # (K, 1)
    sums = np.asarray(member @ vectors)  # (K, D)
    means = np.divide(sums, totals, out=np.zeros_like(sums), where=totals > 0)
    return np.asarray(means, dtype=np.float64)


def inertia_of(vectors: "NDArray[np.float32]", groups: "NDArray[np.int64]") -> float:
    """Returns the sum of squared distances to the mean of the own group.

    Args:
        vectors: float32 (m, D).
        groups: int64 (m,), from 0 without a gap.
    """
    import numpy as np

    means = group_means(vectors, np.ones(len(vectors)), groups, int(groups.max(initial=-1)) + 1)
    return float(((vectors - means[groups]) ** 2).sum())


def stability_of(
    vectors: "NDArray[np.float32]", groups: "NDArray[np.int64]", *, draws: int, seed: int
) -> "NDArray[np.float64]":
    """Measures how far clusters are more than chance: J(C) = mean over draws b of max_D J(C_b, D).

    A draw takes m of the m points with replacement, each that it hits once, and clusters them into
    K again. D goes through its clusters; C_b are the points of C that were drawn; J is the Jaccard
    index. A draw that hits no point of C says nothing of it. Hennig reads 0.75 and above as stable,
    and below 0.6 as not to be trusted.

    A draw starts cold, also where the clusters themselves started warm: a start from a cluster's
    own centre would find it by itself. It starts once, since an unlucky start tells of chance too;
    so 20 draws cost two cold runs of ten starts.

    Args:
        vectors: float32 (m, D), distinct, unit norm.
        groups: int64 (m,), from 0 to K - 1 without a gap.
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
        again = cold_groups(vectors[drawn], clusters, seed=draw, n_init=1)
        found[draw] = best_jaccard(groups[drawn], again, clusters)
    hits = ~np.isnan(found)
    counts = hits.sum(axis=0)
    sums = np.where(hits, found, 0).sum(axis=0)
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


def _scores(vectors: "NDArray[np.float32]", means: "NDArray[np.floating]") -> "NDArray[np.float32]":
    """Returns x m - |m|^2 / 2, float32 (m, K): highest where the squared distance is lowest."""
    import numpy as np

    centres = means.astype(np.float32)
    return np.asarray(vectors @ centres.T - (centres**2).sum(axis=1) / 2)


def _fill_empty(
    vectors: "NDArray[np.float32]",
    weights: "NDArray[np.float64]",
    groups: "NDArray[np.int64]",
    clusters: int,
) -> None:
    """Gives each empty group, in place, the point whose squared distance x weight is largest."""
    import numpy as np

    sizes = np.bincount(groups, minlength=clusters)
    for empty in np.flatnonzero(sizes == 0):
        means = group_means(vectors, weights, groups, clusters)
        off = weights * ((vectors - means[groups]) ** 2).sum(axis=1)
        off[sizes[groups] == 1] = -1  # its group would be empty instead
        point = int(off.argmax())
        sizes[groups[point]] -= 1
        groups[point], sizes[empty] = empty, 1
