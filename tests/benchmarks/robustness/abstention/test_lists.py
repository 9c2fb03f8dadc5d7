"""Scores of ranked lists, beside loops over images and landmarks."""

import math

import numpy as np
import pytest

from hgld.benchmarks.robustness.abstention.lists import (
    best_by_landmark,
    landmark_margin,
    list_features,
    nearest_similarity,
    negative_landmark_entropy,
)


def test_scores_equal_loops_over_images() -> None:
    generator = np.random.default_rng(0)
    similarity = generator.uniform(-1, 1, (5, 12))
    landmarks = generator.permutation(np.repeat([4, 9, 2], 4))
    best = best_by_landmark(similarity, landmarks)
    for query, row in enumerate(similarity):
        each = sorted(
            (max(s for s, at in zip(row, landmarks, strict=True) if at == one), one)
            for one in (2, 4, 9)
        )
        assert best[query].tolist() == [value for value, _ in sorted(each, key=lambda a: a[1])]
        assert nearest_similarity(best)[query] == max(row)
        assert landmark_margin(best)[query] == pytest.approx(each[-1][0] - each[-2][0])
        weights = [math.exp(value / 0.3) for value, _ in each]
        wanted = sum(w / sum(weights) * math.log(w / sum(weights)) for w in weights)
        assert negative_landmark_entropy(best, 0.3)[query] == pytest.approx(wanted)


def test_the_query_itself_is_no_answer() -> None:
    similarity = np.array([[-np.inf, 0.5, 0.25]])
    best = best_by_landmark(similarity, np.array([1, 2, 3]))
    assert nearest_similarity(best).tolist() == [0.5]
    assert landmark_margin(best).tolist() == [0.25]
    two = negative_landmark_entropy(np.array([[0.5, 0.25]]), 0.1)
    assert negative_landmark_entropy(best, 0.1) == pytest.approx(two)


def test_a_tie_of_two_landmarks_has_no_margin_and_a_small_temperature_no_overflow() -> None:
    best = np.array([[0.9, 0.9, -1.0], [0.9, 0.1, -1.0]])
    assert landmark_margin(best).tolist() == pytest.approx([0, 0.8])
    assert negative_landmark_entropy(best, 1e-4) == pytest.approx([-math.log(2), 0])


def test_features_are_the_nearest_in_falling_order_and_filled_up() -> None:
    similarity = np.array([[0.1, 0.9, 0.5, -np.inf]])
    best = best_by_landmark(similarity, np.array([7, 3, 7, 8]))
    found = list_features(similarity, best, depth=4)
    assert found[0] == pytest.approx([0.9, 0.5, 0.1, 0.1, 0.9, 0.5, 0.5, 0.5])


def test_an_index_of_one_landmark_is_refused() -> None:
    with pytest.raises(ValueError, match="landmarks"):
        best_by_landmark(np.array([[0.1, 0.2]]), np.array([3, 3]))
    with pytest.raises(ValueError, match="landmark"):
        best_by_landmark(np.array([[0.1, 0.2]]), np.array([3, 3, 4]))
    with pytest.raises(ValueError, match="temperature"):
        negative_landmark_entropy(np.array([[0.1, 0.2]]), 0)
