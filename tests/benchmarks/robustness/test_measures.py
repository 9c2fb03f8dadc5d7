"""Measures of confidence, beside values by hand, loops, scikit-learn and published figures."""

import itertools
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hgld.benchmarks.robustness.measures import (
    area_under_precision_recall,
    area_under_risk_coverage,
    area_under_roc,
    detection_measures,
    excess_area_under_risk_coverage,
    failure_measures,
    false_positive_rate,
    risk_coverage_curve,
)

Rows = tuple[NDArray[np.bool_], NDArray[np.float64]]
TWO_KINDS = (
    area_under_roc,
    area_under_precision_recall,
    false_positive_rate,
)


def random_rows(seed: int, *, ties: bool) -> Rows:
    generator = np.random.default_rng(seed)
    positive = generator.random(60) < 0.6
    score = generator.normal(size=60) + positive
    return positive, np.round(score) if ties else score


def rates_by_a_loop(positive: NDArray[np.bool_], score: NDArray[np.float64]) -> Rows:
    thresholds = [math.inf, *sorted(set(score.tolist()), reverse=True)]
    of = [positive, ~positive]
    true, false = ([sum(score[side] >= at) / side.sum() for at in thresholds] for side in of)
    return np.array(false), np.array(true)


def test_the_measures_of_a_confidence_are_the_published_ones(shared: Path) -> None:
    with np.load(shared / "oracle/ood_confidence.npz") as oracle:
        logits, target = oracle["conf0/logits"], oracle["conf0/target"]
        probability = np.exp(logits - logits.max(axis=1, keepdims=True))
        probability /= probability.sum(axis=1, keepdims=True)
        correct = probability.argmax(axis=1) == target
        found = failure_measures(correct, probability.max(axis=1), convention="published")
        names = {
            "accuracy": "accuracy",
            "auc": "auroc",
            "ap_success": "ap_success",
            "ap_errors": "ap_errors",
            "aurc": "aurc",
            "e-aurc": "e_aurc",
        }
        for theirs, ours in names.items():
            assert found[ours] == pytest.approx(float(oracle[f"conf0/{theirs}"]), abs=1e-12)
        # Among these 135 right ones no threshold lets 95% pass within 0.05%: they report nothing.
        assert "conf0/fpr_at_95tpr" not in oracle
        assert correct.sum() == 135
        defined = failure_measures(correct, probability.max(axis=1))
        assert defined["aurc"] == pytest.approx(0.1202138080)


def test_the_measures_of_a_detector_are_the_published_ones(shared: Path) -> None:
    with np.load(shared / "oracle/ood_confidence.npz") as oracle:
        sides = [oracle[f"ood0/energy_{one}"] for one in ("in", "out")]
        is_outside = np.repeat([False, True], [len(side) for side in sides])
        found = detection_measures(is_outside, np.concatenate(sides))
        names = {"fpr": "fpr_at_95tpr"}
        for theirs in ("fpr", "auroc", "aupr_in", "aupr_out"):
            wanted = float(oracle[f"ood0/{theirs}"])
            assert found[names.get(theirs, theirs)] == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_rates_equal_loops_over_thresholds(seed: int, ties: bool) -> None:
    positive, score = random_rows(seed, ties=ties)
    false, true = rates_by_a_loop(positive, score)
    for share in (0.5, 0.95, 1.0):
        wanted = min(f for f, t in zip(false, true, strict=True) if t >= share)
        assert false_positive_rate(positive, score, tpr=share) == pytest.approx(wanted)
    pairs = [(a > b) + (a == b) / 2 for a in score[positive] for b in score[~positive]]
    assert area_under_roc(positive, score) == pytest.approx(float(np.mean(pairs)))


def test_risks_equal_the_values_by_hand() -> None:
    curve = risk_coverage_curve([0, 1, 0, 0], [0.4, 0.3, 0.2, 0.1])
    assert curve.coverage.tolist() == [0.25, 0.5, 0.75, 1]
    assert curve.risk.tolist() == pytest.approx([0, 1 / 2, 1 / 3, 1 / 4])
    area = (0 + 1 / 2 + 1 / 3 + 1 / 4) / 4
    assert area_under_risk_coverage([0, 1, 0, 0], [0.4, 0.3, 0.2, 0.1]) == pytest.approx(area)
    excess = excess_area_under_risk_coverage([0, 1, 0, 0], [0.4, 0.3, 0.2, 0.1])
    assert excess == pytest.approx(area - (0 + 0 + 0 + 1 / 4) / 4)


