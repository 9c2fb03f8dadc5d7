"""How often a guess is right: from its scores to a confidence, and from which one on to trust it.

Learned and measured on labelled landmarks whose scores come of models that did not see them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hgld.labels.fills.guessing.model import LabelScores

FEWEST = 60
"""Held-out guesses that a confidence needs to be learned from."""
_FEWEST_TRUSTED = 30
"""Held-out guesses above a threshold that show how often those are right."""
_SHARPNESS = 5.0
"""Of the softmax over scores, whose margin is about 1."""
_PARTS = 5
_LABEL_WEIGHT = 0.5
"""Of which super-category is guessed, beside how it scores: lighthouses are found more often than
houses of the same score. With it sides are right for 97.4% of the surest 70% and ECE is .017;
without it 97.2% and .021."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrator:
    """From scores to confidences; of too few guesses an estimate that nobody measured."""

    regression: Any
    """A fitted logistic regression; None where all guesses were right, or none, or too few."""
    held_out: int
    """Guesses that it was learned from."""
    right: int
    """Of these."""

    @property
    def is_measured(self) -> bool:
        """Whether there were enough guesses to learn from."""
        return self.held_out >= FEWEST

    def confidence(self, scores: LabelScores) -> Floats:
        """Returns how often guesses of such scores are right, from 0 to 1.

        Args:
            scores: (n, L + 1), the last column that of having no label.
        """
        if not len(scores):
            return np.zeros(0)
        if not self.is_measured:
            estimate: Floats = sharpened(scores).max(axis=1) / 2
            return estimate
        if self.regression is None:  # one right and one wrong beside those that are all alike
            return np.full(len(scores), (self.right + 1) / (self.held_out + 2))
        found: Floats = self.regression.predict_proba(_described(scores))[:, 1]
        return found


def sharpened(scores: LabelScores) -> Floats:
    """Returns the share of each label, by a softmax over scores: (n, L)."""
    given = _SHARPNESS * scores[:, :-1].astype(np.float64)
    weights = np.exp(given - given.max(axis=1, keepdims=True))
    shares: Floats = weights / weights.sum(axis=1, keepdims=True)
    return shares


def calibrate(scores: LabelScores, is_right: NDArray[np.bool_]) -> Calibrator:
    """Learns how often guesses are right.

    Args:
        scores: (n, L + 1), of held-out landmarks.
        is_right: (n,), whether the label in front is theirs.
    """
    can_learn = len(is_right) >= FEWEST and is_right.any() and not is_right.all()
    regression = _regression().fit(_described(scores), is_right) if can_learn else None
    return Calibrator(regression=regression, held_out=len(is_right), right=int(is_right.sum()))


def held_out_confidence(scores: LabelScores, is_right: NDArray[np.bool_]) -> Floats:
    """Returns confidences of guesses that the calibrator was not learned from, by parts of five."""
    found = np.zeros(len(is_right))
    part = np.arange(len(is_right)) % _PARTS
    for number in range(_PARTS):
        calibrator = calibrate(scores[part != number], is_right[part != number])
        found[part == number] = calibrator.confidence(scores[part == number])
    return found


def trusted_from(confidence: Floats, is_right: NDArray[np.bool_], precision: float) -> float:
    """Returns the least confidence above which guesses are right often enough.

    Args:
        confidence: (n,), of held-out guesses.
        is_right: (n,), whether they are right.
        precision: how many of those at or above it have to be right, from 0 to 1.

    Returns:
        The lowest such confidence; infinity where no 30 guesses are right so often.

    Example:
        >>> trusted_from(np.linspace(0, 1, 101), np.arange(101) >= 50, precision=0.95)
        0.48
    """
    order = np.argsort(-confidence, kind="stable")
    counts = np.arange(1, len(order) + 1)
    share = np.cumsum(is_right[order]) / counts
    fits = (share >= precision) & (counts >= _FEWEST_TRUSTED)
    # Of equal confidences all are above the threshold or none.
    fits &= np.append(confidence[order][:-1] != confidence[order][1:], True)[: len(order)]
    return float(confidence[order][np.flatnonzero(fits)[-1]]) if fits.any() else float("inf")


def expected_calibration_error(
    confidence: Floats, is_right: NDArray[np.bool_], bins: int = 10
) -> float:
    """Returns how far confidences are from how often guesses are right: ECE over equal bins.

    Args:
        confidence: (n,), from 0 to 1.
        is_right: (n,).
        bins: how many parts 0 to 1 is cut into.

    Returns:
        The mean over guesses of |mean confidence - share right| in their bin; NaN without guesses.

    Source:
        Naeini, Cooper, Hauskrecht: Obtaining Well Calibrated Probabilities Using Bayesian Binning,
        AAAI 2015.
    """
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = np.bincount(place, confidence - is_right, bins)
    return float(np.abs(gaps).sum() / len(confidence)) if len(confidence) else float("nan")


def front(scores: LabelScores) -> NDArray[np.int64]:
    """Returns the label in front of each row, (n,)."""
    found: NDArray[np.int64] = scores[:, :-1].argmax(axis=1)
    return found


def _described(scores: LabelScores) -> Floats:
    """Returns what a confidence is read from: the front, its lead, its share, none, and which."""
    labels, none = scores[:, :-1].astype(np.float64), scores[:, -1].astype(np.float64)
    rows, place = np.arange(len(labels)), front(scores)
    first = labels[rows, place]
    others = labels.copy()
    others[rows, place] = -np.inf
    second = others.max(axis=1) if labels.shape[1] > 1 else first - 2
    share = np.clip(sharpened(scores).max(axis=1), 1e-6, 1 - 1e-6)
    measures = [first, first - second, np.log(share / (1 - share)), none, first - none]
    which = np.zeros_like(labels)
    which[rows, place] = _LABEL_WEIGHT
    return np.column_stack([*measures, which])


def _regression() -> Any:  # noqa: ANN401 - scikit-learn's, which has no types
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=1.0, max_iter=1000)


def reliability_bins(
    confidence: Sequence[float] | Floats, is_right: NDArray[np.bool_], bins: int = 10
) -> list[tuple[int, float, float]]:
    """Returns of each bin that has guesses: how many, their mean confidence, the share right."""
    sure = np.asarray(confidence, np.float64)
    place = np.minimum((sure * bins).astype(int), bins - 1)
    return [
        (int(chosen.sum()), float(sure[chosen].mean()), float(is_right[chosen].mean()))
        for number in range(bins)
        if (chosen := place == number).any()
    ]
