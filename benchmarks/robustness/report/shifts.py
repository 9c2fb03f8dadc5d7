"""What the figures say of rows from elsewhere: what a gain is from, and what was learned."""

from hgld.benchmarks.pages import percent, points
from hgld.benchmarks.robustness.out_of_distribution.heat.detector import SPREADS
from hgld.benchmarks.robustness.out_of_distribution.measuring import METHOD_TITLES, WITHOUT_STD
from hgld.benchmarks.robustness.report.summary import MethodOnSet, SetSummary, method_mean
from hgld.benchmarks.robustness.self_labelling.adapting import CHOICE_TITLES

_AUROC = "auroc"
_PARTS = ("heat_gmm", "heat_logits", "heat_std")


def what_adds_up(found: SetSummary) -> list[str]:
    """Says what each part of HEAT adds: its correction, the std, and the sum of several.

    Args:
        found: of rows inside and outside.

    Returns:
        Sentences; none where HEAT was not measured.
    """
    heat = _named(found, "heat")
    if heat is None:
        return []
    own = method_mean(heat, _AUROC)
    parts = [one for name in _PARTS if (one := _named(found, name)) is not None]
    said = ", ".join(
        f"{one.method.removeprefix('HEAT, ')} {percent(method_mean(one, _AUROC))}" for one in parts
    )
    sentences = [f"HEAT's AUROC of {percent(own)} is that of a sum: by themselves {said}."]
    best = max(parts, key=lambda one: method_mean(one, _AUROC), default=None)
    if best is not None and method_mean(best, _AUROC) > own:
        lost = points(own - method_mean(best, _AUROC))
        sentences[0] += (
            f" The sum costs {lost} points against {best.method}: its worst part counts."
        )
    priors = _named(found, "priors")
    if priors is not None:
        gained = points(own - method_mean(priors, _AUROC))
        sentences.append(
            f"The same priors without a correction have {percent(method_mean(priors, _AUROC))}: "
            f"what is trained is worth {gained} points."
        )
    without = _named(found, WITHOUT_STD)
    if without is not None and _named(found, f"heat_{SPREADS}") is not None:
        gained = points(own - method_mean(without, _AUROC))
        sentences.append(
            f"Without the std of the feature map, which the rivals do not see, HEAT has "
            f"{percent(method_mean(without, _AUROC))}: the std is worth {gained} points."
        )
    return sentences


def what_was_learned(found: SetSummary) -> list[str]:
    """Says what ConDA kept beside the plain choice, and what was chosen for it.

    Args:
        found: of a source and a target.

    Returns:
        Sentences; none where ConDA was not measured.
    """
    conda, plain, alone = (
        found.method(CHOICE_TITLES[choice]) for choice in ("conda", "probability", "none")
    )
    if conda is None or plain is None or alone is None:
        return []
    kept, rival = (method_mean(one, "precision_kept") for one in (conda, plain))
    source, before = (method_mean(one, "validation_accuracy") for one in (conda, alone))
    after, unadapted = (method_mean(one, "accuracy") for one in (conda, alone))
    labels = (
        f"Of the labels that ConDA keeps {percent(kept)}% are right, of those of the greatest "
        f"probability {percent(rival)}%, of as many rows."
    )
    right = (
        f"On the held-out source, which chose for it, ConDA is right on {percent(source)}%, the "
        f"source alone on {percent(before)}%; on the target on {percent(after)}% and "
        f"{percent(unadapted)}%."
    )
    sentences = [labels, right]
    if conda.chosen:
        said = "; ".join(f"{text} (seeds: {count})" for text, count in conda.chosen)
        sentences.append(f"Chosen on the source: {said}.")
    return sentences


def _named(found: SetSummary, name: str) -> MethodOnSet | None:
    return found.method(METHOD_TITLES[name])
