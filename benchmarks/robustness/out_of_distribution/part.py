"""The pieces of the suite that measure what is out of distribution."""

import dataclasses
from collections.abc import Callable, Sequence

from hgld.benchmarks.robustness.out_of_distribution.heat.detector import HeatConfig
from hgld.benchmarks.robustness.out_of_distribution.measuring import (
    OUT_PART,
    adapted_config,
    measure_out_of_distribution,
)
from hgld.benchmarks.robustness.out_of_distribution.problems.holding_out import (
    ClassRows,
    OutProblem,
    digit_problem,
    hold_out_classes,
)
from hgld.benchmarks.robustness.out_of_distribution.problems.nouns import (
    NOUN_FILES,
    encoded_nouns,
    noun_rows,
)
from hgld.benchmarks.robustness.records import MeasuredUnit, RobustnessRecord, unit_key
from hgld.engine.files import file_digest

_VERSION = 2
"""Raised when the code gives other figures of the same settings and data."""
_COMPONENTS = 128
_HELD_OUT = {"Digits": 3, "Nouns": 8, "landmarks": 5}


def planned_packaged_out(seeds: Sequence[int], config: HeatConfig) -> list[MeasuredUnit]:
    """Plans what needs no build: written digits, and nouns.

    Args:
        seeds: of the classes held out, of splits and of corrections.
        config: of HEAT, before its rates are adapted to the number of rows.

    Returns:
        A unit for each data set and seed.
    """
    digests = [file_digest(path) for path in NOUN_FILES]

    def nouns(seed: int) -> OutProblem:
        return hold_out_classes(
            noun_rows(*encoded_nouns(), seed),
            held_out=_HELD_OUT["Nouns"],
            components=_COMPONENTS,
            seed=seed,
        )

    def digits(seed: int) -> OutProblem:
        return digit_problem(seed, held_out=_HELD_OUT["Digits"])

    return [
        *(_unit("Digits", digits, config, seed, "") for seed in seeds),
        *(_unit("Nouns", nouns, config, seed, " ".join(digests)) for seed in seeds),
    ]


def planned_landmark_out(
    rows: ClassRows, seeds: Sequence[int], config: HeatConfig
) -> list[MeasuredUnit]:
    """Plans what is measured on a build's embeddings; see `landmark_class_rows`.

    Args:
        rows: of `landmark_class_rows`.
        seeds: as for `planned_packaged_out`.
        config: as for `planned_packaged_out`.

    Returns:
        A unit for each seed.
    """

    def problem(seed: int) -> OutProblem:
        return hold_out_classes(
            rows, held_out=_HELD_OUT["landmarks"], components=_COMPONENTS, seed=seed
        )

    every = [rows.train, rows.queries, *rows.far.values()]
    arrays = [
        array
        for one in every
        for array in (one.features, one.labels, one.spreads)
        if array is not None
    ]
    return [
        _unit(rows.title, problem, config, seed, unit_key(list(rows.far), *arrays))
        for seed in seeds
    ]


def _unit(
    title: str, problem: Callable[[int], OutProblem], config: HeatConfig, seed: int, data: str
) -> MeasuredUnit:
    def measure() -> list[RobustnessRecord]:
        made = problem(seed)
        adapted = adapted_config(config, len(made.train))
        return measure_out_of_distribution(made, adapted, seed=seed)

    settings = dataclasses.asdict(config) | {
        "version": _VERSION,
        "held_out": _HELD_OUT,
        "components": _COMPONENTS,
        "title": title,
        "seed": seed,
        "data": data,
    }
    return MeasuredUnit(
        part=OUT_PART, data_set=title, seed=seed, key=unit_key(settings), measure=measure
    )
