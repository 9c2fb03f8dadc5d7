import math

import numpy as np
import pytest
import torch

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

from hgld.benchmarks.robustness.out_of_distribution.baselines import (
    fit_virtual_logit,
    logit_energy_score,
    mahalanobis_score,
    maximum_logit_score,
    maximum_softmax_score,
    nearest_neighbour_score,
)
from hgld.benchmarks.robustness.out_of_distribution.heat.gaussians import GaussianMixture


def test_scores_of_logits_equal_the_hand_computed_values() -> None:
    logits = [[math.log(3), 0.0], [0.0, 0.0]]  # probabilities 3/4, 1/4 and 1/2, 1/2
    assert maximum_softmax_score(logits).tolist() == pytest.approx([-0.75, -0.5])
    assert maximum_logit_score(logits).tolist() == pytest.approx([-math.log(3), 0.0])
    assert logit_energy_score(logits).tolist() == pytest.approx([-math.log(4), -math.log(2)])


def test_scores_of_great_logits_stay_finite() -> None:
    logits = [[1e4, -1e4], [1e4, 1e4]]
    assert maximum_softmax_score(logits).tolist() == [-1.0, -0.5]
    assert logit_energy_score(logits).tolist() == pytest.approx([-1e4, -1e4 - math.log(2)])


def test_a_constant_added_to_all_logits_changes_the_energy_and_not_the_softmax() -> None:
    logits = np.array([[1.0, 2.0, 0.0]])
    assert maximum_softmax_score(logits + 5)[0] == pytest.approx(maximum_softmax_score(logits)[0])
    assert logit_energy_score(logits + 5)[0] == pytest.approx(logit_energy_score(logits)[0] - 5)


def test_mahalanobis_is_the_distance_to_the_nearest_mean() -> None:
    # Deviations 2 and 1: from (0, 0) to (2, 1) it is 1 + 1, to (6, 0) it is 9.
    mixture = GaussianMixture(
        means=torch.tensor([[2.0, 1.0], [6.0, 0.0]]).double(),
        cholesky=torch.diag(torch.tensor([2.0, 1.0])).double(),
    )
    assert mahalanobis_score(mixture, [[0.0, 0.0], [6.0, 0.0]]).tolist() == pytest.approx(
        [2.0, 0.0]
    )
    with pytest.raises(ValueError, match="features"):
        mahalanobis_score(mixture, [[0.0, 0.0, 1.0]])


def test_the_neighbour_is_the_kth_of_unit_vectors_as_in_a_loop() -> None:
    random = np.random.default_rng(0)
    train, rows = random.normal(size=(30, 4)), random.normal(size=(7, 4)) * 9
    for k in (1, 3, 30):
        expected = [
            sorted(
                float(np.linalg.norm(one / np.linalg.norm(one) - row / np.linalg.norm(row)))
                for one in train
            )[k - 1]
            for row in rows
        ]
        np.testing.assert_allclose(nearest_neighbour_score(train, rows, k), expected)


def test_the_opposite_direction_is_at_distance_two_and_the_same_at_none() -> None:
    train = [[3.0, 0.0]]
    assert nearest_neighbour_score(train, [[0.5, 0.0], [-7.0, 0.0]], 1).tolist() == [0.0, 2.0]
    assert nearest_neighbour_score(train, np.empty((0, 2)), 1).shape == (0,)


def test_a_neighbour_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="training"):
        nearest_neighbour_score([[1.0]], [[1.0]], 2)
    with pytest.raises(ValueError, match="features"):
        nearest_neighbour_score([[1.0]], [[1.0], [0.0]], 1)


def test_the_virtual_logit_equals_the_hand_computed_value() -> None:
    # W = I (2 of 3 dimensions), b = (-1, 0): o = (1, 0, 0). Rows less o: (+-4, 0, 0), (0, +-3, 0),
    # (0, 0, +-1): the residual of two components is the third axis, mean length (1 + 1) / 6 = 1/3.
    # Largest logits: 4, -4 + 0 -> 0, 3, 0, 0, 0: mean 7/6. alpha = 3.5.
    offsets = np.array([[4, 0, 0], [-4, 0, 0], [0, 3, 0], [0, -3, 0], [0, 0, 1], [0, 0, -1.0]])
    features = offsets + np.array([1, 0, 0])
    virtual = fit_virtual_logit(features, np.eye(3)[:2], [-1.0, 0.0], components=2)
    np.testing.assert_allclose(virtual.origin, [1, 0, 0], atol=1e-12)
    assert virtual.scale == pytest.approx(3.5)
    row = np.array([[2.0, 5.0, 2.0]])  # residual 2; logits 1 and 5
    expected = 3.5 * 2 - math.log(math.exp(1) + math.exp(5))
    assert virtual.score(row, [[1.0, 5.0]])[0] == pytest.approx(expected)


def test_the_virtual_logit_orders_rows_as_its_published_probability() -> None:
    random = np.random.default_rng(0)
    features, weight, bias = random.normal(size=(60, 6)), random.normal(size=(3, 6)), np.zeros(3)
    virtual = fit_virtual_logit(features, weight, bias, components=2)
    rows = random.normal(size=(20, 6))
    logits = rows @ weight.T
    lengths = np.linalg.norm((rows - virtual.origin) @ virtual.residual, axis=1)
    extended = np.concatenate([logits, virtual.scale * lengths[:, None]], axis=1)
    shares = np.exp(extended) / np.exp(extended).sum(axis=1, keepdims=True)
    assert (np.argsort(virtual.score(rows, logits)) == np.argsort(shares[:, -1])).all()


def test_a_virtual_logit_that_cannot_be_fitted_is_refused() -> None:
    features = np.random.default_rng(0).normal(size=(9, 3))
    with pytest.raises(ValueError, match="components"):
        fit_virtual_logit(features, np.eye(3), np.zeros(3), components=3)
    with pytest.raises(ValueError, match="bias"):
        fit_virtual_logit(features, np.eye(3), np.zeros(2))
    flat = features * [1, 1, 0]
    with pytest.raises(ValueError, match="something"):
        fit_virtual_logit(flat, np.eye(3), np.zeros(3), components=2)


@pytest.mark.parametrize("score", [maximum_softmax_score, maximum_logit_score, logit_energy_score])
def test_logits_that_are_not_finite_are_refused(score: object) -> None:
    assert callable(score)
    with pytest.raises(ValueError, match="logits"):
        score([[math.inf, 0.0]])
    assert score(np.empty((0, 2))).shape == (0,)
