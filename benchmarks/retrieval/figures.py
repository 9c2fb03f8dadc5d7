"""From the values of every query to the rows of the table: means, intervals, tests, seeds."""

import itertools
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hgld.benchmarks.retrieval.examples import Retrieval
from hgld.benchmarks.retrieval.methods import (
    RetrievalMethod,
    TrainedRun,
    describe,
    name_of_runs,
    read_trained_run,
    runs_by_method,
)
from hgld.benchmarks.retrieval.protocol import Protocol
from hgld.benchmarks.retrieval.results import FIRST, Method, Row, level_of, shown_level
from hgld.benchmarks.retrieval.statistics import (
    bootstrap_intervals,
    group_sums,
    holm_adjusted,
    sign_flip_p_values,
    standard_errors,
    t_interval,
)
from hgld.engine.dataset import Level
from hgld.engine.workspace import Workspace

Values = NDArray[np.float64]
"""(Q,), NaN where a query has no value."""
Groups = NDArray[np.int64]
"""(Q,), equal numbers for queries of one landmark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredMethod:
    """A run, a backbone before training, or embeddings, and what was measured of it."""

    method: RetrievalMethod
    per_query: Mapping[str, Values]
    """By metric."""
    retrieval: Retrieval
    embedding_dim: int
    images_per_s: float | None


@dataclass(frozen=True, kw_only=True)  # without slots, since what follows from it is kept
class Compared:
    """One method: a single measured one, or runs that differ only in their seed."""

    method: Method
    runs: tuple[MeasuredMethod, ...]
    trained: tuple[TrainedRun, ...] = ()
    """What is recorded of each run; none where nothing is."""

    @property
    def first(self) -> MeasuredMethod:
        """The one whose pictures are shown."""
        return self.runs[0]

    @cached_property
    def per_query(self) -> dict[str, Values]:
        """The mean over the runs, which have a value for the same queries."""
        keys = self.first.per_query
        return {key: np.mean([one.per_query[key] for one in self.runs], axis=0) for key in keys}


def by_method(workspace: Workspace, measured: Mapping[str, MeasuredMethod]) -> list[Compared]:
    """Puts runs together that differ only in their seed.

    Args:
        workspace: where the runs lie.
        measured: by name, each baseline before the runs that started from it.

    Returns:
        The methods, each where its first run is.
    """
    runs = {one.method.run: one for one in measured.values() if one.method.run}
    trained = {run: read_trained_run(workspace, run) for run in runs}
    taken = set(runs)
    groups = {name: [one] for name, one in measured.items() if not one.method.run}
    groups |= {names[0]: [runs[one] for one in names] for names in runs_by_method(trained)}
    found = []
    for of_method in groups.values():
        first = of_method[0].method
        known = tuple(filter(None, (trained.get(one.method.run) for one in of_method)))
        records = {one.method.run: trained[one.method.run] for one in of_method if first.run}
        seeds = {run: one.seed if one else None for run, one in records.items()}
        name, title = first.name, first.title
        if len(of_method) > 1:
            called = name_of_runs(seeds)
            # Another run, or others together, may be called so.
            called = ", ".join(seeds) if called in taken else called
            taken.add(called)
            name, title = f"after {called}", f"{called}, {len(seeds)} seeds"
        method = Method(
            name=name,
            title=title,
            description=describe(first, known),
            baseline=first.baseline,
            runs=seeds,
        )
        found.append(Compared(method=method, runs=tuple(of_method), trained=known))
    order = list(measured)
    return sorted(found, key=lambda one: order.index(one.first.method.name))


def rows_of(protocol: Protocol, compared: Sequence[Compared]) -> Iterator[Row]:
    """Yields every figure: those of each method, and then those of each pair.

    Args:
        protocol: queries and index.
        compared: the methods, each baseline before those that started from it.
    """
    levels, groups = protocol.queries.levels, protocol.groups
    leading, labels = protocol.metrics[0].key, protocol.shown_labels()
    methods = {one.method.name: one for one in compared}
    for one in compared:
        name, keys = one.method.name, list(one.per_query)
        like = [Row(method=name, metric=key, level=level_of(key, levels)) for key in keys]
        for row in rows_of_values(list(one.per_query.values()), like, groups):
            yield over_seeds(row, [run.per_query[row.metric] for run in one.runs])
        # The only run of a method has the method's own figures.
        for run, (called, seed) in zip(one.runs, one.method.runs.items(), strict=False):
            if len(one.runs) > 1:
                of_run = [replace(row, run=called, seed=seed) for row in like]
                yield from rows_of_values(list(run.per_query.values()), of_run, groups)
        lead = Row(method=name, metric=leading, level=level_of(leading, levels))
        values = one.per_query[leading]
        yield from rows_by_label(values, lead, labels, groups)
        if one.method.baseline:
            change = values - methods[one.method.baseline].per_query[leading]
            against = replace(lead, against=one.method.baseline)
            yield from rows_by_label(change, against, labels, groups)
        yield from _costs(one)
        yield from _firsts(protocol, one)
    shown = {metric.key for metric in protocol.metrics}
    yield from rows_of_pairs(compared, shown, groups, levels)


def rows_of_values(
    values: Sequence[Values], like: Sequence[Row], groups: Groups | None = None
) -> Iterator[Row]:
    """Yields means over the same queries with their errors and intervals.

    Args:
        values: M times (Q,).
        like: M rows that say what these are.
        groups: None: each query is a group of its own.

    Example:
        >>> like = [Row(method="a", metric="h_ap")]
        >>> (row,) = rows_of_values([np.array([1.0, 0.5, np.nan])], like)
        >>> row.mean, row.standard_error, row.low, row.high, row.queries, row.undefined
        (0.75, 0.25, 0.5, 1.0, 2, 1)
    """
    if not like:
        return
    table = np.stack(values, axis=1)  # (Q, M)
    lows, highs = bootstrap_intervals(table, groups).tolist()
    errors = standard_errors(table, groups).tolist()
    counts = (group_sums(table, groups).counts > 0).sum(axis=0).tolist()
    for number, (row, each) in enumerate(zip(like, table.T, strict=True)):
        undefined = int(np.isnan(each).sum())
        yield replace(
            row,
            mean=_mean_of_defined(each),
            standard_error=errors[number],
            low=lows[number],
            high=highs[number],
            queries=len(each) - undefined,
            groups=counts[number],
            undefined=undefined,
        )


def rows_by_label(
    values: Values, like: Row, labels: Sequence[str], groups: Groups | None = None
) -> Iterator[Row]:
    """Yields the mean over the queries of each label, in alphabetical order.

    Args:
        values: (Q,)
        like: what they are.
        labels: (Q,), of the queries; none: there are no labels.
        groups: as in `rows_of_values`.
    """
    places = np.array(labels)
    for label in sorted(set(labels)):
        some = np.flatnonzero(places == label)
        own = None if groups is None else groups[some]
        yield from rows_of_values([values[some]], [replace(like, label=label)], own)


def rows_of_pairs(
    compared: Sequence[Compared], shown: Container[str], groups: Groups, levels: Sequence[Level]
) -> Iterator[Row]:
    """Yields the differences of every pair of methods, metric by metric.

    Args:
        compared: the methods, each baseline before those that started from it.
        shown: the metrics that are tested, with Holm's correction over the pairs of each; the
            others have differences only from the method that one started from.
        groups: as in `rows_of_values`.
        levels: of the labels.
    """
    # Whoever comes later minus whoever comes before: a run minus its baseline.
    every = [(later, before) for before, later in itertools.combinations(compared, 2)]
    for key in compared[0].per_query:
        started = [pair for pair in every if _has_started_from(*pair)]
        pairs = every if key in shown else started
        if not pairs:
            continue
        values = [later.per_query[key] - before.per_query[key] for later, before in pairs]
        p_values = [np.nan] * len(pairs)
        if key in shown:
            p_values = sign_flip_p_values(np.stack(values, axis=1), groups).tolist()
        adjusted = holm_adjusted(p_values)
        like = [
            Row(
                method=later.method.name,
                metric=key,
                level=level_of(key, levels),
                against=before.method.name,
                higher=int((each > 0).sum()),
                lower=int((each < 0).sum()),
                p_value=p_values[number],
                holm_p_value=adjusted[number],
            )
            for number, (each, (later, before)) in enumerate(zip(values, pairs, strict=True))
        ]
        for row, (later, before) in zip(rows_of_values(values, like, groups), pairs, strict=True):
            runs = [one.per_query[key] - before.per_query[key] for one in later.runs]
            yield over_seeds(row, runs) if _has_started_from(later, before) else row


def over_seeds(row: Row, runs: Sequence[Values]) -> Row:
    """Returns a row with the spread of its runs' means; of fewer than two runs as it is.

    The interval is cut where the metric, or a difference of two, can go no further.
    """
    if len(runs) < 2:  # noqa: PLR2004 - one has no spread
        return row
    means = [_mean_of_defined(one) for one in runs]
    # Levels missed, unlike shares, may be more than one.
    most = np.inf if row.metric.startswith("mistake_severity") else 1.0
    low, high = t_interval(means)
    return replace(
        row,
        seeds=len(runs),
        deviation=float(np.std(means, ddof=1)),
        seed_low=float(np.maximum(low, -most if row.against else 0)),
        seed_high=float(np.minimum(high, most)),
    )


def _has_started_from(later: Compared, before: Compared) -> bool:
    return later.method.baseline == before.method.name


def _costs(compared: Compared) -> Iterator[Row]:
    """Yields what a method takes: of several runs means, and the most memory."""
    trained, first = compared.trained, compared.first
    memories = [one.peak_memory_mb for one in trained if one.peak_memory_mb is not None]
    model = first.method.model
    costs = {
        "training_hours": _mean([one.hours for one in trained]),
        "peak_memory_mb": max(memories, default=np.nan),
        "parameters": float(sum(map(Tensor.numel, model.parameters()))) if model else np.nan,
        "embedding_dim": float(first.embedding_dim),
        "images_per_s": _mean([one.images_per_s for one in compared.runs]),
    }
    for metric, value in costs.items():
        yield Row(method=compared.method.name, metric=metric, mean=value)


def _firsts(protocol: Protocol, compared: Compared) -> Iterator[Row]:
    """Yields which label came first how often, of the queries that have anything to find."""
    index, retrieval = protocol.index, compared.first.retrieval
    level = shown_level(index.levels)
    if level is None:
        return
    column = index.levels.index(level)
    names = [index.names[column][one] for one in index.labels[retrieval.first, column].tolist()]
    is_defined = ~np.isnan(retrieval.scores)
    pairs = zip(protocol.shown_labels(), names, is_defined, strict=True)
    counts = Counter((label, found) for label, found, is_counted in pairs if is_counted)
    for (label, found), count in sorted(counts.items(), key=lambda one: (-one[1], one[0])):
        row = Row(method=compared.method.name, metric=FIRST, level=level.title, label=label)
        yield replace(row, found=found, queries=count)


def _mean(values: Sequence[float | None]) -> float:
    return _mean_of_defined(np.array([np.nan if one is None else one for one in values]))


def _mean_of_defined(values: Values) -> float:
    defined = values[~np.isnan(values)]
    return float(np.mean(defined)) if len(defined) else np.nan
