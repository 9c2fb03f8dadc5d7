"""The index ranked for every query, as the numbers of shared levels in ranked order.

A metric of a ranked list needs no item of it, only how many levels each shares with the query. On
a CPU and in single precision the similarity (32 bits), the position in the index, which breaks
ties, and the number of shared levels are packed into one 64-bit integer, so that one sort of plain
integers, for which numpy has a vectorised routine, gives the levels in ranked order: no
permutation is made and nothing is gathered. Elsewhere a stable sort and a gather give the same.

Threads of our own rank, in place of torch's: each takes whole blocks, and none waits for another. A
block is hundreds of operations of a tenth of a millisecond. Torch would share out each of them and
wait for the slowest thread after every one, so that a core that is busy with something else holds
up all (measured there: 170 s, not 35 s). A thread of ours that in turn ran torch's threads would
crowd the cores: 16 times 16 of them made a loss take 7.1 s, not 1.3 s.
"""

import math
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from hgld.metrics.arguments import Unknown
from hgld.metrics.relevance import bounds_of_shared_levels, has_unknown
from hgld.metrics.similarity import (
    BLOCK_COLUMNS,
    descending_bits,
    from_descending_bits,
    similarity_blocks,
    similarity_dtype,
)

_PAYLOAD_BITS = 31  # of the 64: 32 are the similarity's, one keeps the payload positive
_LAST = torch.iinfo(torch.int64).max  # sorts behind every item

# Working memory of one pair of a query and an item, in bytes: the packed key; or the similarity
# (float64), its sorted copy, the order and the levels before and after.
_PACKED_BYTES, _SORTED_BYTES = 8, 40
_MOST_ROWS = 256  # more queries at a time gain nothing

Part = TypeVar("Part")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedBlock:
    """The ranked lists of some queries."""

    ranked: Tensor
    """(B, N) integers whose last bits are the levels in ranked order. A query's own item stands
    last, as an item that shares nothing."""
    mask: int
    """The last bits."""
    similarities: Tensor | None = None
    """(B, N), falling; None: they are in the first 32 of 64 bits."""
    rest: tuple[Tensor, ...] = ()
    """(B, R) int32 levels, and (B, R) int64 ranks, rising, of what counts behind `ranked`; none
    where `ranked` is all."""
    behind: int = 0
    """How many items each list has behind `ranked`."""

    def relevant(self, row: int) -> tuple[Tensor, Tensor, Tensor]:
        """Returns the items that share a level with a query, nearest first.

        Returns:
            (R,) similarities, (R,) int32 1-based ranks, and (R,) int32 shared levels.
        """
        levels = self.ranked[row] & self.mask
        places = levels.nonzero().squeeze(1)
        if self.similarities is None:
            bits = (self.ranked[row, places] >> 32).to(torch.int32)
            similarities = from_descending_bits(bits)
        else:
            similarities = self.similarities[row, places]
        return similarities, (places + 1).to(torch.int32), levels[places].to(torch.int32)

    def levels(self, start: int, stop: int) -> Tensor:
        """Returns (B, stop - start) int32 shared levels at the 0-based ranks start..stop - 1."""
        return (self.ranked[:, start:stop] & self.mask).to(torch.int32)


