"""Other rankings of the same embeddings: those of re-rankers, and those of averaged vectors.

A re-ranker's ranking is parquet: columns `query_id` and `image_id`, ids as the labels have them,
and `score`, the higher the better. It may end anywhere: what it leaves out of a list keeps the
order of the embeddings behind it, and so do items of one score among themselves. Each is measured
beside the ranking that it started from; nothing here knows how it was made.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from hgld.benchmarks.retrieval.config import BenchmarkConfig, Expansion
from hgld.benchmarks.retrieval.distractors import Distractors, distractors_of
from hgld.benchmarks.retrieval.protocol import Protocol
from hgld.errors import InputError
from hgld.metrics.similarity import full_precision, similarity_blocks
from hgld.training.index.search import Neighbours, top_k

_ROWS = 1024  # of 2,048 dimensions and 10 neighbours 84 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """A way to rank the index for every query."""

    label: str
    """Empty: by the embeddings as they are."""
    description: str = ""
    queries: Tensor
    """(Q, D)"""
    index: Tensor
    """(N, D)"""
    first: Tensor | None = None
    """(Q, m) positions that come first; those of distractors follow those of the index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """All ways in which the embeddings of one model are searched."""

    distractors: Distractors | None = None
    files: tuple[Path, ...] = ()
    """Rankings of re-rankers."""
    expansions: Mapping[str, Sequence[Expansion]] = field(default_factory=dict)

    def rankings(self, queries: Tensor, index: Tensor, protocol: Protocol) -> Iterator[Ranking]:
        """Yields every ranking, first that of the embeddings as they are.

        Args:
            queries: (Q, D) unit norm.
            index: (N, D)
            protocol: what they are of.

        Raises:
            InputError: a file is wrong (`read_ranking`, `Distractors`), or there are fewer images
                than are to be averaged.
        """
        far = self.distractors or ()
        for block in islice(far, 1):
            if block.shape[1] != index.shape[1]:
                raise InputError(
                    f"distractors must be of the model of the index, with {index.shape[1]} numbers "
                    f"an embedding, got {block.shape[1]}"
                )
        yield Ranking(label="", queries=queries, index=index)
        for text, steps in self.expansions.items():
            both = expand(queries, index, steps, query_ids=protocol.own_ids, distractors=far)
            about = f"each vector averaged with its nearest, {text}"
            yield Ranking(label=text, description=about, queries=both[0], index=both[1])
        for path in self.files:
            places, scores = read_ranking(path, protocol, self.distractors)
            first = in_order(queries, index, places, scores, far)
            yield Ranking(
                label=path.stem,
                description=f"the first {first.shape[1]:,} at most ranked by {path.name}",
                queries=queries,
                index=index,
                first=first,
            )


def searches_of(
    config: BenchmarkConfig, names: Mapping[str, str], protocol: Protocol
) -> dict[str, Search]:
    """Returns how each method's embeddings are searched.

    Args:
        config: what is asked for.
        names: of each method the run that trained it, empty where none did.
        protocol: what is measured on.

    Returns:
        By name of the method.

    Raises:
        InputError: a file is of no method, or methods have not as many distractors each.
    """
    files: dict[str, list[Path]] = {name: [] for name in names}
    given: dict[str, Path] = {}
    for one in (*config.rankings, *config.distractor_files):
        found = [name for name, run in names.items() if one.name in {name, run, ""}]
        if len(found) != 1:
            raise InputError(
                f"{one.path} must have the name of its model before it, as in NAME=FILE: one of "
                f"{', '.join(names)}, got {one.name or 'none'!r}"
            )
        if one in config.rankings:
            files[found[0]].append(one.path)
        else:
            given[found[0]] = one.path
    far = {
        name: distractors_of(name, run, given.get(name), protocol.data)
        for name, run in names.items()
    }
    counts = {name: one.count if one else 0 for name, one in far.items()}
    if len(set(counts.values())) > 1:
        raise InputError(f"distractors must be as many of each model, got {counts}")
    return {
        name: Search(distractors=far[name], files=tuple(paths), expansions=config.expansions)
        for name, paths in files.items()
    }


