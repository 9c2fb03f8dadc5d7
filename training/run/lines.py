"""What the lines of a run's log say: values by step, the best validation, whether it learns.

A line is a JSON object with its `step`: of training, with numbers that are means since the line
before, or of validation, with an object `validation`. Which numbers there are is the method's
business; whoever reads them takes those that are there.

A run that learns is noisy, slow while it warms up and flat at its end, and none of that is said to
be wrong. The three symptoms told of every run on real photographs that did not learn
(`docs/watching.md`), and of none that did. A number that is not finite ends the run instead.
"""

import json
import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

LogLine = Mapping[str, Any]

_PLACES = frozenset({"step", "epoch", "validation"})
FEWEST_STEPS = 100
"""Before these nothing is said; of a long run before its hundredth, of a short before its half."""
FEWEST_LINES = 15
"""Of a log that is judged: of fewer, a third is too short for a median."""
_FEWEST_VALIDATIONS = 3
_COLLAPSED = 0.95
"""Mean cosine of two different images. In runs that learn it is from 0.3 to 0.65; where triplets or
a learning rate of 0.01 made it collapse, above 0.99 (gldv2_mini)."""
_SPREADING = 1.3
"""How many times as far apart, in 1 - cosine, images must have come that began so near: those of a
network with random weights do, from 0.96 to 0.8."""
_EQUAL = 1e-5
"""Of H-AP: one pair that changes places among a hundred queries makes more."""
_LEAST_DROP = 0.01
"""Of H-AP: a point. Less is nothing to stop for."""
_SPREAD = 0.2
"""Of the change of H-AP from one model to the next, over the queries; their mean varies by that
over the square root of their number."""


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


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Reads a log, without lines that a kill cut short; there are none where there is no file."""
    found = []
    text = path.read_bytes() if path.exists() else b""
    for line in text.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict) and type(value.get("step")) is int:
            found.append(value)
    return found


def training_curves(lines: Sequence[LogLine]) -> dict[str, Curve]:
    """Returns the numbers that training logged, by their names in the order of appearance.

    Example:
        >>> training_curves([{"step": 5, "loss": 0.5}, {"step": 10, "loss": None, "by": "me"}])
        {'loss': Curve(steps=[5, 10], values=[0.5, nan])}
    """
    return _collected((line["step"], line) for line in lines if "validation" not in line)


def validation_curves(lines: Sequence[LogLine]) -> dict[str, Curve]:
    """Returns the numbers of the validations, by their names in the order of appearance.

    Example:
        >>> validation_curves([{"step": 5, "loss": 1.0}, {"step": 5, "validation": {"h_ap": 0.5}}])
        {'h_ap': Curve(steps=[5], values=[0.5])}
    """
    return _collected((line["step"], line["validation"]) for line in lines if "validation" in line)


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
    parts = [f"loss {line['loss']:.3g}"] if "loss" in line else []
    parts += [] if h_ap is None else [f"H-AP {100 * h_ap:.1f}"]
    return " · ".join([*parts, f"{line['images_per_s']:.0f} images/s"])


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


class Symptom(NamedTuple):
    """What was seen of a run that does not learn."""

    kind: Literal["collapsed", "unmoved", "not transferred"]
    """Stays the same while the numbers in the sentence change, so that it can be said once."""
    sentence: str
    """What was seen, what it may come from, and what helps."""


def health_of(lines: Sequence[LogLine], *, steps: int) -> list[Symptom]:
    """Says what shows that a run does not learn.

    Pure: the same lines give the same sentences. It takes time in the number of lines, so ask where
    something is written anyway, not at every step.

    Args:
        lines: of the log, in its order. What they do not have is not judged.
        steps: of the whole run.

    Returns:
        The symptoms; none where nothing is wrong, or where it is too early to tell (`is_judged`).

    Example:
        >>> lines = [{"step": 10 * n, "mean_similarity": 0.99} for n in range(1, 31)]
        >>> [symptom.kind for symptom in health_of(lines, steps=1000)]
        ['collapsed']
    """
    if not is_judged(lines, steps=steps):
        return []
    curves, checked = training_curves(lines), validation_curves(lines)
    found = (_collapsed(curves), _unmoved(checked), _not_transferred(checked, curves))
    return [symptom for symptom in found if symptom]


def is_judged(lines: Sequence[LogLine], *, steps: int) -> bool:
    """Says whether a run is far enough to be judged: enough lines, of enough steps."""
    at = [line["step"] for line in lines if "validation" not in line]
    return len(at) >= FEWEST_LINES and at[-1] >= min(FEWEST_STEPS, steps / 2)


def _collapsed(curves: Mapping[str, Curve]) -> Symptom | None:
    _, values = _finite(curves, "mean_similarity")
    if len(values) < FEWEST_LINES:
        return None
    third = len(values) // 3
    first, last = statistics.median(values[:third]), statistics.median(values[-third:])
    if last < _COLLAPSED or 1 - last > _SPREADING * (1 - first):
        return None
    return Symptom(
        "collapsed",
        f"All images look the same to the model: the mean cosine of two is {last:.3f}, of 1 at "
        f"most. Lower the learning rate, or give the loss more negatives.",
    )


def _unmoved(checked: Mapping[str, Curve]) -> Symptom | None:
    """Compares with the first validation: at the end of a run the last ones may well be equal."""
    steps, values = _finite(checked, "h_ap")
    is_perfect = min(values, default=1.0) > 1 - _EQUAL
    if len(values) < _FEWEST_VALIDATIONS or is_perfect or max(values) - min(values) > _EQUAL:
        return None
    return Symptom(
        "unmoved",
        f"H-AP of the held-out landmarks was {100 * values[0]:.1f} at step {steps[0]}, and is so "
        f"at step {steps[-1]} to the last digit: the weights that embed do not change. They may be "
        f"frozen, or their learning rate 0 or far too small.",
    )


def _not_transferred(checked: Mapping[str, Curve], curves: Mapping[str, Curve]) -> Symptom | None:
    """Compares with the model before training: a run may be at its best when it is looked at."""
    steps, values = _finite(checked, "h_ap")
    if len(values) <= _FEWEST_VALIDATIONS or steps[0] != 0:
        return None
    _, queries = _finite(checked, "queries")
    margin = max(_LEAST_DROP, _SPREAD / math.sqrt(max(queries[-1], 1)) if queries else 0.0)
    loss = [v for step, v in zip(*_finite(curves, "loss"), strict=True) if step <= steps[-1]]
    third = len(loss) // 3
    has_learned = third > 1 and statistics.fmean(loss[-third:]) < statistics.fmean(loss[:third])
    if max(values[1:]) >= values[0] - margin or not has_learned:
        return None
    return Symptom(
        "not transferred",
        f"The loss falls, but H-AP of the held-out landmarks was {100 * values[0]:.1f} before "
        f"training and has been at most {100 * max(values[1:]):.1f} since: the learning rate may "
        f"be too large, the labels wrong, or these images of another kind.",
    )


def _finite(curves: Mapping[str, Curve], key: str) -> Curve:
    """Returns the points of a curve that are finite; none where there is no such curve."""
    curve = curves.get(key, Curve([], []))
    points = [(step, v) for step, v in zip(*curve, strict=True) if math.isfinite(v)]
    return Curve([step for step, _ in points], [value for _, value in points])


def training_hours(log: Iterable[str], batch_size: int) -> float | None:
    """Returns how long the steps of a run took, without its start and its checkpoints.

    Args:
        log: the lines of its `metrics.jsonl`, each with the steps done and the images a second
            since the line before.
        batch_size: images of a step.

    Returns:
        Hours; None where a line is none, or there is no line.

    Example:
        >>> lines = ['{"step": 50, "images_per_s": 10}', '{"step": 100, "images_per_s": 20}']
        >>> training_hours(lines, 72)  # 50 steps in 360 s, and 50 in 180 s
        0.15
    """
    try:
        steps, rates = training_curves([json.loads(line) for line in log])["images_per_s"]
        taken = zip([0, *steps], steps, rates, strict=False)
        seconds = [(step - before) * batch_size / rate for before, step, rate in taken]
    except (ValueError, TypeError, LookupError, ZeroDivisionError):
        return None
    return sum(seconds) / 3600
