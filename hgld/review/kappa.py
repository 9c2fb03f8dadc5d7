"""How far two reviewers agree beyond chance, and how sure a share of so few cases is."""

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

_Z = NormalDist().inv_cdf(0.975)
"""1.96: a normal variable lies within so many standard deviations 95 times in 100."""

NO_CASE = "there is no class that both have judged"
ONE_SIDED = (
    "one of the two gave every class one and the same category, so that kappa is 0 whatever the "
    "other says and tells nothing"
)
ONE_CATEGORY = "both gave every class one and the same category, which leaves chance no room"


@dataclass(frozen=True, slots=True, kw_only=True)
class CohensKappa:
    """Agreement of two reviewers on the same cases, beyond what chance gives."""

    cases: int
    """That both have judged."""
    observed: float
    """Share of the cases on which they agree, 0 to 1; NaN without a case."""
    observed_low: float
    observed_high: float
    """Ends of its 95% interval (`wilson_interval`)."""
    expected: float
    """Share on which two would agree who give each category as often, but blindly."""
    kappa: float
    """1: always agreed. 0: as chance does. NaN where it is undefined, see `undefined`."""
    standard_error: float
    low: float
    high: float
    """Ends of its 95% interval, within -1 and 1; NaN where kappa is."""
    undefined: str
    """Why there is no kappa, in words; empty where there is one."""


def cohen_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> CohensKappa:
    r"""Measures the agreement of two reviewers who put the same cases into categories.

    kappa = (p_o - p_e) / (1 - p_e), where p_ij is the share of the n cases that the first puts into
    category i and the second into j, p_i. and p_.i are the shares of category i with the first and
    the second, p_o = sum_i p_ii and p_e = sum_i p_i. p_.i.

    Its standard error is that of large samples, for any true kappa (not for kappa = 0 alone):

        n (1 - p_e)^4 SE^2 =   sum_i p_ii [(1 - p_e) - (p_i. + p_.i)(1 - p_o)]^2
                             + (1 - p_o)^2 sum_{i != j} p_ij (p_.i + p_j.)^2
                             - (p_o p_e - 2 p_e + p_o)^2

    and the interval is kappa -+ 1.96 SE, cut off at -1 and 1. Where all cases agree SE is 0, and
    the interval has no width however few they are: then that of the observed agreement says more.

    Args:
        first: n categories, one for each case.
        second: n categories of the same cases, in the same order.

    Returns:
        The measure. Without a case, where both put every case into the same one category (0 / 0),
        and where one of them does (p_o = p_e and SE = 0, whatever the other says), kappa and its
        interval are NaN, and it says why.

    Raises:
        ValueError: they are not of the same length.

    Example:
        >>> found = cohen_kappa(["lake"] * 5 + ["fort"] * 5, ["lake"] * 4 + ["fort"] * 6)
        >>> found.observed, found.expected, round(found.kappa, 6)
        (0.9, 0.5, 0.8)

    Source:
        Cohen, A Coefficient of Agreement for Nominal Scales, Educational and Psychological
        Measurement 1960; Fleiss, Cohen and Everitt, Large Sample Standard Errors of Kappa and
        Weighted Kappa, Psychological Bulletin 1969, equation 13.
    """
    if len(first) != len(second):
        raise ValueError(
            f"both must judge the same cases, got {len(first)} and {len(second)} of them; leave "
            f"out what one has not judged"
        )
    cases = len(first)
    if not cases:
        return _undefined(NO_CASE, 0, agreed=0, expected=math.nan)
    rows, columns = Counter(first), Counter(second)
    agreed = sum(one == other for one, other in zip(first, second, strict=True))
    # In whole numbers, so that 1 - p_e is 0 where it is, and not 1e-16.
    by_chance = sum(count * columns[category] for category, count in rows.items())
    observed, expected = agreed / cases, by_chance / cases**2
    if by_chance == cases**2:
        return _undefined(ONE_CATEGORY, cases, agreed=agreed, expected=expected)
    if 1 in {len(rows), len(columns)}:
        return _undefined(ONE_SIDED, cases, agreed=agreed, expected=expected)
    kappa = (agreed * cases - by_chance) / (cases**2 - by_chance)
    error = _standard_error(Counter(zip(first, second, strict=True)), rows, columns, cases)
    low, high = wilson_interval(agreed, cases)
    return CohensKappa(
        cases=cases,
        observed=observed,
        observed_low=low,
        observed_high=high,
        expected=expected,
        kappa=kappa,
        standard_error=error,
        low=max(kappa - _Z * error, -1.0),
        high=min(kappa + _Z * error, 1.0),
        undefined="",
    )


def wilson_interval(right: int, total: int) -> tuple[float, float]:
    """Returns the ends of the 95% interval of a share, which is right for few cases as well.

    (p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n), with p = right / n,
    n = total and z = 1.96.

    Args:
        right: cases that count, from 0 to `total`.
        total: all cases.

    Returns:
        Low and high, within 0 and 1; NaN without a case.

    Raises:
        ValueError: fewer than none, or more than all, are right.

    Example:
        >>> [round(end, 4) for end in wilson_interval(9, 10)]
        [0.5958, 0.9821]

    Source:
        Wilson, Probable Inference, the Law of Succession, and Statistical Inference, Journal of the
        American Statistical Association 1927; recommended by Brown, Cai and DasGupta, Interval
        Estimation for a Binomial Proportion, Statistical Science 2001.
    """
    if not 0 <= right <= total:
        raise ValueError(f"right must be from 0 to total ({total}), got {right}; count again")
    if not total:
        return math.nan, math.nan
    share, square = right / total, _Z**2
    middle = share + square / (2 * total)
    reach = _Z * math.sqrt(share * (1 - share) / total + square / (4 * total**2))
    below = 1 + square / total
    # At either end of the range it is exact, and rounding is not.
    low = 0.0 if right == 0 else (middle - reach) / below
    high = 1.0 if right == total else (middle + reach) / below
    return low, high


def _standard_error(
    cells: Counter[tuple[Hashable, Hashable]],
    rows: Counter[Hashable],
    columns: Counter[Hashable],
    cases: int,
) -> float:
    """Returns the SE of `cohen_kappa`'s formula, whose letters these are."""
    observed = sum(count for (one, other), count in cells.items() if one == other) / cases
    expected = sum(count * columns[one] for one, count in rows.items()) / cases**2
    on_diagonal, off_diagonal = [], []
    for (one, other), count in cells.items():
        if one == other:
            margins = (rows[one] + columns[one]) / cases
            on_diagonal.append(count * ((1 - expected) - margins * (1 - observed)) ** 2)
        else:
            off_diagonal.append(count * (columns[one] + rows[other]) ** 2)
    # math.fsum: whatever the order of the cases, to the last bit.
    above = math.fsum(on_diagonal) / cases
    above += (1 - observed) ** 2 * sum(off_diagonal) / cases**3
    above -= (observed * expected - 2 * expected + observed) ** 2
    # Of a difference of equal numbers rounding may leave -1e-17.
    return math.sqrt(max(above, 0.0) / cases) / (1 - expected) ** 2


def _undefined(why: str, cases: int, *, agreed: int, expected: float) -> CohensKappa:
    low, high = wilson_interval(agreed, cases)
    return CohensKappa(
        cases=cases,
        observed=agreed / cases if cases else math.nan,
        observed_low=low,
        observed_high=high,
        expected=expected,
        kappa=math.nan,
        standard_error=math.nan,
        low=math.nan,
        high=math.nan,
        undefined=why,
    )
