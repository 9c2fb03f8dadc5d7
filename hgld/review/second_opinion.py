"""The arithmetic of a second reviewer: what is drawn, what is hidden in it, how far two agree.

A second person decides a sample of what a first one has decided, without seeing those answers
(`draw_sample`). Among the questions to any reviewer are classes whose right answer is known, which
tell how often that reviewer is right (`hide_known`, `score_known`). On what both have decided they
agree or not (`compare_reviewers`); the classes on which they do not are to be settled by the two
(`differences_between`).

All draws depend only on a seed and the Q-ids: the order in which classes are given changes nothing,
a larger sample contains a smaller one, and one more decided class moves few others. Whoever knows
the seed knows which classes have a known answer: a review draws it at random, keeps it in its log
and does not show it.
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

NO_CASE = "there is no class that both have judged"
ONE_SIDED = (
    "one of the two gave every class the same category, so that kappa is 0 whatever the other says "
    "and shows nothing"
)
ONE_CATEGORY = "both gave every class one and the same category, which leaves chance no room"
_Z = 1.959964  # a normal variable lies within so many standard deviations 95 times in 100

_Category = tuple[bool, str]
"""Whether it is a super-category, and its name; those that are ignored are one without."""


class Judgement(NamedTuple):
    """What a reviewer says a class is; both None: it is to be ignored."""

    hierarchical_label: str | None
    natural_or_human_made: str | None


class Difference(NamedTuple):
    """A class on which two reviewers do not agree."""

    class_qid: str
    landmarks: int
    first: Judgement
    second: Judgement


class KnownScore(NamedTuple):
    """How often a reviewer gave the answer that is known to be right."""

    answered: int
    """Classes with a known answer that the reviewer has decided."""
    right: int
    accuracy: float
    """right / answered; NaN where none is answered."""
    low: float
    high: float
    """Ends of its 95% interval (Wilson)."""
    wrong: tuple[str, ...]
    """Q-ids of the others, the oldest item first."""


class CohensKappa(NamedTuple):
    """Agreement of two reviewers on the same cases, beyond what chance gives."""

    cases: int
    """That both have judged."""
    observed: float
    """Share of the cases on which they agree, 0 to 1; NaN without a case."""
    observed_low: float
    observed_high: float
    """Ends of its 95% interval (Wilson)."""
    kappa: float
    """1: always agreed. 0: as chance does. NaN where it is undefined, see `undefined`."""
    low: float
    high: float
    """Ends of its 95% interval, within -1 and 1; NaN where kappa is."""
    undefined: str
    """Why there is no kappa, in words; empty where there is one."""


class Agreement(NamedTuple):
    """How far two reviewers agree on the classes that both have decided."""

    kappa: CohensKappa
    """By class."""
    by_landmarks: float
    """Share of the landmarks of these classes on which they agree; one with two of the classes
    counts twice. NaN without any."""


def draw_sample(
    decided: Mapping[str, str | None], landmarks: Mapping[str, int], size: int, *, seed: int | str
) -> list[str]:
    """Draws the classes for a blind second opinion, from those that a first reviewer has decided.

    Each super-category, and the ignored classes as one more, gets a share of the sample: first one
    class each, those with most landmarks first, as far as the sample goes. Then one after the other
    goes to whichever has the highest landmarks / (2 s + 1), s being what it has so far and
    landmarks the sum over its classes, until it has no class left (the method of Webster and
    Sainte-Lague, with a minimum). Within a super-category each class is as likely as any other.

    Args:
        decided: class_qid to its super-category; None: it is ignored. Spellings that differ in case
            or spaces are one super-category.
        landmarks: class_qid to the landmarks that have it, of these classes at least.
        size: how many classes to draw, 0 or more; all there are where that is less.
        seed: a different one gives a different sample.

    Returns:
        Q-ids, each once, in an order that tells neither super-category nor landmarks.

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
            # The first of each comes before all others; of equal ones the first in the alphabet.
            ranked.append((place > 0, -weight / (2 * place + 1), one, place, qid))
    return _shuffled((qid for *_, qid in sorted(ranked)[:size]), seed, "order")


