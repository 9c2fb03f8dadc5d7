"""The head learns what there is to learn, and refuses what it cannot learn from."""

import dataclasses
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from hgld.benchmarks.robustness.heads.confidence_head import (
    HeadSettings,
    fit_confidence_head,
    predict_confidence,
)

QUICK = HeadSettings(layers=2, hidden_units=32, epochs=60, learning_rate=3e-3)


def rows(count: int = 200) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(count, 3)).astype(np.float32)
    return features, 1 / (1 + np.exp(-3.0 * features[:, 0]))


def test_it_predicts_a_target_that_the_features_have() -> None:
    features, target = rows()
    head = fit_confidence_head(features[:150], target[:150], QUICK, seed=0)
    found = predict_confidence(head, features[150:])
    assert np.square(found - target[150:]).mean() < target.var() / 5
    assert ((found > 0) & (found < 1)).all()


def test_a_target_that_is_1_everywhere_teaches_no_order() -> None:
    features, target = rows()
    ones = predict_confidence(fit_confidence_head(features, np.ones(200), QUICK, seed=0), features)
    assert ones.min() > 0.9
    assert np.square(ones - target).mean() > target.var()


def test_it_is_of_the_layers_of_the_paper() -> None:
    features, target = rows(20)
    head = fit_confidence_head(features, target, dataclasses.replace(HeadSettings(), epochs=1), 0)
    shapes = [tuple(one.shape) for one in head.parameters() if one.ndim == 2]
    assert shapes == [(400, 3), (400, 400), (400, 400), (400, 400), (1, 400)]


def test_it_keeps_the_epoch_in_which_held_out_rows_are_predicted_best() -> None:
    features, _ = rows(100)
    noise = np.random.default_rng(1).random(100)
    patient = dataclasses.replace(QUICK, epochs=150, patience=150)
    found = predict_confidence(fit_confidence_head(features, noise, patient, 0), features)
    # Learned by heart the noise would spread as it does itself.
    assert found.std() < noise.std() / 2
    hasty = dataclasses.replace(QUICK, epochs=150, patience=1)
    assert predict_confidence(fit_confidence_head(features, noise, hasty, 0), features).std() < 0.2


def test_the_seed_decides() -> None:
    features, target = rows(60)
    found = [
        predict_confidence(fit_confidence_head(features, target, QUICK, seed), features).tolist()
        for seed in (0, 0, 1)
    ]
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (np.array([0.5, 1.5]), r"target must be in \[0, 1\], got values from 0.5 to 1.5"),
        (np.array([0.5, math.nan]), r"target must be in \[0, 1\], got values from nan"),
        (np.array([0.5]), r"got \(2, 1\) and \(1,\); give one target a row"),
    ],
)
def test_targets_that_are_no_confidence_are_refused(
    target: NDArray[np.float64],
    message: str,
) -> None:
    with pytest.raises(ValueError, match=message):
        fit_confidence_head(np.zeros((2, 1), np.float32), target, QUICK, 0)


def test_rows_of_one_group_alone_are_refused() -> None:
    features, target = rows(4)
    with pytest.raises(ValueError, match="groups"):
        fit_confidence_head(features, target, QUICK, 0, np.zeros(4, np.int64))
