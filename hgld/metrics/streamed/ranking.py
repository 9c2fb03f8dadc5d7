"""The index ranked for every query, as the numbers of shared levels in ranked order.

A metric of a ranked list needs no item of it, only how many levels each shares with the query. On
a CPU and in single precision the similarity (32 bits), the position in the index, which breaks
ties, and the number of shared levels are packed into one 64-bit integer, so that one sort of plain
integers, for which numpy has a vectorised routine, gives the levels in ranked order: no
permutation is made and nothing is gathered. Elsewhere a stable sort and a gather give the same.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from hgld.metrics.similarity import (
    BLOCK_COLUMNS,
    descending_bits,
    pad_queries,
    similarity_blocks,
    similarity_dtype,
)

_PAYLOAD_BITS = 31  # of the 64: 32 are the similarity's, one keeps the payload positive
_LAST = torch.iinfo(torch.int64).max  # sorts behind every item

# Working memory of one pair of a query and an item, in bytes: the packed key; or the similarity
# (float64), its sorted copy, the order and the levels before and after.
_PACKED_BYTES, _SORTED_BYTES = 8, 40
_MOST_ROWS = 256  # more queries at a time gain nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Hierarchy:
    """The labels of queries and index as paths from the root: equal at a depth, equal above it."""

    query_paths: Tensor
    """(Q, L) int32, column d - 1 numbers the paths of depth d."""
    index_paths: Tensor
    """(L, N) int32."""
    own: Tensor
    """(Q,) int64 position of the query itself in the index, -1 where it is not there."""

    @property
    def levels(self) -> int:
        """L."""
        return len(self.index_paths)

    def counts(self) -> Tensor:
        """Counts (Q, L + 1) int64 items at each number of shared levels, the query itself not."""
        items = self.index_paths.shape[1]
        at_least = [torch.full((len(self.query_paths),), items, device=self.own.device)]
        for query, index in zip(self.query_paths.T, self.index_paths, strict=True):
            paths = torch.cat((query, index))
            width = int(paths.max()) + 1 if len(paths) else 0
            at_least.append(torch.bincount(index, minlength=width)[query])
        cumulative = torch.stack(at_least, dim=1)
        found = (self.own >= 0).nonzero().squeeze(1)
        same = self.query_paths[found] == self.index_paths.T[self.own[found]]
        cumulative[found, 0] -= 1
        cumulative[found, 1:] -= same.to(torch.int64)
        return cumulative - torch.cat(
            (cumulative[:, 1:], cumulative.new_zeros(len(self.own), 1)), 1
        )


def hierarchy(query_labels: Tensor, index_labels: Tensor, own: Tensor) -> Hierarchy:
    """Numbers the paths from the root that labels stand for.

    Args:
        query_labels: (Q, L) integers, column 0 finest.
        index_labels: (N, L).
        own: (Q,) int64 position of the query itself in the index, or -1.

    Returns:
        The paths, equal at depth d exactly where the d coarsest labels are all equal.
    """
    queries, levels = query_labels.shape
    path = torch.zeros(queries + len(index_labels), dtype=torch.int64, device=query_labels.device)
    paths = []
    for column in range(levels - 1, -1, -1):
        label = torch.cat((query_labels[:, column], index_labels[:, column]))
        number, label = torch.unique(label, return_inverse=True)
        path = torch.unique(path * len(number) + label, return_inverse=True)[1]
        paths.append(path.to(torch.int32))
    return Hierarchy(
        query_paths=torch.stack([depth[:queries] for depth in paths], dim=1),
        index_paths=torch.stack([depth[queries:] for depth in paths]),
        own=own,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedBlock:
    """The ranked lists of some queries."""

    queries: Tensor
    """(B,) int64 which queries."""
    length: int
    """N. A query's own item stands last, as an item that shares nothing."""
    levels: Callable[[int, int], Tensor]
    """(start, stop) -> (B, stop - start) int32 shared levels at the 0-based ranks start..stop - 1.

    Valid until the next block is asked for.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How to rank within the memory there is."""

    blocks: tuple[Tensor, ...]
    """The queries to rank together, (B,) int64 each."""
    workers: int
    """How many threads may each have a block under way."""
    packed: bool
    """Whether a pair is one integer."""


