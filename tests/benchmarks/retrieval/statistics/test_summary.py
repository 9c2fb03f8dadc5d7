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

SEVERITY = "mistake_severity_at_1"


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
    values = [[0.4, 0.5, math.nan], [0.46, 0.5, math.nan], [0.43, 0.2, math.nan]]
    runs = [{"h_ap": np.array(each), "asi": np.array(each)} for each in values]
    found = over_seeds(runs)
    assert list(found) == ["h_ap", "asi"]
    spread, means = found["h_ap"], [0.45, 0.48, 0.315]
    assert spread.mean == pytest.approx(statistics.fmean(means))
    assert spread.deviation == pytest.approx(statistics.stdev(means))
    assert (spread.low, spread.high) == pytest.approx(t_interval(means))
    assert over_seeds(runs[:1]) == over_seeds([]) == {}


def test_an_interval_over_seeds_ends_where_the_metric_does() -> None:
    runs = [{key: np.array([value]) for key in ("h_ap", SEVERITY)} for value in (0.99, 0.8)]
    low, high = t_interval([0.99, 0.8])
    assert low < 0
    assert high > 1
    found = over_seeds(runs)
    assert (found["h_ap"].low, found["h_ap"].high) == (0, 1)
    assert found[SEVERITY].low == 0
    assert found[SEVERITY].high == pytest.approx(high)
    changes = over_seeds(
        [{key: each - 0.3 for key, each in run.items()} for run in runs], is_change=True
    )
    assert changes["h_ap"].low == pytest.approx(low - 0.3)
    assert changes["h_ap"].high == 1
    assert changes[SEVERITY].high == pytest.approx(high - 0.3)


def test_a_metric_that_a_seed_lacks_has_no_interval() -> None:
    runs = [{"asi": np.array([value])} for value in (0.4, math.nan)]
    spread = over_seeds(runs)["asi"]
    assert math.isnan(spread.mean)
    assert math.isnan(spread.low)
