"""Intervals and tests, against plain loops and scipy."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from hgld.benchmarks.retrieval import statistics
from hgld.benchmarks.retrieval.statistics import (
    SIGN_FLIPS,
    bootstrap_intervals,
    holm_adjusted,
    sign_flip_p_values,
    standard_errors,
    t_interval,
)


def some_values(queries: int, metrics: int = 1) -> np.ndarray:
    return np.random.default_rng(5).beta(2, 1, (queries, metrics))


def test_it_agrees_with_scipy() -> None:
    values = some_values(80)[:, 0]
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    low, high = bootstrap_intervals(values[:, None], draws=20_000)[:, 0]
    width = expected.high - expected.low
    assert low == pytest.approx(expected.low, abs=0.03 * width)
    assert high == pytest.approx(expected.high, abs=0.03 * width)


def test_a_query_without_a_value_is_as_if_it_were_not_there_and_metrics_are_independent() -> None:
    values = some_values(40, 3)
    holed = np.insert(values, [7, 20], np.nan, axis=0)
    holed = np.concatenate([holed, np.where(np.isnan(holed), 0.5, holed)[:, :1]], axis=1)
    ends = bootstrap_intervals(holed)
    assert ends[:, :3] == pytest.approx(bootstrap_intervals(values))
    assert ends[:, 3] != pytest.approx(ends[:, 0])  # where they have one, they count
    assert ends[:, 3] == pytest.approx(bootstrap_intervals(holed[:, 3:])[:, 0])


def test_values_that_are_alike_have_no_width_and_one_query_or_group_no_interval() -> None:
    ends = bootstrap_intervals(np.array([[0.1, 0.5, np.nan]] + [[0.1, np.nan, np.nan]] * 8))
    assert ends[:, 0].tolist() == [0.1, 0.1]
    assert np.isnan(ends[:, 1:]).all()
    assert bootstrap_intervals(np.zeros((0, 2))).shape == (2, 2)
    values, alone = some_values(20), np.zeros(20, np.int64)
    assert np.isnan(bootstrap_intervals(values, alone)).all()
    assert np.isnan(standard_errors(values, alone)).all()


def test_groups_are_drawn_with_all_their_queries() -> None:
    groups = {3: [0.1, 0.4], 5: [0.9], 9: [0.2, 0.3, 0.7], 10: [0.55], 12: [0.35, 0.6]}
    values = np.array([value for some in groups.values() for value in some] + [np.nan])
    of = np.array([number for number, some in groups.items() for _ in some] + [3])
    means = [
        np.mean([value for number in drawn for value in groups[number]])
        for drawn in itertools.product(groups, repeat=5)
    ]
    for confidence in (0.5, 0.95):
        ends = bootstrap_intervals(values[:, None], of, draws=60_000, confidence=confidence)
        tails = [50 * (1 - confidence), 50 * (1 + confidence)]
        assert ends[:, 0] == pytest.approx(np.percentile(means, tails), abs=0.01)
    order = np.random.default_rng(0).permutation(len(values))
    mixed = bootstrap_intervals(values[order, None], of[order])
    assert mixed == pytest.approx(bootstrap_intervals(values[:, None], of))


def test_groups_of_one_query_are_queries() -> None:
    values = some_values(30, 2)
    values[4, 1] = np.nan
    each = np.arange(30)
    assert (bootstrap_intervals(values, each) == bootstrap_intervals(values)).all()
    assert standard_errors(values) == pytest.approx(stats.sem(values, nan_policy="omit"))
    assert standard_errors(values, each) == pytest.approx(standard_errors(values))


def test_the_error_of_groups_equals_a_plain_loop() -> None:
    values, of = some_values(20)[:, 0], np.arange(20) % 6
    squares = [sum(values[of == one] - values.mean()) ** 2 for one in range(6)]
    expected = math.sqrt(6 / 5 * sum(squares)) / 20
    assert standard_errors(values[:, None], of)[0] == pytest.approx(expected)


def test_an_interval_over_seeds_equals_the_hand_computed_one_and_scipys() -> None:
    # Mean 2, deviation 1, 1 / sqrt(3) = 0.57735; t of 2 degrees of freedom is 4.302653.
    assert t_interval([1.0, 2.0, 3.0]) == pytest.approx((2 - 2.484138, 2 + 2.484138), abs=1e-5)
    values = [0.61, 0.64, 0.6, 0.655]
    expected = stats.t.interval(0.9, 3, np.mean(values), stats.sem(values))
    assert t_interval(values, confidence=0.9) == pytest.approx(expected)
    for undefined in ([], [0.5], [0.5, math.nan, 0.6]):
        assert all(map(math.isnan, t_interval(undefined)))
    assert t_interval([0.5, 0.5, 0.5]) == (0.5, 0.5)


def p_of(differences: list[float], *, flips: int = SIGN_FLIPS, seed: int = 0) -> float:
    values = np.array(differences)[:, None]
    return float(sign_flip_p_values(values, flips=flips, seed=seed)[0])


def test_queries_of_a_group_change_their_sign_together() -> None:
    differences = np.array([[0.3], [0.2], [-0.1], [0.4], [np.nan], [0.1], [-0.1]])
    groups = np.array([1, 1, 2, 3, 3, 4, 4])
    # Sums 0.5, -0.1, 0.4 and 0, which has no sign: of 8 ways four come to 0.8 or more.
    sums = [0.5, -0.1, 0.4]
    ways = [abs(sum(np.multiply(sums, one))) for one in itertools.product([1, -1], repeat=3)]
    expected = sum(way >= 0.8 - 1e-12 for way in ways) / 8
    assert expected == 0.5
    assert sign_flip_p_values(differences, groups)[0] == expected
    # Were each query alone, two that are equal and opposite would count.
    assert sign_flip_p_values(differences)[0] != expected


def test_it_agrees_with_scipys_exact_test() -> None:
    differences = np.random.default_rng(2).normal(0.2, 1, 11)
    expected = stats.permutation_test(
        (differences, np.zeros(11)),
        lambda one, other, axis: np.mean(one - other, axis=axis),
        permutation_type="samples",
        n_resamples=np.inf,
        vectorized=True,
    )
    assert p_of(differences.tolist()) == pytest.approx(expected.pvalue)


def test_random_ways_come_to_what_all_ways_do() -> None:
    differences = np.random.default_rng(3).normal(0.4, 1, 13).tolist()
    exact = p_of(differences)
    assert p_of(differences, flips=8_000) == pytest.approx(exact, abs=0.015)
    assert p_of(differences, flips=8_000) != exact


def test_a_difference_that_is_always_there_has_the_smallest_p_value_and_never_0() -> None:
    assert p_of([1.0] * 8) == 2 / 2**8
    assert p_of([1.0] * 500, flips=999) == 1 / 1000


def test_queries_without_a_difference_or_a_value_change_nothing() -> None:
    differences = [0.3, -0.1, 0.2]
    assert p_of([*differences, 0.0, math.nan, 0.0]) == p_of(differences)
    assert p_of([0.0, 0.0, math.nan]) == 1.0
    assert math.isnan(p_of([math.nan, math.nan]))
    assert sign_flip_p_values(np.zeros((0, 2))).shape == (2,)


def test_ties_count_as_far_although_they_are_rounded() -> None:
    # 3, 1 and 2 come to 6, 4, 2 or 0 with any signs; 0.3 + 0.1 - 0.2 is not 0.2 to the last bit.
    assert p_of([0.3, 0.1, -0.2]) == p_of([3, 1, -2]) == 3 / 4
    assert p_of([0.3, -0.1, -0.2]) == 1.0


def test_draws_and_flips_in_pieces_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(8).normal(0.2, 1, (60, 5))
    ends = bootstrap_intervals(values, draws=999)
    p_values = sign_flip_p_values(values, flips=999)
    monkeypatch.setattr(statistics, "_NUMBERS_AT_ONCE", 60 * 10)
    assert bootstrap_intervals(values, draws=999) == pytest.approx(ends)
    assert (sign_flip_p_values(values, flips=999) == p_values).all()
    assert (sign_flip_p_values(values, flips=999, seed=1) != p_values).any()


def test_holm_equals_the_hand_computed_values() -> None:
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1: 0.02, 0.03, 0.06, 0.04 -> never falling.
    assert holm_adjusted([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm_adjusted([0.7, 0.9]) == [1.0, 1.0]
    assert holm_adjusted([]) == []
    found = holm_adjusted([math.nan, 0.02, 0.02])  # what is no test is left out
    assert math.isnan(found[0])
    assert found[1:] == [0.04, 0.04]
