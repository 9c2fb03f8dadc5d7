import itertools
import math

import numpy as np
import pytest
from scipy import stats

from hgld.benchmarks.retrieval.statistics import paired
from hgld.benchmarks.retrieval.statistics.paired import (
    SIGN_FLIPS,
    holm_adjusted,
    sign_flip_p_values,
)


def p_of(differences: list[float], *, flips: int = SIGN_FLIPS, seed: int = 0) -> float:
    values = np.array(differences)[:, None]
    return float(sign_flip_p_values(values, flips=flips, seed=seed)[0])


def test_it_equals_the_share_counted_in_a_plain_loop() -> None:
    differences = [0.3, -0.1, 0.2, 0.25, -0.05, 0.4]
    total = abs(sum(differences))
    ways = list(itertools.product([1, -1], repeat=6))
    as_far = sum(
        abs(sum(sign * value for sign, value in zip(signs, differences, strict=True)))
        >= total - 1e-12
        for signs in ways
    )
    assert p_of(differences) == as_far / len(ways)


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


def test_groups_that_share_their_luck_are_no_difference() -> None:
    of, found = np.repeat(np.arange(30), 6), [0, 0]
    for seed in range(200):
        generator = np.random.default_rng(seed)
        values = (generator.normal(size=30)[of] + generator.normal(size=180))[:, None]
        for number, groups in enumerate((None, of)):
            found[number] += int(sign_flip_p_values(values, groups, flips=400)[0] < 0.05)
    assert found[0] / 200 > 0.15  # 5% are due
    assert found[1] / 200 < 0.1


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


def test_of_many_queries_it_agrees_with_the_normal_distribution() -> None:
    differences = np.random.default_rng(4).normal(0.08, 1, (1_000, 3))
    found = sign_flip_p_values(differences, flips=20_000)
    ratios = differences.sum(axis=0) / np.sqrt((differences**2).sum(axis=0))
    assert found == pytest.approx(2 * stats.norm.sf(np.abs(ratios)), abs=0.02)


def test_where_methods_are_alike_small_p_values_are_as_rare_as_they_say() -> None:
    differences = np.random.default_rng(6).normal(0, 1, (30, 2_000))
    found = sign_flip_p_values(differences, flips=4_000)
    assert np.mean(found <= 0.05) == pytest.approx(0.05, abs=0.02)
    assert np.mean(found <= 0.5) == pytest.approx(0.5, abs=0.04)


def test_a_difference_that_is_always_there_has_the_smallest_p_value_and_never_0() -> None:
    assert p_of([1.0] * 8) == 2 / 2**8
    assert p_of([1.0] * 500, flips=999) == 1 / 1000


def test_queries_without_a_difference_or_a_value_change_nothing() -> None:
    differences = [0.3, -0.1, 0.2]
    assert p_of([*differences, 0.0, math.nan, 0.0]) == p_of(differences)
    assert p_of([0.0, 0.0, math.nan]) == 1.0
    assert math.isnan(p_of([math.nan, math.nan]))
    assert sign_flip_p_values(np.zeros((0, 2))).shape == (2,)


def test_the_sign_of_the_difference_does_not_matter_and_neither_does_its_size() -> None:
    differences = np.random.default_rng(7).normal(0.3, 1, (40, 1))
    found = sign_flip_p_values(np.concatenate([differences, -differences, 7 * differences], axis=1))
    assert found[0] == found[1] == found[2]


def test_ties_count_as_far_although_they_are_rounded() -> None:
    # 3, 1 and 2 come to 6, 4, 2 or 0 with any signs; 0.3 + 0.1 - 0.2 is not 0.2 to the last bit.
    assert p_of([0.3, 0.1, -0.2]) == p_of([3, 1, -2]) == 3 / 4
    assert p_of([0.3, -0.1, -0.2]) == 1.0


def test_flips_in_pieces_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    differences = np.random.default_rng(8).normal(0.2, 1, (60, 5))
    whole = sign_flip_p_values(differences, flips=999)
    monkeypatch.setattr(paired, "_NUMBERS_AT_ONCE", 60 * 10)
    assert (sign_flip_p_values(differences, flips=999) == whole).all()
    assert (sign_flip_p_values(differences, flips=999, seed=1) != whole).any()


def test_what_cannot_be_flipped_is_refused() -> None:
    with pytest.raises(ValueError, match="differences"):
        sign_flip_p_values(np.zeros(3))
    with pytest.raises(ValueError, match="flips"):
        sign_flip_p_values(np.zeros((3, 1)), flips=0)


def test_holm_equals_the_hand_computed_values() -> None:
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1: 0.02, 0.03, 0.06, 0.04 -> never falling.
    assert holm_adjusted([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm_adjusted([0.7, 0.9]) == [1.0, 1.0]
    assert holm_adjusted([0.2]) == [0.2]
    assert holm_adjusted([]) == []


def test_holm_gives_equal_p_values_the_same_and_leaves_out_what_is_no_test() -> None:
    assert holm_adjusted([0.02, 0.02]) == [0.04, 0.04]
    found = holm_adjusted([math.nan, 0.02, 0.03])
    assert math.isnan(found[0])
    assert found[1:] == [0.04, 0.04]
