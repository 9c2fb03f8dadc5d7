"""K-Means on the labels of classes, from a cold start or from the clusters of an earlier run.

Every result is a fixed point: no point is nearer to another group's mean than to its own.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

_STARTS = 10
"""Number of cold starts of K-Means."""
# Vectors of the same text from two batches differ by about 1e-8 and must be equal.
_DECIMALS = 6
_NOTHING = 1e-7
"""A shorter vector is rounding error and has no direction."""
_MARGIN = 1e-5
"""A point leaves its cluster only for a centre nearer by this much (squared distance of unit
vectors): 100 times the float32 error, so that every path to a fixed point ends at the same one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """The points to cluster: each distinct vector once, sorted.

    So clusters depend neither on the order of the classes nor on how many share a label.
    """

    vectors: Floats
    """(m, D), unit norm, distinct."""
    row: Ints
    """(n,), the point of each class."""
    mean: NDArray[np.float64]
    """(D,), the mean that was subtracted from each vector."""


def points_of(vectors: Floats, *, centre: bool = True) -> Points:
    """Makes points from the vectors of classes.

    Text encoders map all texts into a narrow cone, so their common part outweighs their
    differences. Subtracting the mean gives clusters of more equal size, which other seeds reproduce
    more often.

    Args:
        vectors: float32 (n, D), unit norm, n > 0; one per class.
        centre: whether to subtract the mean of the distinct vectors and restore unit norm. False,
            as in H-GLDv2, is for comparison.

    Returns:
        At most n points, sorted. A vector equal to the mean becomes zero.

    Source:
        Mu and Viswanath, All-but-the-Top: Simple and Effective Postprocessing for Word
        Representations, ICLR 2018.
    """
    distinct, text = _distinct(vectors)
    mean = np.zeros(vectors.shape[1])
    if centre:
        mean = distinct.astype(np.float64).mean(axis=0)
    points, row = _distinct(unit_rows(distinct - mean)[text])
    return Points(vectors=points, row=row, mean=mean)


def unit_rows(vectors: NDArray[np.floating]) -> Floats:
    """Returns the rows at unit norm, float32; a row of zeros stays zero."""
    exact = np.asarray(vectors, dtype=np.float64)
    norms = np.linalg.norm(exact, axis=1, keepdims=True)
    unit = np.divide(exact, norms, out=np.zeros_like(exact), where=norms > _NOTHING)
    return np.asarray(unit, dtype=np.float32)


def cluster_centres(vectors: Floats, groups: Ints) -> Floats:
    """Returns the mean vector of each group at unit norm.

    Args:
        vectors: float32 (n, D).
        groups: int64 (n,), numbered from 0 without gaps.

    Returns:
        float32 (K, D). A zero mean (two opposite vectors) stays zero: nothing is similar to it.
    """
    sums = np.zeros((int(groups.max(initial=-1)) + 1, vectors.shape[1]), dtype=np.float64)
    np.add.at(sums, groups, vectors)
    return unit_rows(sums)


