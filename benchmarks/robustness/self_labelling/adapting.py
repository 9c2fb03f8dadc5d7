"""Rounds of self-labelling: label the target, keep the confident rows, train again."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from hgld.benchmarks.robustness.data_sets.features import FeatureSet, split_groups
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
from hgld.benchmarks.robustness.heads.confidence_head import predict_confidence
from hgld.benchmarks.robustness.self_labelling.adversary import (
    AdversarySettings,
    fit_adversarial_head,
)
from hgld.benchmarks.robustness.self_labelling.domains import DomainPair

_LEAST_PROBABILITY = 1e-12

LabelChoice = Literal["none", "all", "probability", "entropy", "tcp", "conda"]
"""How the rows that are kept are chosen: not at all, all of them, or by a confidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfLabelSettings:
    """Settings of self-labelling; what there is to choose from is ours."""

    shares: tuple[float, ...] = (0.25, 0.5, 0.75)
    """Of the target rows that are kept in a round, in (0, 1]; one is chosen."""
    weights: tuple[float, ...] = (0.01, 0.1)
    """Of the adversary, above 0; one is chosen."""
    most_rounds: int = 2
    """Of which some number from 1 on is chosen."""
    held_out: float = 0.3
    """Share of the source that trains the confidence and not the classifier."""
    validation: float = 0.2
    """Share of the source that trains nothing and chooses."""
    classifier: ClassifierSettings = field(default_factory=ClassifierSettings)
    adversary: AdversarySettings = field(default_factory=AdversarySettings)

    def __post_init__(self) -> None:
        """Refuses what cannot be.

        Raises:
            ValueError: a number out of its range, or nothing to choose from.
        """
        if not self.shares or not all(0 < share <= 1 for share in self.shares):
            raise ValueError(f"shares must be one or more in (0, 1], got {self.shares}")
        if not self.weights or not all(weight > 0 for weight in self.weights):
            raise ValueError(f"weights must be one or more above 0, got {self.weights}")
        if self.most_rounds < 1:
            raise ValueError(f"most_rounds must be 1 or more, got {self.most_rounds}")
        if min(self.held_out, self.validation) <= 0 or self.held_out + self.validation >= 1:
            raise ValueError(
                f"held_out and validation must be above 0 and leave rows to train on, got "
                f"{self.held_out} and {self.validation}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitSource:
    """A pair whose source is split: no target label is in what trains or chooses.

    Attributes:
        pair: source and target.
        fitted: source rows that train the classifier.
        kept_out: source rows that train the confidence.
        validation: source rows that choose.
    """

    pair: DomainPair
    fitted: FeatureSet
    kept_out: FeatureSet
    validation: FeatureSet


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenAdaptation:
    """What the validation rows of the source chose.

    Attributes:
        share: of the target rows kept in a round.
        rounds: how many.
        weight: of the adversary.
        validation_accuracy: on the source, of the classifier adapted so.
    """

    share: float
    rounds: int
    weight: float
    validation_accuracy: float


def split_source(pair: DomainPair, settings: SelfLabelSettings, seed: int) -> SplitSource:
    """Splits the source of a pair for the classifier, for the confidence, and to choose on."""
    held_out, validation = settings.held_out, settings.validation
    shares = (1 - held_out - validation, held_out, validation)
    random = np.random.default_rng(seed)
    parts = split_groups(pair.source.labels, pair.source.groups, shares, random)
    fitted, kept_out, chooses = (pair.source.rows(rows) for rows in parts)
    return SplitSource(pair=pair, fitted=fitted, kept_out=kept_out, validation=chooses)


def choose_adaptation(
    source: SplitSource, settings: SelfLabelSettings, *, seed: int
) -> ChosenAdaptation:
    """Chooses share, rounds and the adversary's weight for ConDA, on source rows alone.

    Each is tried on the unlabelled target, and the classifier that comes of it is asked for the
    labels of the validation rows: the most right ones win, of equally many the greater
    log-probability of the true class, of equals the first. It tells what does harm to the source;
    what helps on the target nobody can see without its labels.

    Args:
        source: of `split_source`.
        settings: what there is to choose from.
        seed: of weights and batches.
    """
    best: tuple[float, float] | None = None
    chosen = None
    for share in settings.shares:
        for weight in settings.weights:
            steps = adaptation_rounds(source, "conda", settings, share, weight, seed=seed)
            for rounds, step in enumerate(itertools.islice(steps, settings.most_rounds), start=1):
                found = _accuracy(step.model, source.validation)
                reached = (found, _likelihood(step.model, source.validation))
                if best is None or reached > best:
                    best = reached
                    chosen = ChosenAdaptation(
                        share=share, rounds=rounds, weight=weight, validation_accuracy=found
                    )
    if chosen is None:
        raise ValueError("settings must leave something to choose from, got none")
    return chosen


def adapt_classifier(
    source: SplitSource,
    choice: LabelChoice,
    settings: SelfLabelSettings,
    chosen: ChosenAdaptation,
    *,
    seed: int,
) -> dict[str, float]:
    """Adapts a classifier to the target of a pair, and measures it there.

    Args:
        source: of `split_source`.
        choice: which of the target's rows are kept, with the labels the classifier gives them.
        settings: how.
        chosen: share, rounds and weight, the same for every choice: as many rows are kept.
        seed: of weights and batches. All choices begin with the same classifier.

    Returns:
        `accuracy` on the measured target rows, `accuracy_unlabelled` on those it labelled itself,
        `accuracy_before` of the classifier of the source alone on the measured ones,
        `validation_accuracy` on the source; `precision_kept`, the share of the kept labels that
        are right, in the last round, and `kept_rows`. NaN where there is no row.

    Raises:
        ValueError: a choice that there is not, or what `split_groups` refuses.
    """
    if choice not in get_args(LabelChoice):
        raise ValueError(
            f"choice must be one of {', '.join(get_args(LabelChoice))}, got {choice!r}"
        )
    pair = source.pair
    before = fit_classifier(source.fitted, pair.classes, settings.classifier, seed)
    model, precision, kept = before, np.nan, 0
    if choice != "none":
        steps = adaptation_rounds(source, choice, settings, chosen.share, chosen.weight, seed=seed)
        for step in itertools.islice(steps, chosen.rounds):
            model, kept = step.model, len(step.kept)
            right = step.labels[step.kept] == pair.unlabelled.labels[step.kept]
            precision = float(right.mean())
    return {
        "accuracy": _accuracy(model, pair.measured),
        "accuracy_unlabelled": _accuracy(model, pair.unlabelled),
        "accuracy_before": _accuracy(before, pair.measured),
        "validation_accuracy": _accuracy(model, source.validation),
        "precision_kept": precision,
        "kept_rows": float(kept),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptationStep:
    """What a round came to.

    Attributes:
        model: trained on the source and the kept rows.
        labels: (M,) that the model before gave the target rows.
        kept: sorted positions of those that were kept.
    """

    model: FeatureClassifier
    labels: NDArray[np.int64]
    kept: NDArray[np.int64]


def adaptation_rounds(
    source: SplitSource,
    choice: LabelChoice,
    settings: SelfLabelSettings,
    share: float,
    weight: float,
    *,
    seed: int,
) -> Iterator[AdaptationStep]:
    """Yields rounds of self-labelling without end: label, keep the confident rows, train again.

    Args:
        source: of `split_source`.
        choice: of the rows that are kept; not `none`.
        settings: of classifier and head.
        share: of the target rows that are kept.
        weight: of the adversary.
        seed: of weights and batches.
    """
    target, classes = source.pair.unlabelled, source.pair.classes
    model = fit_classifier(source.fitted, classes, settings.classifier, seed)
    for number in itertools.count():
        labels = class_probabilities(model, target).argmax(axis=1)
        kept = np.arange(len(labels))
        if choice != "all":
            adversary = replace(settings.adversary, weight=weight if choice == "conda" else 0.0)
            scores = _scores(
                choice, model, source.kept_out, target, adversary, seed + 1000 * number
            )
            kept = most_confident(scores, share)
        grown = _with_labels(source.fitted, target, labels, kept)
        model = fit_classifier(grown, classes, settings.classifier, seed)
        yield AdaptationStep(model=model, labels=labels, kept=kept)


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
    adversary: AdversarySettings,
    seed: int,
) -> NDArray[np.float64]:
    probabilities = class_probabilities(model, target)
    match choice:
        case "probability":
            return max_class_probability(probabilities)
        case "entropy":
            return negative_entropy(probabilities)
        case _:
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


def _likelihood(model: FeatureClassifier, rows: FeatureSet) -> float:
    own = true_class_probability(class_probabilities(model, rows), rows.labels)
    return float(np.log(np.maximum(own, _LEAST_PROBABILITY)).mean())


CHOICE_TITLES: Mapping[LabelChoice, str] = {
    "none": "Source alone",
    "all": "All target rows",
    "probability": "Maximum probability",
    "entropy": "Entropy",
    "tcp": "TCP, no adversary",
    "conda": "ConDA",
}
