"""Other rankings of the same embeddings, by re-rankers or averaged vectors, and distractors.

A re-ranker's ranking is parquet: columns `query_id` and `image_id`, ids as the labels have them,
and `score`, the higher the better. It may end anywhere: what it leaves out of a list keeps the
order of the embeddings behind it, and so do items of one score among themselves. Each is measured
beside the ranking that it started from; nothing here knows how it was made.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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
from hgld.benchmarks.retrieval.protocol import Protocol, Ranking
from hgld.errors import InputError
from hgld.training.index.embedding_files import embedding_blocks, unit_vectors
from hgld.training.index.search import top_k

_ROWS = 1024  # of 2,048 dimensions and 10 neighbours 84 MB
_PAIRS = 1 << 14  # of 2,048 dimensions 134 MB


@dataclass(frozen=True, slots=True)
class Distractors:
    """Embeddings of pictures that nobody looks for, read from a file a block at a time.

    The file may be of any size: it is read anew each time they are iterated.
    """

    path: Path
    count: int
    """How many there are."""

    def __iter__(self) -> Iterator[Tensor]:
        """Yields (n, D) float32, unit norm.

        Raises:
            InputError: the file cannot be read, or a vector is zero or not finite.
        """
        for ids, block in embedding_blocks(self.path):
            yield torch.from_numpy(unit_vectors(block, ids, str(self.path))[0])

    def find(self, image_ids: Collection[str]) -> dict[str, int]:
        """Returns the rows of the images that are there."""
        found: dict[str, int] = {}
        start, wanted = 0, set(image_ids)
        for ids, _ in embedding_blocks(self.path):
            rows = enumerate(ids.to_pylist(), start)
            found |= {one: row for row, one in rows if one in wanted}
            start += len(ids)
        return found


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
        yield Ranking(queries, index)
        for text, steps in self.expansions.items():
            both = expand(queries, index, steps, query_ids=protocol.own_ids, distractors=far)
            yield Ranking(*both, None, text, f"each vector averaged with its nearest, {text}")
        for path in self.files:
            first = read_ranking(path, queries, index, protocol, self.distractors)
            about = f"the first {first.shape[1]:,} at most ranked by {path.name}"
            yield Ranking(queries, index, first, path.stem, about)


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
        InputError: a file is of no method or cannot be read, or a method has another number of
            distractors than the data set or the other methods.
    """
    for one in (*config.rankings, *config.distractor_files):
        if sum(one.name in {name, run, ""} for name, run in names.items()) != 1:
            raise InputError(
                f"{one.path} must have the name of its model before it, as in NAME=FILE: one of "
                f"{', '.join(names)}, got {one.name or 'none'!r}"
            )
    searches, counts = {}, {}
    for name, run in names.items():
        own = {name, run, ""}
        far = None
        for path in (one.path for one in config.distractor_files if one.name in own):
            far = Distractors(path, sum(len(ids) for ids, _ in embedding_blocks(path)))
        counts[name] = far.count if far else 0
        files = tuple(one.path for one in config.rankings if one.name in own)
        searches[name] = Search(distractors=far, files=files, expansions=config.expansions)
    expected = (protocol.data and protocol.data.distractor_count) or max(counts.values())
    if set(counts.values()) != {expected}:
        raise InputError(
            f"distractors must be {expected:,} of each model, got {counts}; name a file with as "
            f"many for each, and a data set without +1m for another number"
        )
    return searches


