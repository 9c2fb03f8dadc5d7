"""Items that nobody looks for, by the million, counted as they stream past.

A distractor shares nothing with any query. All that it does to a metric is to stand ahead of the
items that share something, so it is enough to count, for each of these, the distractors that are
nearer. A window of similarities a query is sorted at a time and the items are looked up in it: no
list of all distractors is ever held, and the counts are exact.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain

import torch
from torch import Tensor

from hgld.metrics.ranking import RankedBlock, RankedIndex, in_threads
from hgld.metrics.similarity import check_embeddings, similarity_blocks, tiled

# Of an item of a list: its similarity in single precision, its rank, and its level.
_ITEM_BYTES, _SIMILARITY_BYTES = 4 + 4 + 4, 4
_COLUMNS = 1 << 14  # the product of 1,129 queries is a third faster than with 2,048
# Distractors to sort at a time: as many as are sorted in cache, or so many that the items, of which
# each costs ten times what a distractor does, are looked up seldom, but no more than leave room for
# many queries, for which the file is read once.
_LEAST_WINDOW, _DISTRACTORS_AN_ITEM, _MOST_WINDOW = 1 << 16, 16, 1 << 21
_MOST_ITEMS = torch.iinfo(torch.int32).max

Lazy = tuple[Tensor, Callable[[], RankedBlock]]
"""Queries, (B,) int64, and what ranks the index for them."""


def count_ahead(
    queries: Tensor,
    similarities: Sequence[Tensor],
    distractors: Iterable[Tensor],
    *,
    window: int = _LEAST_WINDOW,
    first: Tensor | None = None,
    offset: int = 0,
) -> tuple[list[Tensor], int]:
    """Counts the distractors that are nearer to a query than each of its items.

    Of equal similarities the item is first: distractors stand behind the index.

    Args:
        queries: (Q, D), in the precision to compute in.
        similarities: of each query (R,), to its items.
        distractors: blocks of (n, D), read once.
        window: distractors a query to sort at a time.
        first: (Q, m) positions that come first (`similarity_blocks`).
        offset: position of the first distractor.

    Returns:
        Of each query (R,) int32 counts, and how many distractors there are.

    Raises:
        ValueError: shapes that do not fit, a value that is not finite, or two billion items.
    """
    counts = [torch.zeros_like(one, dtype=torch.int32) for one in similarities]
    memory = queries.new_empty(tiled(len(queries), window + _COLUMNS))
    filled = total = 0
    for block in distractors:
        check_embeddings(queries, block)
        for part in torch.split(block, _COLUMNS):
            if filled + len(part) > window:
                _count(memory[:, :filled], similarities, counts)
                filled = 0
            shifted = None if first is None else first - offset - total
            out = memory[:, filled : filled + tiled(1, len(part))[1]]
            for _ in similarity_blocks(queries, part, shifted, out=out):
                filled += len(part)
            total += len(part)
    if offset + total >= _MOST_ITEMS:
        raise ValueError(f"distractors must be fewer than {_MOST_ITEMS:,}, got {total:,}")
    _count(memory[:, :filled], similarities, counts)
    return counts, total


def _count(kept: Tensor, similarities: Sequence[Tensor], counts: Sequence[Tensor]) -> None:
    """Adds to the counts of each query the distractors that are nearer than its items."""

    def count(row: int) -> None:
        # Negated, so that numpy, which sorts by vector instructions, has the nearest first, and
        # looks items up in rising order, which takes two thirds of the time.
        ordered = kept[row].neg_().numpy(force=True)
        ordered.sort()
        nearer = ordered.searchsorted(similarities[row].neg().numpy(force=True))
        counts[row].add_(torch.from_numpy(nearer).to(counts[row]))

    for _ in in_threads(torch.get_num_threads(), count, range(len(counts))):
        pass


def rank_among(  # noqa: PLR0913 - the index, and how much of it at a time
    index: RankedIndex,
    counts: Tensor,
    distractors: Iterable[Tensor],
    *,
    parts: Sequence[Tensor],
    threads: int,
    read: int,
    memory_bytes: int,
) -> Iterator[list[Lazy]]:
    """Ranks the index and the distractors for every query.

    The distractors are read once for as many queries as the memory holds lists and windows of.

    Args:
        index: queries and index.
        counts: (Q, L + 1) items of the index at each level.
        distractors: blocks of (n, D), which can be read several times.
        parts: queries to rank at a time, (B,) int64 each.
        threads: see `in_threads`.
        read: how many ranks of each list are needed whatever they hold.
        memory_bytes: for the lists and the windows.

    Yields:
        The parts of a group.

    Raises:
        ValueError: as `count_ahead`.
    """
    most = int(counts[:, 1:].sum(dim=1).max())
    window = min(max(_LEAST_WINDOW, _DISTRACTORS_AN_ITEM * most), _MOST_WINDOW)
    at_once = max(1, memory_bytes // (_ITEM_BYTES * most + _SIMILARITY_BYTES * window))
    rows = len(parts[0])
    for group in torch.split(torch.cat([*parts]), at_once):
        ranked = in_threads(threads, index.relevant, torch.split(group, rows))
        items = [*chain.from_iterable(ranked)]
        ahead, total = count_ahead(
            *(index.queries[group], [one for one, _, _ in items], distractors),
            window=window,
            first=index.first[group],
            offset=len(index),
        )
        lists = [(rank + more, level) for (_, rank, level), more in zip(items, ahead, strict=True)]
        yield [
            (
                group[at : at + rows],
                partial(_block, lists[at : at + rows], len(index) + total, read),
            )
            for at in range(0, len(group), rows)
        ]


def _block(lists: Sequence[tuple[Tensor, Tensor]], length: int, read: int) -> RankedBlock:
    """Returns lists whose first ranks are dense, and of which the rest is only what counts.

    Args:
        lists: of each query (R,) ranks and levels of what counts.
        length: of each list.
        read: how many ranks must be dense.
    """
    ranks, levels = zip(*lists, strict=True)
    every_rank = torch.nn.utils.rnn.pad_sequence([*ranks], True, length + 1).to(torch.int64)
    every_level = torch.nn.utils.rnn.pad_sequence([*levels], True, 0)
    dense = min(length, max(read, every_rank.shape[1]))
    head = every_level.new_zeros((len(ranks), dense + 1))
    head.scatter_(1, (every_rank - 1).clamp(max=dense), every_level)
    every_level[every_rank <= dense] = 0
    mask = torch.iinfo(torch.int32).max
    return RankedBlock(
        ranked=head[:, :dense],
        mask=mask,
        rest=(every_level, every_rank) if bool(every_level.any()) else (),
        behind=length - dense,
    )