def read_ranking(
    path: Path, protocol: Protocol, distractors: Distractors | None = None
) -> tuple[Tensor, Tensor]:
    """Reads what a re-ranker found.

    Args:
        path: parquet with columns `query_id`, `image_id` and `score`, rows in any order.
        protocol: whose queries and index these are. Where each query searches all others, rows of
            a query with itself are left out, as it is from its list.
        distractors: what else may be listed.

    Returns:
        (Q, m) int64 positions in the index and behind it, and (Q, m) float64 scores, m of the
        longest list; -1 and -inf where one ends.

    Raises:
        InputError: it cannot be read, or has other columns or no rows; an id is unknown, a pair is
            there twice, or a score is no finite number.
    """
    try:
        table = pq.read_table(path, columns=["query_id", "image_id", "score"])
        queries, images = (
            table[name].cast(pa.string()).combine_chunks() for name in ("query_id", "image_id")
        )
        scores = table["score"].cast(pa.float64()).fill_null(np.nan).to_numpy()
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"cannot read ranking {path}: {error}; write columns query_id, image_id and score with "
            f"pyarrow.parquet.write_table"
        ) from error
    row = _places(queries, protocol.queries.image_ids)
    place = _places(images, protocol.index.image_ids)
    outside = np.flatnonzero(place < 0)
    if distractors is not None and len(outside):
        names, behind = images.take(pa.array(outside)).to_pylist(), len(protocol.index)
        rows = distractors.find(names)
        place[outside] = [behind + rows[one] if one in rows else -1 for one in names]
    pairs = place + row * (place.max(initial=0) + 1)
    is_first = np.zeros(len(pairs), bool)
    is_first[np.unique(pairs, return_index=True)[1]] = True
    for is_right, what in (
        (row >= 0, "query_id must be a query of this data set"),
        (place >= 0, "image_id must be of the index or its distractors"),
        (np.isfinite(scores), "score must be a finite number"),
        (is_first, "each image must be listed once for a query"),
    ):
        wrong = np.flatnonzero(~is_right)
        if len(wrong) or not len(row):
            at_fault = f"query {queries[wrong[0]]}, image {images[wrong[0]]}" if len(row) else "it"
            raise InputError(
                f"{path}: {what}, and is not in {len(wrong):,} of {len(row):,} rows, such as "
                f"{at_fault}; leave such rows out"
            )
    if protocol.is_one_set:
        others = row != place
        row, place, scores = row[others], place[others], scores[others]
    order = row.argsort(kind="stable")
    counts = np.bincount(row, minlength=len(protocol.queries))
    column = np.arange(len(row)) - np.repeat(counts.cumsum() - counts, counts)
    shape = (len(counts), int(counts.max()))
    places, found = np.full(shape, -1), np.full(shape, -np.inf)
    places[row[order], column], found[row[order], column] = place[order], scores[order]
    return torch.from_numpy(places), torch.from_numpy(found)


def _places(ids: pa.Array, of: pa.StringArray) -> NDArray[np.int64]:
    """Returns (n,) positions of ids, -1 of what is not there."""
    found: NDArray[np.int64] = pc.index_in(ids, value_set=of).fill_null(-1).to_numpy()
    return found.astype(np.int64)


def in_order(
    queries: Tensor,
    index: Tensor,
    places: Tensor,
    scores: Tensor,
    distractors: Iterable[Tensor] = (),
) -> Tensor:
    """Orders what a re-ranker lists: by score; of one score by similarity, and then by position.

    Args:
        queries: (Q, D)
        index: (N, D)
        places: (Q, m) positions, -1 where a list ends.
        scores: (Q, m), -inf there.
        distractors: blocks of (n, D), whose positions follow those of the index.

    Returns:
        (Q, m) the positions, best first.
    """
    similarity = torch.zeros(places.shape)
    offset = 0
    with full_precision():
        for block in chain([index], distractors):
            for start, similarities in similarity_blocks(queries, block):
                at = places - offset - start
                row, column = ((at >= 0) & (at < similarities.shape[1])).nonzero(as_tuple=True)
                similarity[row, column] = similarities[row, at[row, column]]
            offset += len(block)
    order = np.lexsort((places.numpy(), -similarity.numpy(), -scores.numpy()))
    return places.gather(1, torch.from_numpy(order))


