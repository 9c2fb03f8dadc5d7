"""Rounds of self-labelling: label the target, keep the confident rows, train again."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from hgld.benchmarks.robustness.confidence_head import predict_confidence
from hgld.benchmarks.robustness.data_sets import FeatureSet, split_groups
from hgld.benchmarks.robustness.failures.classifier import (
    ClassifierSettings,
    FeatureClassifier,
    class_probabilities,
    fit_classifier,
)
from hgld.benchmarks.robustness.failures.scores import (
    max_class_probability,
    negative_entropy,
    true_class_probability,
)
from hgld.benchmarks.robustness.self_labelling.adversary import (
    AdversarySettings,
    fit_adversarial_head,
)
from hgld.benchmarks.robustness.self_labelling.domains import DomainPair

LabelChoice = Literal["none", "all", "probability", "entropy", "tcp", "conda"]
"""How the rows that are kept are chosen: not at all, all of them, or by a confidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfLabelSettings:
    """Settings of self-labelling; share and rounds are ours."""

    share: float = 0.5
    """Of the target rows that are kept in a round, in (0, 1]."""
    rounds: int = 2
    held_out: float = 0.3
    """Share of the source that trains the confidence and not the classifier."""
    classifier: ClassifierSettings = field(default_factory=ClassifierSettings)
    adversary: AdversarySettings = field(default_factory=AdversarySettings)

    def __post_init__(self) -> None:
        """Refuses what cannot be.

        Raises:
            ValueError: a number out of its range.
        """
        if not 0 < self.share <= 1 or not 0 < self.held_out < 1 or self.rounds < 1:
            raise ValueError(
                f"share must be in (0, 1], held_out in (0, 1) and rounds 1 or more, got "
                f"{self.share}, {self.held_out} and {self.rounds}"
            )


def adapt_classifier(
    pair: DomainPair, choice: LabelChoice, settings: SelfLabelSettings, *, seed: int
) -> dict[str, float]:
    """Adapts a classifier to the target of a pair, and measures it there.

    Args:
        pair: source and target.
        choice: which of the target's rows are kept, with the labels the classifier gives them.
        settings: how.
        seed: of the split of the source, of weights and batches. All choices begin with the same
            classifier.

    Returns:
        `accuracy` on the measured rows, `accuracy_unlabelled` on those without labels, and of the
        last round `precision_kept`, the share of the kept rows whose label was right, and
        `kept_rows`; `accuracy_before` of the classifier of the source alone, on the measured rows.
        NaN for the precision where nothing is kept.

    Raises:
        ValueError: the choice is unknown, or a class of the source has too few rows to be split.

    Source:
        Corbiere, Thome, Saporta, Vu, Cord, Perez: Confidence Estimation via Auxiliary Models,
        TPAMI 2021, its self-training for domain adaptation.
    """
    if choice not in get_args(LabelChoice):
        raise ValueError(
            f"choice must be one of {', '.join(get_args(LabelChoice))}, got {choice!r}"
        )
    shares = (1 - settings.held_out, settings.held_out)
    random = np.random.default_rng(seed)
    fitted, kept_out = (
        pair.source.rows(rows)
        for rows in split_groups(pair.source.labels, pair.source.groups, shares, random)
    )
    model = fit_classifier(fitted, pair.classes, settings.classifier, seed)
    before = _accuracy(model, pair.measured)
    precision, kept = np.nan, np.empty(0, dtype=np.int64)
    for number in range(settings.rounds if choice != "none" else 0):
        probabilities = class_probabilities(model, pair.unlabelled)
        labels = probabilities.argmax(axis=1)
        kept = np.arange(len(labels))
        if choice != "all":
            head_seed = seed + 1000 * number
            scores = _scores(choice, model, kept_out, pair.unlabelled, settings, head_seed)
            kept = most_confident(scores, settings.share)
        precision = float((labels[kept] == pair.unlabelled.labels[kept]).mean())
        grown = _with_labels(fitted, pair.unlabelled, labels, kept)
        model = fit_classifier(grown, pair.classes, settings.classifier, seed)
    return {
        "accuracy": _accuracy(model, pair.measured),
        "accuracy_unlabelled": _accuracy(model, pair.unlabelled),
        "accuracy_before": before,
        "precision_kept": precision,
        "kept_rows": float(len(kept)),
    }


def most_confident(scores: NDArray[np.float64], share: float) -> NDArray[np.int64]:
    """Returns the sorted positions of the rows of highest score; of equal ones the first.

    Args:
        scores: (N,) higher is surer.
        share: of the rows, in (0, 1]; at least one row where there is any.

    Example:
        >>> most_confident(np.array([0.1, 0.9, 0.5, 0.9]), 0.5).tolist()
        [1, 3]
    """
    count = min(len(scores), max(1, round(share * len(scores))))
    return np.sort(np.argsort(-scores, kind="stable")[:count]).astype(np.int64)


def _scores(
    choice: LabelChoice,
    model: FeatureClassifier,
    kept_out: FeatureSet,
    target: FeatureSet,
    settings: SelfLabelSettings,
    seed: int,
) -> NDArray[np.float64]:
    probabilities = class_probabilities(model, target)
    match choice:
        case "probability":
            return max_class_probability(probabilities)
        case "entropy":
            return negative_entropy(probabilities)
        case _:
            adversary = settings.adversary
            if choice == "tcp":
                adversary = replace(adversary, weight=0.0)
            with torch.no_grad():
                known, foreign = (
                    model.hidden(torch.from_numpy(part.features)) for part in (kept_out, target)
                )
            truth = true_class_probability(class_probabilities(model, kept_out), kept_out.labels)
            head = fit_adversarial_head(
                known, torch.from_numpy(truth), foreign, adversary, seed=seed
            )
            return predict_confidence(head, foreign.numpy())


def _with_labels(
    source: FeatureSet,
    target: FeatureSet,
    labels: NDArray[np.int64],
    kept: NDArray[np.int64],
) -> FeatureSet:
    count = len(source.labels) + len(kept)
    return FeatureSet(
        title=source.title,
        features=np.concatenate([source.features, target.features[kept]]),
        labels=np.concatenate([source.labels, labels[kept]]),
        groups=np.arange(count),
    )


def _accuracy(model: FeatureClassifier, rows: FeatureSet) -> float:
    if not len(rows.labels):
        return np.nan
    return float((class_probabilities(model, rows).argmax(axis=1) == rows.labels).mean())


CHOICE_TITLES: Mapping[LabelChoice, str] = {
    "none": "Source alone",
    "all": "All target rows",
    "probability": "Maximum probability",
    "entropy": "Entropy",
    "tcp": "TCP, no adversary",
    "conda": "ConDA",
}
