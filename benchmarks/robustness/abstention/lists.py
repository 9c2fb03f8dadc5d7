"""What a retrieval system sees of a query before it answers: similarities, and no label of it.

Each score is higher where the answer is more likely good.
"""

import numpy as np
from numpy.typing import NDArray

_Values = NDArray[np.float64]


def best_by_landmark(
    similarity: NDArray[np.floating], index_landmarks: NDArray[np.int64]
) -> _Values:
    """Returns of each query how near the nearest image of each landmark is.

    Args:
        similarity: (Q, N), `-inf` for an image that is no answer, such as the query itself.
        index_landmarks: (N,) landmark of each index image, two or more different ones.

    Returns:
        (Q, M), a column for each landmark, in the order of their ids.

    Raises:
        ValueError: shapes differ, or some query has answers of fewer than two landmarks.

    Example:
        >>> best_by_landmark(np.array([[0.1, 0.9, 0.5]]), np.array([7, 3, 7])).tolist()
        [[0.9, 0.5]]
    """
    if similarity.ndim != 2 or index_landmarks.shape != similarity.shape[1:]:  # noqa: PLR2004
        raise ValueError(
            f"similarity must have shape (Q, N) and index_landmarks (N,), got {similarity.shape} "
            f"and {index_landmarks.shape}; give one landmark an index image"
        )
    order = np.argsort(index_landmarks, kind="stable")
    starts = np.unique(index_landmarks[order], return_index=True)[1]
    best: _Values = np.full((len(similarity), len(starts)), -np.inf)
    if len(starts):
        best = np.maximum.reduceat(similarity[:, order].astype(np.float64), starts, axis=1)
    if (np.isfinite(best).sum(axis=1) < 2).any():  # noqa: PLR2004 - a nearest and a next
        raise ValueError(
            "the index must have images of at least two landmarks for each query, the query itself "
            "not counted; what is there to choose from otherwise?"
        )
    return best


def nearest_similarity(best: _Values) -> _Values:
    """Similarity of the nearest image: max_m b_m.

    Args:
        best: (Q, M) of `best_by_landmark`.

    Returns:
        (Q,)
    """
    nearest: _Values = best.max(axis=1)
    return nearest


def landmark_margin(best: _Values) -> _Values:
    """Similarity of the nearest image minus that of the nearest one of another landmark.

    Args:
        best: (Q, M) of `best_by_landmark`.

    Returns:
        (Q,) at least 0.

    Example:
        >>> landmark_margin(np.array([[0.5, 0.75, 0.25]])).tolist()
        [0.25]

    Source:
        After Lowe, Distinctive Image Features from Scale-Invariant Keypoints, IJCV 2004, section
        7.1, who takes the ratio of distances to the nearest and to the next object.
    """
    next_, nearest = np.partition(best, -2, axis=1)[:, -2:].T
    margin: _Values = nearest - next_
    return margin


def negative_landmark_entropy(best: _Values, temperature: float) -> _Values:
    """Minus the entropy of p_m = softmax_m(b_m / T), in nats.

    Args:
        best: (Q, M) of `best_by_landmark`.
        temperature: T > 0.

    Returns:
        (Q,) in [-ln M, 0].

    Raises:
        ValueError: the temperature is not above 0.

    Example:
        >>> negative_landmark_entropy(np.array([[0.5, 0.5]]), 0.1).round(3).tolist()
        [-0.693]
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}; try 0.05")
    scaled = (best - best.max(axis=1, keepdims=True)) / temperature
    weights = np.exp(scaled)
    total = weights.sum(axis=1)
    # sum p ln p = sum p (scaled - ln total); what has no weight adds nothing
    spread = np.where(weights > 0, weights * np.where(weights > 0, scaled, 0), 0).sum(axis=1)
    negative: _Values = spread / total - np.log(total)
    return negative


def list_features(
    similarity: NDArray[np.floating], best: _Values, depth: int
) -> NDArray[np.float32]:
    """Returns what a head learns from: the nearest images' and the nearest landmarks' similarities.

    Args:
        similarity: (Q, N), `-inf` for an image that is no answer.
        best: (Q, M) of `best_by_landmark`.
        depth: how many of each; a shorter list is filled up with its last.

    Returns:
        (Q, 2 * depth), each half in falling order.
    """
    parts = []
    for values in (similarity, best):
        ranked = -np.sort(-values, axis=1)[:, :depth]
        lasts = np.isfinite(ranked).sum(axis=1) - 1
        columns = np.minimum(np.arange(depth)[None, :], lasts[:, None])
        parts.append(np.take_along_axis(ranked, columns, axis=1))
    return np.concatenate(parts, axis=1).astype(np.float32)
