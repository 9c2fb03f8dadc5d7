"""What was measured of every method, summed up: figures, tests, groups of seeds, examples."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hgld.benchmarks.retrieval.costs import TrainedRun, read_trained_run, seed_groups
from hgld.benchmarks.retrieval.examples import Retrieval, make_examples, make_mistakes
from hgld.benchmarks.retrieval.methods import RetrievalMethod, describe, parameter_count
from hgld.benchmarks.retrieval.protocol import Protocol
from hgld.benchmarks.retrieval.results import (
    Comparison,
    Confusion,
    Costs,
    Example,
    MethodResults,
    SeedGroup,
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
    """A method and what was measured of it."""

    method: RetrievalMethod
    per_query: PerQuery
    retrieval: Retrieval
    embedding_dim: int
    images_per_s: float | None


class SummedUp(NamedTuple):
    """What `Results` says of the methods; see there."""

    methods: tuple[MethodResults, ...]
    comparisons: tuple[Comparison, ...]
    seed_groups: tuple[SeedGroup, ...]
    examples: tuple[Example, ...]


def sum_up(
    workspace: Workspace, protocol: Protocol, measured: Mapping[str, MeasuredMethod]
) -> SummedUp:
    """Sums up what was measured.

    Args:
        workspace: where the runs lie.
        protocol: queries and index.
        measured: by name, each baseline before the runs that are compared with it.

    Returns:
        Figures of each method, tests of each pair, and what is shown.
    """
    runs = {
        name: read_trained_run(workspace, one.method.run)
        for name, one in measured.items()
        if one.method.run
    }
    methods = {
        name: _sum_up_one(protocol, one, measured.get(one.method.baseline), runs.get(name))
        for name, one in measured.items()
    }
    metrics = [metric.key for metric in protocol.metrics]
    per_query = {name: one.per_query for name, one in measured.items()}
    # The first run's change orders the queries, where there is a run.
    after = next((one.method for one in measured.values() if one.method.baseline), None)
    examples = make_examples(
        protocol,
        {name: one.retrieval for name, one in measured.items()},
        (after.baseline, after.name) if after else None,
    )
    return SummedUp(
        methods=tuple(methods.values()),
        comparisons=tuple(compare_methods(per_query, metrics, protocol.groups)),
        seed_groups=tuple(_groups(methods, runs, metrics)),
        examples=tuple(examples),
    )


def _sum_up_one(
    protocol: Protocol,
    one: MeasuredMethod,
    baseline: MeasuredMethod | None,
    trained: TrainedRun | None,
) -> MethodResults:
    changes = (
        {key: each - baseline.per_query[key] for key, each in one.per_query.items()}
        if baseline
        else {}
    )
    gains = changes[protocol.metrics[0].key].tolist() if baseline else []
    labels, groups = protocol.shown_labels(), protocol.groups
    return MethodResults(
        name=one.method.name,
        title=one.method.title,
        description=describe(one.method, trained),
        costs=Costs(
            training_hours=trained.hours if trained else None,
            peak_memory_mb=trained.peak_memory_mb if trained else None,
            parameters=parameter_count(one.method),
            embedding_dim=one.embedding_dim,
            images_per_s=one.images_per_s,
        ),
        measures=measures_of(one.per_query, groups),
        baseline=one.method.baseline,
        changes=measures_of(changes, groups),
        better=sum(gain > 0 for gain in gains),
        worse=sum(gain < 0 for gain in gains),
        by_label=measures_by_label(one.retrieval.scores, labels, groups),
        gain_by_label=measures_by_label(gains, labels, groups) if baseline else {},
        confusions=_confusions(protocol, labels, one.retrieval),
        mistakes=tuple(make_mistakes(protocol, one.retrieval)),
    )


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


def _groups(
    methods: Mapping[str, MethodResults], runs: Mapping[str, TrainedRun | None], metrics: list[str]
) -> Iterator[SeedGroup]:
    """Yields the runs that differ in their seed alone, summed up."""
    for names in seed_groups(runs):
        trained = [run for run in map(runs.get, names) if run]
        run_names = ", ".join(name.removeprefix("after ") for name in names)
        yield over_seeds(
            run_names, [methods[name] for name in names], [run.seed for run in trained], metrics
        )
