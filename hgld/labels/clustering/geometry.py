"""From the vectors of classes to the points that are clustered, and the geometry they lie in."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# 6 decimals: one text encoded in two batches differs by some 1e-8, and is one vector.
_DECIMALS = 6
_NOTHING = 1e-7
"""Norm of what is left of a difference of equal vectors: rounding, which has no direction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """How vectors are laid out before they are clustered: g(x) = W (x - mean), at unit norm.

    Text encoders put all they encode into a narrow cone (anisotropy), so that what all texts have
    in common outweighs what tells them apart. *Centring* takes the common part off (W = 1).
    *Whitening* scales, beyond it, each principal direction by 1 / sqrt(variance + mean variance);
    without the second term, directions of noise would count as much as those of meaning.

    Measured with K-Means, K = 78, on 1,392 labels by MiniLM and 1,703 names by CLIP (text vectors
    of Detic's repository), five seeds; singletons of 20 single starts, as the best of ten has none
    in any (`benchmarks/labels/clusters.py`, `benchmarks/results/labels/clusters.json`):

    | vectors | geometry | mean cosine | singletons | largest | deviation / mean of sizes | ARI |
    |---|---|---|---|---|---|---|
    | MiniLM | plain | 0.36 | 0.15 | 70 | 0.62 | 0.40 |
    | MiniLM | centred | 0.00 | 0.00 | 42 | 0.43 | 0.44 |
    | MiniLM | whitened | 0.00 | 0.00 | 60 | 0.45 | 0.30 |
    | CLIP | plain | 0.75 | 0.25 | 85 | 0.73 | 0.36 |
    | CLIP | centred | 0.00 | 0.00 | 50 | 0.38 | 0.39 |
    | CLIP | whitened | 0.00 | 0.00 | 59 | 0.38 | 0.27 |

    ARI is the agreement of two seeds. Centring makes clusters of more equal size, which another
    seed finds again more often, with both encoders; whitening makes them a matter of chance. So
    centring is on by default, and whitening is not.

    Source:
        Mu and Viswanath, All-but-the-Top: Simple and Effective Postprocessing for Word
        Representations, ICLR 2018 (centring); Su et al., Whitening Sentence Representations for
        Better Semantics and Faster Retrieval, 2021.
    """

    mean: "NDArray[np.float64]"
    """(D,)"""
    scale: "NDArray[np.float64] | None"
    """(D, D), symmetric; None: all directions stay as they are."""

    @classmethod
    def fit(cls, vectors: "NDArray[np.float32]", *, centre: bool, whiten: bool) -> Self:
        """Measures the geometry of distinct vectors, float32 (m, D), m > 0."""
        import numpy as np

        exact = vectors.astype(np.float64)
        if not (centre or whiten):
            return cls(mean=np.zeros(vectors.shape[1]), scale=None)
        mean = exact.mean(axis=0)
        if not whiten:
            return cls(mean=mean, scale=None)
        exact -= mean
        variances, axes = np.linalg.eigh(exact.T @ exact / len(exact))
        variances = np.maximum(variances, 0)
        # One vector alone has no variance; it becomes zero whatever it is scaled by.
        damped = variances + (variances.mean() or 1)
        # Symmetric, so that the signs of the axes, which are arbitrary, cancel out.
        return cls(mean=mean, scale=(axes / np.sqrt(damped)) @ axes.T)

    def apply(self, vectors: "NDArray[np.float32]") -> "NDArray[np.float32]":
        """Lays vectors out.

        Args:
            vectors: float32 (n, D).

        Returns:
            float32 (n, D), unit norm; zero where a vector is the mean itself.
        """
        shifted = vectors - self.mean
        return unit_rows(shifted if self.scale is None else shifted @ self.scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """What is clustered: each distinct vector once, in an order of its own.

    So clusters depend neither on the order of the classes nor on how many share a label.
    """

    vectors: "NDArray[np.float32]"
    """(m, P), unit norm, distinct."""
    weights: "NDArray[np.float64]"
    """(m,)"""
    row: "NDArray[np.int64]"
    """(n,), for each class its point."""
    geometry: Geometry
    """Of the texts' vectors."""


def points_of(
    vectors: "NDArray[np.float32]",
    landmarks: "NDArray[np.int64] | None" = None,
    *,
    centre: bool = True,
    whiten: bool = False,
    prior: "tuple[NDArray[np.float32], float] | None" = None,
) -> Points:
    """Makes points of the vectors of classes.

    Args:
        vectors: float32 (n, D), unit norm, n > 0; of each class.
        landmarks: int64 (n,), by which a point weighs the sum over its classes; None: each 1.
        centre: whether the mean is taken off.
        whiten: whether directions are scaled, too.
        prior: float32 (n, F), rows of unit norm or zero (`superclass_features`), and the share w of
            theirs. A point is then (sqrt(1 - w) text, sqrt(w) features), so that the cosine of two
            is (1 - w) cos(texts) + w cos(features); a class without features is its text alone.

    Returns:
        At most n points, sorted; P = D, or D + F with a prior.
    """
    import numpy as np

    distinct, text = _distinct(vectors)
    geometry = Geometry.fit(distinct, centre=centre, whiten=whiten)
    rows = geometry.apply(distinct)[text]
    if prior is not None:
        features, share = prior
        has_any = features.any(axis=1, keepdims=True)
        rows = np.hstack(
            [
                np.where(has_any, np.sqrt(1 - share), 1) * rows,
                np.sqrt(share) * features,
            ]
        )
    points, row = _distinct(rows.astype(np.float32))
    counts = np.bincount(row, landmarks, minlength=len(points))
    weights = np.ones(len(points)) if landmarks is None else counts.astype(np.float64)
    return Points(vectors=points, weights=weights, row=row, geometry=geometry)


def unit_rows(vectors: "NDArray[np.floating]") -> "NDArray[np.float32]":
    """Returns each row at unit norm, float32; a row of zeros stays."""
    import numpy as np

    exact = np.asarray(vectors, dtype=np.float64)
    norms = np.linalg.norm(exact, axis=1, keepdims=True)
    unit = np.divide(exact, norms, out=np.zeros_like(exact), where=norms > _NOTHING)
    return np.asarray(unit, dtype=np.float32)


def cluster_centres(
    vectors: "NDArray[np.float32]", groups: "NDArray[np.int64]"
) -> "NDArray[np.float32]":
    """Returns the mean vector of each group at unit norm.

    Args:
        vectors: float32 (n, D).
        groups: int64 (n,), numbered from 0 without a gap.

    Returns:
        float32 (K, D). A mean of zero (two opposite vectors) stays zero: nothing is similar to it.
    """
    import numpy as np

    sums = np.zeros((int(groups.max(initial=-1)) + 1, vectors.shape[1]), dtype=np.float64)
    np.add.at(sums, groups, vectors)
    return unit_rows(sums)


def _distinct(
    rows: "NDArray[np.float32]",
) -> "tuple[NDArray[np.float32], NDArray[np.int64]]":
    import numpy as np

    rounded = rows.round(_DECIMALS) + np.float32(0)  # + 0 makes -0.0 equal 0.0 bit by bit
    distinct, row = np.unique(rounded, axis=0, return_inverse=True)
    return distinct, np.asarray(row.reshape(-1), dtype=np.int64)
