"""What was measured of every method, summed up: figures, tests, groups of seeds, examples."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from hgld.benchmarks.retrieval.costs import TrainedRun, read_trained_run, seed_groups
from hgld.benchmarks.retrieval.examples import Retrieval, make_examples, make_mistakes
from hgld.benchmarks.retrieval.methods import RetrievalMethod, describe, parameter_count
from hgld.benchmarks.retrieval.report.metrics import metrics_of_levels
from hgld.benchmarks.retrieval.results import (
    Comparison,
    Confusion,
    Costs,
    Example,
    MethodResults,
    SeedGroup,
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
from hgld.training.data.labels import LabelledImages


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """What every method is measured on."""

    workspace: Workspace
    queries: LabelledImages
    """Q images."""
    index: LabelledImages
    """N images, in the label encoding of the queries."""

    def supercategories(self) -> list[str]:
        """Returns each query's label of the level above the finest, whichever it is; (Q,)."""
        return [self.queries.names[1][label] for label in self.queries.labels[:, 1].tolist()]


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


def sum_up(protocol: Protocol, measured: Mapping[str, MeasuredMethod]) -> SummedUp:
    """Sums up what was measured.

    Args:
        protocol: queries and index.
        measured: by name, each baseline before the runs that are compared with it.

    Returns:
        Figures of each method, tests of each pair, and what is shown.
    """
    workspace = protocol.workspace
    runs = {
        name: read_trained_run(workspace, one.method.run)
        for name, one in measured.items()
        if one.method.run
    }
    methods = {
        name: _sum_up_one(protocol, one, measured.get(one.method.baseline), runs.get(name))
        for name, one in measured.items()
    }
    metrics = [metric.key for metric in metrics_of_levels(protocol.queries.levels)]
    per_query = {name: one.per_query for name, one in measured.items()}
    # The first run's change orders the queries, where there is a run.
    after = next((one.method for one in measured.values() if one.method.baseline), None)
    examples = make_examples(
        workspace,
        protocol.queries,
        protocol.index,
        {name: one.retrieval for name, one in measured.items()},
        (after.baseline, after.name) if after else None,
    )
    return SummedUp(
        methods=tuple(methods.values()),
        comparisons=tuple(compare_methods(per_query, metrics)),
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
    gains = changes["h_ap"].tolist() if baseline else []
    labels = protocol.supercategories()
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
        measures=measures_of(one.per_query),
        baseline=one.method.baseline,
        changes=measures_of(changes),
        better=sum(gain > 0 for gain in gains),
        worse=sum(gain < 0 for gain in gains),
        h_ap_by_supercategory=measures_by_label(one.retrieval.h_ap, labels),
        gain_by_supercategory=measures_by_label(gains, labels) if baseline else {},
        confusions=_confusions(protocol, one.retrieval),
        mistakes=tuple(
            make_mistakes(protocol.workspace, protocol.queries, protocol.index, one.retrieval)
        ),
    )


def _confusions(protocol: Protocol, retrieval: Retrieval) -> tuple[Confusion, ...]:
    """Counts what came first, of the queries that have anything to find."""
    index = protocol.index
    found = index.labels[retrieval.nearest[:, 0], 1].tolist()
    pairs = [
        (label, index.names[1][other])
        for label, other, h_ap in zip(
            protocol.supercategories(), found, retrieval.h_ap, strict=True
        )
        if not math.isnan(h_ap)
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
