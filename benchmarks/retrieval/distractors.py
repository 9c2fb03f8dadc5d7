"""Embeddings of pictures that nobody looks for, read from files a block at a time.

Files are those of `embedding_files`, of any size: none is ever in memory as a whole.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from hgld.benchmarks.datasets.retrieval_data import RetrievalData
from hgld.errors import InputError
from hgld.training.index.embedding_files import embedding_blocks, unit_vectors

ENDINGS = (".npy", ".parquet")
"""Of files of embeddings."""


@dataclass(frozen=True, slots=True)
class Distractors:
    """The embeddings of a file, which is read anew each time they are iterated."""

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


def distractors_of(name: str, given: Path | None, data: RetrievalData | None) -> Distractors | None:
    """Returns the distractors of a method, if it has any.

    Args:
        name: of the run that trained it, or of the method where none did.
        given: their file; None: that which is called so in the folder that the data set names, if
            there is one.
        data: the data set, if it is one.

    Raises:
        InputError: there is no such file, or it has another number than the data set.
    """
    path = given
    if path is None and data and data.distractors:
        kept = [data.distractors / f"{name}{ending}" for ending in ENDINGS]
        path = next((one for one in kept if one.exists()), None)
        if path is None:
            raise InputError(f"{kept[0]} must be the distractors of {name}; make them, or .parquet")
    if path is None:
        return None
    found = Distractors(path, sum(len(ids) for ids, _ in embedding_blocks(path)))
    if data and data.distractor_count not in {0, found.count}:
        raise InputError(
            f"{path} must have the {data.distractor_count:,} distractors of {data.name}, got "
            f"{found.count:,}; measure without +1m, with --distractors"
        )
    return found
