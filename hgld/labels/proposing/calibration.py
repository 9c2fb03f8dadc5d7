"""How often each kind of evidence is right, and what a sum of evidence is worth: `calibration.csv`.

The figures are measured by `hgld.benchmarks.labels.proposals --calibrate` on the classes of the
shipped taxonomy, each proposed with its own lines withheld; where those cannot tell, a figure is
assumed, and its row says why. They are data, not code: a taxonomy of somebody else can bring its
own.
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import IO, TYPE_CHECKING

from hgld.errors import InputError

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
    with resources.files(__package__).joinpath("calibration.csv").open(encoding="utf-8") as file:
        return read_calibration(file, "calibration.csv")


def read_calibration(file: IO[str], name: str | Path) -> Calibration:
    """Reads a calibration.

    Args:
        file: CSV with CALIBRATION_COLUMNS.
        name: how an error names it.

    Raises:
        InputError: a row with a number that is none, or of an unknown kind.
    """
    rows = list(csv.DictReader(file))
    try:
        return _calibration(rows)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{name} must have the columns {', '.join(CALIBRATION_COLUMNS)} with numbers as "
            f"values: {error!r}; write it again with "
            "`python -m hgld.benchmarks.labels.proposals --calibrate`"
        ) from error


def _calibration(rows: Iterable[Mapping[str, str]]) -> Calibration:
    accuracy: dict[tuple[str, str], float] = {}
    weights: dict[str, float] = {}
    parts: dict[str, dict[str, float]] = {"threshold": {}, "prior": {}}
    softmax: dict[str, dict[str, float]] = {}
    confidence: list[tuple[float, float]] = []
    for row in rows:
        value = float(row["value"])
        match row["what"]:
            case "accuracy":
                accuracy[row["method"], row["tier"]] = value
            case "weight":
                weights[row["method"]] = value
            case "softmax":
                softmax.setdefault(row["method"], {})[row["tier"]] = value
            case "confidence":
                confidence.append((float(row["tier"]), value))
            case "threshold" | "prior" as what:
                parts[what][row["tier"]] = value
            case other:
                raise ValueError(f"unknown kind of row {other!r}")
    return Calibration(
        accuracy=accuracy,
        weights=weights,
        softmax={method: Softmax(**values) for method, values in softmax.items()},
        ignored=parts["prior"]["ignored"],
        confidence=tuple(sorted(confidence)),
        temper=parts["threshold"]["temper"],
        ask_below=parts["threshold"]["ask_below"],
        ignore_from=parts["threshold"]["ignore_from"],
        automatic_from=parts["threshold"]["automatic_from"],
    )
