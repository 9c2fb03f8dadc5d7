"""What is chosen is chosen on rows that neither train nor are measured."""

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from hgld.benchmarks.robustness.data_sets.features import FeatureSet
from hgld.benchmarks.robustness.failures.classifier import ClassifierSettings
from hgld.benchmarks.robustness.heads import choosing
from hgld.benchmarks.robustness.heads.choosing import choose_classifier, choose_confidence_head
from hgld.benchmarks.robustness.heads.confidence_head import (
    ConfidenceHead,
    HeadSettings,
    choosing_rows,
    predict_confidence,
)

LINEAR = HeadSettings(layers=0, hidden_units=0, learning_rate=1e-2, epochs=60)
STILL = dataclasses.replace(LINEAR, learning_rate=1e-9)


def rows_with_a_sign(count: int = 120) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    features = np.random.default_rng(0).normal(size=(count, 4)).astype(np.float32)
    return features, (features[:, 0] > 0).astype(np.float64)


def test_the_head_that_orders_the_validation_rows_best_is_kept() -> None:
    features, target = rows_with_a_sign()
    for grid in ((STILL, LINEAR), (LINEAR, STILL)):
        best = choose_confidence_head(features, target, grid, seed=0)
        assert best.settings == LINEAR
    assert best.described == {"layers": 0, "hidden_units": 0, "learning_rate": 1e-2}


def test_rows_that_are_no_validation_rows_do_not_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    features, target = rows_with_a_sign()
    asked: list[NDArray[np.float32]] = []

    def watched(head: ConfidenceHead, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        asked.append(rows)
        return predict_confidence(head, rows)

    monkeypatch.setattr(choosing, "predict_confidence", watched)
    choose_confidence_head(features, target, (LINEAR, STILL), seed=3)
    chooses = choosing_rows(np.arange(len(target)), LINEAR.validation_share, 3)
    assert len(asked) == 2
    assert all((rows == features[chooses]).all() for rows in asked)


def test_rows_that_are_given_choose_in_the_place_of_those_of_the_epoch() -> None:
    features, target = rows_with_a_sign()
    good = choose_confidence_head(
        features, target, (STILL, LINEAR), seed=0, validation=(features, target)
    )
    assert good.settings == LINEAR
    turned = choose_confidence_head(
        features, target, (STILL, LINEAR), seed=0, validation=(features, 1 - target)
    )
    assert turned.settings == STILL


def test_a_group_chooses_whole_or_not_at_all() -> None:
    groups = np.repeat(np.arange(10), 3)
    chooses = choosing_rows(groups, 0.2, seed=0)
    assert chooses.sum() == 6
    assert len(np.unique(groups[chooses])) == 2


@pytest.mark.parametrize("grid", [(), (LINEAR, dataclasses.replace(LINEAR, validation_share=0.5))])
def test_heads_that_cannot_be_compared_are_refused(grid: tuple[HeadSettings, ...]) -> None:
    with pytest.raises(ValueError, match="grid"):
        choose_confidence_head(*rows_with_a_sign(), grid, seed=0)


def test_a_classifier_is_chosen_by_the_likelihood_of_rows_held_out_and_has_all_rows() -> None:
    features, target = rows_with_a_sign()
    data = FeatureSet(
        title="t",
        features=features,
        labels=target.astype(np.int64),
        groups=np.arange(len(target)),
    )
    good = ClassifierSettings(hidden_units=8, epochs=30, learning_rate=1e-2, dropout=0.0)
    bad = dataclasses.replace(good, epochs=0)
    model, chosen = choose_classifier(data, 2, (bad, good), seed=0)
    assert chosen == good
    assert model.mean.numpy() == pytest.approx(features.mean(axis=0), abs=1e-6)
    assert choose_classifier(data, 2, (bad,), seed=0)[1] == bad
    with pytest.raises(ValueError, match="grid"):
        choose_classifier(data, 2, (), seed=0)
