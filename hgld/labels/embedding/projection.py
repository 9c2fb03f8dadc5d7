"""The vectors of classes on a plane: a quick view of them, and a map whose neighbours are theirs.

Both lay vectors out as clustering does: the mean is taken off and each is put back at unit norm, so
that Euclidean distance orders pairs as the cosine does. Coordinates lie in [0, 1], most often with
a margin; both axes have one scale.
"""

import logging
from typing import TYPE_CHECKING

from hgld.labels.clustering.geometry import Geometry, points_of
from hgld.labels.scikit_learn import one_thread

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_LEAST = 30
"""Points from which on t-SNE keeps more neighbours than principal components do: of 10 nearest
labels, at 30 points 0.60 to 0.59, at 50 0.48 to 0.42, at 300 0.47 to 0.16."""
_PERPLEXITY = 30.0
_ANGLE = 0.7
_COLD_STEPS = 750
_WARM_STEPS = 250
_EXAGGERATION = 12.0
_RATE = 48
"""Points by 1 of the learning rate: four times the exaggeration."""
_MARGIN = 0.03
"""Of a map that is not held to an earlier one: so that the next has room to grow."""
_NEAREST = 10
"""Neighbours by which a place on an earlier map is judged."""
_VOTERS = 5
"""Neighbours between which a new point starts."""
_KNOWN_SHARE = 0.5
"""Of the points, that must have a place on an earlier map to start from it."""
_RIGHT_SHARE = 0.9
"""Of these, that must be in the right place there. Measured: 0.99 to 1.00 on a map of the vectors
themselves, from 60 to 10,000 of them and of noise as well; 0.98 on one of another prompt; 0.86 and
0.70 on one of another encoder, which a warm start does not mend (it keeps 0.31 of 10 neighbours,
where a cold one keeps 0.51); 0.01 on one made by chance."""
_BLOCK = 1_000
"""Rows of similarities in memory at once: 40 MB for 10,000 points."""


