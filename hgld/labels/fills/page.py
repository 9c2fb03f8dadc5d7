"""The page of the fills: how many there are, and how far their confidence is to be trusted."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hgld.labels.fills.guessing.calibration import (
    Floats,
    expected_calibration_error,
    reliability_bins,
    trusted_from,
)
from hgld.labels.fills.rows import REVIEWED

_SIDE = 100
"""Units of a plot, both ways; y goes down."""
_MOST_POINTS = 120


class Bin(NamedTuple):
    """Guesses of like confidence."""

    guesses: int
    confidence: float
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
    curve: Sequence[tuple[float, float]]
    """Share of the guesses, the surest first, and how many of these are right."""
    threshold: float
    """From which confidence on enough are right; infinity: none."""
    coverage: float
    """Share of the guesses that are so sure,"""
    right_of_sure: float
    """and of those the share that is right; NaN without one."""

    @property
    def curve_points(self) -> str:
        """The curve as the points of a polyline."""
        return " ".join(f"{_SIDE * x:.1f},{_SIDE * (1 - y):.1f}" for x, y in self.curve)


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
    return MeasuredGuesses(
        name=name,
        guesses=len(is_right),
        right=float(is_right.mean()),
        ece=expected_calibration_error(confidence, is_right),
        bins=[Bin(*each) for each in reliability_bins(confidence, is_right)],
        curve=_curve(confidence, is_right),
        threshold=threshold,
        coverage=float(is_sure.mean()),
        right_of_sure=float(is_right[is_sure].mean()) if is_sure.any() else float("nan"),
    )


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
    environment.filters["percent"] = _percent
    methods = []
    for method in sorted({*checks["method"].to_pylist()}, key=lambda each: (len(each), each)):
        rows = checks.filter(_is(checks, "method", method))
        whole = measure_guesses(method, rows, precision)
        methods.append((whole, _by_label(rows, precision, whole.threshold)))
    return environment.get_template("fills.html").render(
        precision=precision,
        landmarks=len(fills),
        counts=_counts(fills),
        methods=methods,
        side=_SIDE,
    )


def _by_label(checks: pa.Table, precision: float, threshold: float) -> list[MeasuredGuesses]:
    """Measures the guesses of each super-category, the most frequent first."""
    counts = Counter(checks["best_guess"].to_pylist())
    return [
        measure_guesses(
            label, checks.filter(_is(checks, "best_guess", label)), precision, threshold
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


def _curve(confidence: Floats, is_right: NDArray[np.bool_]) -> list[tuple[float, float]]:
    order = np.argsort(-confidence, kind="stable")
    share = np.cumsum(is_right[order]) / np.arange(1, len(order) + 1)
    chosen = np.unique(np.linspace(0, len(order) - 1, _MOST_POINTS).astype(int))
    return [((place + 1) / len(order), float(share[place])) for place in chosen.tolist()]


def _is(table: pa.Table, column: str, value: str) -> pa.ChunkedArray:
    import pyarrow.compute as pc

    return pc.equal(table[column], value)


def _percent(share: float) -> str:
    return "" if math.isnan(share) else f"{share:.1%}"
