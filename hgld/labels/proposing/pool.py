"""Opinions put together: the best super-category, the next best, and how sure that is.

Opinions are added, each with the weight that makes the answers of the silver set likeliest (a
logarithmic opinion pool): methods that read the same label repeat each other. What a sum is worth
was measured in turn (`hgld.labels.proposing.calibration`).

Source:
    Genest, Zidek, Combining probability distributions: a critique and an annotated bibliography,
    Statistical Science 1986, section 3.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hgld.labels.proposing.calibration import Calibration

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONFIDENCE_DECIMALS = 4


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The two best targets of n classes, as columns."""

    best: "NDArray[np.int64]"
    second: "NDArray[np.int64]"
    confidence: "NDArray[np.float64]"
    """Of the best, calibrated."""
    second_confidence: "NDArray[np.float64]"
    """Of the second: its share of what is left."""
    log_odds: "NDArray[np.float64]"
    """Of the best against all others, before calibration."""

    @classmethod
    def empty(cls, n: int) -> "Verdicts":
        """Returns room for the verdicts of n classes."""
        return cls(
            np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n), np.zeros(n), np.zeros(n)
        )

    def take(self, rows: "NDArray[np.int64]") -> "Verdicts":
        """Returns the verdicts of some rows."""
        return Verdicts(*(column[rows] for column in self.columns))

    def put(self, rows: "NDArray[np.int64]", verdicts: "Verdicts") -> None:
        """Puts verdicts in the place of those of some rows."""
        for column, others in zip(self.columns, verdicts.columns, strict=True):
            column[rows] = others

    def settle(self, row: int, column: int) -> None:
        """Makes a target certain; where it was not the best, that becomes the second."""
        if self.best[row] != column:
            self.second[row] = self.best[row]
        self.best[row], self.confidence[row] = column, 1.0
        self.second_confidence[row], self.log_odds[row] = 0.0, np.inf

    @property
    def columns(self) -> "tuple[NDArray[Any], ...]":
        """All fields, in their order."""
        sure = (self.confidence, self.second_confidence, self.log_odds)
        return (self.best, self.second, *sure)


def pool(
    log_ratios: "NDArray[np.float64]", prior: "NDArray[np.float64]", calibration: Calibration
) -> Verdicts:
    """Finds the best targets by a sum of opinions.

    score(t) = log prior(t) + sum of weight x log_ratio(t) over the methods; of equal scores the
    first column is the better.

    Args:
        log_ratios: float64 (n, T), the weighted sum over the methods.
        prior: float64 (T,), T at least 2.
        calibration: what sums are worth.

    Returns:
        The verdicts.

    Example:
        >>> verdicts = pool(np.log([[8.0, 1.0]]), np.array([0.5, 0.5]), Calibration())
        >>> verdicts.best.tolist(), verdicts.log_odds.round(3).tolist()  # log(8 / 1)
        ([0], [2.079])
    """
    scores = log_ratios + np.log(prior)
    rows = np.arange(len(scores))
    best = scores.argmax(axis=1)
    top = scores[rows, best]
    others = scores.copy()
    others[rows, best] = -np.inf
    second = others.argmax(axis=1)
    heights = others - others[rows, second][:, None]
    # log of the sum over the others, from their greatest on
    rest = others[rows, second] + np.log(np.exp(heights).sum(axis=1))
    log_odds = top - rest
    confidence = calibration.confident(log_odds)
    share = np.exp(others[rows, second] - rest)
    return Verdicts(
        best=best,
        second=second,
        confidence=confidence.round(CONFIDENCE_DECIMALS),
        second_confidence=((1 - confidence) * share).round(CONFIDENCE_DECIMALS),
        log_odds=log_odds,
    )
