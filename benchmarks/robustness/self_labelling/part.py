"""The pieces of the suite that adapt a classifier to another source."""

import dataclasses
from collections.abc import Callable, Sequence

from hgld.benchmarks.robustness.records import MeasuredUnit, RobustnessRecord, unit_key
from hgld.benchmarks.robustness.self_labelling.adapting import (
    CHOICE_TITLES,
    SelfLabelSettings,
    adapt_classifier,
)
from hgld.benchmarks.robustness.self_labelling.domains import DomainPair

SELF_LABELLING = "self_labelling"
"""The name of the part."""
_VERSION = 1
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
        return [
            RobustnessRecord(
                part=SELF_LABELLING,
                data_set=pair.title,
                method=title,
                seed=seed,
                measures=adapt_classifier(pair, choice, settings, seed=seed),
                curves={},
            )
            for choice, title in CHOICE_TITLES.items()
        ]

    return measure
