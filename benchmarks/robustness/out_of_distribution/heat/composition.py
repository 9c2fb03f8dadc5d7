"""Several energies as one score."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from hgld.benchmarks.robustness.out_of_distribution.rows import require_rows


def standardise_energies(train: ArrayLike, energies: ArrayLike) -> NDArray[np.float64]:
    """Puts energies on one scale: less their mean on training rows, over their deviation there.

    Args:
        train: (M, P), P energies of the training rows.
        energies: (N, P) of any rows.

    Returns:
        (N, P) float64; (0, P) of no rows.

    Raises:
        ValueError: shapes do not fit, numbers are not finite, or an energy is the same for all
            training rows.
    """
    known = require_rows("train", train)
    rows = require_rows("energies", energies, known.shape[1])
    deviations = known.std(axis=0)
    if not (deviations > 0).all():
        raise ValueError(
            f"every energy must vary over the training rows, got energy "
            f"{np.flatnonzero(~(deviations > 0))[0]} that is constant; leave it out"
        )
    return np.asarray((rows - known.mean(axis=0)) / deviations)


def compose_energies(energies: ArrayLike, beta: float) -> NDArray[np.float64]:
    """Composes log sum_p exp(beta s_p) / beta: from the least at -inf to the greatest at inf.

    At beta 0, where that has no value, it is the sum of the energies: the order in which
    log ((1/P) sum_p exp(beta s_p)) / beta puts rows as beta goes to 0.

    Args:
        energies: (N, P), standardised.
        beta: any number, also inf and -inf.

    Returns:
        (N,) float64; (0,) of no rows.

    Raises:
        ValueError: another shape, energies that are not finite, or a beta that is no number.

    Example:
        >>> [compose_energies([[1.0, 3.0]], beta).tolist() for beta in (-math.inf, 0, math.inf)]
        [[1.0], [4.0], [3.0]]

    Source:
        Lafon, Ramzi, Rambour, Thome: Hybrid Energy Based Model in the Feature Space for
        Out-of-Distribution Detection, ICML 2023, its composition of energies.
    """
    rows = require_rows("energies", energies)
    if math.isnan(beta):
        raise ValueError("beta must be a number, or inf for the greatest or -inf for the least")
    if beta == 0:
        return np.asarray(rows.sum(axis=1))
    if math.isinf(beta):
        return np.asarray(rows.max(axis=1) if beta > 0 else rows.min(axis=1))
    return np.asarray(logsumexp(beta * rows, axis=1) / beta)
