"""What runs of several seeds come to: means, spreads, and differences seed by seed."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from hgld.benchmarks.training.trials import TrialRecord


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
class GroupSummary:
    """Runs that differ in their seed alone."""

    group: str
    title: str
    about: str
    measures: dict[str, Spread]
    gains: dict[str, Spread]
    """Against the group that all are compared with: of the same seed, minus its own."""
    at_crop_size: dict[str, Spread]
    """See `TrialRecord`; empty where the model sees what it was trained on."""
    train_s: Spread
    peak_memory_mb: float | None
    """The most of all."""
    loss: Spread
    """The last of each run's log."""


def sum_up_runs(records: Sequence[TrialRecord], reference: str) -> list[GroupSummary]:
    """Sums up runs by group, in the order in which groups appear.

    Args:
        records: of one part.
        reference: the group that the others are compared with; one run of it, such as of a
            backbone before training, stands for all seeds.

    Returns:
        One summary a group.
    """
    groups: dict[str, list[TrialRecord]] = {}
    for record in records:
        groups.setdefault(record.group, []).append(record)
    compared = {record.seed: record.measures for record in groups.get(reference, [])}
    return [_summary(group, runs, compared) for group, runs in groups.items()]


def _summary(
    group: str, runs: Sequence[TrialRecord], compared: dict[int, dict[str, float]]
) -> GroupSummary:
    alone = next(iter(compared.values())) if len(compared) == 1 else {}
    beside = [(run.measures, compared.get(run.seed, alone)) for run in runs]
    names = list(runs[0].measures)
    memories = [run.peak_memory_mb for run in runs if run.peak_memory_mb is not None]
    return GroupSummary(
        group=group,
        title=runs[0].title,
        about=runs[0].about,
        measures={name: Spread.of([run.measures[name] for run in runs]) for name in names},
        gains={
            name: Spread.of([own[name] - other[name] for own, other in beside if other])
            for name in names
        },
        at_crop_size={
            name: Spread.of([run.at_crop_size[name] for run in runs])
            for name in runs[0].at_crop_size
        },
        train_s=Spread.of([run.train_s for run in runs if run.train_s is not None]),
        peak_memory_mb=max(memories, default=None),
        loss=Spread.of([run.losses[-1][1] for run in runs if run.losses]),
    )