def plan_ranking(
    query_embeddings: Tensor, index_embeddings: Tensor, counts: Tensor, memory_bytes: int
) -> Plan:
    """Divides the queries into blocks.

    Queries with as many relevant items go together: sums that end there then end alike.

    Args:
        query_embeddings: (Q, D); ranking runs on their device.
        index_embeddings: (N, D).
        counts: (Q, L + 1) items at each level, on the device of the queries.
        memory_bytes: how much working memory to use for the pairs of queries and items.

    Returns:
        Blocks of as many queries as the memory allows, and as many workers as torch has threads (on
        a GPU one).

    Raises:
        ValueError: the memory is not enough for a single query.
    """
    queries, items = len(query_embeddings), max(1, len(index_embeddings))
    levels = counts.shape[1] - 1
    on_cpu = query_embeddings.device.type == "cpu"
    single = similarity_dtype(query_embeddings, index_embeddings) == torch.float32
    packed = on_cpu and single and items.bit_length() + levels.bit_length() <= _PAYLOAD_BITS
    needed = items * (_PACKED_BYTES if packed else _SORTED_BYTES)
    if memory_bytes < needed:
        raise ValueError(
            f"memory_bytes must be at least {needed:,} to rank {items:,} items for one query, got "
            f"{memory_bytes:,}; raise it or use a smaller index"
        )
    workers = min(torch.get_num_threads() if on_cpu else 1, memory_bytes // needed)
    rows = min(memory_bytes // needed // workers, _MOST_ROWS, math.ceil(max(1, queries) / workers))
    order = counts[:, 0].argsort(descending=True, stable=True)
    return Plan(
        blocks=tuple(order[start : start + rows] for start in range(0, queries, rows)),
        workers=workers,
        packed=packed,
    )


def ranked_blocks(
    query_embeddings: Tensor,
    index_embeddings: Tensor,
    hierarchy: Hierarchy,
    blocks: Iterator[Tensor],
    *,
    packed: bool,
) -> Iterator[RankedBlock]:
    """Ranks the index for some queries at a time.

    Args:
        query_embeddings: (Q, D), finite; ranking runs on their device.
        index_embeddings: (N, D), finite.
        hierarchy: the labels of both, on the device of the queries.
        blocks: queries to rank together. Threads may draw from one iterator.
        packed: from the plan.

    Yields:
        The ranked lists of each block.
    """
    queries = query_embeddings.to(similarity_dtype(query_embeddings, index_embeddings))
    if packed:
        yield from _packed_blocks(queries, index_embeddings, hierarchy, blocks)
    else:
        yield from _sorted_blocks(queries, index_embeddings, hierarchy, blocks)


def _packed_blocks(
    queries: Tensor, index: Tensor, hierarchy: Hierarchy, blocks: Iterator[Tensor]
) -> Iterator[RankedBlock]:
    """Sorts one integer a pair: similarity, position and level."""
    keys = torch.empty((0, len(index)), dtype=torch.int64)
    mask = (1 << hierarchy.levels.bit_length()) - 1
    for chosen in blocks:
        count = len(chosen)
        if len(keys) < count:  # the same memory for all blocks
            keys = torch.empty((count, len(index)), dtype=torch.int64)
        block = keys[:count]
        _fill_keys(block, queries[chosen], index, hierarchy, chosen)
        block.numpy().sort(axis=1)
        yield RankedBlock(
            queries=chosen, length=len(index), levels=partial(_levels_of_keys, block, mask)
        )


def _levels_of_keys(keys: Tensor, mask: int, start: int, stop: int) -> Tensor:
    """(B, stop - start) int32 levels in the last bits of the keys."""
    return (keys[:, start:stop] & mask).to(torch.int32)


def _columns(levels: Tensor, start: int, stop: int) -> Tensor:
    """(B, stop - start) some columns."""
    return levels[:, start:stop]


def _fill_keys(
    keys: Tensor, queries: Tensor, index: Tensor, hierarchy: Hierarchy, chosen: Tensor
) -> None:
    """Writes the key of each pair: similarity, falling; position, rising; shared levels."""
    bits = hierarchy.levels.bit_length()
    paths, own = hierarchy.query_paths[chosen], hierarchy.own[chosen]
    # The same memory for every block of the index: what is allocated anew is not in cache.
    narrow = torch.empty((2, len(keys), BLOCK_COLUMNS), dtype=torch.int32)
    wide = torch.empty((2, len(keys), BLOCK_COLUMNS), dtype=torch.int64)
    for start, similarities in similarity_blocks(pad_queries(queries), index):
        width = similarities.shape[1]
        (level, scratch), (high, low) = narrow[:, :, :width], wide[:, :, :width]
        high.copy_(descending_bits(similarities[: len(keys)], scratch)).bitwise_left_shift_(32)
        _count_shared(paths, hierarchy.index_paths[:, start : start + width], level, scratch)
        level += torch.arange(start, start + width, dtype=torch.int32) << bits
        torch.bitwise_or(high, low.copy_(level), out=keys[:, start : start + width])
    found = (own >= 0).nonzero().squeeze(1)
    keys[found, own[found]] = _LAST >> bits << bits  # level 0


def _sorted_blocks(
    queries: Tensor, index: Tensor, hierarchy: Hierarchy, blocks: Iterator[Tensor]
) -> Iterator[RankedBlock]:
    """Sorts the similarities, equal ones by position, and fetches the levels in that order."""
    items = len(index)
    for chosen in blocks:
        count = len(chosen)
        similarities = queries.new_empty((count, items))
        levels = torch.empty((count, items), dtype=torch.int32, device=queries.device)
        scratch = torch.empty((count, BLOCK_COLUMNS), dtype=torch.int32, device=queries.device)
        paths = hierarchy.query_paths[chosen]
        for start, block in similarity_blocks(pad_queries(queries[chosen]), index):
            width = block.shape[1]
            inside = slice(start, start + width)
            similarities[:, inside] = block[:count]
            index_paths = hierarchy.index_paths[:, inside]
            _count_shared(paths, index_paths, levels[:, inside], scratch[:, :width])
        own = hierarchy.own[chosen]
        found = (own >= 0).nonzero().squeeze(1)
        similarities[found, own[found]] = -torch.inf
        levels[found, own[found]] = 0
        order = similarities.sort(dim=1, descending=True, stable=True).indices
        ranked = levels.gather(1, order)
        yield RankedBlock(queries=chosen, length=items, levels=partial(_columns, ranked))


def _count_shared(query_paths: Tensor, index_paths: Tensor, level: Tensor, scratch: Tensor) -> None:
    """Writes how many levels are shared: the depth down to which the paths are equal.

    Args:
        query_paths: (B, L) int32.
        index_paths: (L, C) int32.
        level: (B, C) int32, overwritten with the result.
        scratch: (B, C) int32, overwritten. Comparisons that write bool take six times longer.
    """
    level.zero_()
    for query, path in zip(query_paths.T, index_paths, strict=True):
        level += torch.eq(query[:, None], path, out=scratch)