@pytest.mark.parametrize("seed", range(4))
def test_risk_of_ties_is_the_mean_over_their_orders(seed: int) -> None:
    correct, score = random_rows(seed, ties=True)
    loss, generator = 1.0 - correct, np.random.default_rng(seed)
    total = np.zeros(len(loss))
    for _ in range(4000):
        jitter = generator.permutation(len(loss))
        ranked = loss[np.lexsort((jitter, -score))]
        total += np.cumsum(ranked) / np.arange(1, len(loss) + 1)
    assert risk_coverage_curve(loss, score).risk == pytest.approx(total / 4000, abs=0.02)


def published_area(correct: NDArray[np.bool_], score: NDArray[np.float64]) -> float:
    """Trapezoids between the rows above each threshold, as ConfidNet's code has it."""
    points = []
    for at in sorted(set(score.tolist()))[:-1]:
        kept = score > at
        points.append((kept.mean(), 1 - correct[kept].mean()))
    points.sort()
    return float(sum((x - w) * (y + v) / 2 for (w, v), (x, y) in itertools.pairwise(points)))


@pytest.mark.parametrize("ties", [False, True])
def test_published_areas_equal_a_loop_over_thresholds(ties: bool) -> None:
    correct, score = random_rows(7, ties=ties)
    found = area_under_risk_coverage(~correct, score, convention="published")
    assert found == pytest.approx(published_area(correct, score))
    rate = 1 - correct.mean()
    excess = excess_area_under_risk_coverage(~correct, score, convention="published")
    assert excess == pytest.approx(found - (rate + (1 - rate) * math.log(1 - rate)))


def test_a_perfect_confidence_has_no_excess_and_a_constant_one_the_error_rate() -> None:
    correct = np.array([True, True, False, True, False])
    perfect = failure_measures(correct, correct * 1.0)
    assert perfect["auroc"] == perfect["ap_success"] == perfect["ap_errors"] == 1
    assert perfect["fpr_at_95tpr"] == perfect["e_aurc"] == 0
    constant = failure_measures(correct, np.ones(5))
    assert constant["auroc"] == 0.5
    assert constant["aurc"] == pytest.approx(0.4)
    assert constant["ap_errors"] == pytest.approx(0.4)
    assert constant["fpr_at_95tpr"] == 1


def test_losses_between_0_and_1_have_a_best_order_too() -> None:
    loss = np.array([0.2, 0.9, 0.4])
    assert excess_area_under_risk_coverage(loss, -loss) == 0
    assert excess_area_under_risk_coverage(loss, loss) > 0


def test_the_order_of_rows_never_matters() -> None:
    correct, score = random_rows(3, ties=True)
    order = np.argsort(correct, kind="stable")
    assert failure_measures(correct[order], score[order]) == pytest.approx(
        failure_measures(correct, score)
    )


@pytest.mark.parametrize("measure", TWO_KINDS)
@pytest.mark.parametrize("kinds", [[], [1, 1], [0, 0]])
def test_one_kind_alone_is_undefined(measure: Callable[..., float], kinds: list[int]) -> None:
    assert math.isnan(measure(kinds, [0.5] * len(kinds)))


def test_no_rows_have_no_area() -> None:
    assert all(math.isnan(value) for value in failure_measures([], []).values())
    assert all(math.isnan(value) for value in detection_measures([0], [1.0]).values())
    assert math.isnan(area_under_risk_coverage([0, 1], [0.1, 0.2], convention="published"))
    assert len(risk_coverage_curve([], []).risk) == 0


def test_predictions_that_are_all_right_or_all_wrong_have_areas_and_no_auroc() -> None:
    right, wrong = (failure_measures([kind] * 3, [0.1, 0.2, 0.3]) for kind in (True, False))
    assert (right["aurc"], right["e_aurc"], right["accuracy"]) == (0, 0, 1)
    assert (wrong["aurc"], wrong["e_aurc"], wrong["accuracy"]) == (1, 0, 0)
    assert math.isnan(right["auroc"])


@pytest.mark.parametrize(
    ("positive", "score", "word"),
    [([1, 0], [0.5], "shape"), ([1, 0], [0.5, math.nan], "finite"), ([1, 2], [0.5, 0.6], "only")],
)
def test_what_cannot_be_measured_is_refused(
    positive: list[int], score: list[float], word: str
) -> None:
    for measure in TWO_KINDS:
        with pytest.raises(ValueError, match=word):
            measure(positive, score)
    with pytest.raises(ValueError, match="tpr"):
        false_positive_rate([1, 0], [1, 0], tpr=95)
    with pytest.raises(ValueError, match="published"):
        excess_area_under_risk_coverage([0.5, 0, 1], [1, 2, 3], convention="published")
