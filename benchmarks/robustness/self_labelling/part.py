"""The pieces of the suite that adapt a classifier to another source."""

import dataclasses
from collections.abc import Callable, Sequence

from hgld.benchmarks.robustness.records import MeasuredUnit, RobustnessRecord, unit_key
from hgld.benchmarks.robustness.self_labelling.adapting import (
    CHOICE_TITLES,
    ChosenAdaptation,
    LabelChoice,
    SelfLabelSettings,
    adapt_classifier,
    choose_adaptation,
    split_source,
)
from hgld.benchmarks.robustness.self_labelling.domains import DomainPair

SELF_LABELLING = "self_labelling"
"""The name of the part."""
_VERSION = 2
"""Raised when the code gives other figures of the same settings and data."""


def planned_self_labelling(
    make: Callable[[int], DomainPair], seeds: Sequence[int], settings: SelfLabelSettings
) -> list[MeasuredUnit]:
    """Plans every way of choosing rows on the pairs of some seeds.

    Args:
        make: from a seed to source and target.
        seeds: of the pairs, the split of the source, weights and batches.
        settings: how.

    Returns:
        A unit a seed.
    """
    units = []
    for seed in seeds:
        pair = make(seed)
        arrays = [
            array
            for rows in (pair.source, pair.unlabelled, pair.measured)
            for array in (rows.features, rows.labels)
        ]
        key = {**dataclasses.asdict(settings), "seed": seed, "version": _VERSION}
        units.append(
            MeasuredUnit(
                part=SELF_LABELLING,
                data_set=pair.title,
                seed=seed,
                key=unit_key({**key, "part": SELF_LABELLING}, *arrays),
                measure=_measuring(pair, settings, seed),
            )
        )
    return units


def _measuring(
    pair: DomainPair, settings: SelfLabelSettings, seed: int
) -> Callable[[], list[RobustnessRecord]]:
    def measure() -> list[RobustnessRecord]:
        source = split_source(pair, settings, seed)
        chosen = choose_adaptation(source, settings, seed=seed)
        return [
            RobustnessRecord(
                part=SELF_LABELLING,
                data_set=pair.title,
                method=title,
                seed=seed,
                measures=adapt_classifier(source, choice, settings, chosen, seed=seed),
                curves={},
                chosen=_described(choice, chosen),
            )
            for choice, title in CHOICE_TITLES.items()
        ]

    return measure


def _described(choice: LabelChoice, chosen: ChosenAdaptation) -> dict[str, float]:
    """Returns what was chosen and has to do with a choice of rows, as records have it."""
    match choice:
        case "none":
            return {}
        case "all":
            return {"rounds": float(chosen.rounds)}
        case "conda":
            return {
                "share": chosen.share,
                "rounds": float(chosen.rounds),
                "adversary_weight": chosen.weight,
            }
        case _:
            return {"share": chosen.share, "rounds": float(chosen.rounds)}
