"""What was measured of every run, summed up method by method: figures, tests, examples."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from hgld.benchmarks.retrieval.costs import (
    TrainedRun,
    name_of_runs,
    read_trained_run,
    runs_by_method,
)
from hgld.benchmarks.retrieval.examples import Retrieval, make_examples, make_mistakes
from hgld.benchmarks.retrieval.methods import RetrievalMethod, describe, parameter_count
from hgld.benchmarks.retrieval.protocol import Protocol
from hgld.benchmarks.retrieval.results import (
    Comparison,
    Confusion,
    Costs,
    Example,
    MethodResults,
    RunResults,
    shown_level,
)
from hgld.benchmarks.retrieval.statistics.summary import (
    PerQuery,
    compare_methods,
    confusions_of,
    measures_by_label,
    measures_of,
    over_seeds,
)
from hgld.engine.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredMethod:
    """A run, a backbone before training, or embeddings, and what was measured of it."""

    method: RetrievalMethod
    per_query: PerQuery
    retrieval: Retrieval
    embedding_dim: int
    images_per_s: float | None


class SummedUp(NamedTuple):
    """What `Results` says of the methods; see there."""

    methods: tuple[MethodResults, ...]
    comparisons: tuple[Comparison, ...]
    examples: tuple[Example, ...]


@dataclass(frozen=True, kw_only=True)  # without slots, since what follows from it is kept
class _Together:
    """What is one method: a single one, or runs that differ in their seed alone."""

    name: str
    title: str
    runs: tuple[MeasuredMethod, ...]
    trained: tuple[TrainedRun, ...]
    """What is recorded of each run; none where nothing is."""

    @property
    def first(self) -> MeasuredMethod:
        """The one whose pictures are shown."""
        return self.runs[0]

    @cached_property
    def per_query(self) -> PerQuery:
        """The mean over the runs, which have a value for the same queries."""
        return {
            key: np.mean([one.per_query[key] for one in self.runs], axis=0)
            for key in self.first.per_query
        }


def sum_up(
    workspace: Workspace, protocol: Protocol, measured: Mapping[str, MeasuredMethod]
) -> SummedUp:
    """Sums up what was measured, runs that differ in their seed alone as one method.

    Args:
        workspace: where the runs lie.
        protocol: queries and index.
        measured: by name, each baseline before the runs that are compared with it.

    Returns:
        Figures of each method, tests of each pair, and what is shown.
    """
    together = _by_method(workspace, measured)
    methods = [
        _sum_up_one(protocol, one, measured.get(one.first.method.baseline)) for one in together
    ]
    metrics = [metric.key for metric in protocol.metrics]
    per_query = {one.name: one.per_query for one in together}
    # The first run's change orders the queries, where there is a run.
    after = next((one for one in together if one.first.method.baseline), None)
    examples = make_examples(
        protocol,
        {one.name: one.first.retrieval for one in together},
        (after.first.method.baseline, after.name) if after else None,
    )
    return SummedUp(
        methods=tuple(methods),
        comparisons=tuple(compare_methods(per_query, metrics, protocol.groups)),
        examples=tuple(examples),
    )


def _by_method(workspace: Workspace, measured: Mapping[str, MeasuredMethod]) -> list[_Together]:
    """Returns the methods, each where its first run is."""
    runs = {one.method.run: one for one in measured.values() if one.method.run}
    trained = {run: read_trained_run(workspace, run) for run in runs}
    found = [
        _Together(name=name, title=one.method.title, runs=(one,), trained=())
        for name, one in measured.items()
        if not one.method.run
    ]
    taken = set(runs)
    for names in runs_by_method(trained):
        known = tuple(one for one in map(trained.get, names) if one)
        name, title = runs[names[0]].method.name, runs[names[0]].method.title
        if len(names) > 1:
            called = name_of_runs(dict(zip(names, (one.seed for one in known), strict=True)))
            # Another run, or others together, may be called so.
            called = ", ".join(names) if called in taken else called
            taken.add(called)
            name, title = f"after {called}", f"{called}, {len(names)} seeds"
        of_method = tuple(runs[run] for run in names)
        found.append(_Together(name=name, title=title, runs=of_method, trained=known))
    order = list(measured)
    return sorted(found, key=lambda one: order.index(one.first.method.name))


def _sum_up_one(
    protocol: Protocol, together: _Together, baseline: MeasuredMethod | None
) -> MethodResults:
    groups, labels = protocol.groups, protocol.shown_labels()
    leading = protocol.metrics[0].key
    first, trained = together.first, together.trained
    runs = [
        RunResults(
            name=one.method.run,
            seed=trained[number].seed if trained else None,
            measures=measures_of(one.per_query, groups),
        )
        for number, one in enumerate(together.runs)
        if one.method.run
    ]
    per_query = [together.per_query, *(one.per_query for one in together.runs)]
    changes: PerQuery
    changes, *of_runs = [
        _differences(one, baseline.per_query) if baseline else {} for one in per_query
    ]
    gains = changes[leading].tolist() if baseline else []
    return MethodResults(
        name=together.name,
        title=together.title,
        description=describe(first.method, trained),
        runs=tuple(runs),
        costs=Costs(
            training_hours=_mean([one.hours for one in trained]),
            peak_memory_mb=max(_known([one.peak_memory_mb for one in trained]), default=None),
            parameters=parameter_count(first.method),
            embedding_dim=first.embedding_dim,
            images_per_s=_mean([one.images_per_s for one in together.runs]),
        ),
        measures=measures_of(together.per_query, groups),
        baseline=first.method.baseline,
        changes=measures_of(changes, groups),
        over_seeds=over_seeds([one.per_query for one in together.runs]),
        changes_over_seeds=over_seeds(of_runs, is_change=True),
        better=sum(gain > 0 for gain in gains),
        worse=sum(gain < 0 for gain in gains),
        by_label=measures_by_label(together.per_query[leading].tolist(), labels, groups),
        gain_by_label=measures_by_label(gains, labels, groups) if baseline else {},
        confusions=_confusions(protocol, labels, first.retrieval),
        mistakes=tuple(make_mistakes(protocol, first.retrieval)),
    )


def _differences(values: PerQuery, baseline: PerQuery) -> PerQuery:
    return {key: each - baseline[key] for key, each in values.items()}


def _known(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _mean(values: Sequence[float | None]) -> float | None:
    known = _known(values)
    return sum(known) / len(known) if known else None


def _confusions(
    protocol: Protocol, labels: Sequence[str], retrieval: Retrieval
) -> tuple[Confusion, ...]:
    """Counts what came first, of the queries that have anything to find."""
    index = protocol.index
    level = shown_level(index.levels)
    if level is None:
        return ()
    column = index.levels.index(level)
    found = index.labels[retrieval.first, column].tolist()
    pairs = [
        (label, index.names[column][other])
        for label, other, score in zip(labels, found, retrieval.scores, strict=True)
        if not math.isnan(score)
    ]
    return confusions_of([label for label, _ in pairs], [other for _, other in pairs])
