"""Every figure of a benchmark, measured, summed up and written: the same on any protocol."""

import itertools
from collections import Counter
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hgld.benchmarks.datasets.retrieval_data import RetrievalData
from hgld.benchmarks.environment import Json, describe_environment
from hgld.benchmarks.retrieval import statistics
from hgld.benchmarks.retrieval.config import BenchmarkConfig, embeddings_folder, result_files
from hgld.benchmarks.retrieval.facts import protocol_facts, require_facts
from hgld.benchmarks.retrieval.methods import (
    Compared,
    Values,
    by_method,
    load_methods,
    measure,
    with_other_rankings,
)
from hgld.benchmarks.retrieval.protocol import Protocol, protocol_of_build, protocol_of_data_set
from hgld.benchmarks.retrieval.report import make_examples, pictures_of, render_report
from hgld.benchmarks.retrieval.reranking import searches_of
from hgld.benchmarks.retrieval.results import (
    FIRST,
    Results,
    Row,
    level_of,
    shown_level,
    to_csv,
    to_latex,
    to_setting,
)
from hgld.benchmarks.retrieval.traits import Trait, traits_of
from hgld.demo import is_demo
from hgld.engine.dataset import Level
from hgld.engine.stage import StageWriter
from hgld.engine.workspace import Workspace
from hgld.training.index.embeddings import EmbeddingCache
from hgld.training.model.config import Precision
from hgld.training.model.embed import NUMERIC_PACKAGES, describe_numerics

Groups = NDArray[np.int64]
"""(Q,), equal numbers for queries of one landmark."""
_PRECISION: Precision = "float32"
"""Of the forward pass: every machine computes in it, and figures of several are compared."""


def write_results(
    writer: StageWriter,
    config: BenchmarkConfig,
    data: RetrievalData | None,
    *,
    has_pictures: bool,
) -> None:
    """Does the work of `run_benchmark`."""
    workspace = writer.workspace
    if data is None:
        [hierarchy] = config.hierarchy
        protocol = protocol_of_build(workspace, hierarchy=hierarchy, with_pictures=has_pictures)
    else:
        protocol = protocol_of_data_set(data, with_pictures=has_pictures)
    cache = EmbeddingCache(
        folder=workspace.path(embeddings_folder(config)),
        precision=_PRECISION,
        batch_size=config.batch_size,
        workers=config.workers,
        device=config.device,
    )
    methods = load_methods(workspace, config, cache)
    searches = searches_of(config, {one.name: one.run for one in methods}, protocol)
    if (far := searches[methods[0].name].distractors) is not None:
        protocol = replace(protocol, distractors=far.count)
    facts = protocol_facts(protocol)
    for rival in config.rivals:  # before anything is embedded
        require_facts(rival, facts)
    measured = [measure(cache, one, protocol, searches[one.name]) for one in methods]
    compared = [*with_other_rankings(by_method(workspace, measured))]
    counts, left_out = protocol.counts()
    results = Results(
        metadata=_metadata(config),
        data_set=data.name if data else "",
        is_drawn=is_demo(workspace if data is None else Workspace(data.folder)),
        is_one_set=protocol.is_one_set,
        recall_at=protocol.recall_at,
        levels=protocol.queries.levels,
        counts=counts,
        left_out=left_out,
        methods=tuple(one.method for one in compared),
        rows=tuple(rows_of(protocol, compared, traits_of(protocol, workspace))),
        protocol=facts,
    )
    examples = make_examples(protocol, compared)
    # Only embeddings are measured without a picture being there.
    pictures = pictures_of(protocol, examples) if has_pictures and config.pictures else None
    report = render_report(results, examples, pictures)
    texts = (to_csv(results), to_setting(results), to_latex(results), report)
    for relative, text in zip(result_files(config.folder), texts, strict=True):
        writer.write_text(relative, text)
    if not config.name:  # others of the same folder may be measured again under a name
        cache.prune()


def _metadata(config: BenchmarkConfig) -> dict[str, Json]:
    numerics = describe_numerics(config.device)
    return {
        **describe_environment((*NUMERIC_PACKAGES, "pyarrow")),
        **{key: numerics[key] for key in ("cpu_capability", "device")},
        "precision": _PRECISION,
    }


def rows_of(
    protocol: Protocol, compared: Sequence[Compared], traits: Mapping[str, Trait]
) -> Iterator[Row]:
    """Yields every figure: those of each method, and then those of each pair.

    Args:
        protocol: queries and index.
        compared: the methods, each baseline before those that are compared with it.
        traits: by what queries are told apart, by what it is called.
    """
    levels, groups = protocol.queries.levels, protocol.groups
    leading = protocol.metrics[0].key
    methods = {one.method.name: one for one in compared}
    for one in compared:
        name, values = one.method.name, one.per_query[leading]
        like = {
            key: Row(method=name, metric=key, level=level_of(key, levels)) for key in one.per_query
        }
        for row in rows_of_values(one.per_query.values(), like.values(), groups):
            yield over_seeds(row, [run.per_query[row.metric] for run in one.runs])
        # The only run of a method has the method's own figures.
        for run, (called, seed) in zip(one.runs, one.method.runs.items(), strict=False):
            if len(one.runs) > 1:
                of_run = [replace(row, run=called, seed=seed) for row in like.values()]
                yield from rows_of_values(run.per_query.values(), of_run, groups)
        told_apart = [(like[leading], values)]
        if one.method.baseline:
            change = values - methods[one.method.baseline].per_query[leading]
            told_apart.append((replace(like[leading], against=one.method.baseline), change))
        for row, each in told_apart:
            for level, labels in traits.items():
                yield from rows_by_label(each, replace(row, level=level), labels, groups)
        yield from _costs(one)
        yield from _firsts(protocol, one)
    shown = {metric.key for metric in protocol.metrics}
    yield from rows_of_pairs(compared, shown, groups, levels)


