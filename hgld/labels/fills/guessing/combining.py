"""A guess for each landmark from all that speaks of it, and how sure that is, as measured.

Names are always there, parents and pictures where they were fetched. Each gives scores; those that
are there are added, with weights that were best on labelled landmarks held out. A confidence is
learned for each such combination, of held-out landmarks that have at least as much evidence.

A refusal says what a landmark is not, and nothing else; the landmark may well have another label.
It teaches the one super-category what is not of it, and where a held-out model makes that guess all
the same, that is a guess that was wrong.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hgld.labels.fills.guessing.calibration import (
    FEWEST,
    Calibrator,
    Floats,
    calibrate,
    front,
    held_out_confidence,
    sharpened,
    trusted_from,
)
from hgld.labels.fills.guessing.lexicon import Lexicon
from hgld.labels.fills.guessing.model import LabelScores, unscored
from hgld.labels.fills.guessing.scoring import EvidenceScores, Say, score_pictures, score_titles
from hgld.labels.fills.guessing.subjects import NONE, EvidenceOrigin, KnownLandmarks, Subjects

_WEIGHTS = (0.25, 0.5, 1.0, 2.0)
"""That parents and pictures may have beside words, whose weight is 1."""
_REFUSED = -10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FillMethod:
    """A combination of kinds of evidence, and how its guesses are right."""

    kinds: tuple[EvidenceOrigin, ...]
    weights: tuple[float, ...]
    """Of the scores of each kind."""
    calibrator: Calibrator
    threshold: float
    """The confidence from which on guesses are right as often as asked for; infinity: none are."""

    @property
    def name(self) -> str:
        """The kinds joined, as FILLS has them."""
        return "+".join(self.kinds)

    def added(self, parts: Sequence[LabelScores]) -> LabelScores:
        """Returns the scores of landmarks by all kinds, (n, L + 1), from those by each."""
        return _added(self.weights, parts)


class Check(NamedTuple):
    """A guess for a labelled landmark by models that did not see it."""

    row: int
    """Among the known ones."""
    method: str
    guess: str
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Guesses:
    """What was guessed of the landmarks that were asked about, in their order."""

    front: NDArray[np.int64]
    """(n,), the place of the guess among the labels."""
    second: NDArray[np.int64]
    """(n,), and of the next."""
    confidence: Floats
    """(n,), from 0 to 1."""
    methods: Sequence[FillMethod]
    """(n,)"""
    checks: Sequence[Check]
    """Of each method that could be measured, its guesses for held-out landmarks: those that have a
    label, and those of which the guess was refused."""
    refused: frozenset[int] = frozenset()
    """Rows whose guess is the next after one that a person refused: how often it is right, nobody
    has measured."""


def guess(
    known: KnownLandmarks,
    asked: Subjects,
    refused: Mapping[int, frozenset[str]],
    *,
    lexicon: Lexicon,
    precision: float,
    say: Say,
) -> Guesses:
    """Learns from known landmarks, and guesses the labels of others.

    Args:
        known: what is learned from; nothing is fine, then the taxonomy's nouns are all.
        asked: the landmarks to guess for.
        refused: place among these to the labels that a person refused.
        lexicon: what words mean.
        precision: how many guesses above a method's threshold have to be right, from 0 to 1.
        say: is told of the progress.

    Returns:
        A guess for each. Deterministic: the same landmarks give the same.
    """
    evidence: dict[EvidenceOrigin, EvidenceScores] = {
        "words": score_titles("words", known, asked, lexicon, say)
    }
    if any(asked.parents):
        evidence["parents"] = score_titles("parents", known, asked, lexicon, say)
    votes = known.subjects.pictures
    if any(asked.pictures) and sum(vote is not None for vote in votes) >= FEWEST:
        held = evidence["words"].has
        evidence["pictures"] = score_pictures(votes, asked.pictures, known.labels, held)
    say("measures how often guesses are right")
    return combine_evidence(known, asked, evidence, refused, precision)


def combine_evidence(
    known: KnownLandmarks,
    asked: Subjects,
    evidence: Mapping[EvidenceOrigin, EvidenceScores],
    refused: Mapping[int, frozenset[str]],
    precision: float,
) -> Guesses:
    """Guesses by what each kind of evidence says.

    Args:
        known: what the scores were learned from.
        asked: the landmarks to guess for.
        evidence: the scores of both, of words at least.
        refused: place among the asked to the labels that a person refused.
        precision: how many guesses above a method's threshold have to be right, from 0 to 1.
    """
    kinds = asked.kinds(list(evidence))
    methods: dict[tuple[EvidenceOrigin, ...], FillMethod] = {}
    checks: list[Check] = []
    scores, confidence = unscored(len(asked), known.labels), np.zeros(len(asked))
    # Words alone, whatever is asked: what more evidence is worth is seen beside it.
    for combination in sorted({("words",), *kinds}, key=lambda each: (len(each), each)):
        method, found = measure_method(combination, evidence, known, precision)
        if not method.calibrator.is_measured and ("words",) in methods:
            # Of too few with so much evidence: as sure as words are, which errs on the low side.
            words = methods["words",]
            method = FillMethod(
                kinds=combination,
                weights=(1.0,) * len(combination),
                calibrator=words.calibrator,
                threshold=words.threshold,
            )
            found = []
        methods[combination] = method
        checks += found
        rows = np.flatnonzero([each == combination for each in kinds])
        scores[rows] = method.added([evidence[kind].asked[rows] for kind in combination])
        confidence[rows] = method.calibrator.confidence(scores[rows])
    for row, labels in refused.items():
        # How often what is left is right, nobody has measured: it is as sure as before the refusal.
        shares = sharpened(scores[row : row + 1])[0]
        scores[row, [place for place, one in enumerate(known.labels) if one in labels]] = _REFUSED
        confidence[row] = shares[front(scores[row : row + 1])[0]]
    order = np.argsort(-scores[:, :-1], axis=1, kind="stable")
    return Guesses(
        front=order[:, 0],
        second=order[:, min(1, len(known.labels) - 1)],
        confidence=confidence,
        methods=[methods[each] for each in kinds],
        checks=checks,
        refused=frozenset(refused),
    )


def measure_method(
    kinds: tuple[EvidenceOrigin, ...],
    evidence: Mapping[EvidenceOrigin, EvidenceScores],
    known: KnownLandmarks,
    precision: float,
) -> tuple[FillMethod, list[Check]]:
    """Learns how often a combination is right, on held-out landmarks that have all of it.

    Args:
        kinds: which evidence counts; the first has the weight 1.
        evidence: the scores of known landmarks, by what did not see them.
        known: these landmarks.
        precision: how many guesses above the threshold have to be right, from 0 to 1.

    Returns:
        The method, and its guesses for the landmarks that it was measured on.
    """
    truth, labels = known.truths(), known.labels
    has = np.logical_and.reduce([evidence[kind].has for kind in kinds])
    told = np.flatnonzero(has & (truth != NONE))
    weights = _best_weights(
        [evidence[kind].known[told] for kind in kinds],
        np.searchsorted(np.array(labels, np.str_), truth[told]),
    )
    rows = np.flatnonzero(has & ((truth != NONE) | known.is_refused()))
    scores = _added(weights, [evidence[kind].known[rows] for kind in kinds])
    guessed = [labels[place] for place in front(scores)]
    # Of a refused landmark it is not known whether another guess is right.
    counts = [
        truth[row] != NONE or label in known.refused[row]
        for row, label in zip(rows.tolist(), guessed, strict=True)
    ]
    rows, scores = rows[counts], scores[counts]
    guessed = list(itertools.compress(guessed, counts))
    is_right = np.array(guessed, np.str_) == truth[rows]
    sure = held_out_confidence(scores, is_right)
    calibrator = calibrate(scores, is_right)
    method = FillMethod(
        kinds=kinds,
        weights=weights,
        calibrator=calibrator,
        threshold=trusted_from(sure, is_right, precision)
        if calibrator.is_measured
        else float("inf"),
    )
    checked = zip(rows.tolist(), guessed, sure.tolist(), strict=True)
    return method, [Check(row, method.name, label, how) for row, label, how in checked]


def _added(weights: Sequence[float], parts: Sequence[LabelScores]) -> LabelScores:
    found = sum(np.float32(weight) * part for weight, part in zip(weights, parts, strict=True))
    return np.asarray(found, np.float32)


def _best_weights(parts: Sequence[LabelScores], place: NDArray[np.int64]) -> tuple[float, ...]:
    """Returns the weights under which held-out labels are the likeliest; words have 1."""

    def likelihood(weights: tuple[float, ...]) -> float:
        shares = sharpened(_added(weights, parts))
        return float(np.log(shares[np.arange(len(place)), place] + 1e-9).sum())

    choices = list(itertools.product((1.0,), *[_WEIGHTS] * (len(parts) - 1)))
    return max(choices, key=likelihood) if len(place) else (1.0,) * len(parts)
