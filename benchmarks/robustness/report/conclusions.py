"""What the figures say, in sentences that are made of the figures."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from hgld.benchmarks.pages import percent, points
from hgld.benchmarks.robustness.abstention.part import ABSTENTION, ORACLE, RANDOM
from hgld.benchmarks.robustness.failures.part import (
    ALL_TO_CLASSIFIER,
    CONFIDNET,
    CONFIDNET_NOT_HELD_OUT,
    FAILURES,
    MAX_PROBABILITY,
)
from hgld.benchmarks.robustness.out_of_distribution.measuring import OUT_PART
from hgld.benchmarks.robustness.report.shifts import what_adds_up, what_was_learned
from hgld.benchmarks.robustness.report.summary import (
    MethodOnSet,
    RobustnessGain,
    RobustnessSection,
    SetSummary,
    method_mean,
)
from hgld.benchmarks.robustness.self_labelling.part import SELF_LABELLING

_FEW_ERRORS = 30
_NOTHING_TO_LEARN = 0.98
_WORDS = {"better": "a win", "worse": "a loss", "undecided": "undecided"}


def conclude(section: RobustnessSection, found: SetSummary) -> list[str]:
    """Returns what the figures of a data set come to.

    Args:
        section: how methods are compared.
        found: the figures.

    Returns:
        Sentences; of a part that has none of its own, those on gains alone.
    """
    own: list[str] = []
    if found.part == ABSTENTION:
        own = _on_abstention(section, found)
    elif found.part == FAILURES:
        own = _on_holding_out(found)
    elif found.part == OUT_PART:
        own = what_adds_up(found)
    elif found.part == SELF_LABELLING:
        own = what_was_learned(found)
    gains = [
        _on_gain(section, found, gain)
        for gain in found.gains
        if gain.measure == section.compared_by[0]
    ]
    return [*gains, *own]


def headline(section: RobustnessSection, summaries: Sequence[SetSummary]) -> list[str]:
    """Returns what the data sets of a part come to together: wins and losses of each subject.

    Args:
        section: how methods are compared.
        summaries: of its data sets.

    Returns:
        Which method is best on how many data sets, and a sentence for each that was compared.
    """
    measure = section.compared_by[0]
    title = _title(section, measure)
    leaders = Counter(best.method for one in summaries if (best := _best(section, one)))
    sentences = []
    if leaders:
        said = ", ".join(f"{method} on {count}" for method, count in leaders.most_common())
        sentences.append(f"Highest {title}, learned or not, of {len(summaries)} data sets: {said}.")
    for method in section.subjects:
        gains = [gain for one in summaries if (gain := one.gain(method, measure)) is not None]
        if gains:
            counts = {verdict: sum(gain.verdict == verdict for gain in gains) for verdict in _WORDS}
            sentences.append(
                f"{method} against the best simple rival: better on {counts['better']}, worse on "
                f"{counts['worse']}, undecided on {counts['undecided']} of {len(gains)} data sets."
            )
    return sentences


def best_simple(section: RobustnessSection, found: SetSummary) -> MethodOnSet | None:
    """Returns the simple method of the best mean, where one was measured."""
    measure = section.compared_by[0]
    sign = next(
        1 if one.higher_is_better else -1 for one in section.measures if one.name == measure
    )
    there = [
        one
        for one in found.methods
        if one.method in section.rivals and not math.isnan(method_mean(one, measure))
    ]
    return max(there, key=lambda one: sign * method_mean(one, measure), default=None)


def _best(section: RobustnessSection, found: SetSummary) -> MethodOnSet | None:
    """Returns the simple or learned method of the best mean."""
    return best_simple(replace(section, rivals=(*section.rivals, *section.subjects)), found)


def _on_gain(section: RobustnessSection, found: SetSummary, gain: RobustnessGain) -> str:
    if math.isnan(gain.gain.mean):
        return f"{gain.method} and {gain.rival} have no seed in common."
    deviation = gain.gain.deviation
    spread = "" if math.isnan(deviation) else f" ± {percent(deviation)}"
    sentence = (
        f"{gain.method}, {_title(section, gain.measure)}: {points(gain.gain.mean)}{spread} points "
        f"against {gain.rival}, the best simple one, better on {gain.wins} and worse on "
        f"{gain.losses} of {gain.gain.seeds} seeds: {_WORDS[gain.verdict]}."
    )
    reason = _reason(found, gain) if found.part == FAILURES and gain.gain.mean < 0 else ""
    return f"{sentence} {reason}".strip()


def _reason(found: SetSummary, gain: RobustnessGain) -> str:
    """Returns why a head loses, as far as what it saw and how well it predicts the TCP tell."""
    head, plain = found.method(gain.method), found.method(MAX_PROBABILITY)
    if head is None or plain is None:
        return ""
    errors, rows = method_mean(head, "errors_seen"), method_mean(head, "rows_seen")
    tcp, error, rival = (
        method_mean(head, "mean_tcp_seen"),
        method_mean(head, "tcp_error"),
        method_mean(plain, "tcp_error"),
    )
    if gain.method == CONFIDNET_NOT_HELD_OUT and tcp > _NOTHING_TO_LEARN:
        return (
            f"Why: on the {rows:.0f} rows that trained the classifier the true class has a mean "
            f"probability of {tcp:.3f} and {errors:.0f} errors: nothing to learn from."
        )
    if errors < _FEW_ERRORS:
        return f"Why: its {rows:.0f} rows hold {errors:.0f} errors to learn from."
    if error >= rival:
        return (
            f"Why: from {rows:.0f} rows it predicts the probability of the true class with a mean "
            f"square error of {error:.3f}, and the maximum class probability, which learned "
            f"nothing, has {rival:.3f}."
        )
    return (
        f"It is the better estimate of the true class's probability (mean square error "
        f"{error:.3f}, the maximum class probability {rival:.3f}) and the worse order: a square "
        f"error also rewards the right level, which no order has."
    )


def _on_holding_out(found: SetSummary) -> list[str]:
    """Says what a held-out part costs the classifier, and what it is worth to the head."""
    sentences = []
    held, other = found.method(CONFIDNET), found.method(CONFIDNET_NOT_HELD_OUT)
    if held is not None and other is not None:
        sides = [
            f"{percent(method_mean(one, 'ap_errors'))} {how} (its rows: "
            f"{method_mean(one, 'errors_seen'):.0f} errors, mean true-class probability "
            f"{method_mean(one, 'mean_tcp_seen'):.3f})"
            for one, how in ((held, "held out"), (other, "not held out"))
        ]
        sentences.append(f"ConfidNet's AP of errors is {' and '.join(sides)}.")
    rich = found.method(ALL_TO_CLASSIFIER)
    if rich is not None and held is not None:
        sentences.append(
            f"What holding out costs: with all rows the classifier is right on "
            f"{percent(method_mean(rich, 'accuracy'))}% and not "
            f"{percent(method_mean(held, 'accuracy'))}%, and its maximum class probability has "
            f"an AURC of {percent(method_mean(rich, 'aurc'))}, "
            f"ConfidNet's {percent(method_mean(held, 'aurc'))} (lower is better)."
        )
    return sentences


def _on_abstention(section: RobustnessSection, found: SetSummary) -> list[str]:
    best, oracle, random = best_simple(section, found), found.method(ORACLE), found.method(RANDOM)
    if best is None or oracle is None or random is None:
        return []
    way = method_mean(best, "share_of_oracle")
    verdict = (
        f"goes {percent(way)}% of the way from random to the oracle order"
        if way > 0
        else "orders the queries no better than chance does"
    )
    answered, refused = method_mean(best, "h_ap_answered_50"), method_mean(best, "h_ap_refused_50")
    sentence = (
        f"Of the scores that need no training {best.method} is the best and {verdict}. "
        f"With a threshold at which half of the validation queries are answered it answers "
        f"{percent(method_mean(best, 'answered_50'))}% of the test's, with an H-AP of "
        f"{percent(answered)} where all have {percent(method_mean(random, 'h_ap'))}"
    )
    if not math.isnan(refused):
        sentence += f" and those refused {percent(refused)}"
    return [
        f"{sentence}; the oracle order would have {percent(_half(oracle))} on half of them.",
        *_on_thresholds(section, found),
    ]


def _on_thresholds(section: RobustnessSection, found: SetSummary) -> list[str]:
    """Says whose threshold carries over from the validation queries, and whose does not."""
    answered = {
        one.method: method_mean(one, "answered_50")
        for one in found.methods
        if one.method in (*section.rivals, *section.subjects)
    }
    ordered = sorted(answered, key=lambda name: abs(answered[name] - 0.5))
    if len(ordered) < 2:  # noqa: PLR2004 - a best and a worst
        return []
    first, last = ordered[0], ordered[-1]
    sentence = (
        f"A threshold carries over to other queries best with {first} ({percent(answered[first])}% "
        f"answered where half are wanted) and worst with {last} ({percent(answered[last])}%)."
    )
    return [sentence]


def _half(oracle: MethodOnSet) -> float:
    """Returns the H-AP of the better half."""
    curve = oracle.curves.get("h_ap_coverage")
    if curve is None:
        return math.nan
    at = min(range(len(curve.x)), key=lambda place: abs(curve.x[place] - 0.5))
    return curve.y[at]


def _title(section: RobustnessSection, measure: str) -> str:
    return next(one.title for one in section.measures if one.name == measure)
