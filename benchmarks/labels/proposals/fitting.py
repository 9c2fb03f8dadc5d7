"""Fits `calibration.csv` on the silver set: what each kind of evidence is worth, and their sums."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hgld.benchmarks.labels.proposals.certainty import SilverProposal, isotonic
from hgld.benchmarks.labels.proposals.likelihood import Told, fit_softmax, fit_weights, row_weights
from hgld.benchmarks.labels.proposals.silver import (
    SilverClass,
    SilverSource,
    folds,
    inputs_of,
    knowledge_of,
    silver_classes,
    withheld,
)
from hgld.benchmarks.labels.proposals.tiers import (
    ANOTHER_READER,
    IGNORED,
    Count,
    Counts,
    EvidenceTier,
    accuracies,
    add_counts,
    count_candidates,
    is_counted,
)
from hgld.labels.proposing.calibration import CALIBRATION_COLUMNS, Calibration, Softmax
from hgld.labels.proposing.knowledge import Ruling
from hgld.labels.proposing.learning import OpenProposals
from hgld.labels.proposing.methods import Prototypes
from hgld.labels.proposing.opinions import IGNORE, Targets
from hgld.labels.proposing.proposals import CHANGING, ProposalMethod

FOLDS = 5
# Before anything is fitted; the methods that are asked then compare no words.
_BLANK = Calibration(accuracy=accuracies({}), ignored=IGNORED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A calibration with the counts it rests on."""

    calibration: Calibration
    counts: Mapping[EvidenceTier, Count]
    points: Sequence[SilverProposal]


@dataclass(frozen=True, slots=True)
class _Part:
    """A fold of the silver set, and the taxonomy without its lines."""

    classes: Sequence[SilverClass]
    blind: SilverSource
    """Without the words that are its labels as well."""
    shown: SilverSource
    """With these."""


def fit(source: SilverSource, seed: int = 0) -> Fit:
    """Fits a calibration.

    Every class is proposed twice, blind and with the words that are its label, and sums of evidence
    are worth what they are over both. Of real labels four in five are words of the taxonomy; half
    are taken for such here, since their answers and the words are of one author.

    Accuracies are counted on the other folds than the one that is proposed; the few settings of all
    folds together (two temperatures, four weights) are fitted on the whole.

    Args:
        source: the shipped taxonomy.
        seed: of the decisions that are drawn, and of the clusters.

    Returns:
        The calibration; the same for the same seed.
    """
    classes = silver_classes(source.tables)
    targets = targets_of(source)
    prior = targets.prior(IGNORED)
    parts = [
        _Part(each, withheld(source, each, words=True), withheld(source, each, words=False))
        for each in folds(classes, FOLDS)
    ]
    texts = [_count_texts(part) for part in parts]
    decided = _count_decided(source, classes, seed)
    softmax = fit_softmax([_cosines(part, targets) for part in parts], prior)
    first = _calibration(add_counts([*texts, decided]), softmax)
    methods: list[ProposalMethod] = ["wording", "neighbours", "prototypes"]
    told = [
        _told(shown, part.classes, classes, first, methods)
        for part in parts
        for shown in (part.blind, part.shown)
    ]
    weights = fit_weights(told, prior)
    points: list[SilverProposal] = []
    for place, part in enumerate(parts):
        others = [counts for number, counts in enumerate(texts) if number != place]
        calibration = _calibration(add_counts([*others, decided]), softmax, weights)
        for shown in (part.blind, part.shown):
            points += _points(shown, part, calibration)
    counts = add_counts([*texts, decided])
    return Fit(
        calibration=replace(
            _calibration(counts, softmax, weights),
            confidence=isotonic(points),
        ),
        counts=counts,
        points=points,
    )


def targets_of(source: SilverSource) -> Targets:
    """Returns what can be proposed by a taxonomy."""
    return Targets(tuple(each.hierarchical_label for each in source.tables.supercategories))


def _calibration(
    counts: Mapping[EvidenceTier, Count],
    softmax: Mapping[str, Softmax],
    weights: Mapping[str, float] | None = None,
) -> Calibration:
    return Calibration(
        accuracy=accuracies(counts), softmax=softmax, weights=weights or {}, ignored=IGNORED
    )


