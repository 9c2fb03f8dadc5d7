"""Failure prediction: every confidence on the test part of a data set, over several seeds.

The rows are split in three: one part trains the classifier, one the confidence head, and one is
measured. What is to be chosen is chosen inside the first two: the classifier's dropout and epochs
on a fifth of its part, the head's epoch, depth and width on a fifth of its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from hgld.benchmarks.robustness.data_sets.features import FeatureSet, split_groups
from hgld.benchmarks.robustness.failures.classifier import (
    ClassifierSettings,
    FeatureClassifier,
    class_probabilities,
    dropout_probabilities,
)
from hgld.benchmarks.robustness.failures.scores import (
    max_class_probability,
    negative_entropy,
    probability_margin,
    true_class_probability,
    trust_score,
)
from hgld.benchmarks.robustness.heads.choosing import (
    CLASSIFIER_GRID,
    HEAD_GRID,
    SMALL_HEAD_GRID,
    choose_classifier,
    choose_confidence_head,
    described_classifier,
)
from hgld.benchmarks.robustness.heads.confidence_head import (
    HeadSettings,
    fit_confidence_head,
    predict_confidence,
)
from hgld.benchmarks.robustness.measures import failure_measures, risk_coverage_curve
from hgld.benchmarks.robustness.records import (
    MeasuredUnit,
    PlotLine,
    RobustnessRecord,
    unit_key,
)

FAILURES = "failures"
"""Name of this part of the suite."""

CONFIDNET = "ConfidNet"
CONFIDNET_NOT_HELD_OUT = "ConfidNet, not held out"
"""Its head is fitted on the rows that the classifier was trained on."""
HEAD_ON_SCORES = "ConfidNet on the scores"
"""Ours: a smaller head, the same target, the simple confidences in the place of the features."""
MAX_PROBABILITY = "Maximum class probability"
ALL_TO_CLASSIFIER = "Maximum class probability, all to the classifier"
"""The classifier has the part of the confidence head too: another classifier, with other errors."""
SIMPLE_CONFIDENCES = (
    MAX_PROBABILITY,
    "Entropy",
    "Margin",
    "MC dropout",
    "Trust score",
)
"""What ConfidNet has to beat: of the same classifier, with nothing learned of its errors."""

_PLOTTED = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureSettings:
    """How failures are predicted."""

    shares: tuple[float, float, float] = (0.4, 0.3, 0.3)
    """Of the rows that train the classifier, train the confidence head, and are measured."""
    classifiers: tuple[ClassifierSettings, ...] = CLASSIFIER_GRID
    """Of which a fifth of the classifier's rows chooses one."""
    heads: tuple[HeadSettings, ...] = HEAD_GRID
    """Of which a fifth of a head's rows chooses one."""
    score_heads: tuple[HeadSettings, ...] = SMALL_HEAD_GRID
    """The same for the head on the scores."""
    dropout_passes: int = 50
    version: int = 2
    """Raised when the same settings give other records."""


def planned_failures(
    sets: Sequence[FeatureSet], seeds: Sequence[int], settings: FailureSettings
) -> Iterator[MeasuredUnit]:
    """Yields a unit for each data set and seed.

    Args:
        sets: what is classified.
        seeds: of the split, of the classifier and of the head.
        settings: of all.
    """
    for data in sets:
        for seed in seeds:
            yield MeasuredUnit(
                part=FAILURES,
                data_set=data.title,
                seed=seed,
                key=unit_key(
                    [FAILURES, data.title, seed, asdict(settings)],
                    *(data.features, data.labels, data.groups),
                ),
                measure=partial(predict_failures, data, seed, settings),
            )


def predict_failures(
    data: FeatureSet, seed: int, settings: FailureSettings
) -> list[RobustnessRecord]:
    """Trains a classifier and a head, and measures every confidence on the test part.

    Args:
        data: N rows; each class has at least three groups.
        seed: of the split and of all weights.
        settings: how.

    Returns:
        A record a confidence: `failure_measures`, and `tcp_error`, the mean square of confidence
        minus TCP, where it is one; of ConfidNet also how many `errors_seen` its rows have and the
        `mean_tcp_seen` of them. The curve `risk_coverage` has the error rate at each coverage.
        `chosen` are the settings of the classifier, and of a head.
    """
    generator = np.random.default_rng(seed)
    parts = split_groups(data.labels, data.groups, settings.shares, generator)
    training, held_out, test = (data.rows(part) for part in parts)
    model, chosen = choose_classifier(training, data.classes, settings.classifiers, seed)
    confidences = _simple_confidences(model, training, test, settings, seed)
    known = _simple_confidences(model, training, held_out, settings, seed)
    notes: dict[str, dict[str, float]] = {name: {} for name in confidences}
    described = {name: described_classifier(chosen) for name in confidences}
    tcp, seen = _targets(model, held_out)
    for name, inputs, asked, grid in (
        (CONFIDNET, _hidden(model, held_out), _hidden(model, test), settings.heads),
        (HEAD_ON_SCORES, _columns(known), _columns(confidences), settings.score_heads),
    ):
        best = choose_confidence_head(inputs, tcp, grid, seed, held_out.groups)
        confidences[name], notes[name] = predict_confidence(best.head, asked), dict(seen)
        described[name] = described_classifier(chosen) | best.described
        if name == CONFIDNET:
            # Its own rows could choose nothing: there the classifier is right.
            own, seen_not_held_out = _targets(model, training)
            head = fit_confidence_head(
                _hidden(model, training), own, best.settings, seed, training.groups
            )
            confidences[CONFIDNET_NOT_HELD_OUT] = predict_confidence(head, asked)
            notes[CONFIDNET_NOT_HELD_OUT] = seen_not_held_out
            described[CONFIDNET_NOT_HELD_OUT] = described[CONFIDNET]
    both = data.rows(np.sort(np.concatenate(parts[:2])))
    records = _measured(data.title, model, test, confidences, notes, seed)
    return [
        *(replace(record, chosen=described[record.method]) for record in records),
        _with_all(data, both, test, settings, seed),
    ]


