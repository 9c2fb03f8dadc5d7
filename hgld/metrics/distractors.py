"""Items that nobody looks for, by the million, counted as they stream past.

A distractor shares nothing with any query. All that it does to a metric is to stand ahead of the
items that share something, so it is enough to count, for each of these, the distractors that are
nearer. A window of similarities a query is sorted at a time: no list of all distractors is ever
held, and the counts are exact. Few items are looked up in it. Many are sorted with it and found
again by their last bit: that costs 1.5 ns a distractor and 7 ns an item, where to look one up takes
30 to 60 ns, most of it to wait for memory and for wrongly guessed branches.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hgld.metrics.ranking import RankedBlock, RankedIndex, in_threads
from hgld.metrics.similarity import check_embeddings, descending_bits, similarity_blocks, tiled

# Of an item of a list: its similarity in single precision, its rank, and its level.
_ITEM_BYTES, _SIMILARITY_BYTES = 4 + 4 + 4, 4
_COLUMNS = 1 << 12
# Distractors to sort at a time: as many as are sorted in cache, or so many that the items, sorted
# with each window, are few beside it, but no more than leave room for many queries, for which the
# file is read once.
_LEAST_WINDOW, _DISTRACTORS_AN_ITEM, _MOST_WINDOW = 1 << 16, 4, 1 << 22
_LOOKED_UP = 16  # an item is looked up where there are more distractors for each
_AT_ONCE = 1 << 18
# The first two bits of what is nearer to 0 are equal, so that one makes room for a mark.
_BELOW_2 = 2 - torch.finfo(torch.float32).eps
_MOST_ITEMS = torch.iinfo(torch.int32).max

Lazy = tuple[Tensor, Callable[[], RankedBlock]]
"""Queries, (B,) int64, and what ranks the index for them."""


def count_ahead(  # noqa: PLR0913 - the items, and how many distractors at a time
    queries: Tensor,
    similarities: Sequence[Tensor],
    ranks: Sequence[Tensor],
    distractors: Iterable[Tensor],
    *,
    window: int = _LEAST_WINDOW,
    first: Tensor | None = None,
    offset: int = 0,
) -> int:
    """Adds to the rank of each item the distractors that are nearer to the query.

    Of equal similarities the item is first: distractors stand behind the index.

    Args:
        queries: (Q, D), in the precision to compute in.
        similarities: of each query (R,), to its items; fastest where they fall.
        ranks: of each query (R,) int32, of its items.
        distractors: blocks of (n, D), read once.
        window: distractors a query to sort at a time.
        first: (Q, m) positions that come first (`similarity_blocks`).
        offset: position of the first distractor.

    Returns:
        How many distractors there are.

    Raises:
        ValueError: shapes that do not fit, a value that is not finite, or two billion items.
    """
    memory = queries.new_empty(tiled(len(queries), window + _COLUMNS))
    part = queries.new_empty(_COLUMNS, queries.shape[1])  # new memory costs as much as a product
    filled = total = 0
    for block in distractors:
        check_embeddings(queries, block[:0])
        for rows in torch.split(block, _COLUMNS):
            count = len(rows)
            if filled + count > window:
                _count(memory[:, :filled], similarities, ranks)
                filled = 0
            shifted = None if first is None else first - offset - total
            out = memory[:, filled : filled + tiled(1, count)[1]]
            for _, found in similarity_blocks(queries, part[:count].copy_(rows), shifted, out=out):
                if not bool(found[:1].sum().isfinite()):  # as of a distractor that is not finite
                    check_embeddings(queries, rows)
            filled, total = filled + count, total + count
    if offset + total >= _MOST_ITEMS:
        raise ValueError(f"distractors must be fewer than {_MOST_ITEMS:,}, got {total:,}")
    _count(memory[:, :filled], similarities, ranks)
    return total


def _count(kept: Tensor, similarities: Sequence[Tensor], ranks: Sequence[Tensor]) -> None:
    """Adds to the ranks of each query the distractors that are nearer than its items."""
    threads = torch.get_num_threads()
    most = max(map(len, similarities), default=0)

    def count(rows: range) -> None:
        memory = torch.empty(kept.shape[1] + most, dtype=torch.int32)
        for row in rows:
            near = _sorted_in if _can_be_sorted_in(kept[row], similarities[row]) else _looked_up
            nearer = near(kept[row], similarities[row], memory)
            ranks[row].add_(torch.from_numpy(nearer).to(ranks[row].device))

    shares = [range(start, len(ranks), threads) for start in range(threads)]
    for _ in in_threads(threads, count, shares):
        pass


def _can_be_sorted_in(distractors: Tensor, items: Tensor) -> bool:
    """Whether there are many items, with a bit to spare, that fall."""
    many = len(items) * _LOOKED_UP > len(distractors)
    if not many or distractors.dtype != torch.float32 or distractors.device.type != "cpu":
        return False
    return bool(items[0] < _BELOW_2 and items[-1] > -_BELOW_2 and (items[1:] <= items[:-1]).all())


def _sorted_in(distractors: Tensor, items: Tensor, memory: Tensor) -> NDArray[np.int64]:
    """Counts the distractors that are nearer than each item, by sorting them together."""
    keys, scratch = memory[: len(distractors) + len(items)], torch.empty_like(memory[:_AT_ONCE])
    held = torch.split(keys, [len(distractors), len(items)])
    for similarities, bits in zip((distractors, items), held, strict=True):
        for part, key in zip(
            *(torch.split(one, _AT_ONCE) for one in (similarities, bits)), strict=True
        ):
            # Beyond 2 there is no item.
            near = torch.clamp(part, -_BELOW_2, _BELOW_2, out=key.view(torch.float32))
            descending_bits(near, scratch[: len(part)]).mul_(2)
    held[1].sub_(1)  # odd, and ahead of a distractor that is as near
    ordered = keys.numpy()
    ordered.sort()
    places = np.flatnonzero((ordered & 1).astype(np.bool_))
    return places - np.arange(len(items))


def _looked_up(distractors: Tensor, items: Tensor, _: Tensor) -> NDArray[np.int64]:
    """Counts the distractors, whose memory is overwritten, that are nearer than each item."""
    # Negated, so that numpy, which sorts by vector instructions, has the nearest first, and
    # looks items up in rising order, which takes two thirds of the time.
    ordered = distractors.neg_().numpy(force=True)
    ordered.sort()
    return ordered.searchsorted(items.neg().numpy(force=True))


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
        similarities, ranks, levels = zip(*items, strict=True)
        total = count_ahead(
            *(index.queries[group], similarities, ranks, distractors),
            window=window,
            first=index.first[group],
            offset=len(index),
        )
        lists = [*zip(ranks, levels, strict=True)]
        lazy: list[Lazy] = [
            (
                group[at : at + rows],
                partial(_block, lists[at : at + rows], len(index) + total, read),
            )
            for at in range(0, len(group), rows)
        ]
        del items, similarities, ranks, levels, lists  # not held while the next group is ranked
        yield lazy
        lazy.clear()


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
