"""Guesses by each combination of evidence, for landmarks that what guesses did not see.

The scores, weights, confidences and thresholds are those of `hgld fill`; what differs is that each
combination is asked alone, also those without words, which the stage never asks alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from hgld.benchmarks.labels.fills import PRECISION, Guessed, Names, figures
from hgld.labels.fills.guessing.combining import combine_evidence, measure_method
from hgld.labels.fills.guessing.lexicon import Lexicon
from hgld.labels.fills.guessing.scoring import EvidenceScores, score_pictures, score_titles
from hgld.labels.fills.guessing.subjects import (
    EvidenceOrigin,
    KnownLandmarks,
    PictureVote,
    Subjects,
)

_KINDS: tuple[EvidenceOrigin, ...] = ("words", "parents", "pictures")
AS_FILL = "as hgld fill does"

Rows = NDArray[np.int64]
Evidence = dict[EvidenceOrigin, EvidenceScores]
VotesOf = Callable[[Rows, Rows], Sequence[PictureVote | None]]
"""From known and asked rows to the votes of all rows, those of unseen ones alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """What is learned from and what is asked, as rows of all names."""

    known: Rows
    asked: Rows


@dataclass(slots=True)
class Asked:
    """Guesses of one combination, gathered split by split."""

    guess: NDArray[np.str_]
    confidence: NDArray[np.float64]
    has: NDArray[np.bool_]
    """Which names were asked, and had all of the evidence."""

    def take(self, rows: Rows, guess: Sequence[str], confidence: NDArray[np.float64]) -> None:
        """Adds guesses for some rows."""
        self.guess[rows], self.confidence[rows], self.has[rows] = guess, confidence, True


def fold_splits(asked: Rows, count: int, parts: int, seed: int = 0) -> list[Split]:
    """Splits rows into parts that are asked in turn; all others are known.

    Args:
        asked: the rows that are asked, each once.
        count: of all rows.
        parts: how many.
        seed: of the draw.
    """
    part = np.random.default_rng(seed).permutation(len(asked)) % parts
    everything = np.arange(count)
    return [
        Split(known=np.setdiff1d(everything, held), asked=held)
        for held in (asked[part == number] for number in range(parts))
    ]


def measure_words(names: Names, splits: Sequence[Split], lexicon: Lexicon) -> list[EvidenceScores]:
    """Returns the scores of words for each split: the same whatever stands beside them."""
    return [
        score_titles(
            "words",
            _known(names, split, Subjects(names=names.names[split.known].tolist())),
            Subjects(names=names.names[split.asked].tolist()),
            lexicon,
            _say,
        )
        for split in splits
    ]


def measure_combinations(
    names: Names,
    splits: Sequence[Split],
    words: Sequence[EvidenceScores],
    lexicon: Lexicon,
    parents: Sequence[tuple[str, ...]] = (),
    votes_of: VotesOf | None = None,
) -> dict[str, dict[str, float]]:
    """Measures each combination of the evidence that there is, on landmarks that have all of it.

    Args:
        names: of all landmarks.
        splits: what is learned from and asked, in turn.
        words: what `measure_words` returns.
        lexicon: what words mean.
        parents: (n,), of all landmarks; or nothing.
        votes_of: how their pictures vote; None: they have none.

    Returns:
        Combination to its figures and `landmarks`: how many with a label these are of; after them
        what `hgld fill` comes to with all of it, landmarks that lack some included.
    """
    kinds = [
        kind for kind in _KINDS if kind == "words" or (parents if kind == "parents" else votes_of)
    ]
    sets = [some for size in range(1, len(kinds) + 1) for some in combinations(kinds, size)]
    gathered = {"+".join(some): _nothing_asked(names) for some in sets} | {
        AS_FILL: _nothing_asked(names)
    }
    for split, scores in zip(splits, words, strict=True):
        votes = votes_of(split.known, split.asked) if votes_of else ()
        known = _known(names, split, _subjects(names, split.known, parents, votes))
        asked = _subjects(names, split.asked, parents, votes)
        evidence: Evidence = {"words": scores}
        if parents:
            evidence["parents"] = score_titles("parents", known, asked, lexicon, _say)
        if votes:
            seen = known.subjects.pictures
            evidence["pictures"] = score_pictures(seen, asked.pictures, known.labels, scores.has)
        for some in sets:
            _ask(gathered["+".join(some)], some, evidence, known, asked, split)
        done = combine_evidence(known, asked, evidence, {}, PRECISION)
        guessed = [known.labels[place] for place in done.front]
        gathered[AS_FILL].take(split.asked, guessed, done.confidence)
    # Beside what has parents, or pictures, the words of the same landmarks.
    full = gathered["+".join(kinds)].has
    return {
        name: _figures(names, found, found.has & full if name != AS_FILL else found.has)
        for name, found in gathered.items()
    }


def _ask(
    gathered: Asked,
    some: tuple[EvidenceOrigin, ...],
    evidence: Evidence,
    known: KnownLandmarks,
    asked: Subjects,
    split: Split,
) -> None:
    method, _ = measure_method(some, evidence, known, PRECISION)
    has = np.ones(len(asked), bool)
    if "parents" in some:
        has &= np.array([bool(titles) for titles in asked.parents], bool)
    if "pictures" in some:
        has &= np.array([vote is not None for vote in asked.pictures], bool)
    rows = np.flatnonzero(has)
    scores = method.added([evidence[kind].asked[rows] for kind in some])
    guessed = [known.labels[place] for place in scores[:, :-1].argmax(axis=1)]
    gathered.take(split.asked[rows], guessed, method.calibrator.confidence(scores))


def _known(names: Names, split: Split, subjects: Subjects) -> KnownLandmarks:
    return KnownLandmarks(
        subjects=subjects, truth=names.truth[split.known].tolist(), labels=names.labels
    )


def _subjects(
    names: Names,
    rows: Rows,
    parents: Sequence[tuple[str, ...]],
    votes: Sequence[PictureVote | None],
) -> Subjects:
    return Subjects(
        names=names.names[rows].tolist(),
        parents=[parents[row] for row in rows] if parents else (),
        pictures=[votes[row] for row in rows] if votes else (),
    )


def _nothing_asked(names: Names) -> Asked:
    count = len(names.names)
    return Asked(np.full_like(names.truth, ""), np.zeros(count), np.zeros(count, bool))


def _figures(names: Names, found: Asked, has: NDArray[np.bool_]) -> dict[str, float]:
    rows = np.flatnonzero(has & (names.truth != ""))
    some = replace(names, names=names.names[rows], truth=names.truth[rows])
    guessed = Guessed(guess=found.guess[rows], confidence=found.confidence[rows])
    return {"landmarks": len(rows)} | figures(some, guessed)


def heads_read(titles: Mapping[str, Sequence[str]], lexicon: Lexicon) -> dict[str, float]:
    """Returns how heads are read: percentages that mean their super-category, another, or nothing.

    Args:
        titles: super-category to titles that tell it.
        lexicon: what words mean.
    """
    right = wrong = total = 0
    for label, some in titles.items():
        for title in some:
            said = lexicon.meaning(title).said
            right += label in said
            wrong += bool(said) and label not in said
            total += 1
    shares = {"right": right, "another": wrong, "nothing": total - right - wrong}
    return {name: round(100 * count / total, 1) for name, count in shares.items()}


def _say(_: str) -> None:
    pass
