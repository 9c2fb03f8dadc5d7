import math

import numpy as np
import pytest

from hgld.labels.fills.page import (
    expected_calibration_error,
    fills_page,
    measure_guesses,
    reliability_bins,
)
from hgld.tables import FILL_CHECKS, FILLS
from tests.worlds.builders import table_of

# 40 sure churches, of which one is none, and 40 lakes of which half are none.
CHECKS = table_of(
    FILL_CHECKS,
    [
        {
            "split": "train",
            "landmark_id": place,
            "hierarchical_label": "boat" if place == 7 or place >= 60 else guess,
            "best_guess": guess,
            "confidence": confidence,
            "method": "words",
        }
        for place, (guess, confidence) in enumerate([("church", 0.96)] * 40 + [("lake", 0.5)] * 40)
    ],
)


def test_guesses_are_measured_as_they_are_right() -> None:
    found = measure_guesses("words", CHECKS, 0.95)
    assert (found.guesses, found.right) == (80, 59 / 80)
    assert found.threshold == pytest.approx(0.96)
    assert (found.coverage, found.right_of_sure) == (0.5, 39 / 40)
    assert found.ece == pytest.approx(40 * abs(0.96 - 39 / 40) / 80, abs=1e-6)
    assert [each.guesses for each in found.bins] == [40, 40]
    assert found.surest[0] == (0.1, 7 / 8)  # the eighth of the sure ones is none
    assert found.surest[-1] == (1.0, 59 / 80)


def test_a_super_category_is_measured_at_the_threshold_of_the_method() -> None:
    lakes = CHECKS.slice(40)
    found = measure_guesses("lake", lakes, 0.95, threshold=0.96)
    assert found.coverage == 0
    assert math.isnan(found.right_of_sure)
    assert measure_guesses("lake", lakes, 0.95, threshold=0.5).right_of_sure == 0.5


def test_the_page_counts_labels_by_how_they_came_to_be() -> None:
    rows = [("ok", "words"), ("ok", "words"), ("ok", "reviewed"), ("unsure", "words+parents")]
    fills = table_of(
        FILLS,
        [
            {"split": "train", "landmark_id": place, "status": status, "method": method}
            | {"evidence": "told"}
            for place, (status, method) in enumerate(rows)
        ],
    )
    text = fills_page(fills, CHECKS, 0.95)
    assert "2: a label by words" in text
    assert "1: a label that a person accepted" in text
    assert "97.5%" in text
    assert "nan" not in text


def test_without_a_check_the_page_has_no_undefined_number() -> None:
    text = fills_page(table_of(FILLS, []), table_of(FILL_CHECKS, []), 0.95)
    assert "nan" not in text


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