def quick_projection(vectors: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """Lays vectors out by their two principal components, at once.

    y = X W, X being the centred vectors at unit norm and W the two directions of most variance, the
    largest number of each being positive. 10,000 vectors of 384 numbers take 0.1 s on one core; of
    the 10 nearest neighbours of a label, 0.2 are among the 10 nearest here, and 5 on the map of
    `label_projection`.

    Args:
        vectors: float32 (n, D), unit norm.

    Returns:
        float32 (n, 2), from 0 to 1; (0, 2) for none, and the middle for one.

    Source:
        Pearson, On lines and planes of closest fit to systems of points in space, 1901.
    """
    import numpy as np

    if not len(vectors):
        return np.zeros((0, 2), dtype=np.float32)
    points = Geometry.fit(vectors, centre=True, whiten=False).apply(vectors)
    return _fitted(_principal(points))


def label_projection(
    vectors: "NDArray[np.float32]", before: "NDArray[np.float32] | None" = None
) -> "NDArray[np.float32]":
    """Lays vectors out so that near ones are neighbours, by t-SNE (Barnes-Hut).

    Minimises KL(P || Q) = sum_ij p_ij log(p_ij / q_ij) over places y by gradient descent, with
    p_ij = (p_j|i + p_i|j) / 2n, p_j|i a Gaussian of |x_i - x_j| whose width gives it the perplexity
    30 (with fewer than 91 points a third of the others), and q_ij in proportion to
    1 / (1 + |y_i - y_j|^2). Equal vectors are one point. It starts from the principal components,
    which decide where the large groups come to lie, with a learning rate of n / 48. The result is
    the same to the last bit, whatever the order of the vectors and the number of threads.

    *From an earlier map*, where half of the points were on it: they start where they were, without
    early exaggeration (which would tear the map up), and settle in 250 steps. A point that is new
    starts at the median place of its nearest. So does one in the wrong place, which is one that has
    none of its 10 nearest vectors among its 10 nearest on the earlier map, such as a class with
    another label now; and where more than a tenth of them are, it is a map of other vectors and
    counts for nothing. At the end the map is shifted and scaled back to where it started.

    The vectors are not reduced by principal components before, as is often done: they are at most
    some hundred numbers, so that it saves little, and it costs neighbours. Measured with MiniLM on
    10,000 made-up labels, adjectives before nouns of the taxonomy (`benchmarks/speed/review`; kept:
    share of the 10 nearest labels that are among the 10 nearest on the map; same: share of those
    that have the label's super-category; moved: the median way of a label from where it was on the
    map of 95% of them, and that of all but one in 20):

    | way | seconds | kept | same | moved |
    |---|---|---|---|---|
    | no map, the vectors themselves | | 1 | 0.67 | |
    | principal components alone | 0.07 | 0.02 | 0.04 | |
    | first 50 of them, angle 0.5, 1,000 steps | 74 | 0.45 | 0.58 | |
    | all 384 numbers, angle 0.7, 750 steps | 43 | 0.51 | 0.69 | 0.032, 0.153 |
    | the same from the earlier map | 16 | 0.50 | 0.67 | 0.004, 0.009 |

    The angle and the steps save a third of the time: with 0.5 and 1,000 as many neighbours are
    kept. After five scrapes that bring 5% each, the last map keeps 0.505 where a cold one keeps
    0.510.

    Args:
        vectors: float32 (n, D), unit norm.
        before: float32 (n, 2), the place of each on an earlier map, from 0 to 1; NaN: it has none.

    Returns:
        float32 (n, 2), from 0 to 1; (0, 2) for none. Fewer than 30 different vectors are laid out
        by principal components: t-SNE has nothing to tell of so few.

    Raises:
        ValueError: `before` is not of the same vectors.
        MissingInputError: the extra `cluster` is not installed.

    Source:
        van der Maaten and Hinton, Visualizing Data using t-SNE, JMLR 2008; van der Maaten,
        Accelerating t-SNE using Tree-Based Algorithms, JMLR 2014; Kobak and Berens, The art of
        using t-SNE for single-cell transcriptomics, Nature Communications 2019 (start, rate).
    """
    import numpy as np

    if before is not None and before.shape != (len(vectors), 2):
        raise ValueError(
            f"before must have shape ({len(vectors)}, 2), got {before.shape}; give each vector a "
            f"place, NaN where it has none"
        )
    if not len(vectors):
        return np.zeros((0, 2), dtype=np.float32)
    with one_thread("the map of labels"):
        points = points_of(vectors)
        if len(points.vectors) < _LEAST:
            return _fitted(_principal(points.vectors))[points.row]
        places = None if before is None else _of_points(before, points.row, len(points.vectors))
        start = None if places is None else _start(points.vectors, places)
        if start is None:
            return _fitted(_cold(points.vectors))[points.row]
        plane = _held(_warm(points.vectors, start), start)
        return (plane if plane.min() >= 0 and plane.max() <= 1 else _fitted(plane))[points.row]


def _cold(points: "NDArray[np.float32]") -> "NDArray[np.float32]":
    start = _principal(points)
    # As small as a start by chance is: a large one would freeze.
    start *= 1e-4 / start[:, 0].std()
    # The least rate is scikit-learn's own: with less, some hundred points stay in a heap.
    rate = max(len(points) / _RATE, 50.0)
    return _descend(points, start, exaggeration=_EXAGGERATION, rate=rate, steps=_COLD_STEPS)


def _warm(points: "NDArray[np.float32]", start: "NDArray[np.float64]") -> "NDArray[np.float32]":
    # About as wide as maps become: 1.4 to 2.6 sqrt(n) up to 3,000 points, 140 with 10,000. With 1.5
    # times more or less, the map of 10,000 is as good and moves by 0.003 or 0.008.
    width = min(2 * len(points) ** 0.5, 140.0)
    rate = max(len(points) / _RATE, 10.0)
    return _descend(points, (start - 0.5) * width, exaggeration=1.0, rate=rate, steps=_WARM_STEPS)


def _descend(
    points: "NDArray[np.float32]",
    start: "NDArray[np.float64]",
    *,
    exaggeration: float,
    rate: float,
    steps: int,
) -> "NDArray[np.float32]":
    import numpy as np
    from sklearn.manifold import TSNE

    model = TSNE(
        perplexity=min(_PERPLEXITY, (len(points) - 1) / 3),
        early_exaggeration=exaggeration,
        learning_rate=rate,
        max_iter=steps,
        init=start.astype(np.float32),
        angle=_ANGLE,
        random_state=0,
        n_jobs=1,
    )
    return np.asarray(model.fit_transform(points), dtype=np.float32)


def _of_points(
    before: "NDArray[np.float32]", row: "NDArray[np.int64]", count: int
) -> "NDArray[np.float64]":
    """Returns the place of each point, (m, 2): that of the first of its classes that has one."""
    import numpy as np

    places = np.full((count, 2), np.nan)
    known = np.flatnonzero(np.isfinite(before).all(axis=1))[::-1]  # the first is written last
    places[row[known]] = before[known]
    return places


def _start(
    points: "NDArray[np.float32]", places: "NDArray[np.float64]"
) -> "NDArray[np.float64] | None":
    """Returns where each point starts on an earlier map; None: it is no map of these points.

    Args:
        points: (m, D), unit norm, distinct.
        places: (m, 2); NaN where a point is new.
    """
    import numpy as np
    from scipy.spatial import cKDTree

    known = np.flatnonzero(np.isfinite(places[:, 0]))
    if len(known) < max(_KNOWN_SHARE * len(points), _NEAREST + 1):
        logger.info("map: starts cold: %d of %d labels were on it before", len(known), len(points))
        return None
    near = known[_nearest(points, known)]  # (m, 10)
    on_map = cKDTree(places[known]).query(places[known], _NEAREST + 1)[1]
    there = known[on_map]  # (k, 11): most often itself, too, which is never among its nearest
    stays = (near[known][:, :, None] == there[:, None, :]).any(axis=(1, 2))
    if stays.mean() < _RIGHT_SHARE:
        logger.info("map: starts cold: that of before is of another encoder or prompt")
        return None
    logger.info("map: starts from that of before, with %d new labels", len(points) - len(known))
    is_placed = np.zeros(len(points), dtype=np.bool_)
    is_placed[known[stays]] = True
    start = places.copy()
    for point in np.flatnonzero(~is_placed):
        voters = near[point][is_placed[near[point]]]
        # The median, since the mean of two groups lies between them, where neither is.
        start[point] = np.median(places[voters if len(voters) else near[point]][:_VOTERS], axis=0)
    return start


def _nearest(points: "NDArray[np.float32]", among: "NDArray[np.int64]") -> "NDArray[np.int64]":
    """Returns the 10 nearest others of each point among some, nearest first: (m, 10), their rows.

    Args:
        points: (m, D), unit norm.
        among: (k,), numbers of points in ascending order, k > 10.
    """
    import numpy as np

    own = np.full(len(points), -1)
    own[among] = np.arange(len(among))
    found = np.zeros((len(points), _NEAREST), dtype=np.int64)
    for start in range(0, len(points), _BLOCK):
        rows = slice(start, start + _BLOCK)
        similarity = points[rows] @ points[among].T  # (B, k)
        itself = np.flatnonzero(own[rows] >= 0)
        similarity[itself, own[rows][itself]] = -np.inf
        top = np.argpartition(-similarity, _NEAREST, axis=1)[:, :_NEAREST]
        order = np.argsort(-np.take_along_axis(similarity, top, axis=1), axis=1, kind="stable")
        found[rows] = np.take_along_axis(top, order, axis=1)
    return found


def _principal(points: "NDArray[np.float32]") -> "NDArray[np.float64]":
    """Returns the two principal components of points, (m, 2); zero for what has no variance."""
    import numpy as np

    shifted = points - points.mean(axis=0, dtype=np.float64).astype(np.float32)
    _, axes = np.linalg.eigh((shifted.T @ shifted).astype(np.float64))
    axes = axes[:, ::-1][:, :2]  # the largest variance first
    # Which way an axis points is arbitrary.
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    plane = np.zeros((len(points), 2))
    plane[:, : axes.shape[1]] = shifted @ axes
    return plane


def _held(plane: "NDArray[np.float32]", start: "NDArray[np.float64]") -> "NDArray[np.float32]":
    """Returns places shifted and scaled so that they are as near to the start as can be.

    s (y - mean y) + mean x with s = sum (y - mean y)(x - mean x) / sum (y - mean y)^2 is least in
    the squared distances to the start x.
    """
    import numpy as np

    middle = plane.mean(axis=0, dtype=np.float64)
    shifted = plane - middle
    goal = start.mean(axis=0)
    scale = (shifted * (start - goal)).sum() / (shifted**2).sum()
    return np.asarray(scale * shifted + goal, dtype=np.float32)


def _fitted(plane: "NDArray[np.floating]") -> "NDArray[np.float32]":
    """Returns places in [0, 1] with a margin, the middle of their extent at 0.5, at one scale."""
    import numpy as np

    low, high = plane.min(axis=0).astype(np.float64), plane.max(axis=0).astype(np.float64)
    extent = float((high - low).max())
    fitted = (1 - 2 * _MARGIN) * (plane - (low + high) / 2) / (extent or 1.0) + 0.5
    return np.asarray(fitted, dtype=np.float32)
