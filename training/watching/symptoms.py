"""What shows that a run does not learn, and how a difference is told from noise."""

import math
import statistics
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from hgld.training.watching.lines import Curve

Kind = Literal[
    "not finite",
    "no learning rate",
    "exploding gradient",
    "vanishing gradient",
    "collapsed",
    "one super-category",
    "rising",
    "flat",
    "unmoved",
    "overfit",
    "not transferred",
    "one answer",
]


class Symptom(NamedTuple):
    """What was seen of a run."""

    kind: Kind
    """Stays the same while the numbers in the sentence change, so that it can be said once."""
    sentence: str
    """What was seen, what it may come from, and what helps."""


FEWEST_LINES = 15
"""Of a curve that is judged: thirds of less than five lines have no noise that can be told."""

STANDARD_ERRORS = 4.0
"""That a difference must be beyond: normal noise is so once in 30,000 looks, and a run is looked at
some hundred times. Lines of one epoch resemble each other, so the noise is more than it seems."""


def finite_part(curve: Curve | None) -> Curve:
    """Returns the points of a curve that are finite; none where there is no curve."""
    points = zip(*curve, strict=True) if curve else ()
    kept = [(step, value) for step, value in points if math.isfinite(value)]
    return Curve([step for step, _ in kept], [value for _, value in kept])


def ends(values: Sequence[float]) -> tuple[Sequence[float], Sequence[float]]:
    """Returns the first and the last third."""
    third = len(values) // 3
    return values[:third], values[-third:]


def noise(values: Sequence[float]) -> float:
    """Returns the standard error of the difference between the means of two thirds.

    The variance of a value is half of the mean square of the differences between neighbours, in
    which a trend hardly counts (von Neumann, Distribution of the Ratio of the Mean Square
    Successive Difference to the Variance, 1941); that of the difference of two means of n is 2 / n
    times as much.

    Example:
        >>> noise([0.0, 1.0] * 6)  # mean square 1, thirds of 4
        0.5
    """
    squares = statistics.fmean((late - early) ** 2 for early, late in pairwise(values))
    return math.sqrt(squares / (len(values) // 3))
