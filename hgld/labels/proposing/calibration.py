"""How often each kind of evidence is right, and how confident a sum is: `calibration.csv`.

`hgld.benchmarks.labels.proposals --calibrate` measures the figures on the classes of the shipped
taxonomy, each proposed with its own lines withheld. A figure that cannot be measured this way is
assumed, and its row says why.
"""

import csv
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CALIBRATION_COLUMNS = ("what", "method", "tier", "value", "right", "rows", "source")
"""Columns of the file; what: accuracy | weight | softmax | prior | confidence | threshold."""

_MOST_CERTAIN = 0.995
"""Upper limit of an accuracy: more than one in 200 lines of our tables may be wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Softmax:
    """How cosines become shares: p = (1 - floor) softmax(cosines / temperature) + floor prior."""

    temperature: float
    """In units of the spread of the encoder's cosines."""
    ignore: float
    """The cosine, in the same units, above which a name beats IGNORE."""
    floor: float
    """The share left for what the vectors do not show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The accuracy of each kind of evidence, and the confidence of sums."""

    accuracy: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """(method, tier) to how often such a candidate is right if no earlier candidate was."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """Method to the weight of its opinion, from 0 to 1 (default 1): two methods that read the same
    label repeat each other."""
    softmax: Mapping[str, Softmax] = field(default_factory=dict)
    """For each method that compares vectors."""
    ignored: float = 0.25
    """The share of classes that do not describe how a place looks."""
    confidence: tuple[tuple[float, float], ...] = ((0.0, 0.5), (4.6, 0.99))
    """Points of a rising line: log-odds of the best target to how often it is right."""
    temper: float = 1.0
    """Factor of the silver set's log-odds: below 1 if other people agree with proposals less than
    the author of both the taxonomy and the silver set."""
    ask_below: float = 0.5
    """Below this confidence, a reviewer is asked."""
    ignore_from: float = 0.6
    """From this confidence on, a class is ignored even if the only reason is that nothing supports
    a super-category."""
    automatic_from: float = 0.99
    """From this confidence on, nobody needs to look."""

    def of(self, method: str, tier: str) -> float:
        """Returns the accuracy of a tier.

        Raises:
            ValueError: the calibration lacks it.
        """
        try:
            return min(self.accuracy[method, tier], _MOST_CERTAIN)
        except KeyError:
            raise ValueError(
                f"calibration.csv must have a row for each kind of evidence, but has none for "
                f"{method} {tier!r}; run `python -m hgld.benchmarks.labels.proposals --calibrate`"
            ) from None

    def weight(self, method: str) -> float:
        """Returns the weight of a method's opinion."""
        return self.weights.get(method, 1.0)

    def confident(self, log_odds: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """Returns how often proposals with such log-odds are right, float64 from 0 to 1.

        Source:
            Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 4.2: a
            temperature, here 1 / `temper`.
        """
        import numpy as np

        at, worth = zip(*self.confidence, strict=True)
        shares = np.interp(log_odds, at, worth)
        right, wrong = shares**self.temper, (1 - shares) ** self.temper
        return np.asarray(right / (right + wrong), dtype=np.float64)


def shipped_calibration() -> Calibration:
    """Reads the shipped calibration."""
    text = resources.files(__package__).joinpath("calibration.csv").read_text(encoding="utf-8")
    return read_calibration(text)


def read_calibration(text: str) -> Calibration:
    """Reads a calibration: CSV with CALIBRATION_COLUMNS."""
    accuracy: dict[tuple[str, str], float] = {}
    parts: defaultdict[str, dict[str, float]] = defaultdict(dict)
    softmax: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for row in csv.DictReader(text.splitlines()):
        what, method, tier, value = row["what"], row["method"], row["tier"], float(row["value"])
        if what == "accuracy":
            accuracy[method, tier] = value
        elif what == "softmax":
            softmax[method][tier] = value
        else:
            parts[what][method or tier] = value
    return Calibration(
        accuracy=accuracy,
        weights=parts["weight"],
        softmax={method: Softmax(**values) for method, values in softmax.items()},
        confidence=tuple(sorted((float(at), worth) for at, worth in parts["confidence"].items())),
        **parts["prior"],
        **parts["threshold"],
    )
