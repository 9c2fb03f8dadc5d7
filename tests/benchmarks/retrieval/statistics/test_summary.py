import itertools
import math
import statistics

import numpy as np
import pytest

from hgld.benchmarks.retrieval.results import Confusion
from hgld.benchmarks.retrieval.statistics.intervals import bootstrap_intervals, t_interval
from hgld.benchmarks.retrieval.statistics.paired import holm_adjusted, sign_flip_p_values
from hgld.benchmarks.retrieval.statistics.summary import (
    compare_methods,
    confusions_of,
    measures_by_label,
    measures_of,
    over_seeds,
)
from tests.benchmarks.retrieval.report.made_up import measure, method_of


def test_a_measure_leaves_undefined_queries_out() -> None:
    # Mean of 0.2, 0.4, 0.9 is 0.5; squared deviations .09 + .01 + .16 = .26, / 2 / 3 = .0433.
    found = measures_of({"h_ap": [0.2, math.nan, 0.4, 0.9]})["h_ap"]
    assert found.mean == pytest.approx(0.5)
    assert found.standard_error == pytest.approx(math.sqrt(0.26 / 2 / 3))
    assert (found.queries, found.undefined) == (3, 1)


def test_a_measure_of_nothing_is_nan_and_never_zero() -> None:
    found = measures_of({"h_ap": [math.nan]})["h_ap"]
    assert math.isnan(found.mean)
    assert math.isnan(found.standard_error)
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert (found.queries, found.undefined) == (0, 1)


def test_one_query_has_a_mean_and_no_spread() -> None:
    found = measures_of({"h_ap": [0.75]})["h_ap"]
    assert found.mean == 0.75
    assert math.isnan(found.standard_error)
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_each_metric_has_its_own_interval() -> None:
    values = np.random.default_rng(1).random((25, 3))
    values[4, 2] = np.nan
    found = measures_of(dict(zip("abc", values.T, strict=True)))
    assert [(one.low, one.high) for one in found.values()] == [
        tuple(ends) for ends in bootstrap_intervals(values).T.tolist()
    ]
    assert measures_of({}) == {}
    assert measures_of({"none": []})["none"].queries == 0


def test_labels_have_the_mean_of_their_own_queries() -> None:
    found = measures_by_label([0.5, 1.0, math.nan, 0.25], ["b", "a", "b", "b"])
    assert list(found) == ["a", "b"]
    assert found["b"].mean == 0.375
    assert (found["b"].queries, found["b"].undefined) == (2, 1)
    assert math.isnan(found["a"].low)


def test_every_pair_is_compared_query_by_query_and_corrected_over_its_metric() -> None:
    generator = np.random.default_rng(2)
    values = {name: generator.random((30, 2)) for name in ("before", "after", "rival")}
    for each in values.values():
        each[7] = np.nan  # nothing to find
    per_query = {name: {"h_ap": each[:, 0], "asi": each[:, 1]} for name, each in values.items()}
    found = list(compare_methods(per_query, ["h_ap", "asi"]))
    pairs = [("after", "before"), ("rival", "before"), ("rival", "after")]
    assert [(one.metric, one.method, one.other) for one in found] == [
        (metric, *pair) for metric, pair in itertools.product(["h_ap", "asi"], pairs)
    ]
    for number, metric in enumerate(("h_ap", "asi")):
        differences = np.stack(
            [values[one][:, number] - values[other][:, number] for one, other in pairs], axis=1
        )
        p_values = sign_flip_p_values(differences).tolist()
        of_metric = [one for one in found if one.metric == metric]
        assert [one.p_value for one in of_metric] == p_values
        assert [one.holm_p_value for one in of_metric] == holm_adjusted(p_values)
        for one, each in zip(of_metric, differences.T, strict=True):
            assert one.difference.mean == pytest.approx(np.nanmean(each))
            assert (one.difference.queries, one.difference.undefined) == (29, 1)
            assert one.higher + one.lower == 29
            assert one.higher == sum(value > 0 for value in each)


def test_one_method_is_compared_with_none() -> None:
    assert list(compare_methods({"alone": {"h_ap": np.zeros(3)}}, ["h_ap"])) == []


def test_confusions_are_counted_most_frequent_first() -> None:
    found = confusions_of(["b", "a", "b", "a", "b"], ["b", "b", "a", "b", "b"])
    assert found == (
        Confusion(label="a", found="b", queries=2),
        Confusion(label="b", found="b", queries=2),
        Confusion(label="b", found="a", queries=1),
    )


def test_seeds_are_summed_up_over_their_means() -> None:
    methods = [
        method_of("x", f"after {seed}", mean, "before")
        for seed, mean in enumerate([0.4, 0.46, 0.43])
    ]
    found = over_seeds("three seeds", methods, [0, 1, 2], ["h_ap", "asi"])
    assert (found.methods, found.seeds) == (("after 0", "after 1", "after 2"), (0, 1, 2))
    assert list(found.measures) == list(found.changes) == ["h_ap", "asi"]
    spread = found.measures["h_ap"]
    assert spread.mean == pytest.approx(0.43)
    assert spread.deviation == pytest.approx(statistics.stdev([0.4, 0.46, 0.43]))
    assert (spread.low, spread.high) == pytest.approx(t_interval([0.4, 0.46, 0.43]))
    assert found.changes["h_ap"].mean == pytest.approx(0.13)


def test_an_interval_over_seeds_ends_where_the_metric_does() -> None:
    methods = [method_of("x", name, mean, "before") for name, mean in (("a", 0.99), ("b", 0.8))]
    found = over_seeds("two", methods, [0, 1], ["h_ap"])
    low, high = t_interval([0.99, 0.8])
    assert low < 0
    assert high > 1
    assert (found.measures["h_ap"].low, found.measures["h_ap"].high) == (0, 1)
    assert found.changes["h_ap"].low == pytest.approx(low - 0.3)
    assert found.changes["h_ap"].high == 1


def test_a_metric_that_a_seed_lacks_has_no_interval() -> None:
    methods = [method_of("x", name, 0.4, "before") for name in ("a", "b")]
    methods[1].measures["asi"] = measure(math.nan)
    spread = over_seeds("two", methods, [0, 1], ["asi"]).measures["asi"]
    assert math.isnan(spread.mean)
    assert math.isnan(spread.low)
