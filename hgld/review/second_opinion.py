"""Statistics for a second reviewer: the sample, the hidden control questions, and the agreement.

A second reviewer decides a sample of the first one's classes without seeing those decisions
(`draw_sample`). Questions with a known answer are hidden among the others and measure how often
each reviewer is right (`hide_known`, `score_known`). `compare_reviewers` measures the agreement on
the classes that both decided; `differences_between` lists those that the two still have to settle.

All draws depend only on a seed and the Q-ids. The order of the classes does not matter, a larger
sample contains the smaller one, and one more decided class moves few others. The seed reveals which
answers are known, so a review draws it at random, keeps it in its log and does not show it.
"""

import hashlib
import math
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hgld.review.log.events import label_key
from hgld.tables import qid_number

NO_CASE = "the two have no judged class in common"
ONE_SIDED = (
    "one of the two gave every class the same category, so kappa is always 0 and says nothing"
)
ONE_CATEGORY = "both gave every class the same category, so kappa is 0 / 0"
_Z = 1.959964  # 95% of a normal distribution lies within this many standard deviations

_Category = tuple[bool, str]
"""(True, key of the super-category), or (False, "") for ignored classes."""


class Judgement(NamedTuple):
    """What a reviewer says a class is; both fields are None to ignore the class."""

    hierarchical_label: str | None
    natural_or_human_made: str | None


class Difference(NamedTuple):
    """A class on which two reviewers disagree."""

    class_qid: str
    landmarks: int
    first: Judgement
    second: Judgement


class KnownScore(NamedTuple):
    """How often a reviewer gave the known right answer."""

    answered: int
    """Classes with a known answer that the reviewer has decided."""
    right: int
    accuracy: float
    """right / answered; NaN if none is answered."""
    low: float
    high: float
    """Ends of its 95% interval (Wilson)."""
    wrong: tuple[str, ...]
    """Q-ids of the wrong answers, in ascending order of their numbers."""


class CohensKappa(NamedTuple):
    """Agreement of two reviewers on the same cases, beyond what chance gives."""

    cases: int
    """Number of cases that both judged."""
    observed: float
    """Share of the cases on which they agree, 0 to 1; NaN without cases."""
    observed_low: float
    observed_high: float
    """Ends of its 95% interval (Wilson)."""
    kappa: float
    """1: always agreed. 0: no better than chance. NaN: see `undefined`."""
    low: float
    high: float
    """Ends of its 95% interval, within -1 and 1; NaN if kappa is."""
    undefined: str
    """Why there is no kappa, in words; empty if there is one."""


class Agreement(NamedTuple):
    """How far two reviewers agree on the classes that both have decided."""

    kappa: CohensKappa
    """By class."""
    by_landmarks: float
    """Agreement weighted by the landmarks of each class, 0 to 1; a landmark counts once for each of
    its classes. NaN without landmarks."""


def draw_sample(
    decided: Mapping[str, str | None], landmarks: Mapping[str, int], size: int, *, seed: int | str
) -> list[str]:
    """Draws the classes for a blind second opinion from those that a first reviewer decided.

    The sample is stratified by super-category; the ignored classes form one more stratum. Each
    stratum first gets one class, those with the most landmarks first, until the sample is full.
    Each further class goes to the stratum with the highest landmarks / (2 s + 1), where s is the
    number of classes it has so far and landmarks is the sum over its classes, until it has no class
    left (the method of Webster and Sainte-Lague, with a minimum). Within a stratum all classes are
    equally likely.

    Args:
        decided: class_qid to its super-category, or to None if it is ignored. Case and spaces do
            not matter.
        landmarks: class_qid to its number of landmarks, at least for these classes.
        size: how many classes to draw, 0 or more; all classes if there are fewer.
        seed: a different one gives a different sample.

    Returns:
        Q-ids, each once, in an order that reveals neither super-category nor landmarks.

    Raises:
        ValueError: a negative size.

    Source:
        Balinski and Young, Fair Representation, 1982 (Webster's method); proportional allocation:
        Cochran, Sampling Techniques, 1977, section 5.5.
    """
    if size < 0:
        raise ValueError(f"size must not be negative, got {size}; choose 0 or more")
    strata: dict[_Category, list[str]] = defaultdict(list)
    for qid, label in decided.items():
        strata[_category(label)].append(qid)
    ranked = []
    for one, qids in strata.items():
        weight = sum(landmarks[qid] for qid in qids)
        for place, qid in enumerate(_shuffled(qids, seed, "sample")):
            # The first class of each stratum precedes all others; ties go by the alphabet.
            ranked.append((place > 0, -weight / (2 * place + 1), one, place, qid))
    return _shuffled((qid for *_, qid in sorted(ranked)[:size]), seed, "order")


