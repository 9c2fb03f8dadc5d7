"""What the records of several seeds come to: means, spreads, and gains over the best rival."""

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hgld.benchmarks.retrieval.statistics import t_interval
from hgld.benchmarks.robustness.records import PlotLine, RobustnessRecord

GainVerdict = Literal["better", "worse", "undecided"]
"""Whether the 95% interval of a gain is above 0, below 0, or neither."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A value over the seeds."""

    mean: float
    deviation: float
    """Standard deviation; NaN of fewer than two."""
    seeds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Sums up the values of several seeds.

        Example:
            >>> Spread.of([1.0, 3.0])
            Spread(mean=2.0, deviation=1.4142135623730951, seeds=2)
        """
        count = len(values)
        return cls(
            mean=statistics.fmean(values) if count else math.nan,
            deviation=statistics.stdev(values) if count > 1 else math.nan,
            seeds=count,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownMeasure:
    """A measure as a reader sees it."""

    name: str
    title: str
    higher_is_better: bool = True
    is_share: bool = True
    """Whether it is written in percent; a count is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RobustnessSection:
    """How the records of a part of the suite are shown and compared."""

    part: str
    title: str
    about: str
    measures: tuple[ShownMeasure, ...]
    """Columns of its tables."""
    compared_by: tuple[str, ...]
    """Names of the measures in which gains are taken; the first decides who is best."""
    subjects: tuple[str, ...]
    """Methods whose gain over the best rival is of interest."""
    rivals: tuple[str, ...]
    """Simple methods."""
    curve: str = ""
    """Name of the curve that is drawn; empty: none."""
    axes: tuple[str, str] = ("", "")
    """Titles of x and y."""
    drawn: tuple[str, ...] = ()
    """Methods whose curves are drawn, where they are there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RobustnessGain:
    """A method against the best of its rivals, seed by seed."""

    method: str
    measure: str
    rival: str
    """The rival of the best mean: chosen with hindsight, to its favour."""
    gain: Spread
    """Above 0 where the method is better, whichever way the measure goes."""
    wins: int
    losses: int
    """Seeds."""
    low: float
    high: float
    """95% interval of the mean by Student's t over seeds; NaN of fewer than two."""
    verdict: GainVerdict


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodOnSet:
    """A method on a data set, over the seeds."""

    method: str
    measures: dict[str, Spread]
    curves: dict[str, PlotLine]
    """Means over the seeds."""
    chosen: tuple[tuple[str, int], ...] = ()
    """Settings that validation rows chose, in words, and on how many seeds; most often first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSummary:
    """All methods on a data set."""

    part: str
    data_set: str
    seeds: int
    methods: tuple[MethodOnSet, ...]
    gains: tuple[RobustnessGain, ...]

    def method(self, name: str) -> MethodOnSet | None:
        """Returns a method, where it was measured."""
        return next((one for one in self.methods if one.method == name), None)

    def gain(self, method: str, measure: str) -> RobustnessGain | None:
        """Returns the gain of a method in a measure, where it was taken."""
        found = (one for one in self.gains if (one.method, one.measure) == (method, measure))
        return next(found, None)


def method_mean(method: MethodOnSet, measure: str) -> float:
    """Returns the mean of a measure over the seeds; NaN where a method does not have it."""
    spread = method.measures.get(measure)
    return math.nan if spread is None else spread.mean


def summarize_section(
    section: RobustnessSection, records: Sequence[RobustnessRecord]
) -> list[SetSummary]:
    """Sums up the records of a part by data set, in the order in which data sets appear.

    Args:
        section: how methods are compared.
        records: of all parts; those of others are left out.

    Returns:
        One a data set.
    """
    by_set: dict[str, list[RobustnessRecord]] = {}
    for record in records:
        if record.part == section.part:
            by_set.setdefault(record.data_set, []).append(record)
    return [_summary(section, name, found) for name, found in by_set.items()]


def _summary(
    section: RobustnessSection, data_set: str, records: Sequence[RobustnessRecord]
) -> SetSummary:
    runs: dict[str, list[RobustnessRecord]] = {}
    for record in records:
        runs.setdefault(record.method, []).append(record)
    methods = tuple(_on_set(method, found) for method, found in runs.items())
    higher = {one.name: one.higher_is_better for one in section.measures}
    gains = [
        gain
        for method in section.subjects
        for measure in section.compared_by
        if (gain := _gain(runs, method, section.rivals, measure, higher=higher[measure]))
    ]
    return SetSummary(
        part=section.part,
        data_set=data_set,
        seeds=len({record.seed for record in records}),
        methods=methods,
        gains=tuple(gains),
    )


def _on_set(method: str, runs: Sequence[RobustnessRecord]) -> MethodOnSet:
    names = dict.fromkeys(name for run in runs for name in run.measures)
    curves = {
        name: PlotLine(
            x=first.x,
            y=np.mean([run.curves[name].y for run in runs], axis=0).round(6).tolist(),
        )
        for name, first in runs[0].curves.items()
        if all(run.curves.get(name, first).x == first.x and name in run.curves for run in runs)
    }
    return MethodOnSet(
        method=method,
        measures={name: _spread(runs, name) for name in names},
        curves=curves,
        chosen=tuple(Counter(_words(run.chosen) for run in runs if run.chosen).most_common()),
    )


def _words(chosen: Mapping[str, float]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in chosen.items())


def _spread(runs: Sequence[RobustnessRecord], name: str) -> Spread:
    """Returns the spread over the seeds for which a measure is defined."""
    values = [run.measures.get(name, math.nan) for run in runs]
    return Spread.of([value for value in values if not math.isnan(value)])


def _gain(
    runs: dict[str, list[RobustnessRecord]],
    method: str,
    rivals: Sequence[str],
    measure: str,
    *,
    higher: bool,
) -> RobustnessGain | None:
    """Returns the gain of a method over its best rival; None where either is not there."""
    sign = 1 if higher else -1
    values = {
        name: {
            run.seed: sign * run.measures[measure]
            for run in runs.get(name, [])
            if not math.isnan(run.measures.get(measure, math.nan))
        }
        for name in (method, *rivals)
    }
    there = [name for name in rivals if name != method and values[name]]
    if not there or not values[method]:
        return None
    rival = max(there, key=lambda name: statistics.fmean(values[name].values()))
    differences = [
        value - values[rival][seed]
        for seed, value in values[method].items()
        if seed in values[rival]
    ]
    low, high = t_interval(differences)
    return RobustnessGain(
        method=method,
        measure=measure,
        rival=rival,
        gain=Spread.of(differences),
        wins=sum(value > 0 for value in differences),
        losses=sum(value < 0 for value in differences),
        low=low,
        high=high,
        verdict="better" if low > 0 else "worse" if high < 0 else "undecided",
    )
