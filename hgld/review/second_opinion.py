"""Statistics for a second reviewer: which classes they are asked, and how far the two agree.

A second reviewer decides a sample of the first one's classes without seeing those decisions.
"""

import math
import operator
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hgld.review.log.events import label_key

_Z = 1.959964  # 95% of a normal distribution lies within this many standard deviations


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
    """1: always agreed. 0: no better than chance. NaN: one of the two put all cases into one
    category, so that kappa is 0 / 0, or 0 whatever the other says; or there are no cases."""
    low: float
    high: float
    """Ends of its 95% interval, within -1 and 1; NaN if kappa is."""


def draw_sample(
    decided: Mapping[str, str | None], landmarks: Mapping[str, int], size: int, *, seed: int
) -> list[str]:
    """Draws the classes for a blind second opinion from those that a first reviewer decided.

    The sample is stratified by super-category; the ignored classes form one more stratum. Each
    stratum first gets one class, those with the most landmarks first, until the sample is full.
    Each further class goes to the stratum with the highest landmarks / (2 s + 1), where s is the
    number of classes it has so far and landmarks is the sum over its classes, until it has no class
    left (the method of Webster and Sainte-Lague, with a minimum). Within a stratum all classes are
    equally likely. A larger sample of the same seed contains the smaller one.

    Args:
        decided: class_qid to its super-category, or to None if it is ignored. Case and spaces do
            not matter.
        landmarks: class_qid to its number of landmarks, at least for these classes.
        size: how many classes to draw, 0 or more; all classes if there are fewer.
        seed: a different one gives a different sample.

    Returns:
        Q-ids, each once, in an order that reveals neither super-category nor landmarks.

    Source:
        Balinski and Young, Fair Representation, 1982 (Webster's method); proportional allocation:
        Cochran, Sampling Techniques, 1977, section 5.5.
    """
    chance = np.random.default_rng(seed)
    strata: dict[str, list[str]] = defaultdict(list)
    for qid in sorted(decided):
        strata[label_key(decided[qid] or "")].append(qid)
    ranked = []
    for name, qids in sorted(strata.items()):
        weight = sum(landmarks[qid] for qid in qids)
        for place, qid in enumerate(chance.permutation(qids).tolist()):
            # The first class of each stratum precedes all others; ties go by the alphabet.
            ranked.append((place > 0, -weight / (2 * place + 1), name, place, qid))
    drawn = [qid for *_, qid in sorted(ranked)[:size]]
    return list(chance.permutation(drawn).tolist())


def cohen_kappa(first: Sequence[str], second: Sequence[str]) -> CohensKappa:
    """Measures the agreement of two reviewers who put the same cases into categories.

    Kappa is scikit-learn's. Its interval is kappa -+ 1.96 standard errors, clipped to [-1, 1]. If
    all cases agree, the interval has no width, even for few cases: use the interval of the observed
    agreement instead.

    Args:
        first: n categories, one for each case.
        second: n categories of the same cases, in the same order.

    Example:
        >>> found = cohen_kappa(["lake"] * 5 + ["fort"] * 5, ["lake"] * 4 + ["fort"] * 6)
        >>> found.observed, round(found.kappa, 6)
        (0.9, 0.8)
        >>> [round(end, 4) for end in (found.observed_low, found.observed_high)]
        [0.5958, 0.9821]

    Source:
        Cohen, A Coefficient of Agreement for Nominal Scales, Educational and Psychological
        Measurement 1960.
    """
    from scipy.stats import binomtest
    from sklearn.metrics import cohen_kappa_score, confusion_matrix

    cases, unknown = len(first), (math.nan, math.nan, math.nan)
    if not cases:
        return CohensKappa(0, *unknown, *unknown)
    agreed = sum(map(operator.eq, first, second))
    ends = binomtest(agreed, cases).proportion_ci(method="wilson")
    observed = (agreed / cases, float(ends.low), float(ends.high))
    if 1 in {len(set(first)), len(set(second))}:
        return CohensKappa(cases, *observed, *unknown)
    kappa = float(cohen_kappa_score(first, second))
    reach = _Z * _kappa_error(confusion_matrix(first, second) / cases, cases)
    return CohensKappa(cases, *observed, kappa, max(kappa - reach, -1.0), min(kappa + reach, 1.0))


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
