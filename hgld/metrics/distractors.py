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
_DENSE_ITEMS = 1 << 21  # of lists at a time: some 100 MB
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
    # Looked up in rising order, which takes numpy two thirds of the time.
    wanted = [one.flip(0) for one in similarities]
    counts = [torch.zeros_like(one, dtype=torch.int32) for one in wanted]
    window = max(_COLUMNS, window)
    memory = queries.new_empty(tiled(len(queries), window + _COLUMNS))
    kept = memory[: len(queries)]
    filled = total = 0
    for block in distractors:
        check_embeddings(queries, block)
        for part in torch.split(block, _COLUMNS):
            if filled + len(part) > window:
                _count(kept[:, :filled], wanted, counts)
                filled = 0
            shifted = None if first is None else first - offset - total
            out = memory[:, filled : filled + tiled(1, len(part))[1]]
            for _ in similarity_blocks(queries, part, shifted, out=out):
                filled += len(part)
            total += len(part)
    if offset + total >= _MOST_ITEMS:
        raise ValueError(f"distractors must be fewer than {_MOST_ITEMS:,}, got {total:,}")
    _count(kept[:, :filled], wanted, counts)
    return [one.flip(0) for one in counts], total


def _count(kept: Tensor, wanted: Sequence[Tensor], counts: Sequence[Tensor]) -> None:
    """Adds to the counts of each query the distractors that are nearer than its items."""

    def count(row: int) -> None:
        ordered = kept[row].numpy(force=True)  # which sorts by vector instructions
        ordered.sort()
        no_nearer = ordered.searchsorted(wanted[row].numpy(force=True), "right")
        counts[row].add_(torch.from_numpy(len(ordered) - no_nearer).to(counts[row]))

    for _ in in_threads(torch.get_num_threads(), count, range(len(kept))):
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
        parts: queries whose lists of the index fit into memory, (B,) int64 each.
        threads: see `in_threads`.
        read: how many ranks of each list are needed whatever they hold.
        memory_bytes: for the lists and the windows.

    Yields:
        The lists of a group, a few at a time.

    Raises:
        ValueError: as `count_ahead`.
    """
    most = int(counts[:, 1:].sum(dim=1).max())
    window = min(max(_LEAST_WINDOW, _DISTRACTORS_AN_ITEM * most), _MOST_WINDOW)
    at_once = max(1, memory_bytes // (_ITEM_BYTES * most + _SIMILARITY_BYTES * window))
    rows = max(1, min(64, _DENSE_ITEMS // max(1, most, read)))
    for group in torch.split(torch.cat([*parts]), at_once):
        ranked = in_threads(threads, index.relevant, torch.split(group, len(parts[0])))
        similarities, ranks, levels = zip(*chain.from_iterable(ranked), strict=True)
        ahead, total = count_ahead(
            *(index.queries[group], similarities, distractors),
            window=window,
            first=index.first_of(group),
            offset=len(index),
        )
        behind = [one + more for one, more in zip(ranks, ahead, strict=True)]
        length = len(index) + total
        several = [slice(start, start + rows) for start in range(0, len(group), rows)]
        yield [(group[s], partial(_block, behind[s], levels[s], length, read)) for s in several]


def _block(
    ranks: Sequence[Tensor], levels: Sequence[Tensor], length: int, read: int
) -> RankedBlock:
    """Returns lists whose first ranks are dense, and of which the rest is only what counts."""
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
