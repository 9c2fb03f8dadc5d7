"""Whether what a run learns holds for landmarks that it has not seen."""

import math
import statistics
from collections.abc import Mapping

from hgld.training.watching.lines import Curve
from hgld.training.watching.symptoms import Symptom, ends, finite_part

_FEWEST_VALIDATIONS = 4
_RECENT = 3
"""Validations of which none comes near the best one: a single bad one is chance."""
_LEAST_DROP = 0.01
"""Of H-AP: a point. Less is nothing to stop for."""
_SPREAD = 0.2
"""Of the change of H-AP from one model to the next, over the queries; their mean varies by that
over the square root of their number."""
_EQUAL = 1e-5
"""Of H-AP: one pair that changes places among a hundred queries makes more."""
_MOST_FOUND = 0.5
_FOUND_TOO_OFTEN = 3.0
"""Times as often as it would be by chance."""


def transfer_symptoms(checked: Mapping[str, Curve], loss: Curve | None) -> list[Symptom]:
    """Says what the validations show against a run.

    Args:
        checked: the numbers of the validations.
        loss: of training; without it nothing is said of how the two go together.

    Returns:
        The symptoms.
    """
    loss = finite_part(loss)
    found = (
        _unmoved(checked),
        _overfit(checked, loss),
        _not_transferred(checked, loss),
        _one_answer(checked),
    )
    return [symptom for symptom in found if symptom]


def _unmoved(checked: Mapping[str, Curve]) -> Symptom | None:
    """Compares with the first validation: at the end of a run the last ones may well be equal."""
    steps, values = finite_part(checked.get("h_ap"))
    is_perfect = min(values, default=1.0) > 1 - _EQUAL
    if len(values) < _RECENT or is_perfect or max(values) - min(values) > _EQUAL:
        return None
    return Symptom(
        "unmoved",
        f"H-AP of the held-out landmarks was {_percent(values[0])} at step {steps[0]}, and is so "
        f"at step {steps[-1]} to the last digit: the weights that embed do not change. They may be "
        f"frozen, or their learning rate 0 or far too small.",
    )


def _overfit(checked: Mapping[str, Curve], loss: Curve) -> Symptom | None:
    steps, values = finite_part(checked.get("h_ap"))
    if len(values) < _FEWEST_VALIDATIONS:
        return None
    best = max(range(len(values)), key=values.__getitem__)
    # Of a model that was better before training `_not_transferred` tells.
    if not steps[best] or best >= len(values) - _RECENT:
        return None
    if max(values[-_RECENT:]) >= values[best] - _margin(checked):
        return None
    fell = _fell(loss, steps[max(best - 1, 0)], steps[-1])
    what = (
        "while the loss fell: it overfits. Fewer epochs, stronger augmentation or more weight decay"
        if fell
        else "and the loss did not fall. A lower learning rate"
    )
    return Symptom(
        "overfit" if fell else "rising",
        f"H-AP of the held-out landmarks fell from {_percent(values[best])} at step {steps[best]} "
        f"to {_percent(values[-1])} {what} may help; the best checkpoint is that of step "
        f"{steps[best]}.",
    )


def _not_transferred(checked: Mapping[str, Curve], loss: Curve) -> Symptom | None:
    """Compares with the model before training: a run may be at its best when it is looked at."""
    steps, values = finite_part(checked.get("h_ap"))
    if len(values) < _FEWEST_VALIDATIONS or steps[0] != 0:
        return None
    if max(values[1:]) >= values[0] - _margin(checked) or not _fell(loss, 0, steps[-1]):
        return None
    return Symptom(
        "not transferred",
        f"The loss falls, but H-AP of the held-out landmarks was {_percent(values[0])} before "
        f"training and has been at most {_percent(max(values[1:]))} since: the learning rate may "
        f"be too large, the labels wrong, or these images of another kind.",
    )


def _one_answer(checked: Mapping[str, Curve]) -> Symptom | None:
    found, of_all = (finite_part(checked.get(key)) for key in ("nearest_in_one", "images_in_one"))
    if not found.values or not of_all.values:
        return None
    share, chance = found.values[-1], of_all.values[-1]
    if share <= max(_MOST_FOUND, _FOUND_TOO_OFTEN * chance):
        return None
    return Symptom(
        "one answer",
        f"Of the held-out queries {share:.0%} find one and the same super-category first, of which "
        f"only {chance:.0%} of the images are: it drowns the others.",
    )


def _margin(checked: Mapping[str, Curve]) -> float:
    """Returns by how much H-AP must differ to be no chance."""
    queries = finite_part(checked.get("queries")).values
    return max(_LEAST_DROP, _SPREAD / math.sqrt(max(queries[-1], 1)) if queries else 0.0)


def _fell(loss: Curve, since: int, until: int) -> bool:
    """Says whether the loss was lower at the end of a stretch of steps than at its start."""
    values = [v for step, v in zip(*loss, strict=True) if since <= step <= until]
    if len(values) < 6:  # noqa: PLR2004 - two in each third
        return False
    first, last = (statistics.fmean(part) for part in ends(values))
    return last < first


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"