def expand(
    queries: Tensor,
    index: Tensor,
    steps: Sequence[Expansion],
    *,
    query_ids: Sequence[str] | None = None,
    distractors: Iterable[Tensor] = (),
) -> tuple[Tensor, Tensor]:
    """Averages vectors with their nearest: query expansion, and database-side averaging.

    x' = (x + sum_i cos(x, n_i)^alpha n_i) / |...| over the nearest n_1..n_k of the index, a
    negative cosine counting as 0. With alpha 0 the plain mean (AQE); else alpha-QE. A query that is
    in the index, and an item of the index, is not its own neighbour: it counts once, with 1.

    Args:
        queries: (Q, D) unit norm.
        index: (N, D) unit norm.
        steps: what to do one after the other.
        query_ids: of queries and index where these are one set.
        distractors: blocks of (n, D), among which the nearest of a query may be.

    Returns:
        (Q, D) and (N, D), unit norm.

    Raises:
        InputError: there are fewer neighbours than asked for.

    Source:
        Chum, Philbin, Sivic, Isard, Zisserman: Total Recall, ICCV 2007 (AQE); Radenovic, Tolias,
        Chum: Fine-tuning CNN Image Retrieval with No Human Annotation, TPAMI 2019, section 3.4
        (alpha-QE); Arandjelovic, Zisserman: Three things everyone should know to improve object
        retrieval, CVPR 2012 (of the index).
    """
    for one in steps:
        if one.side == "qe":
            near = nearest(queries, index, one.neighbours, ids=query_ids, distractors=distractors)
            queries = averaged(queries, near, chain([index], distractors), one.alpha)
        else:
            near = nearest(index, index, one.neighbours, ids=range(len(index)))
            index = averaged(index, near, [index], one.alpha)
    return queries, index


def nearest(
    queries: Tensor,
    index: Tensor,
    k: int,
    *,
    ids: Sequence[str] | Sequence[int] | None = None,
    distractors: Iterable[Tensor] = (),
) -> Neighbours:
    """Finds the k nearest of the index and of distractors, as `top_k` does.

    Raises:
        InputError: the index has fewer.
    """
    available = len(index) - (ids is not None)
    if k > available:
        raise InputError(
            f"expand must average with {available:,} images at most, which the index has to find, "
            f"got {k:,}"
        )
    found, start = top_k(queries, index, k, query_ids=ids, index_ids=ids), len(index)
    for block in distractors:
        near = top_k(queries, block, min(k, len(block)))
        values = torch.cat([found.values, near.values], dim=1)
        places = torch.cat([found.indices, near.indices + start], dim=1)
        # Stable: of equal ones the first stays first.
        order = values.sort(dim=1, descending=True, stable=True).indices[:, :k]
        found = Neighbours(values.gather(1, order), places.gather(1, order))
        start += len(block)
    return found


def averaged(vectors: Tensor, near: Neighbours, blocks: Iterable[Tensor], alpha: float) -> Tensor:
    """Returns (n, D) vectors plus their weighted neighbours, of unit norm.

    Args:
        vectors: (n, D)
        near: their neighbours.
        blocks: of what these are in, in order.
        alpha: see `expand`.
    """
    weights = near.values.clamp(min=0).pow(alpha).to(vectors.dtype)
    total, start = vectors.clone(), 0
    for block in blocks:
        for rows in torch.split(torch.arange(len(vectors)), _ROWS):
            at = near.indices[rows] - start
            row, column = ((at >= 0) & (at < len(block))).nonzero(as_tuple=True)
            scaled = block[at[row, column]] * weights[rows][row, column, None]
            total.index_add_(0, rows[row], scaled)
        start += len(block)
    return normalize(total)