def rows_of_values(
    values: Collection[Values], like: Collection[Row], groups: Groups | None = None
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
    table = np.stack([*values], axis=1)  # (Q, M)
    lows, highs = statistics.bootstrap_intervals(table, groups).tolist()
    errors = statistics.standard_errors(table, groups).tolist()
    counts = (statistics.group_sums(table, groups)[1] > 0).sum(axis=0).tolist()
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


def rows_by_label(values: Values, like: Row, labels: Trait, groups: Groups) -> Iterator[Row]:
    """Yields the mean over the queries of each label, in alphabetical order.

    Args:
        values: (Q,)
        like: what they are.
        labels: (Q,), of the queries; one of several counts under each.
        groups: as in `rows_of_values`.
    """
    for label in sorted({label for own in labels for label in own}):
        some = np.array([label in own for own in labels])
        yield from rows_of_values([values[some]], [replace(like, label=label)], groups[some])


def rows_of_pairs(
    compared: Sequence[Compared], shown: Container[str], groups: Groups, levels: Sequence[Level]
) -> Iterator[Row]:
    """Yields the differences of every pair of methods, metric by metric.

    Args:
        compared: the methods, each baseline before those that are compared with it.
        shown: the metrics that are tested, with Holm's correction over the pairs of each; the
            others have differences only from the method that one started from.
        groups: as in `rows_of_values`.
        levels: of the labels.
    """
    # Whoever comes later minus whoever comes before: a run minus its baseline.
    every = [(later, before) for before, later in itertools.combinations(compared, 2)]
    for key in compared[0].per_query:
        pairs = [
            one for one in every if key in shown or one[0].method.baseline == one[1].method.name
        ]
        if not pairs:
            continue
        values = [later.per_query[key] - before.per_query[key] for later, before in pairs]
        p_values = [np.nan] * len(pairs)
        if key in shown:
            p_values = statistics.sign_flip_p_values(np.stack(values, axis=1), groups).tolist()
        adjusted = statistics.holm_adjusted(p_values)
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
            # A ranking of several seeds has a baseline of as many, in their order.
            each = zip(later.runs, itertools.cycle(before.runs), strict=False)
            runs = [one.per_query[key] - other.per_query[key] for one, other in each]
            yield over_seeds(row, runs) if later.method.baseline == row.against else row


def over_seeds(row: Row, runs: Sequence[Values]) -> Row:
    """Returns a row with the spread of its runs' means; of fewer than two runs as it is.

    The interval is cut where the metric, or a difference of two, can go no further.
    """
    if len(runs) < 2:  # noqa: PLR2004 - one has no spread
        return row
    means = [_mean_of_defined(one) for one in runs]
    # Levels missed, unlike shares, may be more than one.
    most = np.inf if row.metric.startswith("mistake_severity") else 1.0
    low, high = statistics.t_interval(means)
    return replace(
        row,
        seeds=len(runs),
        deviation=float(np.std(means, ddof=1)),
        seed_low=float(np.maximum(low, -most if row.against else 0)),
        seed_high=float(np.minimum(high, most)),
    )


def _costs(compared: Compared) -> Iterator[Row]:
    """Yields what a method takes: of several runs means, and the most memory."""
    trained, first = compared.trained, compared.runs[0]
    memories = [one.peak_memory_mb for one in trained if one.peak_memory_mb is not None]
    model = first.method.model
    costs = {
        "training_hours": _mean_of_defined([one.hours for one in trained]),
        "peak_memory_mb": max(memories, default=np.nan),
        "parameters": np.nan,
        "embedding_dim": float(first.embedding_dim),
        "images_per_s": _mean_of_defined([one.images_per_s for one in compared.runs]),
    }
    if model is not None:
        costs["parameters"] = float(sum(map(Tensor.numel, model.parameters())))
    for metric, value in costs.items():
        yield Row(method=compared.method.name, metric=metric, mean=value)


def _firsts(protocol: Protocol, compared: Compared) -> Iterator[Row]:
    """Yields which label came first how often, of the queries that have anything to find."""
    index, first = protocol.index, compared.runs[0]
    level = shown_level(index.levels)
    if level is None:
        return
    column = index.levels.index(level)
    names = [index.names[column][one] for one in index.labels[first.nearest[:, 0], column].tolist()]
    is_defined = ~np.isnan(first.per_query[protocol.metrics[0].key])
    pairs = zip(protocol.shown_labels(), names, is_defined, strict=True)
    counts = Counter((label, found) for label, found, is_counted in pairs if is_counted)
    for (label, found), count in sorted(counts.items(), key=lambda one: (-one[1], one[0])):
        row = Row(method=compared.method.name, metric=FIRST, level=level.title, label=label)
        yield replace(row, found=found, queries=count)


def _mean_of_defined(values: Values | Sequence[float | None]) -> float:
    numbers = np.asarray(values, np.float64)  # None is NaN
    defined = numbers[~np.isnan(numbers)]
    return float(np.mean(defined)) if len(defined) else np.nan
