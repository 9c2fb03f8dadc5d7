"""Measures of confidence, beside loops, permutations and published figures."""

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hgld.benchmarks.robustness.measures import (
    area_under_precision_recall,
    area_under_risk_coverage,
    area_under_roc,
    detection_measures,
    failure_measures,
    false_positive_rate,
)

TWO_KINDS = (area_under_roc, area_under_precision_recall, false_positive_rate)


def random_rows(seed: int, *, ties: bool) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    generator = np.random.default_rng(seed)
    positive = generator.random(60) < 0.6
    score = generator.normal(size=60) + positive
    return positive, np.round(score) if ties else score


def test_the_measures_are_the_published_ones(shared: Path) -> None:
    with np.load(shared / "oracle/ood_confidence.npz") as oracle:
        logits, target = oracle["conf0/logits"], oracle["conf0/target"]
        probability = np.exp(logits - logits.max(axis=1, keepdims=True))
        probability /= probability.sum(axis=1, keepdims=True)
        correct = probability.argmax(axis=1) == target
        found = failure_measures(correct, probability.max(axis=1))
        found["auc"] = found["auroc"]
        for name in ("accuracy", "auc", "ap_success", "ap_errors"):
            assert found[name] == pytest.approx(float(oracle[f"conf0/{name}"]), abs=1e-12)
        assert found["aurc"] == pytest.approx(0.1202138080)
        sides = [oracle[f"ood0/energy_{one}"] for one in ("in", "out")]
        is_outside = np.repeat([False, True], [len(side) for side in sides])
        found = detection_measures(is_outside, np.concatenate(sides))
        found["fpr"] = found.pop("fpr_at_95tpr")
        for name, value in found.items():
            assert value == pytest.approx(float(oracle[f"ood0/{name}"]), abs=1e-12)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_rates_equal_loops_over_thresholds(seed: int, ties: bool) -> None:
    positive, score = random_rows(seed, ties=ties)
    of = [positive, ~positive]
    true, false = ([np.mean(score[side] >= at) for at in set(score.tolist())] for side in of)
    wanted = min(f for f, t in zip(false, true, strict=True) if t >= 0.95)
    assert false_positive_rate(positive, score) == pytest.approx(wanted)
    pairs = [(a > b) + (a == b) / 2 for a in score[positive] for b in score[~positive]]
    assert area_under_roc(positive, score) == pytest.approx(float(np.mean(pairs)))
    order = np.argsort(positive, kind="stable")  # which never matters
    again = failure_measures(positive[order], score[order])
    assert again == pytest.approx(failure_measures(positive, score))


def test_risk_of_ties_is_the_mean_over_their_orders() -> None:
    correct, score = random_rows(0, ties=True)
    loss, generator = 1.0 - correct, np.random.default_rng(0)
    orders = [np.lexsort((generator.permutation(60), -score)) for _ in range(4000)]
    means = np.mean([np.cumsum(loss[order]) for order in orders], axis=0) / np.arange(1, 61)
    assert area_under_risk_coverage(loss, score) == pytest.approx(means.mean(), abs=0.003)


def test_where_there_is_nothing_to_tell_apart_it_is_nan() -> None:
    for kinds in ([], [1, 1], [0, 0]):
        assert all(math.isnan(measure(kinds, [0.5] * len(kinds))) for measure in TWO_KINDS)
    assert all(math.isnan(value) for value in failure_measures([], []).values())
    right, wrong = (failure_measures([kind] * 3, [0.1, 0.2, 0.3]) for kind in (True, False))
    assert (right["aurc"], right["e_aurc"], right["accuracy"]) == (0, 0, 1)
    assert (wrong["aurc"], wrong["e_aurc"], wrong["accuracy"]) == (1, 0, 0)


def test_what_cannot_be_measured_is_refused() -> None:
    for score, word in (([0.5], "shape"), ([0.5, math.nan], "finite")):
        for measure in (*TWO_KINDS, area_under_risk_coverage):
            with pytest.raises(ValueError, match=word):
                measure([1, 0], score)
