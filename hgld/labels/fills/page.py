"""The page of the fills: how many there are, and how far their confidence is to be trusted."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hgld.labels.fills.guessing import Floats, trusted_from

REVIEWED = "reviewed"
"""The method of a label that a person accepted."""
_SHARES = (0.1, 0.3, 0.5, 0.7, 1.0)
"""Of the guesses, the surest first."""
_BINS = 10


class Bin(NamedTuple):
    """Guesses of like confidence."""

    guesses: int
    confidence: float
    """Their mean confidence."""
    right: float
    """Share of them that are right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredGuesses:
    """How guesses of one method are right, for one super-category or all."""

    name: str
    guesses: int
    right: float
    ece: float
    bins: Sequence[Bin]
    surest: Sequence[tuple[float, float]]
    """Share of the guesses, the surest first, and how many of these are right."""
    threshold: float
    """From which confidence on enough are right; infinity: none."""
    coverage: float
    """Share of the guesses that are so sure,"""
    right_of_sure: float
    """and of those the share that is right; NaN without one."""


def measure_guesses(
    name: str, checks: pa.Table, precision: float, threshold: float | None = None
) -> MeasuredGuesses:
    """Measures guesses for labelled landmarks that were held out.

    Args:
        name: what they are of.
        checks: rows of FILL_CHECKS, one at least.
        precision: the share that has to be right, from 0 to 1.
        threshold: the confidence from which on guesses are labels; None: from which on enough of
            these are right.
    """
    confidence = checks["confidence"].to_numpy().astype(np.float64)
    is_right = np.asarray(
        checks["best_guess"].to_numpy() == checks["hierarchical_label"].to_numpy(), bool
    )
    if threshold is None:
        threshold = trusted_from(confidence, is_right, precision)
    is_sure = confidence >= threshold
    in_order = is_right[np.argsort(-confidence, kind="stable")]
    return MeasuredGuesses(
        name=name,
        guesses=len(is_right),
        right=float(is_right.mean()),
        ece=expected_calibration_error(confidence, is_right),
        bins=reliability_bins(confidence, is_right),
        surest=[
            (share, float(in_order[: math.ceil(share * len(in_order))].mean())) for share in _SHARES
        ],
        threshold=threshold,
        coverage=float(is_sure.mean()),
        right_of_sure=float(is_right[is_sure].mean()) if is_sure.any() else math.nan,
    )


def reliability_bins(confidence: Floats, is_right: NDArray[np.bool_]) -> list[Bin]:
    """Returns the bins, of ten equal ones from 0 to 1, that have guesses."""
    place = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    return [
        Bin(int(chosen.sum()), float(confidence[chosen].mean()), float(is_right[chosen].mean()))
        for number in range(_BINS)
        if (chosen := place == number).any()
    ]


def expected_calibration_error(confidence: Floats, is_right: NDArray[np.bool_]) -> float:
    """Returns how far confidences are from how often guesses are right: ECE over ten equal bins.

    Args:
        confidence: (n,), from 0 to 1.
        is_right: (n,).

    Returns:
        The mean over guesses of |mean confidence - share right| in their bin; NaN without guesses.

    Source:
        Naeini, Cooper, Hauskrecht: Obtaining Well Calibrated Probabilities Using Bayesian Binning,
        AAAI 2015.
    """
    bins = reliability_bins(confidence, is_right)
    gaps = [each.guesses * abs(each.confidence - each.right) for each in bins]
    return sum(gaps) / len(confidence) if bins else math.nan


def fills_page(fills: pa.Table, checks: pa.Table, precision: float) -> str:
    """Returns the page, HTML that asks no server for anything.

    Args:
        fills: rows of FILLS.
        checks: rows of FILL_CHECKS.
        precision: the share of labels that has to be right, from 0 to 1.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("hgld.labels.fills"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = lambda share: "" if math.isnan(share) else f"{share:.1%}"
    methods = []
    for method in sorted({*checks["method"].to_pylist()}, key=lambda each: (len(each), each)):
        rows = checks.filter(pc.equal(checks["method"], method))
        whole = measure_guesses(method, rows, precision)
        methods.append((whole, _by_label(rows, precision, whole.threshold)))
    return environment.get_template("fills.html").render(
        precision=precision, landmarks=len(fills), counts=_counts(fills), methods=methods
    )


def _by_label(checks: pa.Table, precision: float, threshold: float) -> list[MeasuredGuesses]:
    """Measures the guesses of each super-category, the most frequent first."""
    counts = Counter(checks["best_guess"].to_pylist())
    return [
        measure_guesses(
            label, checks.filter(pc.equal(checks["best_guess"], label)), precision, threshold
        )
        for label, _ in sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    ]


def _counts(fills: pa.Table) -> Mapping[str, int]:
    """Returns how many landmarks have a label by each method, and how many have none."""
    pairs = zip(fills["method"].to_pylist(), fills["status"].to_pylist(), strict=True)
    found = Counter(
        "no guess that is sure enough"
        if status != "ok"
        else "a label that a person accepted"
        if method == REVIEWED
        else f"a label by {method}"
        for method, status in pairs
    )
    return dict(sorted(found.items()))
