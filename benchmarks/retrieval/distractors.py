"""Embeddings of pictures that nobody looks for, read from files a block at a time.

Files are those of `embedding_files`, of any size: none is ever in memory as a whole.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hgld.benchmarks.datasets.retrieval_data import RetrievalData
from hgld.benchmarks.retrieval.embedding_files import embedding_blocks, vector_blocks
from hgld.benchmarks.retrieval.protocol import Protocol
from hgld.errors import InputError
from hgld.metrics.ranking import in_threads

ENDINGS = (".npy", ".parquet")
"""Of files of embeddings."""
_ROWS = 2048  # of 512 numbers 4 MB, which stay in cache until they are of unit length


@dataclass(frozen=True, slots=True)
class Distractors:
    """The embeddings of a file, which is read anew each time they are iterated."""

    path: Path
    count: int
    """How many there are."""

    def __iter__(self) -> Iterator[Tensor]:
        """Yields (n, D) float32, unit norm; the memory is used again for the next.

        Raises:
            InputError: the file cannot be read, or a vector is zero or not finite.
        """
        vectors = torch.empty(0)
        for block in vector_blocks(self.path):
            if vectors.shape != block.shape:
                vectors = torch.empty(block.shape)
            starts = range(0, len(block), _ROWS)
            parts = [(vectors[at : at + _ROWS], block[at : at + _ROWS]) for at in starts]
            for _ in in_threads(torch.get_num_threads(), self._scale, parts):
                pass
            yield vectors

    def _scale(self, part: tuple[Tensor, NDArray[np.floating[Any]]]) -> None:
        vectors, block = part
        vectors.copy_(torch.from_numpy(np.array(block)))  # torch takes no map that is only read
        lengths = torch.linalg.vector_norm(vectors, dim=1)
        if not bool((lengths.isfinite() & (lengths > 0)).all()):
            raise InputError(
                f"{self.path}: every embedding must be finite and other than zero; look for failed "
                f"images or a diverged model"
            )
        vectors.div_(lengths[:, None])

    def find(self, ids: Collection[str]) -> dict[str, int]:
        """Returns the rows of the images that are there."""
        found, start, wanted = {}, 0, set(ids)
        for block, _ in embedding_blocks(self.path) if wanted else ():
            names = block.to_pylist()
            found |= {one: start + names.index(one) for one in wanted.intersection(names)}
            start += len(names)
        return found

    def check(self, dimensions: int, protocol: Protocol) -> None:
        """Refuses what is of another model, or of pictures that are to be found.

        Raises:
            InputError: the text says which.
        """
        width = next(vector_blocks(self.path)).shape[1]
        if width != dimensions:
            raise InputError(
                f"{self.path} must have {dimensions} numbers an embedding, as the index has, got "
                f"{width}; make both with one model"
            )
        both = (protocol.queries.image_ids, protocol.index.image_ids)
        there = self.find([one for ids in both for one in ids.to_pylist()])
        if there:
            raise InputError(
                f"{self.path} must have no query and no index image, and has {len(there):,}, such "
                f"as {min(there)}; leave them out"
            )


def distractors_of(
    given: Mapping[str, Path], names: Mapping[str, str], data: RetrievalData | None
) -> dict[str, Distractors]:
    """Returns the distractors of every method; none where there are none of any.

    Args:
        given: files, by name of the method.
        names: of each method the run that trained it, empty where none did.
        data: of one with distractors, what is not given is the file in its folder that is called
            after the method or its run.

    Raises:
        InputError: a method has none, or not as many as the others and the data set have.
    """
    folder = data.distractors if data else None
    if not given and folder is None:
        return {}
    found = {}
    for name, run in names.items():
        kept = (
            [folder / f"{one}{end}" for one in (name, run) if one for end in ENDINGS]
            if folder
            else []
        )
        paths = [given[name]] if name in given else [one for one in kept if one.exists()]
        if not paths:
            places = f", or put them into {' or '.join(map(str, kept))}" if kept else ""
            raise InputError(
                f"distractors must be there of each method, and are not of {name}; make them with "
                f"its model and name them, as in --distractors {name!r}=FILE{places}"
            )
        found[name] = Distractors(paths[0], sum(map(len, vector_blocks(paths[0]))))
    counts = {name: one.count for name, one in found.items()}
    if data and folder and data.distractor_count:
        counts[data.name] = data.distractor_count
    if len(set(counts.values())) > 1:
        raise InputError(
            f"distractors must be as many of each, got "
            f"{', '.join(f'{count:,} of {name}' for name, count in counts.items())}"
        )
    return found
