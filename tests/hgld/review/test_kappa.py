import itertools
import math
import random

import numpy as np
import pytest
from numpy.typing import NDArray

from hgld.review.kappa import NO_CASE, ONE_CATEGORY, ONE_SIDED, cohen_kappa, wilson_interval

# PROC FREQ of the SAS/STAT documentation, "Agreement Study": two dermatologists, 88 patients.
DERMATOLOGISTS = [[10, 4, 1, 0], [5, 10, 12, 2], [2, 4, 12, 5], [0, 2, 6, 13]]


def lists_of(table: list[list[int]]) -> tuple[list[str], list[str]]:
    """Returns what two reviewers said, of how often each pair of categories occurs."""
    pairs = [
        ("abcdefg"[row], "abcdefg"[column])
        for row, counts in enumerate(table)
        for column, count in enumerate(counts)
        for _ in range(count)
    ]
    random.Random(0).shuffle(pairs)
    return [one for one, _ in pairs], [other for _, other in pairs]


def kappas_of(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns kappa of each (C, C) table of shares: written anew, for whole arrays."""
    observed = np.trace(shares, axis1=-2, axis2=-1)
    expected = (shares.sum(axis=-1) * shares.sum(axis=-2)).sum(axis=-1)
    return np.asarray((observed - expected) / (1 - expected))


def random_table(seed: int, size: int = 4, cases: int = 300) -> list[list[int]]:
    generator = np.random.default_rng(seed)
    weights = generator.random((size, size)) + 3 * np.diag(generator.random(size))
    counts = generator.multinomial(cases, (weights / weights.sum()).ravel())
    return [[int(count) for count in row] for row in counts.reshape(size, size)]


def test_kappa_and_its_error_equal_the_hand_computed_values() -> None:
    # p_o = 35/50, rows 25 and 25, columns 30 and 20: p_e = (25 * 30 + 25 * 20) / 2500 = 0.5,
    # kappa = 0.2 / 0.5. n (1 - p_e)^4 SE^2 = 0.4 (0.5 - 1.1 * 0.3)^2 + 0.3 (0.5 - 0.9 * 0.3)^2
    # + 0.09 (0.1 * 1.1^2 + 0.2 * 0.9^2) - 0.05^2 = 0.0504; SE^2 = 0.0504 / (50 / 16)
    found = cohen_kappa(*lists_of([[20, 5], [10, 15]]))
    assert (found.cases, found.observed, found.expected) == (50, 0.7, 0.5)
    assert found.kappa == pytest.approx(0.4, abs=1e-15)
    assert found.standard_error == pytest.approx(math.sqrt(0.016128), abs=1e-12)
    assert found.low == pytest.approx(0.4 - 1.959964 * math.sqrt(0.016128), abs=1e-6)
    assert found.high == pytest.approx(0.4 + 1.959964 * math.sqrt(0.016128), abs=1e-6)
    assert found.undefined == ""


def test_it_agrees_with_published_examples() -> None:
    found = cohen_kappa(*lists_of(DERMATOLOGISTS))
    published = (0.3449, 0.0724, 0.2030, 0.4868)
    assert (found.kappa, found.standard_error, found.low, found.high) == pytest.approx(
        published, abs=5e-5
    )
    # Fleiss, Cohen and Everitt 1969: 200 cases, kappa 0.429, variance 0.002885
    found = cohen_kappa(*lists_of([[106, 10, 4], [22, 28, 10], [2, 12, 6]]))
    assert found.kappa == pytest.approx(0.429, abs=5e-4)
    assert found.standard_error**2 == pytest.approx(0.002885, abs=5e-7)


@pytest.mark.parametrize("seed", range(3))
def test_the_error_is_what_the_delta_method_gives(seed: int) -> None:
    """SE^2 = (sum_ij p_ij g_ij^2 - (sum_ij p_ij g_ij)^2) / n, g being the gradient of kappa."""
    table = np.array(random_table(seed), dtype=np.float64)
    cases, shares = table.sum(), table / table.sum()
    gradient = np.zeros_like(shares)
    for cell in itertools.product(range(4), repeat=2):
        step = np.zeros_like(shares)
        step[cell] = 1e-6
        gradient[cell] = (kappas_of(shares + step) - kappas_of(shares - step)) / 2e-6
    variance = ((shares * gradient**2).sum() - (shares * gradient).sum() ** 2) / cases
    found = cohen_kappa(*lists_of(random_table(seed)))
    assert found.standard_error == pytest.approx(math.sqrt(variance), rel=1e-6)


def test_perfect_agreement_is_one() -> None:
    found = cohen_kappa(["lake", "fort", "lake"], ["lake", "fort", "lake"])
    assert (found.kappa, found.low, found.high, found.observed) == (1, 1, 1, 1)
    # So few cases are no proof, which the interval of the observed agreement says.
    assert found.observed_low == pytest.approx(0.4385, abs=1e-4)


def test_always_disagreeing_on_two_categories_is_minus_one() -> None:
    found = cohen_kappa(["lake", "fort"] * 5, ["fort", "lake"] * 5)
    assert (found.kappa, found.low, found.observed) == (-1, -1, 0)


def test_without_a_case_it_is_nan_and_says_why() -> None:
    found = cohen_kappa([], [])
    assert found.undefined == NO_CASE
    values = (found.kappa, found.standard_error, found.low, found.high)
    shares = (found.observed, found.observed_low, found.observed_high, found.expected)
    assert all(map(math.isnan, (*values, *shares)))


def test_where_both_know_one_category_alone_it_is_nan_and_says_why() -> None:
    found = cohen_kappa(["lake"] * 9, ["lake"] * 9)
    assert found.undefined == ONE_CATEGORY
    assert (found.cases, found.observed, found.expected) == (9, 1, 1)
    assert all(map(math.isnan, (found.kappa, found.standard_error, found.low, found.high)))
    assert found.observed_low == pytest.approx(0.7008, abs=1e-4)


@pytest.mark.parametrize(
    ("first", "second", "right"),
    [
        (["lake"] * 9, ["fort"] * 9, 0),  # 0 / 1
        (["lake"] * 9, ["lake"] * 8 + ["fort"], 8),
        (["lake", "fort", "cave"] * 3, ["cave"] * 9, 3),
    ],
)
def test_where_one_gives_one_category_throughout_it_is_nan_and_says_why(
    first: list[str], second: list[str], right: int
) -> None:
    # p_o = p_e whatever the other says: 0 with an interval of no width would look like knowledge.
    found = cohen_kappa(first, second)
    assert found.undefined == ONE_SIDED
    assert all(map(math.isnan, (found.kappa, found.standard_error, found.low, found.high)))
    assert found.observed == found.expected == right / 9
    assert (found.observed_low, found.observed_high) == wilson_interval(right, 9)


def test_lists_of_different_cases_are_refused() -> None:
    with pytest.raises(ValueError, match="cases"):
        cohen_kappa(["lake"], ["lake", "fort"])


def test_the_interval_of_a_share_equals_the_hand_computed_value() -> None:
    # z^2 = 3.8415: (0.9 + 0.192073 -+ 1.959964 sqrt(0.009 + 0.0096036)) / 1.384146
    low, high = wilson_interval(9, 10)
    assert (low, high) == pytest.approx((0.595850, 0.982124), abs=1e-6)


@pytest.mark.parametrize(("right", "total"), [(1, 3), (9, 10), (40, 50), (0, 7), (7, 7)])
def test_the_ends_are_the_shares_that_are_just_not_refuted(right: int, total: int) -> None:
    """Both solve |p - end| = z sqrt(end (1 - end) / n)."""
    for end in wilson_interval(right, total):
        reach = 1.959964 * math.sqrt(end * (1 - end) / total)
        assert abs(right / total - end) == pytest.approx(reach, abs=1e-6)


def test_the_interval_stays_within_its_range_and_ends_there() -> None:
    assert wilson_interval(0, 5)[0] == 0
    assert wilson_interval(5, 5)[1] == 1
    assert all(map(math.isnan, wilson_interval(0, 0)))


@pytest.mark.parametrize(("right", "total"), [(-1, 5), (6, 5)])
def test_more_than_all_or_fewer_than_none_are_refused(right: int, total: int) -> None:
    with pytest.raises(ValueError, match="right"):
        wilson_interval(right, total)
