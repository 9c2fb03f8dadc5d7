"""Which predictions of a classifier are wrong? Simple confidences and a learned one compared.

The rows are split in three: one part trains the classifier, one the confidence head, and one is
measured. What is to be chosen is chosen inside the first two.
"""

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import entropy
from sklearn.neighbors import NearestNeighbors

from hgld.benchmarks.robustness import networks
from hgld.benchmarks.robustness.measures import area_under_precision_recall, failure_measures
from hgld.benchmarks.robustness.networks import FeatureClassifier, Values, is_right
from hgld.benchmarks.robustness.results import Measured, Part
from hgld.benchmarks.robustness.rows import LEAST_ROWS, Numbers, Rows, RowTable
from hgld.errors import InputError

MAX_PROBABILITY = "Maximum class probability"
TRUST = "Trust score"
SIMPLE_CONFIDENCES = (MAX_PROBABILITY, "Entropy", "Margin", "MC dropout", TRUST)
CONFIDNET = "ConfidNet"
"""As published: its head learns from the rows that trained the classifier."""
CONFIDNET_HELD_OUT = "ConfidNet, held out"
"""Ours: its head learns from rows that the classifier has not seen, and may be smaller."""
LEARNED_CONFIDENCES = (CONFIDNET, CONFIDNET_HELD_OUT)

_SHARES = (0.4, 0.3, 0.3)
_PASSES = 50
_LEAST_DISTANCE = 1e-12  # as published: a row at distance 0 of its class has no ratio


class Classification(NamedTuple):
    """Rows to classify."""

    name: str
    """As a reader sees it."""
    rows: Rows
    """Labels are classes from 0 to C - 1; rows of a group come into one part of a split."""
    drawn: Numbers
    """(N,) groups that intervals draw."""


def classifications(table: RowTable) -> Iterator[Classification]:
    """Yields the classifications that a table gives, of rows its model was not trained on.

    Args:
        table: of rows.

    Yields:
        By label; where groups have several rows also by group (as a landmark), and by label with
        other groups in each part. With logits by label, of those that the model knows. What leaves
        fewer than two classes of 8 rows is not there.

    Raises:
        InputError: logits have not a column for each label of train.
    """
    rows, names = table.unseen, np.unique(table.splits["train"].labels)
    alone, every = np.arange(len(rows)), np.ones(len(rows), dtype=np.bool_)
    tasks = [("label", rows.labels, every, alone)]
    if rows.logits is not None:
        if rows.logits.shape[1] != len(names):
            raise InputError(
                f"logits of {table.name} must have a column for each of the {len(names)} labels "
                f"of train, in their order, got {rows.logits.shape[1]}"
            )
        tasks = [("label", rows.labels, np.isin(rows.labels, names), alone)]
    elif len(np.unique(rows.groups)) < len(rows):
        pairs = np.unique(np.stack([rows.labels, rows.groups]), axis=1)
        enough = np.bincount(pairs[0])[rows.labels] >= len(_SHARES)
        tasks += [("group", rows.groups, every, alone)]
        tasks += [("label of unseen groups", rows.labels, enough, rows.groups)]
    for name, labels, wanted, together in tasks:
        kept = wanted & (np.bincount(labels)[labels] >= LEAST_ROWS)
        own = dataclasses.replace(rows, labels=labels, groups=together).take(kept)
        if len(classes := np.unique(own.labels)) > 1:
            own = own.of_labels(classes if rows.logits is None else names)
            yield Classification(name, own, rows.groups[kept])


def measure_failures(table: RowTable, seed: int) -> Iterator[Measured]:
    """Yields the results of every confidence, for each classification of a table.

    Args:
        table: of rows.
        seed: of the split and of all weights.
    """
    for task in classifications(table):
        yield predict_failures(task, seed)


def predict_failures(task: Classification, seed: int) -> Measured:
    """Trains a classifier and heads, and gives every confidence of the measured part.

    A fifth of the head's part chooses the epoch and size of each head by the AP of errors, as the
    published code does. With logits the classifier is the model's own; which rows trained it is
    not known, so that the published ConfidNet, which learns from these, is left out.

    Args:
        task: what is classified; each class has at least three groups.
        seed: of the split and of all weights.

    Returns:
        The confidences of the measured rows; `truth` is whether the prediction is right.
    """
    parts = task.rows.split(_SHARES, np.random.default_rng(seed))
    training, others, test = map(task.rows.take, parts)
    model, described = _classifier(training, task.rows, seed)
    fitting, asked = others.held_out(seed)
    scores = _simple_confidences(model, training, test, seed)
    chosen = dict.fromkeys(scores, described)
    heads = networks.HEADS
    learners = {CONFIDNET: (training, heads[:1]), CONFIDNET_HELD_OUT: (fitting, heads)}
    if task.rows.logits is not None:
        del learners[CONFIDNET]
    choosing = networks.order_of_errors(model, asked)
    for method, (rows, grid) in learners.items():
        tcp = networks.true_class_probability(model, rows)
        head = networks.choose_head(model.hidden(rows.features), tcp, choosing, seed, grid)
        wrong = int((~is_right(model, rows)).sum())
        scores[method] = head.confidence(model.hidden(test.features))
        chosen[method] = f"{head}; {wrong} errors in {len(rows)} rows"
    truth = is_right(model, test)
    return Measured(
        group=task.name,
        truth=truth,
        groups=task.drawn[parts[2]],
        scores=scores,
        positives=int((~truth).sum()),
        chosen=chosen,
    )


