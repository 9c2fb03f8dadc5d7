"""What is to be chosen is chosen on rows that neither train nor are measured."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hgld.benchmarks.robustness.data_sets.features import FeatureSet
from hgld.benchmarks.robustness.failures.classifier import (
    ClassifierSettings,
    FeatureClassifier,
    class_probabilities,
    fit_classifier,
)
from hgld.benchmarks.robustness.heads.confidence_head import (
    ConfidenceHead,
    HeadSettings,
    choosing_rows,
    fit_confidence_head,
    predict_confidence,
)
from hgld.benchmarks.robustness.measures import area_under_risk_coverage

HEAD_GRID = (
    HeadSettings(),
    HeadSettings(layers=2, hidden_units=100, learning_rate=1e-3),
    HeadSettings(layers=1, hidden_units=32, learning_rate=1e-3),
    HeadSettings(layers=0, hidden_units=0, learning_rate=1e-3),
)
"""The published head first; the others, ours, have fewer weights than some hundred rows fill."""
SMALL_HEAD_GRID = HEAD_GRID[1:]
"""For five inputs."""

CLASSIFIER_GRID = tuple(
    ClassifierSettings(dropout=dropout, epochs=epochs)
    for dropout in (0.5, 0.2)
    for epochs in (30, 10)
)
"""The first has what ConfidNet's authors use for dropout."""

_LEAST_PROBABILITY = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenHead:
    """A head, and the settings that its validation rows chose."""

    head: ConfidenceHead
    settings: HeadSettings
    area: float
    """By which they were chosen: mean of 1 - target over all coverages, lower is better."""

    @property
    def described(self) -> dict[str, float]:
        """What was chosen, as records have it."""
        names = ("layers", "hidden_units", "learning_rate")
        return {name: float(getattr(self.settings, name)) for name in names}


def choose_confidence_head(
    features: NDArray[np.float32],
    target: NDArray[np.float64],
    grid: Sequence[HeadSettings],
    seed: int,
    groups: NDArray[np.int64] | None = None,
    validation: tuple[NDArray[np.float32], NDArray[np.float64]] | None = None,
) -> ChosenHead:
    """Fits a head with each of several settings, and keeps the best on validation rows.

    It is chosen by the area under the risk-coverage curve whose loss is 1 - target, so that the
    order counts and not the level.

    Args:
        features: as for `fit_confidence_head`.
        target: as for `fit_confidence_head`.
        grid: settings with one `validation_share`; of equal ones the first is kept.
        seed: as for `fit_confidence_head`.
        groups: as for `fit_confidence_head`.
        validation: features and target of the rows that choose the settings; None: those of
            `features` that choose the epoch of each head.

    Raises:
        ValueError: the grid is empty or has several shares, or what `fit_confidence_head` refuses.
    """
    shares = {one.validation_share for one in grid}
    if len(shares) != 1:
        raise ValueError(
            f"grid must hold settings of one validation_share, got {len(grid)} settings with "
            f"{sorted(shares)}; heads are compared on the same rows"
        )
    every = np.arange(len(target)) if groups is None else groups
    heads = [fit_confidence_head(features, target, one, seed, every) for one in grid]
    if validation is None:
        chooses = choosing_rows(every, shares.pop(), seed)
        validation = (features[chooses], target[chooses])
    asked, wanted = validation
    areas = [
        area_under_risk_coverage(1 - wanted, predict_confidence(head, asked)) for head in heads
    ]
    best = int(np.argmin(areas))
    return ChosenHead(head=heads[best], settings=grid[best], area=areas[best])


def choose_classifier(
    rows: FeatureSet, classes: int, grid: Sequence[ClassifierSettings], seed: int
) -> tuple[FeatureClassifier, ClassifierSettings]:
    """Chooses the settings of a classifier on a fifth of its rows, and fits it on all of them.

    Chosen is the greatest mean log-probability of the true class; of equal ones the first.

    Args:
        rows: what the classifier may see.
        classes: C.
        grid: settings; one alone is taken as it is.
        seed: of the fifth, and of the weights.

    Returns:
        The classifier, and what it was fitted with.

    Raises:
        ValueError: the grid is empty.
    """
    if not grid:
        raise ValueError("grid must hold settings to choose from, got none")
    best = 0
    if len(grid) > 1:
        chooses = choosing_rows(rows.groups, HEAD_GRID[0].validation_share, seed)
        fitted, asked = (rows.rows(np.flatnonzero(where)) for where in (~chooses, chooses))
        best = int(np.argmax([_likelihood(fitted, asked, classes, one, seed) for one in grid]))
    return fit_classifier(rows, classes, grid[best], seed), grid[best]


def described_classifier(settings: ClassifierSettings) -> dict[str, float]:
    """Returns what `choose_classifier` chose, as records have it."""
    return {"dropout": settings.dropout, "classifier_epochs": float(settings.epochs)}


def _likelihood(
    fitted: FeatureSet, asked: FeatureSet, classes: int, settings: ClassifierSettings, seed: int
) -> float:
    probabilities = class_probabilities(fit_classifier(fitted, classes, settings, seed), asked)
    own = probabilities[np.arange(len(asked.labels)), asked.labels]
    return float(np.log(np.maximum(own, _LEAST_PROBABILITY)).mean())
