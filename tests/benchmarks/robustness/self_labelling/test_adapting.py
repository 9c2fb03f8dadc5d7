import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

from hgld.benchmarks.robustness.data_sets.features import FeatureSet
from hgld.benchmarks.robustness.failures.classifier import ClassifierSettings
from hgld.benchmarks.robustness.heads.confidence_head import HeadSettings
from hgld.benchmarks.robustness.records import run_units
from hgld.benchmarks.robustness.self_labelling.adapting import (
    CHOICE_TITLES,
    ChosenAdaptation,
    LabelChoice,
    SelfLabelSettings,
    adapt_classifier,
    choose_adaptation,
    most_confident,
    split_source,
)
from hgld.benchmarks.robustness.self_labelling.adversary import AdversarySettings
from hgld.benchmarks.robustness.self_labelling.domains import DomainPair
from hgld.benchmarks.robustness.self_labelling.part import planned_self_labelling

QUICK = SelfLabelSettings(
    shares=(0.25, 0.5),
    weights=(0.01, 0.1),
    most_rounds=2,
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


HALF = ChosenAdaptation(share=0.5, rounds=2, weight=0.01, validation_accuracy=1.0)


def adapted(choice: LabelChoice, at: float = 1.2, seed: int = 0) -> dict[str, float]:
    """Half of the target kept, two rounds."""
    source = split_source(pair(at), QUICK, seed)
    return adapt_classifier(source, choice, QUICK, HALF, seed=seed)


def test_the_most_confident_are_those_of_a_sort_and_ties_go_to_the_first() -> None:
    scores = np.array([0.2, 0.9, 0.9, 0.1, 0.9])
    assert most_confident(scores, 0.4).tolist() == [1, 2]
    assert most_confident(scores, 1.0).tolist() == [0, 1, 2, 3, 4]
    assert most_confident(scores, 0.01).tolist() == [1]
    assert most_confident(np.empty(0), 0.5).tolist() == []


def test_all_choices_begin_with_the_same_classifier_and_keep_as_many_rows() -> None:
    found = {choice: adapted(choice) for choice in CHOICE_TITLES}
    assert len({one["accuracy_before"] for one in found.values()}) == 1
    kept = {choice: one["kept_rows"] for choice, one in found.items()}
    assert kept == {"none": 0, "all": 80, "probability": 40, "entropy": 40, "tcp": 40, "conda": 40}
    assert found["none"]["accuracy"] == found["none"]["accuracy_before"]
    assert math.isnan(found["none"]["precision_kept"])


def test_where_source_and_target_are_one_every_label_is_right() -> None:
    found = adapted("probability", at=0.0)
    assert found["precision_kept"] == 1
    assert found["accuracy"] == 1
    assert found["accuracy_unlabelled"] == 1


def test_confident_labels_of_a_moved_target_bring_the_classifier_there() -> None:
    found = adapted("probability")
    assert found["accuracy"] > found["accuracy_before"]


def test_the_same_seed_gives_the_same_figures() -> None:
    one, other = (adapted("conda", seed=3) for _ in range(2))
    assert one == other


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="choice"):
        adapted("best")  # type: ignore[arg-type]
    for wrong in (
        {"shares": (0.0,)},
        {"weights": ()},
        {"most_rounds": 0},
        {"held_out": 0.7, "validation": 0.3},
    ):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            SelfLabelSettings(**wrong)


def test_no_target_label_has_a_say_in_what_is_chosen() -> None:
    honest = pair()
    turned = replace(
        honest,
        unlabelled=replace(honest.unlabelled, labels=1 - honest.unlabelled.labels),
        measured=replace(honest.measured, labels=1 - honest.measured.labels),
    )
    settings = replace(QUICK, weights=(0.01,))
    one, other = (
        choose_adaptation(split_source(each, settings, 0), settings, seed=0)
        for each in (honest, turned)
    )
    assert one == other
    assert one.share in QUICK.shares
    assert one.weight in QUICK.weights
    assert 1 <= one.rounds <= QUICK.most_rounds


def test_the_source_chooses_what_a_loop_finds_most_right_there() -> None:
    honest = pair()
    noise = np.random.default_rng(0).normal(0, 2, honest.source.features.shape)
    blurred = replace(honest.source, features=(honest.source.features + noise).astype(np.float32))
    settings = replace(QUICK, weights=(0.01,))
    source = split_source(replace(honest, source=blurred), settings, 0)
    chosen = choose_adaptation(source, settings, seed=0)
    found = {
        (share, rounds, weight): adapt_classifier(
            source,
            "conda",
            settings,
            replace(chosen, share=share, rounds=rounds, weight=weight),
            seed=0,
        )["validation_accuracy"]
        for share in settings.shares
        for rounds in (1, 2)
        for weight in settings.weights
    }
    assert min(found.values()) < max(found.values())
    assert found[chosen.share, chosen.rounds, chosen.weight] == max(found.values())
    assert chosen.validation_accuracy == max(found.values())


def test_no_source_row_is_in_two_parts() -> None:
    source = split_source(pair(), QUICK, 0)
    parts = [source.fitted, source.kept_out, source.validation]
    assert [len(part.labels) for part in parts] == [40, 24, 16]
    assert len(np.unique(np.concatenate([part.groups for part in parts]))) == 80


def test_a_unit_has_a_record_of_each_choice_and_another_key_for_other_data() -> None:
    settings = replace(QUICK, shares=(0.5,), weights=(0.1,), most_rounds=1)
    units = planned_self_labelling(lambda _: pair(), [0, 1], settings)
    assert [unit.seed for unit in units] == [0, 1]
    records = run_units(units[:1], [], lambda _: None)[0].records
    assert [record.method for record in records] == list(CHOICE_TITLES.values())
    assert records[0].chosen == {}
    assert records[-1].chosen.keys() == {"share", "rounds", "adversary_weight"}
    other = planned_self_labelling(lambda _: pair(at=2.0), [0], settings)[0]
    again = planned_self_labelling(lambda _: pair(), [0], settings)[0]
    assert other.key != units[0].key == again.key


def test_most_confident_takes_any_float() -> None:
    scores: NDArray[np.float64] = np.array([-np.inf, 0.0])
    assert most_confident(scores, 0.5).tolist() == [1]