def _count_texts(part: _Part) -> Counts:
    """Counts what the words of labels say."""
    counts: Counts = {}
    knowledge = knowledge_of(part.blind)
    for each in part.classes:
        count_candidates(counts, "wording", knowledge.read_label(each.label), each.target)
    return counts


def _cosines(part: _Part, targets: Targets) -> Told:
    vectors, phrases = inputs_of(part.blind, part.classes, _BLANK).on_grid()
    columns = np.array([targets.number[each.target] for each in part.classes])
    return Told({"prototypes": Prototypes(vectors, phrases, targets).scores}, columns)


def _count_decided(source: SilverSource, classes: Sequence[SilverClass], seed: int) -> Counts:
    """Counts what decided classes say of others: a random half is decided, five times."""
    counts: Counts = {}
    random = np.random.default_rng(seed)
    inputs = inputs_of(source, classes, _BLANK)
    for _ in range(FOLDS):
        proposals = OpenProposals(inputs, CHANGING)
        half = random.random(len(classes)) < 1 / 2
        decided = [each for each, chosen in zip(classes, half, strict=True) if chosen]
        proposals.decide({each.qid: Ruling(each.target) for each in decided})
        for each, chosen in zip(classes, half, strict=True):
            if not chosen:
                for method in CHANGING:
                    said = proposals.hints(method, each.qid)
                    count_candidates(counts, method, said, each.target)
    return counts


def _told(
    source: SilverSource,
    held: Sequence[SilverClass],
    classes: Sequence[SilverClass],
    calibration: Calibration,
    methods: Sequence[ProposalMethod],
) -> Told:
    """Asks methods of the classes of a fold, where every other one of the rest is decided."""
    qids = {each.qid for each in held}
    rest = [each for each in classes if each.qid not in qids]
    proposals = OpenProposals(inputs_of(source, [*held, *rest], calibration), methods)
    proposals.decide({each.qid: Ruling(each.target) for each in rest[::2]})
    number = targets_of(source).number
    return Told(
        {method: ratio[: len(held)] for method, ratio in proposals.log_ratios().items()},
        np.array([number[each.target] for each in held]),
    )


def _points(source: SilverSource, part: _Part, calibration: Calibration) -> list[SilverProposal]:
    """Proposes the classes of a fold."""
    proposals = OpenProposals(inputs_of(source, part.classes, calibration))
    weights = row_weights(np.array([each.target == IGNORE for each in part.classes]))
    answers = [each.target for each in part.classes]
    rows = zip(proposals.best_targets(), answers, proposals.log_odds(), weights, strict=True)
    return [
        SilverProposal(float(log_odds), target == answer, float(weight))
        for target, answer, log_odds, weight in rows
    ]


def calibration_csv(fitted: Fit, source: str) -> str:
    """Returns the text of `calibration.csv`.

    Args:
        fitted: the calibration.
        source: what it was measured on, and when.
    """
    known = fitted.calibration
    rows: list[tuple[object, ...]] = [
        ("prior", "", "ignored", known.ignored, "", "", "assumed"),
        ("threshold", "", "temper", known.temper, *ANOTHER_READER),
        ("threshold", "", "ask_below", known.ask_below, "", "", "more likely wrong than right"),
        ("threshold", "", "ignore_from", known.ignore_from, "", "", "assumed; right 4 of 5 times"),
        ("threshold", "", "automatic_from", known.automatic_from, "", "", "99 of 100"),
    ]
    for tier, accuracy in sorted(known.accuracy.items()):
        count = fitted.counts.get(tier, Count())
        told = (count.right, count.rows, source) if is_counted(tier, fitted.counts) else _ASSUMED
        rows.append(("accuracy", *tier, round(accuracy, 4), *told))
    rows += [("weight", method, "", w, "", "", source) for method, w in known.weights.items()]
    rows += [
        ("softmax", method, name, getattr(settings, name), "", "", source)
        for method, settings in known.softmax.items()
        for name in ("temperature", "ignore", "floor")
    ]
    rows += [("confidence", "", at, worth, "", "", source) for at, worth in known.confidence]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CALIBRATION_COLUMNS)
    writer.writerows(rows)
    return text.getvalue()


_ASSUMED = ("", "", "assumed")
