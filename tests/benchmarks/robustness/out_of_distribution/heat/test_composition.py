import math

import numpy as np
import pytest

pytest.importorskip("scipy", reason="needs `pip install 'hgld[cluster]'`")

from hgld.benchmarks.robustness.out_of_distribution.heat.composition import (
    compose_energies,
    standardise_energies,
)


def some_energies() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(50, 3))


def test_it_equals_the_hand_computed_value() -> None:
    # log(e^0 + e^(2 log 3)) / 2 = log(10) / 2
    got = compose_energies([[0.0, math.log(3)]], 2.0)
    assert got.tolist() == pytest.approx([math.log(10) / 2])


def test_it_goes_to_the_greatest_the_least_and_the_sum() -> None:
    rows = some_energies()
    np.testing.assert_allclose(
        compose_energies(rows, 1e4), compose_energies(rows, math.inf), atol=1e-3
    )
    np.testing.assert_allclose(
        compose_energies(rows, -1e4), compose_energies(rows, -math.inf), atol=1e-3
    )
    assert compose_energies(rows, math.inf).tolist() == rows.max(axis=1).tolist()
    assert compose_energies(rows, -math.inf).tolist() == rows.min(axis=1).tolist()
    # About 0 it is the mean and log(3) / beta: the order of the sum.
    near = 3 * (compose_energies(rows, 1e-6) - math.log(3) / 1e-6)
    np.testing.assert_allclose(near, compose_energies(rows, 0), atol=1e-4)


def test_of_one_energy_it_is_that_energy() -> None:
    for beta in (-math.inf, -2.0, 0.0, 1.5, math.inf):
        np.testing.assert_allclose(compose_energies([[0.7], [-2.0]], beta), [0.7, -2.0])


def test_no_rows_give_none_and_wrong_ones_are_refused() -> None:
    assert compose_energies(np.empty((0, 2)), 1.0).shape == (0,)
    with pytest.raises(ValueError, match="beta"):
        compose_energies([[1.0]], math.nan)
    with pytest.raises(ValueError, match="energies"):
        compose_energies([1.0], 1.0)


def test_standardised_training_energies_have_mean_zero_and_deviation_one() -> None:
    rows = some_energies() * [1, 10, 100] + 7
    standard = standardise_energies(rows, rows)
    np.testing.assert_allclose(standard.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(standard.std(axis=0), 1)
    assert standardise_energies([[1.0], [3.0]], [[6.0]]).tolist() == [[4.0]]


def test_a_constant_energy_is_refused() -> None:
    with pytest.raises(ValueError, match="energy"):
        standardise_energies([[1.0, 2.0], [3.0, 2.0]], [[1.0, 2.0]])
