"""How often each kind of evidence is right, and what a sum of evidence is worth: `calibration.csv`.

The figures are measured by `hgld.benchmarks.labels.proposals --calibrate` on the classes of the
shipped taxonomy, each proposed with its own lines withheld; where those cannot tell, a figure is
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
"""Of the file: what is one of accuracy | weight | softmax | prior | confidence | threshold."""

_MOST_CERTAIN = 0.995
"""No evidence is worth more: a wrong line in a table of ours is likelier than one in 200."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Softmax:
    """How cosines become shares: p = (1 - floor) softmax(cosines / temperature) + floor prior."""

    temperature: float
    """In units of the spread of the encoder's cosines."""
    ignore: float
    """The cosine, in the same units, above which a name speaks louder than IGNORE."""
    floor: float
    """How much is left for what the vectors do not show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The accuracies of evidence, and what sums of it are worth."""

    accuracy: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """(method, tier) to how often a candidate of it is right where none before it was."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """By method, how much of its opinion counts beside the others', from 0 to 1: two that read the
    same label repeat each other. 1 where none is given."""
    softmax: Mapping[str, Softmax] = field(default_factory=dict)
    """By method that compares vectors."""
    ignored: float = 0.25
    """The share of classes that say nothing of looks."""
    confidence: tuple[tuple[float, float], ...] = ((0.0, 0.5), (4.6, 0.99))
    """Log-odds of the best target to how often it is right: points of a line that rises."""
    temper: float = 1.0
    """What the log-odds of the silver set's answers are multiplied by: below 1 where others agree
    less with proposals than who wrote both the taxonomy and those answers."""
    ask_below: float = 0.5
    """Of the confidence: below it a reviewer is asked."""
    ignore_from: float = 0.6
    """Of the confidence: from it on a class is ignored although nothing says so but that nothing
    speaks for a super-category."""
    automatic_from: float = 0.99
    """Of the confidence: from it on nobody needs to look."""

    def of(self, method: str, tier: str) -> float:
        """Returns the accuracy of a tier.

        Raises:
            ValueError: it was never measured.
        """
        try:
            return min(self.accuracy[method, tier], _MOST_CERTAIN)
        except KeyError:
            raise ValueError(
                f"calibration.csv must have a row for each kind of evidence, got none for "
                f"{method} {tier!r}; run `python -m hgld.benchmarks.labels.proposals --calibrate`"
            ) from None

    def weight(self, method: str) -> float:
        """Returns how much of a method's opinion counts."""
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
    """Reads the calibration in the package."""
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
