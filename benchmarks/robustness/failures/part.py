"""Failure prediction: every confidence on the test part of a data set, over several seeds.

The rows are split in three: one part trains the classifier, one the confidence head, and one is
measured.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from hgld.benchmarks.robustness.confidence_head import (
    HeadSettings,
    fit_confidence_head,
    predict_confidence,
)
from hgld.benchmarks.robustness.data_sets import FeatureSet, split_groups
from hgld.benchmarks.robustness.failures.classifier import (
    ClassifierSettings,
    FeatureClassifier,
    class_probabilities,
    dropout_probabilities,
    fit_classifier,
)
from hgld.benchmarks.robustness.failures.scores import (
    max_class_probability,
    negative_entropy,
    probability_margin,
    true_class_probability,
    trust_score,
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
"""Ours: the same head and target, and the simple confidences in the place of the features."""
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
    classifier: ClassifierSettings = field(default_factory=ClassifierSettings)
    head: HeadSettings = field(default_factory=HeadSettings)
    dropout_passes: int = 50
    version: int = 1
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
    """
    generator = np.random.default_rng(seed)
    parts = split_groups(data.labels, data.groups, settings.shares, generator)
    training, held_out, test = (data.rows(part) for part in parts)
    model = fit_classifier(training, data.classes, settings.classifier, seed)
    confidences = _simple_confidences(model, training, test, settings, seed)
    notes: dict[str, dict[str, float]] = {name: {} for name in confidences}
    known = _simple_confidences(model, training, held_out, settings, seed)
    hidden = _hidden(model, test)
    for name, rows, inputs, asked in (
        (CONFIDNET, held_out, _hidden(model, held_out), hidden),
        (CONFIDNET_NOT_HELD_OUT, training, _hidden(model, training), hidden),
        (HEAD_ON_SCORES, held_out, _columns(known), _columns(confidences)),
    ):
        tcp, notes[name] = _targets(model, rows)
        head = fit_confidence_head(inputs, tcp, settings.head, seed, rows.groups)
        confidences[name] = predict_confidence(head, asked)
    probabilities = class_probabilities(model, test)
    correct = probabilities.argmax(axis=1) == test.labels
    tcp = true_class_probability(probabilities, test.labels)
    for name in (MAX_PROBABILITY, CONFIDNET, CONFIDNET_NOT_HELD_OUT, HEAD_ON_SCORES):
        notes[name]["tcp_error"] = float(np.square(confidences[name] - tcp).mean())
    records = [
        _record(data.title, name, seed, (correct, confidence), notes[name])
        for name, confidence in confidences.items()
    ]
    both = data.rows(np.sort(np.concatenate(parts[:2])))
    richer = class_probabilities(
        fit_classifier(both, data.classes, settings.classifier, seed), test
    )
    answer = (richer.argmax(axis=1) == test.labels, max_class_probability(richer))
    return [*records, _record(data.title, ALL_TO_CLASSIFIER, seed, answer, {})]


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