def _measured(
    title: str,
    model: FeatureClassifier,
    test: FeatureSet,
    confidences: dict[str, NDArray[np.float64]],
    notes: dict[str, dict[str, float]],
    seed: int,
) -> list[RobustnessRecord]:
    """Returns a record of each confidence on the test rows."""
    probabilities = class_probabilities(model, test)
    correct = probabilities.argmax(axis=1) == test.labels
    tcp = true_class_probability(probabilities, test.labels)
    for name in (MAX_PROBABILITY, CONFIDNET, CONFIDNET_NOT_HELD_OUT, HEAD_ON_SCORES):
        notes[name]["tcp_error"] = float(np.square(confidences[name] - tcp).mean())
    return [
        _record(title, name, seed, (correct, confidence), notes[name])
        for name, confidence in confidences.items()
    ]


def _with_all(
    data: FeatureSet, rows: FeatureSet, test: FeatureSet, settings: FailureSettings, seed: int
) -> RobustnessRecord:
    """Returns the record of a classifier that has the rows of the head too."""
    model, chosen = choose_classifier(rows, data.classes, settings.classifiers, seed)
    richer = class_probabilities(model, test)
    answer = (richer.argmax(axis=1) == test.labels, max_class_probability(richer))
    record = _record(data.title, ALL_TO_CLASSIFIER, seed, answer, {})
    return replace(record, chosen=described_classifier(chosen))


def _simple_confidences(
    model: FeatureClassifier,
    training: FeatureSet,
    test: FeatureSet,
    settings: FailureSettings,
    seed: int,
) -> dict[str, NDArray[np.float64]]:
    probabilities = class_probabilities(model, test)
    dropped = dropout_probabilities(model, test, settings.dropout_passes, seed)
    scores = (
        max_class_probability(probabilities),
        negative_entropy(probabilities),
        probability_margin(probabilities),
        negative_entropy(dropped),
        trust_score(
            _hidden(model, test),
            probabilities.argmax(axis=1),
            _hidden(model, training),
            training.labels,
        ),
    )
    return dict(zip(SIMPLE_CONFIDENCES, scores, strict=True))


def _targets(
    model: FeatureClassifier, rows: FeatureSet
) -> tuple[NDArray[np.float64], dict[str, float]]:
    """Returns the TCP of rows that a head is fitted on, and what there is to learn from them."""
    probabilities = class_probabilities(model, rows)
    tcp = true_class_probability(probabilities, rows.labels)
    return tcp, {
        "errors_seen": float((probabilities.argmax(axis=1) != rows.labels).sum()),
        "mean_tcp_seen": float(tcp.mean()),
        "rows_seen": float(len(tcp)),
    }


def _columns(confidences: dict[str, NDArray[np.float64]]) -> NDArray[np.float32]:
    """Returns the simple confidences (N, 5) as a head takes them."""
    columns = [confidences[name] for name in SIMPLE_CONFIDENCES]
    # A ratio has no upper bound, and a few would rule the scale of all.
    columns[-1] = np.log1p(columns[-1])
    return np.stack(columns, axis=1).astype(np.float32)


def _hidden(model: FeatureClassifier, rows: FeatureSet) -> NDArray[np.float32]:
    hidden: NDArray[np.float32] = model.hidden(torch.from_numpy(rows.features)).numpy()
    return hidden


def _record(
    title: str,
    method: str,
    seed: int,
    answers: tuple[NDArray[np.bool_], NDArray[np.float64]],
    notes: dict[str, float],
) -> RobustnessRecord:
    correct, confidence = answers
    curve = risk_coverage_curve(~correct, confidence)
    shares = np.linspace(1 / _PLOTTED, 1, _PLOTTED)
    return RobustnessRecord(
        part=FAILURES,
        data_set=title,
        method=method,
        seed=seed,
        measures={
            **failure_measures(correct, confidence),
            "errors": float((~correct).sum()),
            "rows": float(len(correct)),
            **notes,
        },
        curves={
            "risk_coverage": PlotLine(
                x=shares.round(4).tolist(),
                y=np.interp(shares, curve.coverage, curve.risk).round(6).tolist(),
            )
        },
    )
