"""What the lines of a run's log say: a value a step, the validations, the best of them.

A line is a JSON object with its `step`: of training, with numbers that are means since the line
before, or of validation, with an object `validation`. Which numbers there are is the method's
business; whoever reads them takes those that are there.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

LogLine = Mapping[str, object]

_PLACES = frozenset({"step", "epoch", "validation"})


class Curve(NamedTuple):
    """A value at some of the steps, in their order."""

    steps: list[int]
    values: list[float]
    """NaN where a line has none."""


class Best(NamedTuple):
    """The validation with the highest H-AP, the first of equal ones."""

    step: int
    h_ap: float
    since: int
    """How many validations came after it."""


def read_lines(path: Path) -> list[dict[str, object]]:
    """Reads a log, without lines that a kill cut short; there are none where there is no file."""
    found = []
    text = path.read_bytes() if path.exists() else b""
    for line in text.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict) and _is_step(value.get("step")):
            found.append(value)
    return found


def training_curves(lines: Sequence[LogLine]) -> dict[str, Curve]:
    """Returns the numbers that training logged, by their names in the order of appearance.

    Example:
        >>> training_curves([{"step": 5, "loss": 0.5}, {"step": 10, "loss": None, "by": "me"}])
        {'loss': Curve(steps=[5, 10], values=[0.5, nan])}
    """
    return _collected((_step(line), line) for line in lines if "validation" not in line)


def validation_curves(lines: Sequence[LogLine]) -> dict[str, Curve]:
    """Returns the numbers of the validations, by their names in the order of appearance.

    Example:
        >>> validation_curves([{"step": 5, "loss": 1.0}, {"step": 5, "validation": {"h_ap": 0.5}}])
        {'h_ap': Curve(steps=[5], values=[0.5])}
    """
    inner = ((_step(line), line.get("validation")) for line in lines)
    return _collected((step, found) for step, found in inner if isinstance(found, Mapping))


def peak_memory(lines: Sequence[LogLine]) -> float | None:
    """Returns the most memory that training took, in MB; None where the log does not say.

    Example:
        >>> peak_memory([{"step": 5, "peak_memory_mb": 900.5}, {"step": 10, "loss": 0.5}])
        900.5
    """
    found = training_curves(lines).get("peak_memory_mb", Curve([], []))
    return max(filter(math.isfinite, found.values), default=None)


def best_validation(lines: Sequence[LogLine]) -> Best | None:
    """Returns the best validation so far, and None where no H-AP is defined yet.

    Example:
        >>> best_validation([{"step": n, "validation": {"h_ap": n % 3}} for n in (1, 2, 3, 5)])
        Best(step=2, h_ap=2.0, since=2)
    """
    found = validation_curves(lines).get("h_ap", Curve([], []))
    defined = [number for number, value in enumerate(found.values) if math.isfinite(value)]
    if not defined:
        return None
    best = max(defined, key=lambda number: (found.values[number], -number))
    return Best(found.steps[best], found.values[best], len(found.steps) - best - 1)


def progress_note(line: LogLine, h_ap: float | None = None) -> str:
    """Returns what is shown beside the bar of a run.

    Args:
        line: the last one of training.
        h_ap: of the last validation, from 0 to 1; None where there was none.

    Example:
        >>> progress_note({"step": 50, "loss": 0.41234, "images_per_s": 118.4}, 0.5721)
        'loss 0.412 · H-AP 57.2 · 118 images/s'
    """
    h_ap_percent = None if h_ap is None else 100 * h_ap
    parts = (
        ("loss {:.3g}", line.get("loss")),
        ("H-AP {:.1f}", h_ap_percent),
        ("{:.0f} images/s", line.get("images_per_s")),
    )
    shown = ((words, _number(value)) for words, value in parts)
    return " · ".join(words.format(n) for words, n in shown if n is not None and math.isfinite(n))


def _collected(numbered: Iterator[tuple[int, LogLine]]) -> dict[str, Curve]:
    found: dict[str, Curve] = {}
    for step, line in numbered:
        for key, value in line.items():
            number = _number(value)
            if key in _PLACES or number is None:
                continue
            points = found.setdefault(key, Curve([], []))
            points.steps.append(step)
            points.values.append(number)
    return found


def _number(value: object) -> float | None:
    """Returns a number, NaN for one that JSON has none for, and None for what is none."""
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)


def _is_step(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _step(line: LogLine) -> int:
    step = line["step"]
    if not isinstance(step, int):
        raise TypeError(f"each line must have a step, a whole number, got {step!r}")
    return step
