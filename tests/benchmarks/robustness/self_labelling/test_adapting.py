import math

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

from hgld.benchmarks.robustness.confidence_head import HeadSettings
from hgld.benchmarks.robustness.data_sets import FeatureSet
from hgld.benchmarks.robustness.failures.classifier import ClassifierSettings
from hgld.benchmarks.robustness.records import run_units
from hgld.benchmarks.robustness.self_labelling.adapting import (
    CHOICE_TITLES,
    SelfLabelSettings,
    adapt_classifier,
    most_confident,
)
from hgld.benchmarks.robustness.self_labelling.adversary import AdversarySettings
from hgld.benchmarks.robustness.self_labelling.domains import DomainPair
from hgld.benchmarks.robustness.self_labelling.part import planned_self_labelling

QUICK = SelfLabelSettings(
    classifier=ClassifierSettings(hidden_units=16, epochs=30, learning_rate=1e-2, dropout=0.0),
    adversary=AdversarySettings(head=HeadSettings(layers=1, hidden_units=8, epochs=5)),
)


def two_classes(count: int, at: float, seed: int) -> FeatureSet:
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    features = random.normal(0, 0.5, (count, 2)).astype(np.float32)
    features[:, 0] += 4.0 * labels + at
    return FeatureSet(
        title="t", features=features, labels=labels.astype(np.int64), groups=np.arange(count)
    )


def pair(at: float = 1.2) -> DomainPair:
    """The target lies a little to the right: some of class 0 look like class 1."""
    return DomainPair(
        title="Moved",
        source=two_classes(80, 0.0, 0),
        unlabelled=two_classes(80, at, 1),
        measured=two_classes(200, at, 2),
    )


def test_the_most_confident_are_those_of_a_sort_and_ties_go_to_the_first() -> None:
    scores = np.array([0.2, 0.9, 0.9, 0.1, 0.9])
    assert most_confident(scores, 0.4).tolist() == [1, 2]
    assert most_confident(scores, 1.0).tolist() == [0, 1, 2, 3, 4]
    assert most_confident(scores, 0.01).tolist() == [1]
    assert most_confident(np.empty(0), 0.5).tolist() == []


def test_all_choices_begin_with_the_same_classifier_and_keep_as_many_rows() -> None:
    found = {choice: adapt_classifier(pair(), choice, QUICK, seed=0) for choice in CHOICE_TITLES}
    assert len({one["accuracy_before"] for one in found.values()}) == 1
    kept = {choice: one["kept_rows"] for choice, one in found.items()}
    assert kept == {"none": 0, "all": 80, "probability": 40, "entropy": 40, "tcp": 40, "conda": 40}
    assert found["none"]["accuracy"] == found["none"]["accuracy_before"]
    assert math.isnan(found["none"]["precision_kept"])


def test_where_source_and_target_are_one_every_label_is_right() -> None:
    found = adapt_classifier(pair(at=0.0), "probability", QUICK, seed=0)
    assert found["precision_kept"] == 1
    assert found["accuracy"] == 1
    assert found["accuracy_unlabelled"] == 1


def test_confident_labels_of_a_moved_target_bring_the_classifier_there() -> None:
    found = adapt_classifier(pair(), "probability", QUICK, seed=0)
    assert found["accuracy"] > found["accuracy_before"]


def test_the_same_seed_gives_the_same_figures() -> None:
    one, other = (adapt_classifier(pair(), "conda", QUICK, seed=3) for _ in range(2))
    assert one == other


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match=r"choice must be one of none, all, .* got 'best'"):
        adapt_classifier(pair(), "best", QUICK, seed=0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"share must be in \(0, 1\]"):
        SelfLabelSettings(share=0.0)


def test_a_unit_has_a_record_of_each_choice_and_another_key_for_other_data() -> None:
    units = planned_self_labelling(lambda _: pair(), [0, 1], QUICK)
    assert [unit.seed for unit in units] == [0, 1]
    records = run_units(units[:1], [], lambda _: None)[0].records
    assert [record.method for record in records] == list(CHOICE_TITLES.values())
    other = planned_self_labelling(lambda _: pair(at=2.0), [0], QUICK)[0]
    again = planned_self_labelling(lambda _: pair(), [0], QUICK)[0]
    assert other.key != units[0].key == again.key


def test_most_confident_takes_any_float() -> None:
    scores: NDArray[np.float64] = np.array([-np.inf, 0.0])
    assert most_confident(scores, 0.5).tolist() == [1]