def read_ranking(
    path: Path,
    queries: Tensor,
    index: Tensor,
    protocol: Protocol,
    distractors: Distractors | None = None,
) -> Tensor:
    """Reads what a re-ranker found, by score; of one score by similarity, and then by position.

    Args:
        path: parquet with columns `query_id`, `image_id` and `score`, rows in any order.
        queries: (Q, D)
        index: (N, D)
        protocol: whose queries and index these are. Where each query searches all others, rows of
            a query with itself are left out, as it is from its list.
        distractors: what else may be listed.

    Returns:
        (Q, m) int64 positions in the index and behind it, best first, m of the longest list; -1
        where one ends.

    Raises:
        InputError: it cannot be read, or has other columns or no rows; an id is unknown, a pair is
            there twice, or a score is no finite number.
    """
    try:
        table = pq.read_table(path, columns=["query_id", "image_id", "score"])
        names, images = (
            table[name].cast(pa.string()).combine_chunks() for name in ("query_id", "image_id")
        )
        scores = table["score"].cast(pa.float64()).fill_null(np.nan).to_numpy()
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"cannot read ranking {path}: {error}; write columns query_id, image_id and score with "
            f"pyarrow.parquet.write_table"
        ) from error
    row = _places(names, protocol.queries.image_ids)
    place = _places(images, protocol.index.image_ids)
    outside = np.flatnonzero(place < 0)
    if distractors is not None and len(outside):
        unknown = images.take(pa.array(outside)).to_pylist()
        rows = distractors.find(unknown)
        place[outside] = [len(index) + rows[one] if one in rows else -1 for one in unknown]
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
            at_fault = f"query {names[wrong[0]]}, image {images[wrong[0]]}" if len(row) else "it"
            raise InputError(
                f"{path}: {what}, and is not in {len(wrong):,} of {len(row):,} rows, such as "
                f"{at_fault}; leave such rows out"
            )
    if protocol.is_one_set:
        others = row != place
        row, place, scores = row[others], place[others], scores[others]
    similarity, start = np.zeros(len(row)), 0
    for block in chain([index], distractors or ()):
        inside = np.flatnonzero((place >= start) & (place < start + len(block)))
        for some in np.array_split(inside, 1 + len(inside) // _PAIRS):
            pairs = queries[row[some]] * block[place[some] - start]
            similarity[some] = pairs.sum(dim=1)
        start += len(block)
    order = np.lexsort((place, -similarity, -scores, row))
    counts = np.bincount(row, minlength=len(queries))
    column = np.arange(len(row)) - np.repeat(counts.cumsum() - counts, counts)
    first = np.full((len(counts), int(counts.max())), -1)
    first[row[order], column] = place[order]
    return torch.from_numpy(first)


def _places(ids: pa.Array, of: pa.StringArray) -> NDArray[np.int64]:
    """Returns (n,) positions of ids, -1 of what is not there."""
    found: NDArray[np.int64] = pc.index_in(ids, value_set=of).fill_null(-1).to_numpy()
    return found.astype(np.int64)


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
    available = len(index) - (query_ids is not None or "dba" in {one.side for one in steps})
    if (k := max(one.neighbours for one in steps)) > available:
        raise InputError(
            f"expand must average with {available:,} images at most, which the index has to find, "
            f"got {k:,}"
        )
    every = range(len(index))
    for one in steps:
        if one.side == "qe":
            blocks = chain([index], distractors)
            queries = averaged(queries, blocks, one, ids=query_ids, index_ids=query_ids)
        else:
            parts = [every[start : start + _ROWS] for start in every[::_ROWS]]
            found = [averaged(index[p], [index], one, ids=p, index_ids=every) for p in parts]
            index = torch.cat(found)
    return queries, index


def averaged(
    vectors: Tensor,
    blocks: Iterable[Tensor],
    step: Expansion,
    *,
    ids: Sequence[str] | Sequence[int] | None = None,
    index_ids: Sequence[str] | Sequence[int] | None = None,
) -> Tensor:
    """Returns (n, D) vectors plus their weighted nearest (`expand`), of unit norm.

    Args:
        vectors: (n, D)
        blocks: what the nearest are looked for in; of equally near ones the first.
        step: how many, and how they are weighted.
        ids: of the vectors, where they are in the first block.
        index_ids: of that block.
    """
    values, near = vectors[:, :0], vectors[:, None][:, :0]  # (n, 0), (n, 0, D)
    for block in blocks:
        k = min(step.neighbours, len(block))
        found = top_k(vectors, block, k, query_ids=ids, index_ids=index_ids)
        ids = index_ids = None
        values, order = torch.cat([values, found.values], dim=1).sort(descending=True, stable=True)
        values, order = values[:, : step.neighbours], order[:, : step.neighbours, None]
        near = torch.cat([near, block[found.indices]], dim=1).take_along_dim(order, dim=1)
    weights = values.clamp(min=0).pow(step.alpha)
    return normalize(vectors + (weights[:, :, None] * near).sum(dim=1))