def cold_groups(vectors: Floats, clusters: int, *, seed: int) -> Ints:
    """Groups distinct points by K-Means: the best by inertia of several k-means++ starts.

    Args:
        vectors: float32 (m, D), distinct, unit norm.
        clusters: K; with m <= K each point is its own group.
        seed: of the starts.

    Returns:
        int64 (m,), numbers of min(K, m) groups from 0, none empty.

    Source:
        Arthur and Vassilvitskii, k-means++: The Advantages of Careful Seeding, SODA 2007. Its use
        on text embeddings of labels: Ramzi et al., Optimization of Rank Losses for Image Retrieval,
        TPAMI 2025.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    if len(vectors) <= clusters:
        return np.arange(len(vectors), dtype=np.int64)
    means = KMeans(clusters, n_init=_STARTS, random_state=seed)
    with warnings.catch_warnings():  # about empty groups, which are filled below
        warnings.simplefilter("ignore", ConvergenceWarning)
        groups = means.fit(vectors).labels_.astype(np.int64)
    return settled_groups(vectors, groups, clusters)


def warm_groups(vectors: Floats, before: Ints, centres: Floats) -> Ints:
    """Groups points by K-Means, starting from earlier groups.

    A group starts at the mean of its remaining points, or at its stored centre if it has none. If
    nothing changed, that mean is the fixed point itself.

    Args:
        vectors: float32 (m, D), distinct, m >= K.
        before: int64 (m,), a point's group from 0; -1 for a new point.
        centres: float32 (K, D), the stored centres.

    Returns:
        As `cold_groups`; a group keeps its number.
    """
    known = before >= 0
    starts = group_means(vectors[known], before[known], len(centres))
    gone = np.bincount(before[known], minlength=len(centres)) == 0
    starts[gone] = centres[gone]
    groups = np.where(known, before, _scores(vectors, starts).argmax(axis=1))
    return settled_groups(vectors, groups, len(centres))


def settled_groups(vectors: Floats, groups: Ints, clusters: int) -> Ints:
    """Moves points to the nearest mean until no point moves (Lloyd's algorithm).

    An empty group takes the point that adds most to the inertia. Each round lowers the inertia, so
    the loop ends.

    Args:
        vectors: float32 (m, D), distinct, m >= K.
        groups: int64 (m,), from 0 to K - 1.
        clusters: K.

    Returns:
        int64 (m,). Running it again on the result changes nothing.

    Source:
        Lloyd, Least squares quantization in PCM, 1982.
    """
    rows, groups = np.arange(len(vectors)), groups.copy()
    while True:
        _fill_empty(vectors, groups, clusters)
        scores = _scores(vectors, group_means(vectors, groups, clusters))
        best = scores.argmax(axis=1)
        # A difference of scores is half that of squared distances.
        moves = scores[rows, best] - scores[rows, groups] > _MARGIN / 2
        if not moves.any():
            return groups
        groups[moves] = best[moves]


def group_means(vectors: Floats, groups: Ints, clusters: int) -> NDArray[np.float64]:
    """Returns the mean of each group, float64 (K, D); zero for an empty one."""
    from scipy.sparse import csr_array

    places = groups, np.arange(len(groups))
    member = csr_array((np.ones(len(groups)), places), (clusters, len(groups)))
    totals = np.bincount(groups, minlength=clusters)[:, None]  # (K, 1)
    sums = np.asarray(member @ vectors)  # (K, D)
    means = np.divide(sums, totals, out=np.zeros_like(sums), where=totals > 0)
    return np.asarray(means, dtype=np.float64)


def _distinct(rows: Floats) -> tuple[Floats, Ints]:
    rounded = rows.round(_DECIMALS) + np.float32(0)  # + 0 turns -0.0 into 0.0
    distinct, row = np.unique(rounded, axis=0, return_inverse=True)
    return distinct, np.asarray(row.reshape(-1), dtype=np.int64)


def _scores(vectors: Floats, means: NDArray[np.floating]) -> Floats:
    """Returns x m - |m|^2 / 2, float32 (m, K): largest where the squared distance is smallest."""
    centres = means.astype(np.float32)
    return np.asarray(vectors @ centres.T - (centres**2).sum(axis=1) / 2)


def _fill_empty(vectors: Floats, groups: Ints, clusters: int) -> None:
    """Gives each empty group, in place, the point that is furthest from its mean."""
    sizes = np.bincount(groups, minlength=clusters)
    for empty in np.flatnonzero(sizes == 0):
        means = group_means(vectors, groups, clusters)
        off = ((vectors - means[groups]) ** 2).sum(axis=1)
        off[sizes[groups] == 1] = -1  # that group would become empty instead
        point = int(off.argmax())
        sizes[groups[point]] -= 1
        groups[point], sizes[empty] = empty, 1