def trust_score(features: NDArray[np.floating], predicted: Numbers, known: Rows) -> Values:
    """Distance to the nearest other class, divided by that to the predicted class.

    t(x) = d(x, other than h(x)) / d(x, h(x)), where d(x, c) is the Euclidean distance to the
    nearest known row of class c; of these the published code takes none away by default either.

    Args:
        features: (N, D).
        predicted: (N,) predicted classes.
        known: rows that the classifier was trained on, with their true classes, two or more.

    Returns:
        (N,) above or equal to 0; above 1 where the predicted class is the nearest. A predicted
        class of no known row is infinitely far: 0.

    Example:
        >>> known = Rows(np.array([[0.0], [4.0]]), np.arange(2), np.arange(2))
        >>> trust_score(np.array([[1.0]]), np.array([0]), known).round(6).tolist()
        [3.0]

    Source:
        Jiang, Kim, Guan, Gupta, To Trust Or Not To Trust A Classifier, NeurIPS 2018, algorithms 1
        and 2.
    """
    last = max(int(known.labels.max()), int(predicted.max()))
    distances = np.full((len(features), last + 1), np.inf)
    for label in np.unique(known.labels):
        search = NearestNeighbors(n_neighbors=1).fit(known.features[known.labels == label])
        distances[:, label] = search.kneighbors(features)[0][:, 0]
    own = predicted[:, None]
    to_own = np.take_along_axis(distances, own, axis=1)[:, 0]
    np.put_along_axis(distances, own, np.inf, axis=1)
    return np.asarray(distances.min(axis=1) / np.maximum(to_own, _LEAST_DISTANCE))


def negative_entropy(probabilities: Values) -> Values:
    """Minus the entropy of the classes, in nats: sum_c p_c ln p_c.

    Args:
        probabilities: (N, C), summing to 1.

    Returns:
        (N,) in [-ln C, 0].

    Example:
        >>> negative_entropy(np.array([[1.0, 0.0], [0.5, 0.5]])).round(3).tolist()
        [0.0, -0.693]
    """
    return np.asarray(0.0 - entropy(probabilities, axis=1))


def margin(values: Values) -> Values:
    """Greatest value of each row less the next.

    Args:
        values: (N, C) probabilities of the classes, or similarities of the nearest image by group.

    Returns:
        (N,) at least 0.

    Example:
        >>> margin(np.array([[0.5, 0.75, 0.25]])).tolist()
        [0.25]

    Source:
        Of similarities: after Lowe, Distinctive Image Features from Scale-Invariant Keypoints,
        IJCV 2004, section 7.1, who takes the ratio of distances to the nearest and next object.
    """
    second, first = np.partition(values, -2, axis=1)[:, -2:].T
    return np.asarray(first - second)


def _simple_confidences(
    model: FeatureClassifier, training: Rows, asked: Rows, seed: int
) -> dict[str, Values]:
    """Returns the confidences that learn nothing of errors; all are higher where it is surer."""
    probabilities = model.probabilities(asked.features)
    predicted = probabilities.argmax(axis=1)
    known = dataclasses.replace(training, features=model.hidden(training.features))
    found = {
        MAX_PROBABILITY: probabilities.max(axis=1),
        "Entropy": negative_entropy(probabilities),
        "Margin": margin(probabilities),
        TRUST: trust_score(model.hidden(asked.features), predicted, known),
    }
    if model.dropout.p:
        dropped = model.probabilities(asked.features, passes=_PASSES, seed=seed)
        found["MC dropout"] = negative_entropy(dropped)
    return found


def _classifier(training: Rows, every: Rows, seed: int) -> tuple[FeatureClassifier, str]:
    if every.logits is not None:
        return networks.own_classifier(every.features, every.logits), "the model's own classifier"
    model, settings = networks.choose_classifier(training, int(every.labels.max()) + 1, seed)
    return model, str(settings)


FAILURES = Part(
    measure_failures,
    failure_measures,
    lambda is_correct, score: area_under_precision_recall(1 - is_correct, -score),
    LEARNED_CONFIDENCES,
    SIMPLE_CONFIDENCES,
)