def hide_known(queue: Sequence[str], known: Collection[str], *, seed: int | str) -> list[str]:
    """Hides classes with a known answer in a reviewer's queue.

    It adds k = round(n / 19) known classes to n questions, so that one in twenty is known; with
    fewer than 10 questions k is 0. The result is divided into k pieces whose lengths differ by at
    most one, and each piece holds one known class at a random place. They are thus spread out and
    unpredictable.

    Args:
        queue: n Q-ids in the order of the questions, which does not change.
        known: Q-ids to draw from; those already in the queue are not drawn.
        seed: a different one draws different classes and places; each reviewer needs their own.

    Returns:
        n + k Q-ids, or fewer if `known` has fewer than k to draw from.
    """
    there = set(queue)
    hidden = _shuffled((qid for qid in set(known) if qid not in there), seed, "known")
    hidden = hidden[: (len(queue) + 9) // 19]
    total = len(queue) + len(hidden)
    ends = [total * piece // max(len(hidden), 1) for piece in range(len(hidden) + 1)]
    at = {
        start + _number(seed, "place", str(piece)) % (end - start): qid
        for piece, ((start, end), qid) in enumerate(zip(pairwise(ends), hidden, strict=True))
    }
    others = iter(queue)
    return [at[place] if place in at else next(others) for place in range(total)]


def score_known(answers: Mapping[str, str | None], known: Mapping[str, str | None]) -> KnownScore:
    """Compares a reviewer's answers with the known right ones, for the classes that have both.

    Args:
        answers: class_qid to the super-category that the reviewer gave; None: ignored.
        known: class_qid to the right one. Case and spaces do not matter.
    """
    common = sorted(answers.keys() & known.keys(), key=qid_number)
    wrong = [qid for qid in common if _category(answers[qid]) != _category(known[qid])]
    answered, right = len(common), len(common) - len(wrong)
    accuracy = right / answered if answered else math.nan
    return KnownScore(answered, right, accuracy, *share_interval(right, answered), tuple(wrong))


def compare_reviewers(
    first: Mapping[str, Judgement], second: Mapping[str, Judgement], landmarks: Mapping[str, int]
) -> tuple[Agreement, Agreement]:
    """Measures how far two reviewers agree on the classes that both decided.

    Args:
        first: class_qid to the judgement of the first reviewer.
        second: class_qid to the judgement of the second reviewer.
        landmarks: class_qid to its number of landmarks, at least for the common classes.

    Returns:
        The agreement on super-categories, with ignored classes as one more category; and the
        agreement on natural or human-made, over the classes that neither reviewer ignores.
    """
    said = {qid: (_answer(first[qid]), _answer(second[qid])) for qid in first if qid in second}
    labels = {qid: (one[0], other[0]) for qid, (one, other) in said.items()}
    sides = {qid: (one[1], other[1]) for qid, (one, other) in said.items()}
    sides = {qid: both for qid, both in sides.items() if None not in both}
    return _agreement(labels, landmarks), _agreement(sides, landmarks)


def differences_between(
    first: Mapping[str, Judgement], second: Mapping[str, Judgement], landmarks: Mapping[str, int]
) -> list[Difference]:
    """Lists the classes on which two reviewers differ, in super-category or side.

    Args:
        first: class_qid to the judgement of the first reviewer.
        second: class_qid to the judgement of the second reviewer.
        landmarks: class_qid to its number of landmarks, at least for the common classes.

    Returns:
        The differences, sorted by descending landmarks, then by the number of the Q-id.
    """
    found = [
        Difference(qid, landmarks[qid], first[qid], second[qid])
        for qid in first.keys() & second.keys()
        if _answer(first[qid]) != _answer(second[qid])
    ]
    return sorted(found, key=lambda one: (-one.landmarks, qid_number(one.class_qid)))


def cohen_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> CohensKappa:
    """Measures the agreement of two reviewers who put the same cases into categories.

    Kappa is scikit-learn's. Its interval is kappa -+ 1.96 standard errors, clipped to [-1, 1]. If
    all cases agree, the interval has no width, even for few cases: use the interval of the observed
    agreement instead.

    Args:
        first: n categories, one for each case.
        second: n categories of the same cases, in the same order.

    Returns:
        The agreement. Kappa and its interval are NaN, and `undefined` says why, without cases or if
        one reviewer gives all cases the same category (kappa is then 0 / 0, or always 0).

    Raises:
        ValueError: the lengths differ.

    Example:
        >>> found = cohen_kappa(["lake"] * 5 + ["fort"] * 5, ["lake"] * 4 + ["fort"] * 6)
        >>> found.observed, round(found.kappa, 6)
        (0.9, 0.8)

    Source:
        Cohen, A Coefficient of Agreement for Nominal Scales, Educational and Psychological
        Measurement 1960.
    """
    from sklearn.metrics import cohen_kappa_score, confusion_matrix

    numbers = {category: number for number, category in enumerate(dict.fromkeys((*first, *second)))}
    one, other = [numbers[each] for each in first], [numbers[each] for each in second]
    cases, agreed = len(one), sum(map(int.__eq__, one, other))
    undefined, kappa, reach = "", math.nan, math.nan
    if not cases:
        undefined = NO_CASE
    elif len(numbers) == 1:
        undefined = ONE_CATEGORY
    elif 1 in {len(set(one)), len(set(other))}:
        undefined = ONE_SIDED
    else:
        kappa = float(cohen_kappa_score(one, other))
        reach = _Z * _kappa_error(confusion_matrix(one, other) / cases, cases)
    return CohensKappa(
        cases,
        agreed / cases if cases else math.nan,
        *share_interval(agreed, cases),
        *(kappa, max(kappa - reach, -1.0), min(kappa + reach, 1.0)),
        undefined,
    )


def share_interval(right: int, total: int) -> tuple[float, float]:
    """Returns the ends of the 95% Wilson interval of right / total; NaN if total is 0.

    Example:
        >>> [round(end, 4) for end in share_interval(9, 10)]
        [0.5958, 0.9821]
    """
    from scipy.stats import binomtest

    if not total:
        return math.nan, math.nan
    ends = binomtest(right, total).proportion_ci(method="wilson")
    return float(ends.low), float(ends.high)


def _kappa_error(shares: NDArray[np.float64], cases: int) -> float:
    r"""Returns the large-sample standard error of kappa, for any true kappa.

    With p_ij the share of cases that the first reviewer puts into category i and the second into j,
    p_i. and p_.i the marginal shares, p_o = sum_i p_ii and p_e = sum_i p_i. p_.i:

        n (1 - p_e)^4 SE^2 =   sum_i p_ii [(1 - p_e) - (p_i. + p_.i)(1 - p_o)]^2
                             + (1 - p_o)^2 sum_{i != j} p_ij (p_.i + p_j.)^2
                             - (p_o p_e - 2 p_e + p_o)^2

    Source:
        Fleiss, Cohen and Everitt, Large Sample Standard Errors of Kappa and Weighted Kappa,
        Psychological Bulletin 1969, equation 13. Neither scikit-learn nor scipy has it.
    """
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    observed, expected = shares.trace(), rows @ columns
    on = shares.diagonal() * ((1 - expected) - (rows + columns) * (1 - observed)) ** 2
    off = shares * (columns[:, None] + rows) ** 2
    above = on.sum() + (1 - observed) ** 2 * (off.sum() - off.trace())
    above -= (observed * expected - 2 * expected + observed) ** 2
    # Rounding can leave -1e-17 where the exact value is 0.
    return float(math.sqrt(max(above, 0.0) / cases) / (1 - expected) ** 2)


def _agreement(
    said: Mapping[str, tuple[Hashable, Hashable]], landmarks: Mapping[str, int]
) -> Agreement:
    total = sum(landmarks[qid] for qid in said)
    same = sum(landmarks[qid] for qid, (one, other) in said.items() if one == other)
    kappa = cohen_kappa([one for one, _ in said.values()], [other for _, other in said.values()])
    return Agreement(kappa, same / total if total else math.nan)


def _answer(judgement: Judgement) -> tuple[_Category, str | None]:
    """Returns category and side; the side of an ignored class is dropped."""
    label, side = judgement
    return _category(label), None if label is None else side


def _category(label: str | None) -> _Category:
    """Returns the same key for all spellings of an answer; None never equals a name."""
    return (label is not None, label_key(label or ""))


def _shuffled(qids: Iterable[str], seed: int | str, purpose: str) -> list[str]:
    """Shuffles Q-ids; the order of any two does not depend on the others."""
    return sorted(qids, key=lambda qid: (_number(seed, purpose, qid), qid))


def _number(seed: int | str, purpose: str, name: str) -> int:
    """Returns a pseudo-random number below 2^64 that depends only on the arguments."""
    digest = hashlib.sha256("\0".join((str(seed), purpose, name)).encode()).digest()
    return int.from_bytes(digest[:8], "big")
