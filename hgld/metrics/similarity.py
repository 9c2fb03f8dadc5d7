"""Similarities of queries to an index, and the order in which an index is ranked for a query.

The order is one rule, here and wherever the index is ranked: the higher inner product first, equal
ones by position in the index. Everything is exact for the similarities as computed: nothing is
approximated, binned or rounded on the way.
"""

import contextlib
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from hgld.metrics.arguments import check_tensors

Ids = Tensor | Sequence[int] | Sequence[str]

# Matrix products are padded to these multiples. BLAS libraries use other kernels, which round
# otherwise, for the last few rows or columns and for very small matrices: with whole tiles a
# similarity does not depend on the block that it was computed in (checked for MKL on CPU).
_TILE_ROWS, _TILE_COLUMNS = 16, 64
_TOO_MANY_FIRST = 1 << 21  # ranks for numbers of single precision (`similarity_blocks`)
BLOCK_COLUMNS = 2048  # a block of similarities of 256 queries is 2 MB: it stays in cache


def similarity_dtype(query_embeddings: Tensor, index_embeddings: Tensor) -> torch.dtype:
    """Chooses the precision to compare in: double where either side has it, else single.

    Half precision is widened first: its products are slow on a CPU and full of ties.

    Args:
        query_embeddings: (Q, D).
        index_embeddings: (N, D).

    Returns:
        `torch.float64` or `torch.float32`.
    """
    dtypes = (query_embeddings.dtype, index_embeddings.dtype)
    return torch.float64 if torch.float64 in dtypes else torch.float32


@contextlib.contextmanager
def full_precision() -> Iterator[None]:
    """Multiplies matrices in the precision of their numbers, whatever was set for training.

    TF32 and bfloat16 products would turn similarities that differ into ties. The settings are as
    before when the context is left. (Autocast does not reach products into given memory.)

    Yields:
        Nothing.
    """
    on_cpu = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]  # torch leaves it untyped
    backends = (torch.backends.cuda.matmul, on_cpu)
    before = [backend.fp32_precision for backend in backends]
    for backend in backends:
        backend.fp32_precision = "ieee"
    try:
        yield
    finally:
        for backend, precision in zip(backends, before, strict=True):
            backend.fp32_precision = precision


def check_embeddings(query_embeddings: Tensor, index_embeddings: Tensor) -> None:
    """Refuses what cannot be compared.

    Args:
        query_embeddings: (Q, D), should be floating point and finite.
        index_embeddings: (N, D), the same.

    Raises:
        TypeError: embeddings that are no tensors, or not floating point.
        ValueError: shapes that do not fit, or a value that is not finite.
    """
    check_tensors(query_embeddings=query_embeddings, index_embeddings=index_embeddings)
    shapes = tuple(query_embeddings.shape), tuple(index_embeddings.shape)
    if any(len(shape) != 2 for shape in shapes) or shapes[0][1] != shapes[1][1]:  # noqa: PLR2004
        raise ValueError(
            "query_embeddings (Q, D) and index_embeddings (N, D) must have the same D, got shapes "
            f"{shapes[0]} and {shapes[1]}; embed both with the same model"
        )
    for name, embeddings in (("query", query_embeddings), ("index", index_embeddings)):
        if not embeddings.is_floating_point():
            raise TypeError(
                f"{name}_embeddings must be floating point, got {embeddings.dtype}; "
                f"convert them with {name}_embeddings.float()"
            )
        # A sum is one pass without a temporary; only where it overflows is every value looked at.
        if not bool(embeddings.sum().isfinite()) and not bool(embeddings.isfinite().all()):
            rows = int((~embeddings.isfinite().all(dim=1)).sum())
            raise ValueError(
                f"{name}_embeddings must be finite, got NaN or infinity in {rows} of "
                f"{len(embeddings)} rows; look for a failed image or a diverged model"
            )


def own_positions(query_ids: Ids | None, index_ids: Ids | None, queries: int, index: int) -> Tensor:
    """Finds where each query itself stands in the index, to leave it out of its own list.

    Args:
        query_ids: Q ids, integers or strings, or None where the queries are not in the index.
        index_ids: N ids of the same kind, each once, or None.
        queries: Q.
        index: N.

    Returns:
        (Q,) int64 positions in the index, -1 for a query that is not in it.

    Raises:
        ValueError: only one of the two is given, a length is wrong, or an index id is there twice.
    """
    if (query_ids is None) != (index_ids is None):
        given, missing = ("query", "index") if index_ids is None else ("index", "query")
        raise ValueError(
            f"query_ids and index_ids must be given together, got only {given}_ids; "
            f"pass {missing}_ids too, or neither where no query is in the index"
        )
    if query_ids is None or index_ids is None:
        return torch.full((queries,), -1, dtype=torch.int64)
    # Plain Python values hash and compare by value.
    wanted, held = (
        ids.tolist() if isinstance(ids, Tensor) else ids for ids in (query_ids, index_ids)
    )
    for name, ids, count in (("query_ids", wanted, queries), ("index_ids", held, index)):
        if len(ids) != count:
            raise ValueError(
                f"{name} must have one id for each embedding ({count}), got {len(ids)}; "
                "pass the ids in the order of the embeddings"
            )
    position = {identity: place for place, identity in enumerate(held)}
    if len(position) != len(held):
        raise ValueError(
            f"index_ids must be unique, got {len(held) - len(position)} repeated; "
            "drop the repeated items from the index"
        )
    return torch.tensor([position.get(identity, -1) for identity in wanted], dtype=torch.int64)