class RankedIndex:
    """Queries and the index that is ranked for them, with the labels of both.

    Attributes:
        queries: (Q, D) embeddings, in the precision to compare in.
        own: (Q,) int64 position of the query itself in the index, -1 where it is not there.
        first: (Q, m) int64 positions that come first.
    """

    def __init__(  # noqa: PLR0913 - embeddings, labels and places of two sets are six by themselves
        self,
        query_embeddings: Tensor,
        index_embeddings: Tensor,
        query_labels: Tensor,
        index_labels: Tensor,
        own: Tensor,
        first: Tensor | None = None,
        *,
        unknown: Unknown = "leave_out",
    ) -> None:
        """Chooses how to rank.

        Args:
            query_embeddings: (Q, D), finite; ranking runs on their device.
            index_embeddings: (N, D), finite.
            query_labels: (Q, L) integers, column 0 finest.
            index_labels: (N, L).
            own: (Q,) int64 position of the query itself in the index, or -1.
            first: (Q, m) int64 positions in the index that come first (`similarity_blocks`).
            unknown: see `EvaluationSettings`.
        """
        device, levels = query_embeddings.device, query_labels.shape[1]
        self.queries = query_embeddings.to(similarity_dtype(query_embeddings, index_embeddings))
        self._index, self.own = index_embeddings, own.to(device)
        self.first = (own[:, None][:, :0] if first is None else first).to(device)
        query_labels, index_labels = query_labels.to(device), index_labels.to(device)
        self._pairs: _Partial | None = None
        if has_unknown(query_labels, index_labels):
            self._pairs = _Partial(query_labels, index_labels, unknown)
        self._query_paths, self._index_paths = _paths(query_labels, index_labels)
        bits = len(index_embeddings).bit_length() + levels.bit_length()
        single = self.queries.dtype == torch.float32
        self._is_packed = device.type == "cpu" and single and bits <= _PAYLOAD_BITS
        self._mask = (1 << levels.bit_length()) - 1
        self._memory = threading.local()

    def __len__(self) -> int:
        """N."""
        return len(self._index)

    @property
    def is_partial(self) -> bool:
        """Whether a label is unknown."""
        return self._pairs is not None

    def relevant(self, chosen: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Returns, for each of some queries, (B,), what `RankedBlock.relevant` does."""
        block = self.rank(chosen)
        return [block.relevant(row) for row in range(len(chosen))]

    def counts(self) -> Tensor:
        """Counts (Q, L + 1) int64 items at each number of shared levels, the query itself not.

        Nor those that are left out since it is uncertain.
        """
        if self._pairs:
            return self._pairs.counts(self.own)
        queries, items = len(self.queries), len(self._index)
        at_least = [torch.full((queries,), items, device=self.own.device)]
        for query, index in zip(self._query_paths.T, self._index_paths, strict=True):
            at_least.append(torch.bincount(index, minlength=queries + items)[query])
        cumulative = torch.stack(at_least, dim=1)
        found = (self.own >= 0).nonzero().squeeze(1)
        same = self._query_paths[found] == self._index_paths.T[self.own[found]]
        cumulative[found, 0] -= 1
        cumulative[found, 1:] -= same.to(torch.int64)
        return -cumulative.diff(dim=1, append=torch.zeros_like(cumulative[:, :1]))

    def plan(self, counts: Tensor, memory_bytes: int) -> tuple[list[Tensor], int]:
        """Divides the queries into blocks.

        Queries with as many relevant items go together: sums that end there then end alike.

        Args:
            counts: (Q, L + 1) items at each level.
            memory_bytes: how much working memory to use for the pairs of queries and items.

        Returns:
            Blocks of as many queries as the memory allows, (B,) int64 each, and how many threads
            may each have a block under way: as many as torch has, on a GPU one.

        Raises:
            ValueError: the memory is not enough for a single query.
        """
        queries, items = len(self.queries), max(1, len(self._index))
        needed = items * (_PACKED_BYTES if self._is_packed else _SORTED_BYTES)
        if memory_bytes < needed:
            raise ValueError(
                f"memory_bytes must be at least {needed:,} to rank {items:,} items for one query, "
                f"got {memory_bytes:,}; raise it or use a smaller index"
            )
        threads = torch.get_num_threads() if counts.device.type == "cpu" else 1
        at_once = memory_bytes // needed
        workers = min(threads, at_once)
        rows = min(at_once // workers, _MOST_ROWS, math.ceil(max(1, queries) / workers))
        order = counts[:, 0].argsort(descending=True, stable=True)
        return [order[start : start + rows] for start in range(0, queries, rows)], workers

    def rank(self, chosen: Tensor) -> RankedBlock:
        """Ranks the index for some queries, (B,); valid until the thread ranks it for others."""
        if self._is_packed:
            return RankedBlock(ranked=self._packed_keys(chosen), mask=self._mask)
        levels, similarities = self._sorted_levels(chosen)
        return RankedBlock(ranked=levels, mask=self._mask, similarities=similarities)

    def _packed_keys(self, chosen: Tensor) -> Tensor:
        """Sorts the key of each pair: similarity, falling; position, rising; shared levels."""
        count, items = len(chosen), len(self._index)
        kept: Tensor | None = getattr(self._memory, "keys", None)
        if kept is None or len(kept) < count:  # the same memory for all blocks of a thread
            kept = self._memory.keys = torch.empty((count, items), dtype=torch.int64)
        keys = kept[:count]
        bits, paths, own = self._mask.bit_length(), self._query_paths[chosen], self.own[chosen]
        # The same memory for every block of the index: what is allocated anew is not in cache.
        narrow = torch.empty((2, count, BLOCK_COLUMNS), dtype=torch.int32)
        wide = torch.empty((2, count, BLOCK_COLUMNS), dtype=torch.int64)
        queries, first = self.queries[chosen], self.first[chosen]
        for start, similarities in similarity_blocks(queries, self._index, first):
            width = similarities.shape[1]
            (level, scratch), (high, low) = narrow[:, :, :width], wide[:, :, :width]
            inside = slice(start, start + width)
            high.copy_(descending_bits(similarities, scratch)).bitwise_left_shift_(32)
            left_out = None
            if self._pairs:
                left_out = self._pairs.write(chosen, inside, level)
            else:
                _count_shared(paths, self._index_paths[:, inside], level, scratch)
            level += torch.arange(start, start + width, dtype=torch.int32) << bits
            torch.bitwise_or(high, low.copy_(level), out=keys[:, inside])
            if left_out is not None:
                keys[:, inside].masked_fill_(left_out, _LAST & ~self._mask)
        found = (own >= 0).nonzero().squeeze(1)
        keys[found, own[found]] = _LAST & ~self._mask  # level 0
        keys.numpy().sort(axis=1)
        return keys

    def _sorted_levels(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Sorts the similarities, equal ones by position, and fetches the levels in that order."""
        queries, paths, own = self.queries[chosen], self._query_paths[chosen], self.own[chosen]
        similarities = queries.new_empty((len(chosen), len(self._index)))
        levels = torch.empty_like(similarities, dtype=torch.int32)
        scratch = levels.new_empty((len(chosen), BLOCK_COLUMNS))
        for start, block in similarity_blocks(queries, self._index, self.first[chosen]):
            width = block.shape[1]
            inside = slice(start, start + width)
            similarities[:, inside] = block
            if self._pairs:
                left_out = self._pairs.write(chosen, inside, levels[:, inside])
                similarities[:, inside].masked_fill_(left_out, -torch.inf)
                continue
            index_paths = self._index_paths[:, inside]
            _count_shared(paths, index_paths, levels[:, inside], scratch[:, :width])
        found = (own >= 0).nonzero().squeeze(1)
        similarities[found, own[found]] = -torch.inf
        levels[found, own[found]] = 0
        similarities, order = similarities.sort(dim=1, descending=True, stable=True)
        return levels.gather(1, order), similarities


class _Partial:
    """Pairs of a query and an item of which some labels are unknown."""

    def __init__(self, query_labels: Tensor, index_labels: Tensor, unknown: Unknown) -> None:
        self._queries, self._unknown = query_labels, unknown
        # Many items have the same labels: a pair of labels is compared once.
        self._kinds, self._kind, self._sizes = torch.unique(
            index_labels, dim=0, return_inverse=True, return_counts=True
        )

    def _levels(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the (B, K) shared levels with each kind of labels, and whether it is left out."""
        least, most = bounds_of_shared_levels(self._queries[chosen], self._kinds)
        is_left_out = least != most
        if self._unknown == "leave_out":
            return least.masked_fill(is_left_out, 0), is_left_out
        return (most if self._unknown == "agrees" else least), torch.zeros_like(is_left_out)

    def write(self, chosen: Tensor, inside: slice, level: Tensor) -> Tensor:
        """Writes the levels shared with some (C,) items; returns which are left out, (B, C)."""
        levels, is_left_out = self._levels(chosen)
        kind = self._kind[inside]
        level.copy_(levels[:, kind])
        return is_left_out[:, kind]

    def counts(self, own: Tensor) -> Tensor:
        """Counts (Q, L + 1) items at each level, neither the query itself nor what is left out."""
        queries, levels = self._queries.shape
        counts = own.new_zeros((queries, levels + 1))
        for rows in torch.split(torch.arange(queries, device=own.device), _MOST_ROWS):
            level, is_left_out = self._levels(rows)
            sizes = self._sizes.expand_as(level).masked_fill(is_left_out, 0)
            counts[rows] = torch.zeros_like(counts[rows]).scatter_add_(1, level, sizes)
            found = (own[rows] >= 0).nonzero().squeeze(1)
            kind = self._kind[own[rows][found]]
            itself = (~is_left_out[found, kind]).to(counts.dtype)
            counts[rows[found], level[found, kind]] -= itself
        return counts


def _paths(query_labels: Tensor, index_labels: Tensor) -> tuple[Tensor, Tensor]:
    """Numbers the paths from the root that labels stand for: equal at a depth, equal above it.

    Returns:
        (Q, L) int32, column d - 1 numbers the paths of depth d, equal exactly where the d coarsest
        labels are all equal; (L, N) int32.
    """
    queries, levels = query_labels.shape
    path = torch.zeros(queries + len(index_labels), dtype=torch.int64, device=query_labels.device)
    paths = []
    for column in range(levels - 1, -1, -1):
        label = torch.cat((query_labels[:, column], index_labels[:, column]))
        number, label = torch.unique(label, return_inverse=True)
        path = torch.unique(path * len(number) + label, return_inverse=True)[1]
        paths.append(path.to(torch.int32))
    depths = torch.stack(paths)
    return depths[:, :queries].T.contiguous(), depths[:, queries:].contiguous()


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


def in_threads(
    threads: int, compute: Callable[[Part], Result], parts: Sequence[Part]
) -> Generator[Result, None, None]:
    """Computes part after part, each by a thread that runs torch with one thread.

    Args:
        threads: how many; 1: the calling one, since a core that torch has used is busy for some
            milliseconds more; 0: the calling one, with all that torch has.
        compute: gives the result of a part.
        parts: what to compute. After an error or Ctrl-C no more of them is begun.

    Yields:
        The results, in the order of the parts. When they are through, torch has as many threads as
        before.
    """
    before = torch.get_num_threads()
    try:
        if threads in {0, 1}:
            torch.set_num_threads(threads or before)
            yield from map(compute, parts)
        else:
            with ThreadPoolExecutor(threads, "", torch.set_num_threads, (1,)) as pool:
                yield from pool.map(compute, parts)
    finally:
        torch.set_num_threads(before)  # what they set holds for threads started later too
