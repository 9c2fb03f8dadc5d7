"""Embeddings of pictures that nobody looks for, read from files a block at a time.

Files are those of `embedding_files`, of any size: none is ever in memory as a whole.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hgld.benchmarks.datasets.retrieval_data import RetrievalData
from hgld.errors import InputError
from hgld.metrics.ranking import in_threads
from hgld.training.index.embedding_files import embedding_blocks, vector_blocks

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
        found: dict[str, int] = {}
        start, wanted = 0, set(ids)
        for block, _ in embedding_blocks(self.path) if wanted else ():
            names = block.to_pylist()
            found |= {one: start + names.index(one) for one in wanted.intersection(names)}
            start += len(names)
        return found


def distractors_of(
    name: str, run: str, given: Path | None, data: RetrievalData | None
) -> Distractors | None:
    """Returns the distractors of a method, if it has any.

    Args:
        name: of the method.
        run: that trained it, if one did.
        given: their file; None: of a data set with distractors that which is called after the
            method or the run, in the folder that it names.
        data: the data set, if it is one.

    Raises:
        InputError: there is no such file, or it has another number than the data set.
    """
    folder = data.distractors if data else None
    kept = [folder / f"{one}{end}" for one in (name, run) for end in ENDINGS] if folder else []
    path = given or next((one for one in kept if one.exists()), None)
    if path is None:
        if kept:
            raise InputError(f"{kept[-1]} must be the distractors of {name}; make them, or .npy")
        return None
    found = Distractors(path, sum(map(len, vector_blocks(path))))
    if data and data.distractor_count not in {0, found.count}:
        raise InputError(
            f"{path} must have the {data.distractor_count:,} distractors of {data.name}, got "
            f"{found.count:,}; measure without +1m, with --distractors"
        )
    return found
