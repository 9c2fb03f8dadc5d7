"""Confidences that need no training: from the class probabilities, and from neighbours.

Each is higher where the prediction is more likely right.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

_Values = NDArray[np.float64]
# As published: a row at distance 0 of its class has no ratio.
_LEAST_DISTANCE = 1e-12


def max_class_probability(probabilities: _Values) -> _Values:
    """Probability of the predicted class (MCP): max_c p_c.

    Args:
        probabilities: (N, C), summing to 1.

    Returns:
        (N,) in [1/C, 1].

    Raises:
        ValueError: rows do not sum to 1, or there are fewer than two classes.

    Source:
        Hendrycks and Gimpel, A Baseline for Detecting Misclassified and Out-of-Distribution
        Examples in Neural Networks, ICLR 2017.
    """
    _check(probabilities)
    best: _Values = probabilities.max(axis=1)
    return best


def negative_entropy(probabilities: _Values) -> _Values:
    """Minus the entropy of the classes, in nats: sum_c p_c ln p_c.

    Args:
        probabilities: (N, C), summing to 1.

    Returns:
        (N,) in [-ln C, 0].

    Raises:
        ValueError: as for `max_class_probability`.

    Example:
        >>> negative_entropy(np.array([[1.0, 0.0], [0.5, 0.5]])).round(3).tolist()
        [0.0, -0.693]

    Source:
        Shannon, A Mathematical Theory of Communication, 1948, section 6.
    """
    _check(probabilities)
    logs = np.log(probabilities, out=np.zeros_like(probabilities), where=probabilities > 0)
    negative: _Values = (probabilities * logs).sum(axis=1)
    return negative


def probability_margin(probabilities: _Values) -> _Values:
    """Probability of the first class minus that of the second.

    Args:
        probabilities: (N, C), summing to 1.

    Returns:
        (N,) in [0, 1].

    Raises:
        ValueError: as for `max_class_probability`.

    Example:
        >>> probability_margin(np.array([[0.5, 0.25, 0.25]])).tolist()
        [0.25]

    Source:
        Scheffer, Decomain, Wrobel, Active Hidden Markov Models for Information Extraction, IDA
        2001.
    """
    _check(probabilities)
    second, first = np.partition(probabilities, -2, axis=1)[:, -2:].T
    margin: _Values = first - second
    return margin


def true_class_probability(probabilities: _Values, labels: NDArray[np.int64]) -> _Values:
    """Probability of the true class (TCP), which a confidence head learns to predict.

    Above 1/2 the prediction is right; below 1/C it is wrong.

    Args:
        probabilities: (N, C), summing to 1.
        labels: (N,) true classes.

    Returns:
        (N,) in [0, 1].

    Raises:
        ValueError: as for `max_class_probability`.

    Source:
        Corbiere et al., Addressing Failure Prediction by Learning Model Confidence, NeurIPS 2019,
        section 2.2.
    """
    _check(probabilities)
    found: _Values = np.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0]
    return found


def trust_score(
    features: NDArray[np.floating],
    predicted: NDArray[np.int64],
    known: NDArray[np.floating],
    known_labels: NDArray[np.int64],
    *,
    left_out: float = 0.0,
    neighbours: int = 10,
) -> _Values:
    """Distance to the nearest other class, divided by that to the predicted class.

    t(x) = d(x, other than h(x)) / d(x, h(x)), where d(x, c) is the Euclidean distance to the
    nearest known row of class c, among those that are left after the share of the lowest density
    (largest distance to the k-th neighbour in their class) is taken away.

    Args:
        features: (N, D).
        predicted: (N,) predicted classes.
        known: (M, D) rows that the classifier was trained on.
        known_labels: (M,) their true classes, two or more.
        left_out: share of each class's rows of low density that do not count, in [0, 1); the
            published code takes none away by default.
        neighbours: k of the density, the row itself not counted.

    Returns:
        (N,) above or equal to 0; above 1 where the predicted class is the nearest.

    Raises:
        ValueError: fewer than two known classes, a predicted class that is not known, or
            `left_out` out of range.

    Example:
        >>> known, labels = np.array([[0.0], [4.0]]), np.array([0, 1])
        >>> trust_score(np.array([[1.0]]), np.array([0]), known, labels).round(6).tolist()
        [3.0]

    Source:
        Jiang, Kim, Guan, Gupta, To Trust Or Not To Trust A Classifier, NeurIPS 2018, algorithms 1
        and 2.
    """
    classes = np.unique(known_labels)
    if len(classes) < 2 or not np.isin(predicted, classes).all():  # noqa: PLR2004
        raise ValueError(
            f"known_labels must have every predicted class and at least two, got {len(classes)} "
            f"classes; give the rows that the classifier was trained on"
        )
    if not 0 <= left_out < 1:
        raise ValueError(f"left_out must be in [0, 1), got {left_out}; 0 takes every row")
    distances = np.empty((len(features), len(classes)))
    for column, label in enumerate(classes):
        rows = _dense(known[known_labels == label], left_out, neighbours)
        search = NearestNeighbors(n_neighbors=1).fit(rows)
        distances[:, column] = search.kneighbors(features)[0][:, 0]
    own = np.searchsorted(classes, predicted)[:, None]
    to_own = np.take_along_axis(distances, own, axis=1)[:, 0]
    np.put_along_axis(distances, own, np.inf, axis=1)
    score: _Values = distances.min(axis=1) / np.maximum(to_own, _LEAST_DISTANCE)
    return score


def _dense(rows: NDArray[np.floating], left_out: float, neighbours: int) -> NDArray[np.floating]:
    """Returns the rows of a class without the share of the lowest density."""
    kept = len(rows) - int(left_out * len(rows))
    if kept == len(rows):
        return rows
    count = min(neighbours, len(rows) - 1)
    radius = NearestNeighbors(n_neighbors=count + 1).fit(rows).kneighbors(rows)[0][:, -1]
    return rows[np.argsort(radius, kind="stable")[:kept]]


def _check(probabilities: _Values) -> None:
    two = 2
    if (
        probabilities.ndim != two
        or probabilities.shape[1] < two
        or not np.allclose(probabilities.sum(axis=1), 1, atol=1e-4)
    ):
        raise ValueError(
            f"probabilities must have shape (N, C), C >= 2, and sum to 1 in each row, got shape "
            f"{probabilities.shape}; take the softmax of logits first"
        )
