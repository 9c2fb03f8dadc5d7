import dataclasses

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

from hgld.benchmarks.robustness.measures import detection_measures
from hgld.benchmarks.robustness.out_of_distribution.baselines import mahalanobis_score
from hgld.benchmarks.robustness.out_of_distribution.frozen import FrozenRows
from hgld.benchmarks.robustness.out_of_distribution.heat.correction import with_travel
from hgld.benchmarks.robustness.out_of_distribution.heat.detector import HeatConfig
from hgld.benchmarks.robustness.out_of_distribution.heat.gaussians import fit_mixture
from hgld.benchmarks.robustness.out_of_distribution.measuring import (
    METHOD_TITLES,
    WITHOUT_STD,
    adapted_config,
    measure_out_of_distribution,
)
from hgld.benchmarks.robustness.out_of_distribution.part import (
    planned_landmark_out,
    planned_packaged_out,
)
from hgld.benchmarks.robustness.out_of_distribution.problems.holding_out import (
    HELD_OUT_CLASSES,
    ClassRows,
    hold_out_classes,
)
from hgld.benchmarks.robustness.records import run_units
from tests.benchmarks.robustness.out_of_distribution.heat.test_detector import QUICK


def groups(counts: int, seed: int) -> FrozenRows:
    labels = np.repeat(np.arange(8), counts)
    features = np.random.default_rng(seed).normal(size=(len(labels), 8)) + 5 * np.eye(8)[labels]
    return FrozenRows(features, labels)


def class_rows() -> ClassRows:
    far = FrozenRows(np.random.default_rng(9).normal(-9, 1, (20, 8)))
    return ClassRows(title="Groups", train=groups(20, 0), queries=groups(6, 1), far={"far": far})


def test_every_method_is_measured_on_every_kind() -> None:
    problem = hold_out_classes(class_rows(), held_out=2, components=8, seed=0)
    records = measure_out_of_distribution(problem, QUICK, seed=0)
    assert {one.data_set for one in records} == {f"Groups: {HELD_OUT_CLASSES}", "Groups: far"}
    titles = [one.method for one in records if one.data_set == "Groups: far"]
    # Without std the pair of the others is HEAT itself.
    assert titles == [
        title
        for name, title in METHOD_TITLES.items()
        if "std" not in name and name != "heat_gmm_logits"
    ]
    mixture = fit_mixture(problem.train.features, problem.train.required_labels())
    inside, outside = (
        mahalanobis_score(mixture, rows.features)
        for rows in (problem.inside, problem.outside[HELD_OUT_CLASSES])
    )
    found = next(one for one in records if one.method == "Mahalanobis")
    assert found.measures == detection_measures(inside, outside)
    far = [one for one in records if one.data_set == "Groups: far" and one.method == "HEAT"]
    assert far[0].measures["auroc"] == 1


def with_spreads(rows: FrozenRows, seed: int) -> FrozenRows:
    spreads = np.random.default_rng(seed).normal(size=(len(rows), 5))
    return FrozenRows(rows.features, rows.labels, spreads)


def test_with_std_every_set_of_parts_is_measured_and_tells_where_a_gain_is_from() -> None:
    plain = class_rows()
    rows = dataclasses.replace(
        plain,
        train=with_spreads(plain.train, 0),
        queries=with_spreads(plain.queries, 1),
        far={"far": with_spreads(plain.far["far"], 2)},
    )
    config = dataclasses.replace(
        QUICK,
        gaussians=dataclasses.replace(QUICK.gaussians, epochs=0),
        logits=dataclasses.replace(QUICK.logits, epochs=0),
    )
    problem = hold_out_classes(rows, held_out=2, components=8, seed=0)
    found = {
        one.method: one.measures for one in measure_out_of_distribution(problem, config, seed=0)
    }
    assert list(found) == list(METHOD_TITLES.values())
    # What is not trained corrects nothing.
    assert found["HEAT"] == found["All priors, not corrected"]
    assert found["HEAT, std"] == found["GMM of std, not corrected"]
    assert found["HEAT, GMM"] == found["GMM, not corrected"]
    assert found["HEAT, logits"] == found["Energy"]
    # The std is noise here: without it HEAT is what it is on the features alone.
    lone = hold_out_classes(plain, held_out=2, components=8, seed=0)
    alone = {one.method: one.measures for one in measure_out_of_distribution(lone, config, seed=0)}
    assert found[METHOD_TITLES[WITHOUT_STD]] == alone["HEAT"]
    assert found["HEAT, std"]["auroc"] < 0.9 < alone["HEAT"]["auroc"]


def test_rates_are_adapted_to_the_rows() -> None:
    config = adapted_config(HeatConfig(), 1_000)
    assert config.gaussians == with_travel(HeatConfig().gaussians, 1_000)
    assert config.logits == with_travel(HeatConfig().logits, 1_000)


def test_units_have_another_key_for_other_settings_data_and_seeds() -> None:
    def keys(rows: ClassRows, config: HeatConfig = QUICK) -> list[str]:
        return [unit.key for unit in planned_landmark_out(rows, [0, 1], config)]

    rows = class_rows()
    other = dataclasses.replace(rows, train=groups(20, 7))
    every = [*keys(rows), *keys(other), *keys(rows, dataclasses.replace(QUICK, beta=1.0))]
    assert len(set(every)) == 6
    assert keys(rows) == keys(class_rows())
    packaged = planned_packaged_out([0, 1], QUICK)
    assert [(unit.data_set, unit.seed) for unit in packaged] == [
        *(("Digits", 0), ("Digits", 1), ("Nouns", 0), ("Nouns", 1))
    ]


def test_a_unit_measures_what_was_planned() -> None:
    done = run_units(planned_landmark_out(class_rows(), [0], QUICK), [], lambda _: None)
    assert {record.part for record in done[0].records} == {"out_of_distribution"}
    assert {record.seed for record in done[0].records} == {0}
