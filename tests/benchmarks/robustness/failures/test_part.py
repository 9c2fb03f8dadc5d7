"""Failure prediction as a whole, on rows that are made up."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from hgld.benchmarks.robustness.data_sets.features import FeatureSet, split_groups
from hgld.benchmarks.robustness.failures.classifier import (
    ClassifierSettings,
    class_probabilities,
    dropout_probabilities,
    fit_classifier,
)
from hgld.benchmarks.robustness.failures.part import (
    ALL_TO_CLASSIFIER,
    CONFIDNET,
    CONFIDNET_NOT_HELD_OUT,
    HEAD_ON_SCORES,
    SIMPLE_CONFIDENCES,
    FailureSettings,
    planned_failures,
    predict_failures,
)
from hgld.benchmarks.robustness.heads.confidence_head import HeadSettings

QUICK = FailureSettings(
    classifiers=(ClassifierSettings(hidden_units=64, dropout=0.2, epochs=80, learning_rate=5e-3),),
    heads=(HeadSettings(layers=1, hidden_units=16, epochs=30, learning_rate=3e-3),),
    score_heads=(HeadSettings(layers=1, hidden_units=16, epochs=30, learning_rate=3e-3),),
    dropout_passes=8,
)
FAST = dataclasses.replace(
    QUICK,
    classifiers=(dataclasses.replace(QUICK.classifiers[0], epochs=2),),
    heads=(dataclasses.replace(QUICK.heads[0], epochs=2),),
    score_heads=(dataclasses.replace(QUICK.heads[0], epochs=2),),
)
SLOW = dataclasses.replace(QUICK.heads[0], learning_rate=1e-9)


def overlapping_rows(rows: int = 240) -> FeatureSet:
    """Three classes in a plane, which overlap, and ten directions of noise to learn by heart."""
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), rows // 3)
    centres = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]])
    plane = centres[labels] + generator.normal(size=(rows, 2))
    noise = generator.normal(size=(rows, 10))
    return FeatureSet(
        title="made up",
        features=np.hstack([plane, noise]).astype(np.float32),
        labels=labels,
        groups=np.arange(rows),
    )


def test_every_confidence_is_measured_on_the_same_test_rows() -> None:
    found = {one.method: one for one in predict_failures(overlapping_rows(), 0, QUICK)}
    same = (*SIMPLE_CONFIDENCES, CONFIDNET, CONFIDNET_NOT_HELD_OUT, HEAD_ON_SCORES)
    assert found.keys() == {*same, ALL_TO_CLASSIFIER}
    assert len({found[name].measures["accuracy"] for name in same}) == 1
    assert all(one.measures["rows"] == 72 for one in found.values())
    assert all(found[name].measures["auroc"] > 0.5 for name in SIMPLE_CONFIDENCES)
    for one in found.values():
        line = one.curves["risk_coverage"]
        assert line.x[-1] == 1
        assert line.y[-1] == pytest.approx(1 - one.measures["accuracy"], abs=1e-6)


def test_a_head_that_is_not_held_out_sees_a_classifier_that_is_nearly_always_right() -> None:
    found = {one.method: one.measures for one in predict_failures(overlapping_rows(), 0, QUICK)}
    held, other = found[CONFIDNET], found[CONFIDNET_NOT_HELD_OUT]
    assert (held["rows_seen"], other["rows_seen"]) == (72, 96)
    assert other["errors_seen"] / 96 < held["errors_seen"] / 72 / 2
    assert other["mean_tcp_seen"] > held["mean_tcp_seen"] + 0.05
    assert other["tcp_error"] > held["tcp_error"]


def test_what_was_chosen_is_in_the_records_and_test_rows_have_no_say() -> None:
    data = overlapping_rows()
    grid = tuple(dataclasses.replace(QUICK.classifiers[0], epochs=epochs) for epochs in (1, 40))
    settings = dataclasses.replace(QUICK, classifiers=grid, heads=(QUICK.heads[0], SLOW))
    found = {one.method: one.chosen for one in predict_failures(data, 0, settings)}
    assert found["Entropy"] == {"dropout": 0.2, "classifier_epochs": 40}
    assert found[CONFIDNET]["learning_rate"] == QUICK.heads[0].learning_rate
    assert found[CONFIDNET_NOT_HELD_OUT] == found[CONFIDNET]
    generator = np.random.default_rng(0)
    *_, test = split_groups(data.labels, data.groups, settings.shares, generator)
    noise = data.features.copy()
    noise[test] = generator.normal(size=noise[test].shape)
    other = predict_failures(dataclasses.replace(data, features=noise), 0, settings)
    assert {one.method: one.chosen for one in other} == found


def test_the_same_seed_gives_the_same_records_and_leaves_the_generator_alone() -> None:
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first = predict_failures(overlapping_rows(), 1, FAST)
    assert torch.equal(torch.get_rng_state(), state)
    assert repr(predict_failures(overlapping_rows(), 1, FAST)) == repr(first)
    assert repr(predict_failures(overlapping_rows(), 2, FAST)) != repr(first)


def test_units_differ_by_seed_settings_and_data() -> None:
    data = overlapping_rows()
    shifted = dataclasses.replace(data, features=data.features + 1)
    deeper = dataclasses.replace(QUICK, heads=(HeadSettings(layers=2),))
    keys = [
        unit.key
        for sets, settings in (([data], FAST), ([data], deeper), ([shifted], FAST))
        for unit in planned_failures(sets, [0, 1], settings)
    ]
    assert len(set(keys)) == 6
    (unit,) = planned_failures([data], [0], FAST)
    assert unit.key == keys[0]
    assert {record.seed for record in unit.measure()} == {0}


def test_dropout_is_averaged_and_none_leaves_the_probabilities_as_they_are() -> None:
    data = overlapping_rows(60)
    model = fit_classifier(data, 3, dataclasses.replace(QUICK.classifiers[0], epochs=2), seed=0)
    plain, several = class_probabilities(model, data), dropout_probabilities(model, data, 50, 0)
    assert several.sum(axis=1) == pytest.approx(np.ones(60))
    assert 0 < np.abs(several - plain).max() < 0.3
    model.dropout.p = 0.0
    assert dropout_probabilities(model, data, 2, 0) == pytest.approx(plain)


def test_a_feature_that_never_varies_does_no_harm() -> None:
    data = overlapping_rows(60)
    data.features[:, 3] = 7.0
    model = fit_classifier(data, 3, QUICK.classifiers[0], seed=0)
    data.features[:, 3] = 8.0
    assert all(math.isfinite(value) for value in class_probabilities(model, data).ravel())
