"""How often guesses by each combination of evidence are right, and how sure they are of it.

Cross-validated by `hgld fill`'s own code: a landmark is scored by models that did not see its name,
and its confidence is learned of others, in parts of five. What differs is that each combination is
asked alone, also those without words, which the stage never asks alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from hgld.benchmarks.labels.fills import PRECISION, Guessed, Names, figures
from hgld.labels.fills.guessing.combining import Check, measure_method
from hgld.labels.fills.guessing.lexicon import Lexicon
from hgld.labels.fills.guessing.scoring import EvidenceScores, score_pictures, score_titles
from hgld.labels.fills.guessing.subjects import (
    EvidenceOrigin,
    KnownLandmarks,
    PictureVote,
    Subjects,
)

AS_FILL = "as hgld fill does"
_NOBODY = Subjects(names=[])


def score_words(names: Names, lexicon: Lexicon) -> EvidenceScores:
    """Returns what words say of each landmark: the same whatever stands beside them."""
    return score_titles("words", _known(names), _NOBODY, lexicon, _say)


def measure_combinations(
    names: Names,
    words: EvidenceScores,
    lexicon: Lexicon,
    parents: Sequence[tuple[str, ...]] = (),
    votes: Sequence[PictureVote | None] = (),
) -> dict[str, dict[str, float]]:
    """Measures each combination of the evidence that there is, on landmarks that have all of it.

    Args:
        names: of all landmarks.
        words: what `score_words` returns of these.
        lexicon: what words mean.
        parents: (n,), of all landmarks, some of which have none; or nothing at all.
        votes: (n,), of their pictures, by what did not see them; or nothing at all.

    Returns:
        Combination to its figures and `landmarks`: how many with a label these are of, the same of
        each combination. After them what `hgld fill` comes to, by what each landmark has: of all,
        or of those with pictures where these vote.
    """
    known = _known(names, parents, votes)
    evidence: dict[EvidenceOrigin, EvidenceScores] = {"words": words}
    if parents:
        evidence["parents"] = score_titles("parents", known, _NOBODY, lexicon, _say)
    if votes:
        evidence["pictures"] = score_pictures(votes, (), known.labels, words.has)
    kinds: list[EvidenceOrigin] = list(evidence)
    checks = {
        some: {each.row: each for each in measure_method(some, evidence, known, PRECISION)[1]}
        for size in range(1, len(kinds) + 1)
        for some in combinations(kinds, size)
    }
    of_each = known.subjects.kinds(kinds)
    with_all = [row for row in checks[tuple(kinds)] if len(of_each[row]) == len(kinds)]
    asked = [row for row in checks["words",] if not votes or votes[row] is not None]
    found = {"+".join(some): [made[row] for row in with_all] for some, made in checks.items()}
    found[AS_FILL] = [checks[of_each[row]][row] for row in asked]
    return {name: _figures(names, made) for name, made in found.items()}


def _figures(names: Names, found: Sequence[Check]) -> dict[str, float]:
    rows = [each.row for each in found]
    some = replace(names, names=names.names[rows], truth=names.truth[rows])
    guessed = Guessed(
        guess=np.array([each.guess for each in found]),
        confidence=np.array([each.confidence for each in found]),
    )
    return {"landmarks": len(rows)} | figures(some, guessed)


def _known(
    names: Names,
    parents: Sequence[tuple[str, ...]] = (),
    votes: Sequence[PictureVote | None] = (),
) -> KnownLandmarks:
    return KnownLandmarks(
        subjects=Subjects(names=names.names.tolist(), parents=parents, pictures=votes),
        truth=names.truth.tolist(),
        labels=names.labels,
    )


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