def hide_known(queue: Sequence[str], known: Collection[str], *, seed: int | str) -> list[str]:
    """Puts classes whose right answer is known among those that a reviewer is asked.

    Of the n + k classes of the longer queue k = round(n / 19) are known ones, one in twenty; with
    fewer than 10 classes there is none. The longer queue is cut into k pieces of equal length, give
    or take one, and a known class stands at a place drawn in each: they are spread out, and none
    can be foreseen.

    Args:
        queue: n Q-ids in the order they are asked; it stays.
        known: Q-ids to draw from; those in the queue stay where they are and are not drawn.
        seed: a different one gives other classes at other places; each reviewer needs their own.

    Returns:
        n + k Q-ids; fewer than k of them are known ones where there are no more.
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
    """Compares a reviewer's answers with those that are known to be right.

    Args:
        answers: class_qid to the super-category that the reviewer gave; None: ignored.
        known: class_qid to the right one. Spellings that differ in case or spaces are the same.

    Returns:
        The score, over the classes that both have.
    """
    common = sorted(answers.keys() & known.keys(), key=qid_number)
    wrong = [qid for qid in common if _category(answers[qid]) != _category(known[qid])]
    answered, right = len(common), len(common) - len(wrong)
    accuracy = right / answered if answered else math.nan
    return KnownScore(answered, right, accuracy, *share_interval(right, answered), tuple(wrong))


def compare_reviewers(
    first: Mapping[str, Judgement], second: Mapping[str, Judgement], landmarks: Mapping[str, int]
) -> tuple[Agreement, Agreement]:
    """Measures how far two reviewers agree on the classes that both have decided.

    Args:
        first: class_qid to what the first says.
        second: class_qid to what the second says.
        landmarks: class_qid to the landmarks that have it, of the common classes at least.

    Returns:
        The agreement on super-categories, to ignore a class being one as well; and that on natural
        or human-made, over the classes that neither ignores.
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
        first: class_qid to what the first says.
        second: class_qid to what the second says.
        landmarks: class_qid to the landmarks that have it, of the common classes at least.

    Returns:
        Those that are to be settled, most landmarks first, then the oldest item.
    """
    found = [
        Difference(qid, landmarks[qid], first[qid], second[qid])
        for qid in first.keys() & second.keys()
        if _answer(first[qid]) != _answer(second[qid])
    ]
    return sorted(found, key=lambda one: (-one.landmarks, qid_number(one.class_qid)))


def cohen_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> CohensKappa:
    """Measures the agreement of two reviewers who put the same cases into categories.

    Kappa is scikit-learn's. Its interval is kappa -+ 1.96 standard errors, cut off at -1 and 1.
    Where all cases agree it has no width, however few they are: then look at the interval of the
    observed agreement.

    Args:
        first: n categories, one for each case.
        second: n categories of the same cases, in the same order.

    Returns:
        The measure. Without a case, and where one of them gives all cases the same category
        (0 / 0, or 0 whatever the other says), kappa and its interval are NaN, and it says why.

    Raises:
        ValueError: they are not of the same length.

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
    """Returns the ends of the 95% interval of a share, by Wilson; NaN without a case.

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
    r"""Returns the standard error of kappa, of large samples and for any true kappa.

    With p_ij the share that the first puts into category i and the second into j, p_i. and p_.i
    the shares of category i, p_o = sum_i p_ii and p_e = sum_i p_i. p_.i:

        n (1 - p_e)^4 SE^2 =   sum_i p_ii [(1 - p_e) - (p_i. + p_.i)(1 - p_o)]^2
                             + (1 - p_o)^2 sum_{i != j} p_ij (p_.i + p_j.)^2
                             - (p_o p_e - 2 p_e + p_o)^2

    Source:
        Fleiss, Cohen and Everitt, Large Sample Standard Errors of Kappa and Weighted Kappa,
        Psychological Bulletin 1969, equation 13; scikit-learn and scipy have none.
    """
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    observed, expected = shares.trace(), rows @ columns
    on = shares.diagonal() * ((1 - expected) - (rows + columns) * (1 - observed)) ** 2
    off = shares * (columns[:, None] + rows) ** 2
    above = on.sum() + (1 - observed) ** 2 * (off.sum() - off.trace())
    above -= (observed * expected - 2 * expected + observed) ** 2
    # Of a difference of equal numbers rounding may leave -1e-17.
    return float(math.sqrt(max(above, 0.0) / cases) / (1 - expected) ** 2)


def _agreement(
    said: Mapping[str, tuple[Hashable, Hashable]], landmarks: Mapping[str, int]
) -> Agreement:
    total = sum(landmarks[qid] for qid in said)
    same = sum(landmarks[qid] for qid, (one, other) in said.items() if one == other)
    kappa = cohen_kappa([one for one, _ in said.values()], [other for _, other in said.values()])
    return Agreement(kappa, same / total if total else math.nan)


def _answer(judgement: Judgement) -> tuple[_Category, str | None]:
    """Returns category and side; an ignored class has no side, whatever is written there."""
    label, side = judgement
    return _category(label), None if label is None else side


def _category(label: str | None) -> _Category:
    """Returns what two spellings of one answer have in common; no name is that of ignored ones."""
    return (label is not None, label_key(label or ""))


def _shuffled(qids: Iterable[str], seed: int | str, purpose: str) -> list[str]:
    """Returns Q-ids in a random-looking order, the same whatever others are with them."""
    return sorted(qids, key=lambda qid: (_number(seed, purpose, qid), qid))


def _number(seed: int | str, purpose: str, name: str) -> int:
    """Returns a random-looking number below 2^64 that depends only on these."""
    digest = hashlib.sha256("\0".join((str(seed), purpose, name)).encode()).digest()
    return int.from_bytes(digest[:8], "big")
