import itertools
import math

import numpy as np
import pytest
from scipy import stats

from hgld.benchmarks.retrieval.statistics import intervals
from hgld.benchmarks.retrieval.statistics.intervals import (
    bootstrap_intervals,
    group_sums,
    standard_errors,
    t_interval,
)


def some_values(queries: int, metrics: int = 1) -> np.ndarray:
    return np.random.default_rng(5).beta(2, 1, (queries, metrics))


def test_the_interval_of_two_queries_is_what_all_draws_give() -> None:
    # Of 0 and 1 the four draws have the means 0, 1/2, 1/2 and 1: below 1/4 of the draws lies 0.
    ends = bootstrap_intervals(np.array([[0.0], [1.0]]), draws=4_000)
    assert ends[:, 0].tolist() == [0.0, 1.0]
    ends = bootstrap_intervals(np.array([[0.0], [1.0]]), draws=4_000, confidence=0.4)
    assert ends[:, 0].tolist() == [0.5, 0.5]


def test_it_has_the_middle_of_the_means_of_all_draws_of_a_few_queries() -> None:
    values = [0.1, 0.25, 0.4, 0.9, 0.7]
    means = [np.mean(drawn) for drawn in itertools.product(values, repeat=5)]
    ends = bootstrap_intervals(np.array(values)[:, None], draws=40_000)
    low, high = np.percentile(means, [2.5, 97.5])
    assert ends[:, 0] == pytest.approx([low, high], abs=0.01)


def test_it_agrees_with_scipy() -> None:
    values = some_values(80)[:, 0]
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    low, high = bootstrap_intervals(values[:, None], draws=20_000)[:, 0]
    width = expected.high - expected.low
    assert low == pytest.approx(expected.low, abs=0.03 * width)
    assert high == pytest.approx(expected.high, abs=0.03 * width)


def test_a_query_without_a_value_is_as_if_it_were_not_there() -> None:
    values = some_values(40, 3)
    holed = np.insert(values, [7, 20], np.nan, axis=0)
    holed = np.concatenate([holed, np.where(np.isnan(holed), 0.5, holed)[:, :1]], axis=1)
    ends = bootstrap_intervals(holed)
    assert ends[:, :3] == pytest.approx(bootstrap_intervals(values))
    assert ends[:, 3] != pytest.approx(ends[:, 0])  # where they have one, they count


def test_metrics_do_not_depend_on_those_beside_them() -> None:
    values = some_values(30, 4)
    values[3, 1] = np.nan
    ends = bootstrap_intervals(values)
    for number in range(4):
        assert ends[:, number] == pytest.approx(
            bootstrap_intervals(values[:, number : number + 1])[:, 0]
        )


def test_draws_in_pieces_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    values = some_values(50, 2)
    whole = bootstrap_intervals(values, draws=999)
    monkeypatch.setattr(intervals, "_NUMBERS_AT_ONCE", 50 * 10)
    assert bootstrap_intervals(values, draws=999) == pytest.approx(whole)


def test_values_that_are_alike_have_no_width_and_one_query_no_interval() -> None:
    ends = bootstrap_intervals(np.array([[0.1, 0.5, np.nan]] + [[0.1, np.nan, np.nan]] * 8))
    assert ends[:, 0].tolist() == [0.1, 0.1]
    assert np.isnan(ends[:, 1:]).all()
    assert bootstrap_intervals(np.zeros((0, 2))).shape == (2, 2)


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


def test_one_group_has_no_interval_however_many_queries_it_has() -> None:
    values, alone = some_values(20), np.zeros(20, np.int64)
    assert np.isnan(bootstrap_intervals(values, alone)).all()
    assert np.isnan(standard_errors(values, alone)).all()


def test_queries_that_go_together_widen_an_interval_until_it_holds_the_mean() -> None:
    of, held = np.repeat(np.arange(30), 6), [0, 0]
    for seed in range(200):
        generator = np.random.default_rng(seed)
        values = (generator.normal(size=30)[of] + generator.normal(size=180))[:, None]
        for number, groups in enumerate((None, of)):
            low, high = bootstrap_intervals(values, groups, draws=400)[:, 0]
            held[number] += int(low <= 0 <= high)
    assert held[0] / 200 < 0.8  # 95% are due
    assert held[1] / 200 > 0.88


def test_groups_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="number"):
        group_sums(np.zeros((3, 1)), np.zeros(2, np.int64))


def test_the_seed_decides_the_draws() -> None:
    values = some_values(20)
    one, again, other = (bootstrap_intervals(values, draws=50, seed=seed) for seed in (1, 1, 2))
    assert (one == again).all()
    assert (one != other).all()


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match="values"):
        bootstrap_intervals(np.zeros(3))
    with pytest.raises(ValueError, match="draws"):
        bootstrap_intervals(np.zeros((3, 1)), draws=0)
    with pytest.raises(ValueError, match="confidence"):
        bootstrap_intervals(np.zeros((3, 1)), confidence=95)


def test_an_interval_over_seeds_equals_the_hand_computed_one_and_scipys() -> None:
    # Mean 2, deviation 1, 1 / sqrt(3) = 0.57735; t of 2 degrees of freedom is 4.302653.
    assert t_interval([1.0, 2.0, 3.0]) == pytest.approx((2 - 2.484138, 2 + 2.484138), abs=1e-5)
    values = [0.61, 0.64, 0.6, 0.655]
    expected = stats.t.interval(0.9, 3, np.mean(values), stats.sem(values))
    assert t_interval(values, confidence=0.9) == pytest.approx(expected)


def test_one_seed_has_no_interval_and_equal_seeds_one_without_width() -> None:
    assert all(map(math.isnan, t_interval([0.5])))
    assert all(map(math.isnan, t_interval([])))
    assert all(map(math.isnan, t_interval([0.5, math.nan, 0.6])))
    assert t_interval([0.5, 0.5, 0.5]) == (0.5, 0.5)
