"""What makes the answers of the silver set likeliest: how cosines become shares, and weights."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hgld.benchmarks.labels.proposals.tiers import IGNORED
from hgld.labels.proposing.calibration import Softmax
from hgld.labels.proposing.methods import softmax_shares

_TEMPERATURES = tuple(round(0.2 + 0.1 * step, 1) for step in range(11))
_IGNORES = tuple(1 + 0.25 * step for step in range(17))
_FLOORS = (0.02, 0.05, 0.1, 0.2, 0.3)


@dataclass(frozen=True, slots=True)
class Told:
    """What methods said of some classes, and the answers."""

    said: Mapping[str, NDArray[np.float64]]
    """By method, (n, T)."""
    columns: NDArray[np.int64]
    """(n,): the column of the answer."""


def row_weights(is_ignored: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Returns a weight for each class, so that IGNORED of all are ignored and the mean is 1."""
    ignored = max(int(is_ignored.sum()), 1) / len(is_ignored)
    accepted = max(int((~is_ignored).sum()), 1) / len(is_ignored)
    return np.asarray(np.where(is_ignored, IGNORED / ignored, (1 - IGNORED) / accepted))


def fit_softmax(told: Sequence[Told], prior: NDArray[np.float64]) -> dict[str, Softmax]:
    """Finds how cosines become shares, by the likelihood on a grid.

    Args:
        told: the scores of `prototypes` of each part, and the answers.
        prior: (T,), IGNORE last.
    """
    columns = np.concatenate([part.columns for part in told])
    weights = row_weights(columns == len(prior) - 1)
    rows = np.arange(len(columns))

    def likelihood(scores: NDArray[np.float64]) -> Callable[[Softmax], float]:
        def of(settings: Softmax) -> float:
            shares = softmax_shares(scores, settings, prior)
            return float((weights * np.log(shares[rows, columns])).mean())

        return of

    grid = [
        Softmax(temperature=temperature, ignore=ignore, floor=floor)
        for temperature, ignore, floor in itertools.product(_TEMPERATURES, _IGNORES, _FLOORS)
    ]
    return {
        method: max(grid, key=likelihood(np.concatenate([part.said[method] for part in told])))
        for method in told[0].said
    }


def fit_weights(told: Sequence[Told], prior: NDArray[np.float64]) -> dict[str, float]:
    """Finds how much of each opinion counts (conditional logit).

    Args:
        told: the log-ratios of each part, and the answers.
        prior: (T,), IGNORE last.

    Returns:
        Name of the method to its weight from 0 to 1: alone a method is calibrated already, so that
        none counts for more than it says.
    """
    from scipy.optimize import minimize

    methods = sorted(told[0].said)
    said = np.stack(
        [np.concatenate([part.said[method] for part in told]) for method in methods]
    )  # (M, n, T)
    columns = np.concatenate([part.columns for part in told])
    weights = row_weights(columns == len(prior) - 1)
    rows = np.arange(len(columns))

    def loss(exponents: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scores = np.tensordot(exponents, said, axes=1) + np.log(prior)
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        expected = (said * shares).sum(axis=2)  # (M, n)
        gradient = ((expected - said[:, rows, columns]) * weights).mean(axis=1)
        return float(-(weights * np.log(shares[rows, columns])).mean()), gradient

    start, bounds = np.full(len(methods), 0.5), [(0, 1)] * len(methods)
    fitted = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return {method: round(float(x), 3) for method, x in zip(methods, fitted.x, strict=True)}
