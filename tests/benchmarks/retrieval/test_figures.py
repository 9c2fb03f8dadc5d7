"""From the values of every query to the rows of the table."""

import itertools
import math
import statistics
from dataclasses import replace

import numpy as np
import pytest

from hgld.benchmarks.retrieval.figures import (
    over_seeds,
    rows_by_label,
    rows_of_pairs,
    rows_of_values,
)
from hgld.benchmarks.retrieval.results import Row
from hgld.benchmarks.retrieval.statistics import holm_adjusted, sign_flip_p_values, t_interval
from tests.benchmarks.retrieval.made_up import LEVELS, compared

LIKE = Row(method="a", metric="h_ap")
SEVERITY = Row(method="a", metric="mistake_severity_at_1")


def test_the_mean_of_nothing_is_nan_and_never_zero_and_one_query_has_no_spread() -> None:
    for values, mean in (([math.nan], math.nan), ([], math.nan), ([0.75], 0.75)):
        (found,) = rows_of_values([np.array(values)], [LIKE])
        assert found.mean == pytest.approx(mean, nan_ok=True)
        assert all(map(math.isnan, (found.standard_error, found.low, found.high)))
        assert found.queries == sum(not math.isnan(value) for value in values)


def test_labels_have_the_mean_of_their_own_queries_and_one_of_several_counts_in_each() -> None:
    values = np.random.default_rng(3).random(8)
    values[4] = np.nan
    labels = [["ab"], ["b"], ["b"], ["ab", "b"], ["b"], ["ab"], ["b", "b"], ["ab"]]
    landmarks = np.array([5, 5, 9, 9, 9, 7, 7, 7])
    ab, b = rows_by_label(values, LIKE, labels, landmarks)
    assert (ab.label, ab.queries, ab.groups, ab.undefined) == ("ab", 4, 3, 0)
    assert (b.label, b.queries, b.groups, b.undefined) == ("b", 4, 3, 1)
    assert ab.mean == pytest.approx(np.mean(values[[0, 3, 5, 7]]))
    assert b.mean == pytest.approx(np.mean(values[[1, 2, 3, 6]]))
    # Landmarks are drawn, and not queries: those of three have 10 different means of three draws.
    own = {one: values[[q for q in (0, 3, 5, 7) if landmarks[q] == one]] for one in (5, 7, 9)}
    draws = itertools.product(own, repeat=3)
    means = sorted(float(np.mean(np.concatenate([own[one] for one in draw]))) for draw in draws)
    assert (ab.low, ab.high) == pytest.approx((means[0], means[-1]))


def test_every_pair_is_compared_query_by_query_and_corrected_over_its_metric() -> None:
    metrics = ("h_ap", "asi", "ap_landmark")
    values = np.random.default_rng(2).random((3, 3, 30))
    values[:, :, 7] = np.nan  # nothing to find
    names = {"before": "", "after": "before", "rival": ""}
    methods = [
        compared(name, dict(zip(metrics, own.tolist(), strict=True)), baseline=baseline)
        for (name, baseline), own in zip(names.items(), values, strict=True)
    ]
    found = list(rows_of_pairs(methods, metrics[:2], np.arange(30), LEVELS))
    pairs = {("after", "before"): (1, 0), ("rival", "before"): (2, 0), ("rival", "after"): (2, 1)}
    assert [(one.metric, one.method, one.against) for one in found] == [
        *((metric, *pair) for metric, pair in itertools.product(metrics[:2], pairs)),
        ("ap_landmark", "after", "before"),  # shown nowhere, and so not tested
    ]
    assert math.isnan(found[-1].p_value)
    for number, metric in enumerate(metrics[:2]):
        each = [values[one, number] - values[other, number] for one, other in pairs.values()]
        p_values = sign_flip_p_values(np.stack(each, axis=1)).tolist()
        of_metric = [one for one in found if one.metric == metric]
        assert [one.p_value for one in of_metric] == p_values
        assert [one.holm_p_value for one in of_metric] == holm_adjusted(p_values)
        for one, differences in zip(of_metric, each, strict=True):
            assert one.mean == pytest.approx(np.nanmean(differences))
            assert (one.queries, one.undefined) == (29, 1)
            assert (one.higher, one.lower) == ((differences > 0).sum(), (differences < 0).sum())


def test_several_seeds_are_one_value_for_each_query_and_have_a_spread() -> None:
    runs = [{"h_ap": [0.4, 0.5, math.nan]}, {"h_ap": [0.46, 0.6, math.nan]}]
    before = compared("before", {"h_ap": [0.3, 0.3, math.nan]})
    both = compared("both", *runs, baseline="before")
    assert both.per_query["h_ap"][:2].tolist() == pytest.approx([0.43, 0.55])
    (change,) = rows_of_pairs([before, both], ("h_ap",), np.arange(3), LEVELS)
    assert change.mean == pytest.approx(0.19)
    assert change.seeds == 2
    assert change.deviation == pytest.approx(statistics.stdev([0.15, 0.23]))
    assert (change.seed_low, change.seed_high) == pytest.approx(t_interval([0.15, 0.23]))


def test_an_interval_over_seeds_ends_where_the_metric_does() -> None:
    runs = [np.array([value]) for value in (0.99, 0.8)]
    low, high = t_interval([0.99, 0.8])
    assert (low < 0, high > 1) == (True, True)
    share, severity = (over_seeds(like, runs) for like in (LIKE, SEVERITY))
    assert (share.seed_low, share.seed_high, severity.seed_low) == (0, 1, 0)
    assert severity.seed_high == pytest.approx(high)
    change = over_seeds(replace(LIKE, against="b"), [run - 0.3 for run in runs])
    assert (change.seed_low, change.seed_high) == pytest.approx((low - 0.3, 1))
    assert over_seeds(LIKE, runs[:1]) == LIKE
