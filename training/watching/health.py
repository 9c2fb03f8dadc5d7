"""Whether a run learns, told from the lines of its log: early, in a sentence, with a way out.

A run that learns is noisy, slow while it warms up and flat at its end, and none of that is said to
be wrong: each rule asks for more than noise explains.
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence

from hgld.training.watching.generalisation import transfer_symptoms
from hgld.training.watching.lines import Curve, LogLine, training_curves, validation_curves
from hgld.training.watching.symptoms import (
    FEWEST_LINES,
    STANDARD_ERRORS,
    Symptom,
    ends,
    finite_part,
    noise,
)

FEWEST_STEPS = 100
"""Before these nothing is said; of a long run before its hundredth, of a short before its half."""

_FLAT = 0.05
"""Of the loss: it is flat where it surely fell by less since the start of the run."""
_SURE = 3.0
"""Standard errors by which it is surely less. The noise that they allow for is limited by what is
flat, so that a loss which fell by twice as much is taken for flat once in some billion looks."""
_RISE = 0.2
"""Of what the loss had fallen by, or of the loss if that is more: a memory that fills and triplets
that are mined harder may raise the loss of a run that learns a little."""
_GRADIENT_RATIO = 100.0
"""Of the gradient's norm, between the ends of the log. In runs that learn (HAPPIER, ROADMAP,
normalised softmax; gldv2_mini) it stays within 2; as triplets collapsed it fell to a fiftieth."""
_LARGE_GRADIENT = 1e4
_SMALL_GRADIENT = 1e-6
"""Of weights whose norm is from 10 to 100 it is less than what float32 can tell apart."""
_COLLAPSED = 0.95
"""Mean cosine of two different images. In runs that learn it is from 0.3 to 0.65; where triplets or
a learning rate of 0.01 made it collapse, above 0.99 (gldv2_mini)."""
_SPREADING = 1.3
"""How many times as far apart, in 1 - cosine, images must have come that began so near: those of a
network with random weights do, from 0.96 to 0.8."""
_MOST_OF_ONE = 0.9
"""Of the images of a batch. On gldv2_mini the most frequent super-category has a quarter."""

_Curves = Mapping[str, Curve]


def health_of(lines: Sequence[LogLine], *, steps: int) -> list[Symptom]:
    """Says what shows that a run does not learn.

    Pure: the same lines give the same sentences. It takes time in the number of lines, so ask where
    something is written anyway, not at every step.

    Args:
        lines: of the log, in its order. What they do not have is not judged.
        steps: of the whole run.

    Returns:
        The symptoms, what most likely is the cause of others first; none where nothing is wrong, or
        where it is too early to tell (`is_judged`).

    Example:
        >>> lines = [{"step": 10 * n, "loss": 0.7, "learning_rate": 0.0} for n in range(1, 31)]
        >>> [symptom.kind for symptom in health_of(lines, steps=1000)]
        ['no learning rate', 'flat']
    """
    found = _not_finite(lines)
    if is_judged(lines, steps=steps):
        curves = {key: finite_part(curve) for key, curve in training_curves(lines).items()}
        found += [symptom for rule in _RULES if (symptom := rule(curves))]
        found += transfer_symptoms(validation_curves(lines), curves.get("loss"))
    return found


def is_judged(lines: Sequence[LogLine], *, steps: int) -> bool:
    """Says whether a run is far enough to be judged: enough lines, of enough steps."""
    at = [
        step for line in lines if "validation" not in line and isinstance(step := line["step"], int)
    ]
    return len(at) >= FEWEST_LINES and at[-1] >= min(FEWEST_STEPS, steps / 2)


def _not_finite(lines: Sequence[LogLine]) -> list[Symptom]:
    for key, curve in training_curves(lines[-FEWEST_LINES:]).items():
        for step, value in zip(*curve, strict=True):
            if not math.isfinite(value):
                return [
                    Symptom(
                        "not finite",
                        f"{key.replace('_', ' ').capitalize()} is not finite at step {step}: lower "
                        f"the learning rate, clip the gradient, or compute in float32.",
                    )
                ]
    return []


def _learning_rate(curves: _Curves) -> Symptom | None:
    rates = [curve for key, curve in curves.items() if key.startswith("learning_rate")]
    if not rates or any(value > 0 for curve in rates for value in curve.values[-3:]):
        return None
    return Symptom(
        "no learning rate",
        f"The learning rate is 0 up to step {rates[0].steps[-1]}: no weight changes. Look at its "
        f"schedule and warm-up.",
    )


def _gradient(curves: _Curves) -> Symptom | None:
    curve = _judged(curves, "gradient_norm")
    if not curve:
        return None
    first, last = (statistics.median(part) for part in ends(curve.values))
    seen = f"norm {last:.2g} at step {curve.steps[-1]}, {first:.2g} at the start"
    if last > _LARGE_GRADIENT or last > _GRADIENT_RATIO * first:
        return Symptom(
            "exploding gradient",
            f"The gradient explodes ({seen}): lower the learning rate or clip the gradient.",
        )
    # Where the loss fell, its gradient is small because there is little left to learn.
    if (last < _SMALL_GRADIENT or last * _GRADIENT_RATIO < first) and not _has_fallen(curves):
        return Symptom(
            "vanishing gradient",
            f"The gradient vanishes ({seen}): the loss may be saturated (temperature, margin), or "
            f"the weights frozen.",
        )
    return None


def _collapse(curves: _Curves) -> Symptom | None:
    curve = _judged(curves, "mean_similarity")
    if not curve:
        return None
    first, last = (statistics.median(part) for part in ends(curve.values))
    if last < _COLLAPSED or 1 - last > _SPREADING * (1 - first):
        return None
    return Symptom(
        "collapsed",
        f"All images look the same to the model: the mean cosine of two is {last:.3f}, of 1 at "
        f"most. Lower the learning rate, or give the loss more negatives.",
    )


def _one_supercategory(curves: _Curves) -> Symptom | None:
    curve = _judged(curves, "largest_supercategory")
    if not curve:
        return None
    share = statistics.fmean(curve.values[-FEWEST_LINES:])
    if share <= _MOST_OF_ONE:
        return None
    return Symptom(
        "one super-category",
        f"Of the images of a batch {share:.0%} are of one super-category, so the levels above the "
        f"landmark teach next to nothing. Sample super-categories evenly, or look at the labels.",
    )


def _loss(curves: _Curves) -> Symptom | None:
    curve = _judged(curves, "loss")
    return (_rising(curve) or _flat(curve, curves)) if curve else None


def _rising(curve: Curve) -> Symptom | None:
    third = len(curve.values) // 3
    sums = [0.0]
    for value in curve.values:
        sums.append(sums[-1] + value)
    means = [(sums[end] - sums[end - third]) / third for end in range(third, len(sums))]
    lowest = min(range(len(means)), key=means.__getitem__)
    rise, fall = means[-1] - means[lowest], means[0] - means[lowest]
    if rise <= _RISE * max(fall, abs(means[lowest])) + STANDARD_ERRORS * noise(curve.values):
        return None
    return Symptom(
        "rising",
        f"The loss rises: {means[-1]:.4g} over the last {third} lines, and {means[lowest]:.4g} "
        f"over those up to step {curve.steps[lowest + third - 1]}. Lower the learning rate, and go "
        f"on from a checkpoint before that.",
    )


def _flat(curve: Curve, curves: _Curves) -> Symptom | None:
    warm = _end_of_warm_up(curves)
    values = [value for step, value in zip(*curve, strict=True) if step >= warm]
    if len(values) < FEWEST_LINES:
        return None
    first, last = (statistics.fmean(part) for part in ends(values))
    error, most = _SURE * noise(values), _FLAT * abs(first)
    # Of a loss that is 0 nothing is left to fall.
    if not first or error > most or first - last + error > most:
        return None
    return Symptom(
        "flat",
        f"The loss does not fall ({first:.4g} at the start, {last:.4g} after {curve.steps[-1]} "
        f"steps): the learning rate may be too small or far too large, the weights frozen, or the "
        f"labels not those of the images.",
    )


_RULES: tuple[Callable[[_Curves], Symptom | None], ...] = (
    _learning_rate,
    _gradient,
    _collapse,
    _one_supercategory,
    _loss,
)


def _judged(curves: _Curves, key: str) -> Curve | None:
    """Returns a curve that is long enough to be judged."""
    curve = curves.get(key)
    return curve if curve and len(curve.values) >= FEWEST_LINES else None


def _has_fallen(curves: _Curves) -> bool:
    curve = _judged(curves, "loss")
    if not curve:
        return False
    first, last = (statistics.fmean(part) for part in ends(curve.values))
    return last < first - _FLAT * abs(first)


def _end_of_warm_up(curves: _Curves) -> int:
    """Returns the step at which the learning rate was highest, and 0 where it only falls."""
    rates = finite_part(curves.get("learning_rate"))
    if not rates.values:
        return 0
    peak = rates.values.index(max(rates.values))
    return rates.steps[peak] if peak else 0
