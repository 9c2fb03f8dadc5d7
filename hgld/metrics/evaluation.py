"""Every metric of every query over a whole index, in one pass over each ranked list."""

import logging
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from hgld.engine.progress import progress
from hgld.metrics.arguments import EvaluationSettings, label_matrix
from hgld.metrics.distractors import Lazy, rank_among
from hgld.metrics.ranking import RankedBlock, RankedIndex, in_threads
from hgld.metrics.relevance import decay_relevance, map_relevance, published_decay_relevance
from hgld.metrics.similarity import (
    Ids,
    check_embeddings,
    check_first,
    full_precision,
    own_positions,
)
from hgld.metrics.streamed import Lists, RankedSums, chosen_metrics

DEFAULT_SETTINGS = EvaluationSettings()

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The metrics of every query.

    Attributes:
        per_query: for each metric (Q,) float64 on the CPU, NaN for a query that has nothing
            relevant to find.

    Example:
        >>> ap = torch.tensor([1.0, 0.5, torch.nan], dtype=torch.float64)
        >>> evaluation = Evaluation({"ap_landmark": ap})
        >>> evaluation.means(), evaluation.undefined()
        ({'ap_landmark': 0.75}, {'ap_landmark': 1})
    """

    per_query: dict[str, Tensor]

    def means(self) -> dict[str, float]:
        """Averages each metric over the queries for which it is defined.

        Returns:
            The mean of each metric; NaN where it is defined for no query.
        """
        return {key: float(values.nanmean()) for key, values in self.per_query.items()}

    def undefined(self) -> dict[str, int]:
        """Counts the queries that `means` leaves out.

        Returns:
            For each metric the number of queries for which it is NaN.
        """
        return {key: int(values.isnan().sum()) for key, values in self.per_query.items()}


def evaluate(  # noqa: PLR0913 - embeddings, labels and ids of two sets are six by themselves
    query_embeddings: Tensor,
    query_labels: Tensor,
    index_embeddings: Tensor,
    index_labels: Tensor,
    *,
    query_ids: Ids | None = None,
    index_ids: Ids | None = None,
    level_names: Sequence[str] | None = None,
    settings: EvaluationSettings = DEFAULT_SETTINGS,
    first: Tensor | None = None,
    distractors: Iterable[Tensor] | None = None,
) -> Evaluation:
    """Ranks the index for every query and computes every metric.

    Exact: the whole index is ranked for each query, by inner product, equal ones by position in
    the index. A query that is in the index is left out of its own list, by its id. Runs on the
    device of the queries; the index may stand on another one, from where it is moved in blocks.
    Time is that of the similarities and of one sort, about O(Q N (D + log N)); memory beyond the
    embeddings is bounded by `settings.memory_bytes`.

    Args:
        query_embeddings: (Q, D) floating point, of unit length for cosine similarity.
        query_labels: (Q, L) integers, L >= 1, column 0 the finest level; (Q,) is one level.
        index_embeddings: (N, D).
        index_labels: (N, L) or (N,). On both sides -1 stands for unknown.
        query_ids: Q ids, integers or strings; None where no query is in the index.
        index_ids: N unique ids of the same kind; None as above.
        level_names: L different names for the keys of the results, finest first; `level0`,
            `level1`, ... by default.
        settings: which metrics to compute, and how.
        first: (Q, m) int64 positions in the index, best first, -1 where a list ends: what another
            ranking puts first. All else keeps its order behind. Distractors are N, N + 1, ...
        distractors: blocks of (n, D), of any floating point, whose items share no level with any
            query and stand behind the index; read from the start as often as the memory needs, so
            no generator.

    Returns:
        `h_ap`, `ndcg`, `asi`, `hops`, `mistake_severity_at_{k}` and, for each level,
        `map_at_{k}_{name}`, `ap_{name}`, `map_at_r_{name}`, `p_at_1_{name}`, `r_at_{k}_{name}` and
        `level_recall_at_{k}_{name}` of each query. The positives of a level share it and all
        coarser ones with the query; those of its level recall no finer one.

    Raises:
        TypeError: embeddings that are not floating point, labels that are no integers, or what is
            no tensor.
        ValueError: shapes, ids or names that do not fit, a value that is not finite, or too little
            memory to rank the index for one query.

    Example:
        >>> index = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
        >>> labels = torch.tensor([[4, 0], [5, 0], [4, 0]])
        >>> evaluation = evaluate(index[:1], labels[:1], index[1:], labels[1:])
        >>> evaluation.means()["ap_level0"]  # the other 4 comes second
        0.5
    """
    check_embeddings(query_embeddings, index_embeddings)
    queries, items = len(query_embeddings), len(index_embeddings)
    query_labels = label_matrix("query_labels", query_labels)
    index_labels = label_matrix("index_labels", index_labels)
    _check_labels(query_labels, index_labels, queries, items)
    names = _level_names(level_names, query_labels.shape[1])
    own = own_positions(query_ids, index_ids, queries, items)
    check_first(first, queries)
    index = RankedIndex(
        *(query_embeddings, index_embeddings, query_labels, index_labels, own, first),
        unknown=settings.unknown,
    )
    if index.is_partial and settings.convention == "published":  # which has no such labels
        raise ValueError("convention must be 'standard' where labels are -1, got 'published'")
    counts = index.counts()
    rank = torch.arange(
        1, max(items, settings.most_read) + 1, dtype=torch.float64, device=counts.device
    )
    discounts = 1 / torch.log2(1 + rank)
    metrics = chosen_metrics(settings, names)
    per_query = {key: torch.full((queries,), torch.nan, dtype=torch.float64) for key in metrics}
    blocks, workers = index.plan(counts, settings.memory_bytes // (1 if distractors is None else 8))
    threads = workers if workers > 1 else 0
    if distractors is None:
        groups: Iterable[list[Lazy]] = [[(one, partial(index.rank, one)) for one in blocks]]
    else:
        if settings.convention == "published":  # which loses the last item of each list
            raise ValueError("convention must be 'standard' with distractors, got 'published'")
        groups = rank_among(
            *(index, counts, distractors),
            parts=blocks,
            threads=threads,
            read=settings.most_read,
            memory_bytes=settings.memory_bytes * 3 // 4,  # the rest is for a few lists at a time
        )

    @torch.no_grad()
    def evaluate_block(lazy: Lazy) -> tuple[Tensor, list[Tensor]]:
        chosen, rank = lazy
        inside = index.own[chosen] >= 0
        lists = _read_lists(rank(), counts[chosen], inside, items, settings, discounts)
        return chosen, [metric(lists).cpu() for metric in metrics.values()]

    evaluated = (one for group in groups for one in in_threads(threads, evaluate_block, group))
    with (
        full_precision(),
        progress("evaluate: queries", queries) as advance,
        closing(evaluated) as found,  # so that after Ctrl-C here, too, no more blocks are begun
    ):
        for chosen, values in found:
            for key, value in zip(metrics, values, strict=True):
                per_query[key][chosen.cpu()] = value
            advance(len(chosen))
    evaluation = Evaluation(per_query)
    logger.info(
        "evaluated %s queries on %s items; %s have nothing relevant to find",
        *(f"{count:,}" for count in (queries, items, evaluation.undefined()["h_ap"])),
    )
    return evaluation


def _read_lists(
    block: RankedBlock,
    counts: Tensor,
    inside: Tensor,
    items: int,
    settings: EvaluationSettings,
    discounts: Tensor,
) -> Lists:
    """One pass over ranked lists of an index of so many items.

    How many of these each list holds at which level, (B, L + 1), and whether it would also be the
    query itself, (B,), is known. What a list does not hold stands last.
    """
    length = block.ranked.shape[1]
    listed, lengths = counts[:, 1:], length + block.behind - items + counts.sum(dim=1)
    if settings.convention == "published":
        counts = torch.cat((counts[:, :-1], counts[:, -1:] + inside[:, None]), dim=1)
        lost = ~inside & (lengths > 0)
        listed = _lose_last(block, listed, lost)
        lengths = lengths - lost.to(torch.int64)
    sums = RankedSums(listed, discounts)
    for start in range(0, length, sums.piece):
        sums.add(block.levels(start, min(start + sums.piece, length)))
    for levels, ranks in zip(*(torch.split(one, sums.piece, 1) for one in block.rest), strict=True):
        sums.add(levels, ranks)
    relevance, multiplicity = _level_relevance(counts, settings)
    return Lists(
        sums=sums,
        lengths=lengths,
        relevance=relevance,
        multiplicity=multiplicity,
        head=block.levels(0, min(settings.most_read, length)),
    )


def _lose_last(block: RankedBlock, counts: Tensor, lost: Tensor) -> Tensor:
    """Makes the last item share nothing, for the queries where it is lost.

    Returns:
        The (B, L) counts without these items.
    """
    if not bool(lost.any()):
        return counts
    last = (block.ranked[:, -1:] & block.mask) * lost[:, None]
    block.ranked[lost, -1] &= ~block.mask
    level = torch.arange(1, counts.shape[1] + 1, device=counts.device)
    return counts - (last == level).to(torch.int64)


def _level_relevance(counts: Tensor, settings: EvaluationSettings) -> tuple[Tensor, Tensor]:
    """(B, L) relevance of the levels 1..L, and how often each counts in H-AP."""
    published = settings.convention == "published"
    if settings.relevance == "map":
        table = map_relevance(counts, settings.level_weights)
    else:
        decay = published_decay_relevance if published else decay_relevance
        table = decay(counts, settings.alpha)
    relevance = table[:, 1:]
    if not published:
        return relevance, torch.ones_like(relevance)
    relevance = relevance.to(torch.float32)
    equal = relevance[:, :, None] == relevance[:, None, :]
    return relevance.to(torch.float64), equal.sum(dim=2)


def _check_labels(query_labels: Tensor, index_labels: Tensor, queries: int, items: int) -> None:
    """Refuses labels unless both sides have one of each level for each embedding."""
    for name, labels, count in (("query", query_labels, queries), ("index", index_labels, items)):
        if labels.ndim != 2 or len(labels) != count or labels.shape[1] < 1:  # noqa: PLR2004
            raise ValueError(
                f"{name}_labels must have shape (n, L) with n = {count} embeddings and L >= 1, got "
                f"{tuple(labels.shape)}; give each embedding a row of labels"
            )
    if query_labels.shape[1] != index_labels.shape[1]:
        raise ValueError(
            "query_labels and index_labels must have the same levels, got "
            f"{query_labels.shape[1]} and {index_labels.shape[1]}; drop what only one side has; "
            "where there is one level, pass labels[:, None] or labels of shape (n,) on both sides"
        )


def _level_names(names: Sequence[str] | None, levels: int) -> tuple[str, ...]:
    """One name a level, finest first."""
    if names is None:
        return tuple(f"level{column}" for column in range(levels))
    if len(names) != levels or len(set(names)) < levels:
        raise ValueError(
            f"level_names must be {levels} different names, one a label column, got {list(names)}; "
            "start with the finest level"
        )
    return tuple(names)
