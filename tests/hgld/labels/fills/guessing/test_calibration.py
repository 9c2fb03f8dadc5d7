import math

import numpy as np
import pytest

from hgld.labels.fills.guessing.calibration import (
    FEWEST,
    calibrate,
    expected_calibration_error,
    front,
    held_out_confidence,
    reliability_bins,
    sharpened,
    trusted_from,
)

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")


def scores_of(lead: np.ndarray, labels: int = 3) -> np.ndarray:
    """Returns scores whose first label leads the others, with the last column of none."""
    scores = np.zeros((len(lead), labels + 1), np.float32)
    scores[:, 0] = lead
    scores[:, -1] = -1
    return scores


def test_the_error_of_confidences_is_the_mean_gap_of_the_bins() -> None:
    # Bin .2-.3: mean .25 and none right; bin .9-1: mean .95 and one of two right.
    confidence = np.array([0.2, 0.3 - 1e-9, 0.9, 1.0])
    is_right = np.array([False, False, False, True])
    expected = (2 * 0.25 + 2 * (0.95 - 0.5)) / 4
    assert expected_calibration_error(confidence, is_right) == pytest.approx(expected)
    assert math.isnan(expected_calibration_error(np.zeros(0), np.zeros(0, bool)))
    low, high = reliability_bins(confidence, is_right)
    assert low == pytest.approx((2, 0.25, 0.0))
    assert high == pytest.approx((2, 0.95, 0.5))


def test_confidences_that_mean_what_they_say_have_no_error() -> None:
    confidence = np.repeat([0.25, 0.75], 4)
    is_right = np.array([True, False, False, False, True, True, True, False])
    assert expected_calibration_error(confidence, is_right) == 0


def test_the_threshold_is_the_lowest_above_which_enough_are_right() -> None:
    confidence = np.linspace(1, 0, 100)
    is_right = np.arange(100) < 60
    threshold = trusted_from(confidence, is_right, 0.95)
    above = is_right[confidence >= threshold]
    assert above.mean() >= 0.95
    assert is_right[confidence >= threshold - 0.02].mean() < 0.95
    assert trusted_from(confidence, is_right, 1.0) == pytest.approx(confidence[59])


def test_fewer_than_thirty_guesses_show_nothing() -> None:
    confidence = np.concatenate([np.full(29, 0.9), np.full(71, 0.1)])
    is_right = confidence > 0.5
    assert trusted_from(confidence, is_right, 0.95) == math.inf
    assert trusted_from(np.zeros(0), np.zeros(0, bool), 0.95) == math.inf


def test_of_equal_confidences_all_are_trusted_or_none() -> None:
    confidence = np.full(100, 0.8)
    is_right = np.arange(100) < 50  # the first ones, which an order of places would trust
    assert trusted_from(confidence, is_right, 0.95) == math.inf
    assert trusted_from(confidence, is_right, 0.5) == 0.8


def test_a_calibrator_learns_how_often_leads_are_right() -> None:
    draw = np.random.default_rng(0)
    lead = draw.uniform(0, 2, 4000)
    is_right = draw.random(4000) < lead / 2
    calibrator = calibrate(scores_of(lead), is_right)
    found = calibrator.confidence(scores_of(np.array([0.2, 1.0, 1.8])))
    assert found == pytest.approx([0.1, 0.5, 0.9], abs=0.06)
    held_out = held_out_confidence(scores_of(lead), is_right)
    assert expected_calibration_error(held_out, is_right) < 0.03


@pytest.mark.parametrize("right", [0, 30, FEWEST - 1])
def test_of_too_few_guesses_nothing_is_learned_and_nobody_is_sure(right: int) -> None:
    is_right = np.arange(FEWEST - 1) < right
    calibrator = calibrate(scores_of(np.ones(FEWEST - 1)), is_right)
    assert not calibrator.is_measured
    assert calibrator.held_out == FEWEST - 1
    assert calibrator.confidence(scores_of(np.array([5.0])))[0] <= 0.5


@pytest.mark.parametrize(("right", "confidence"), [(True, 99 / 100), (False, 1 / 100)])
def test_where_all_are_right_or_none_one_of_the_other_is_reckoned_with(
    right: bool, confidence: float
) -> None:
    calibrator = calibrate(scores_of(np.ones(98)), np.full(98, right))
    assert calibrator.confidence(scores_of(np.array([0.0, 2.0]))) == pytest.approx([confidence] * 2)


def test_the_front_is_never_that_of_having_no_label() -> None:
    scores = np.array([[0.1, 0.2, 9.0]], np.float32)
    assert front(scores).tolist() == [1]
    assert sharpened(scores).sum(axis=1) == pytest.approx([1])
    assert sharpened(scores).shape == (1, 2)
