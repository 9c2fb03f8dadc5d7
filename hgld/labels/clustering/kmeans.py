"""K-Means on points, cold or from clusters that are there, always to a fixed point."""

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MARGIN = 1e-5
"""By how much a centre must be nearer (squared distance of unit vectors) for a point to leave its
cluster: a hundred times what float32 is off, so that a fixed point is one however it is reached."""


def cold_groups(
    vectors: "NDArray[np.float32]",
    weights: "NDArray[np.float64]",
    clusters: int,
    *,
    seed: int,
    n_init: int,
) -> "NDArray[np.int64]":
    """Groups distinct points by K-Means from k-means++ starts, the best of them by inertia.

    Args:
        vectors: float32 (m, P), distinct, unit norm.
        weights: float64 (m,), above 0.
        clusters: K; with m <= K each point is a group.
        seed: of the starts.
        n_init: how many.

    Returns:
        int64 (m,), groups from 0, min(K, m) of them, none empty; no point is nearer to another
        group's centre than to its own's.

    Source:
        Arthur and Vassilvitskii, k-means++: The Advantages of Careful Seeding, SODA 2007.
    """
    import numpy as np
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    if len(vectors) <= clusters:
        return np.arange(len(vectors), dtype=np.int64)
    means = KMeans(clusters, n_init=n_init, random_state=seed)
    with warnings.catch_warnings():  # of groups that stayed empty; they are filled below
        warnings.simplefilter("ignore", ConvergenceWarning)
        groups = means.fit(vectors, sample_weight=weights).labels_
    return settled_groups(vectors, weights, groups.astype(np.int64), clusters)


def warm_groups(
    vectors: "NDArray[np.float32]",
    weights: "NDArray[np.float64]",
    before: "NDArray[np.int64]",
    centres: "NDArray[np.float32]",
) -> "NDArray[np.int64]":
    """Groups points by K-Means from groups that are there.

    A group starts at the mean of its points that are still here, and at its stored centre where
    none is: the mean is that centre in today's geometry, and with nothing changed it is the fixed
    point itself.

    Args:
        vectors: float32 (m, P), distinct, m >= K.
        weights: float64 (m,).
        before: int64 (m,), a point's group from 0, or -1: a new one.
        centres: float32 (K, P), the stored centres.

    Returns:
        As `cold_groups`; a group keeps its number.
    """
    import numpy as np

    known = before >= 0
    starts = group_means(vectors[known], weights[known], before[known], len(centres))
    gone = np.bincount(before[known], minlength=len(centres)) == 0
    starts[gone] = centres[gone]
    nearest = _scores(vectors, starts).argmax(axis=1)
    groups = np.where(known, before, nearest)
    return settled_groups(vectors, weights, groups, len(centres))


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
        vectors: float32 (m, P), distinct, m >= K.
        weights: float64 (m,).
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


def inertia_of(
    vectors: "NDArray[np.float32]", weights: "NDArray[np.float64]", groups: "NDArray[np.int64]"
) -> float:
    """Returns the weighted sum of squared distances to the mean of the own group.

    Args:
        vectors: float32 (m, P).
        weights: float64 (m,).
        groups: int64 (m,), from 0 without a gap.
    """
    means = group_means(vectors, weights, groups, int(groups.max(initial=-1)) + 1)
    return float(weights @ ((vectors - means[groups]) ** 2).sum(axis=1))


def group_means(
    vectors: "NDArray[np.float32]",
    weights: "NDArray[np.float64]",
    groups: "NDArray[np.int64]",
    clusters: int,
) -> "NDArray[np.float64]":
    """Returns the weighted mean of each group, float64 (K, P); zero for an empty one."""
    import numpy as np
    from scipy.sparse import csr_array

    member = csr_array((weights, (groups, np.arange(len(groups)))), (clusters, len(groups)))
    totals = np.bincount(groups, weights, minlength=clusters)[:, None]  # (K, 1)
    sums = np.asarray(member @ vectors)  # (K, P)
    means = np.divide(sums, totals, out=np.zeros_like(sums), where=totals > 0)
    return np.asarray(means, dtype=np.float64)


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