def check_first(first: Tensor | None, queries: int) -> None:
    """Refuses what cannot be the items that come first.

    Args:
        first: (Q, m) int64 positions in the index, -1 where a list ends; None: no ranking changes.
        queries: Q.

    Raises:
        TypeError: no tensor, or not int64.
        ValueError: another shape, a position below -1, or one that is in a list twice.
    """
    if first is None:
        return
    check_tensors(first=first)
    if first.dtype != torch.int64:
        raise TypeError(f"first must be int64, got {first.dtype}; convert it with first.long()")
    ordered = first.sort(dim=-1).values
    again = (ordered[..., 1:] == ordered[..., :-1]) & (ordered[..., 1:] >= 0)
    is_list = [first.ndim, len(first)] == [2, queries] and first.shape[1] < _TOO_MANY_FIRST
    if not is_list or bool(again.any()) or bool((first < -1).any()):
        raise ValueError(
            f"first must have shape (Q, m), Q = {queries}, with each position once and -1 where a "
            f"list ends, got {tuple(first.shape)} and {int(again.sum())} repeated"
        )


def tiled(rows: int, columns: int) -> tuple[int, int]:
    """Returns the shape of the memory that a block of similarities is computed in."""
    return rows + -rows % _TILE_ROWS, columns + -columns % _TILE_COLUMNS


def similarity_blocks(
    queries: Tensor,
    index_embeddings: Tensor,
    first: Tensor | None = None,
    *,
    out: Tensor | None = None,
) -> Iterator[tuple[int, Tensor]]:
    """Computes the similarities of some queries to the whole index, a few thousand items at a time.

    The index may stand on another device or in another precision: blocks are moved as needed.

    Args:
        queries: (B, D), on the device and in the precision to compute in.
        index_embeddings: (N, D).
        first: (B, m) int64 positions in the index, -1 where a list ends: what another ranking puts
            first, in this order. In the place of their similarities come the highest numbers there
            are, falling by one unit in the last place, so that whatever ranks by similarity ranks
            them so.
        out: memory for blocks of C items, of shape `tiled(B, C)`; None: some of its own, of 2048
            columns.

    Yields:
        The position of the first item of the block, and (B, C) similarities. The tensor
        is used again for the next block.
    """
    items, count = len(index_embeddings), len(queries)
    width = max(1, min(BLOCK_COLUMNS if out is None else out.shape[1], items))
    queries = pad(queries, (0, 0, 0, -count % _TILE_ROWS))
    buffer = queries.new_empty(tiled(count, width)) if out is None else out
    for start in range(0, items, width):
        block = index_embeddings[start : start + width].to(queries)
        held = len(block)
        if held % _TILE_COLUMNS:
            block = pad(block, (0, 0, 0, -held % _TILE_COLUMNS))
        torch.mm(queries, block.T, out=buffer[:, : len(block)])
        similarities = buffer[:count, :held]
        if first is not None and first.numel():
            row, rank = ((first >= start) & (first < start + held)).nonzero(as_tuple=True)
            limits = torch.finfo(similarities.dtype)
            highest = limits.max * (1 - rank.to(torch.float64) * limits.eps)
            similarities[row, first[row, rank] - start] = highest.to(similarities.dtype)
        yield start, similarities


def descending_bits(similarities: Tensor, scratch: Tensor) -> Tensor:
    """Turns single precision numbers into integers that sort from the highest number down.

    A positive float grows with its bits read as an integer and a negative one falls, so flipping
    all bits but the sign of the negative ones gives integers in the order of the numbers; the
    numbers are negated first. Works in place: the similarities are lost.

    Args:
        similarities: (B, C) float32, finite; overwritten.
        scratch: (B, C) int32, overwritten.

    Returns:
        (B, C) int32, smaller for a higher similarity and equal for equal ones (0 and -0 too).
    """
    bits = similarities.neg_().add_(0.0).view(torch.int32)  # -0 + 0 = 0
    torch.bitwise_right_shift(bits, 31, out=scratch)
    return bits.bitwise_xor_(scratch.bitwise_and_(0x7FFFFFFF))


def from_descending_bits(bits: Tensor) -> Tensor:
    """Gives the similarities again, from what `descending_bits` made of them.

    Args:
        bits: int32 of any shape.

    Returns:
        float32 of the same shape; a negative zero comes back as zero.
    """
    flip = torch.bitwise_right_shift(bits, 31) & 0x7FFFFFFF
    return (bits ^ flip).view(torch.float32).neg().add_(0.0)
