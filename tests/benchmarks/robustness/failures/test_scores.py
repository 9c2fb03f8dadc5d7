"""Simple confidences, beside loops and values by hand."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from hgld.benchmarks.robustness.failures.scores import (
    max_class_probability,
    negative_entropy,
    probability_margin,
    true_class_probability,
    trust_score,
)

PROBABILITIES = np.array([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0], [0.4, 0.4, 0.2]])


def test_scores_equal_the_values_by_hand() -> None:
    assert max_class_probability(PROBABILITIES).tolist() == [0.5, 1, 0.4]
    assert probability_margin(PROBABILITIES).tolist() == [0.25, 1, 0]
    entropies = [1.5 * math.log(2), 0, -0.8 * math.log(0.4) - 0.2 * math.log(0.2)]
    assert (-negative_entropy(PROBABILITIES)).tolist() == pytest.approx(entropies)
    labels = np.array([1, 1, 2])
    assert true_class_probability(PROBABILITIES, labels).tolist() == [0.25, 1, 0.2]


def test_of_two_classes_the_three_scores_have_one_order() -> None:
    first = np.random.default_rng(0).random(50)
    both = np.stack([first, 1 - first], axis=1)
    orders = [
        np.argsort(score(both)).tolist()
        for score in (max_class_probability, negative_entropy, probability_margin)
    ]
    assert orders[0] == orders[1] == orders[2]


def trust_by_a_loop(
    row: NDArray[np.float64],
    predicted: int,
    known: NDArray[np.float64],
    labels: NDArray[np.int64],
) -> float:
    nearest = {
        int(label): min(math.dist(row, one) for one in known[labels == label])
        for label in np.unique(labels)
    }
    others = min(value for label, value in nearest.items() if label != predicted)
    return others / nearest[predicted]


def test_trust_equals_a_loop_over_known_rows() -> None:
    generator = np.random.default_rng(1)
    known, labels = generator.normal(size=(40, 3)), np.repeat([0, 2, 5, 9], 10)
    rows, predicted = generator.normal(size=(12, 3)), generator.choice([0, 2, 5, 9], 12)
    wanted = [
        trust_by_a_loop(row, int(one), known, labels)
        for row, one in zip(rows, predicted, strict=True)
    ]
    assert trust_score(rows, predicted, known, labels) == pytest.approx(wanted)


def test_rows_of_low_density_are_no_neighbours() -> None:
    # class 0 has an outlier at 9, beside class 1: with it the row at 8.8 would be trusted
    known = np.array([[0.0], [0.1], [0.2], [0.3], [9.0], [8.0], [8.1], [8.2], [8.3], [8.4]])
    labels = np.repeat([0, 1], 5)
    row, predicted = np.array([[8.8]]), np.array([0])
    assert trust_score(row, predicted, known, labels)[0] == pytest.approx(0.4 / 0.2)
    dense = trust_score(row, predicted, known, labels, left_out=0.2, neighbours=2)
    # the density takes one of class 1 too, at an end of it
    assert dense[0] == pytest.approx(0.4 / 8.5, rel=0.3)


def test_a_known_row_itself_is_trusted_without_a_division_by_zero() -> None:
    known, labels = np.array([[0.0], [4.0]]), np.array([0, 1])
    score = trust_score(known, labels, known, labels)
    assert np.isfinite(score).all()
    assert (score > 1e9).all()
    assert trust_score(known, labels[::-1], known, labels).tolist() == [0, 0]


def test_what_is_no_probability_is_refused() -> None:
    for wrong in (np.array([[2.0, -3.0]]), np.array([[1.0]]), np.array([0.5, 0.5])):
        with pytest.raises(ValueError, match="sum"):
            negative_entropy(wrong)
    known, labels = np.array([[0.0], [4.0]]), np.array([0, 1])
    with pytest.raises(ValueError, match="predicted"):
        trust_score(known, np.array([0, 3]), known, labels)
    with pytest.raises(ValueError, match="left_out"):
        trust_score(known, labels, known, labels, left_out=1)
