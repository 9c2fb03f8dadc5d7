"""Pictures embedded one after the other, each of them a row whatever becomes of it."""

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from hgld.errors import DamagedError, InputError, PictureError
from hgld.training.data.images import EvalImages
from hgld.training.data.loading import load_batches
from hgld.training.index.config import IndexConfig
from hgld.training.index.making.listing import PictureSource
from hgld.training.index.making.shards import BAD, FAILED, OK
from hgld.training.model.config import Precision
from hgld.training.model.devices import autocast, choose_device, enough_memory, place_model
from hgld.training.model.embedding import EmbeddingModel

PicturesTold = Callable[[int, int], None]
"""Called with how many pictures were just read, and how many of them came to nothing."""


class ListedPicture(NamedTuple):
    """A picture as it was listed."""

    path: str
    size_bytes: int
    sha256: str
    """As recorded; empty where nobody has."""


class PictureRow(NamedTuple):
    """What became of a picture."""

    pixels: Tensor
    """(3, S, S) uint8; black where there is no picture."""
    sha256: str
    """Of the bytes that were read; empty where none were."""
    status: str
    error: str


class ListedPictures(Dataset[PictureRow]):
    """Pictures as the model sees them, and what became of those that cannot be read."""

    def __init__(
        self,
        source: PictureSource,
        listed: Sequence[ListedPicture],
        image_size: int,
        crop_pct: float,
    ) -> None:
        """Takes where they lie, which they are, and what the model sees: see `EvalImages`."""
        self._source, self._listed = source, list(listed)
        self._image_size, self._crop_pct = image_size, crop_pct

    def __len__(self) -> int:
        """Returns how many there are."""
        return len(self._listed)

    def __getitem__(self, index: int) -> PictureRow:
        """Returns what became of a picture."""
        listed = self._listed[index]
        digest = listed.sha256
        try:
            if not digest:
                digest = _digest_now(self._source, listed)
            file = self._source.picture(listed.path, listed.size_bytes, digest)
            pixels = EvalImages([file], self._image_size, self._crop_pct)[0]
        except DamagedError as error:
            return self._lost(listed.sha256, FAILED, str(error))
        except InputError as error:
            if isinstance(error.__cause__, PictureError):
                return self._lost(digest, BAD, str(error.__cause__))
            return self._lost(listed.sha256, FAILED, str(error))
        return PictureRow(pixels, digest, OK, "")

    def _lost(self, sha256: str, status: str, error: str) -> PictureRow:
        side = self._image_size
        nothing = torch.zeros(3, side, side, dtype=torch.uint8)
        return PictureRow(nothing, sha256, status, error)


def picture_digest(source: PictureSource, path: str) -> str:
    """Returns the SHA-256 of a picture's file as it is now.

    Raises:
        InputError: it cannot be read.
    """
    where = source.folder / path
    try:
        with where.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"cannot read {where}: {error.strerror}; mend that and rerun") from error


def _digest_now(source: PictureSource, listed: ListedPicture) -> str:
    return picture_digest(source, listed.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedPictures:
    """What became of n pictures."""

    vectors: NDArray[np.float32]
    """(n, D), unit norm where the status is ok, else anything."""
    sha256s: list[str]
    statuses: list[str]
    errors: list[str]


class PictureEmbedder:
    """A model on its device, which embeds listed pictures."""

    def __init__(
        self, model: EmbeddingModel, config: IndexConfig, *, image_size: int, device: str
    ) -> None:
        """Places the model.

        Args:
            model: what embeds.
            config: how: batch size, precision, processes that read.
            image_size: side of the square the model sees, in pixels.
            device: as `choose_device` takes it.

        Raises:
            InputError: there is no such device, or no room on it.
        """
        self._config, self._image_size = config, image_size
        self._place = choose_device(device)
        with enough_memory(self._place, config.batch_size, image_size):
            self._model = place_model(model, self._place).eval()

    def embed(
        self, source: PictureSource, listed: Sequence[ListedPicture], told: PicturesTold
    ) -> EmbeddedPictures:
        """Embeds pictures, in their order.

        Args:
            source: where they lie.
            listed: n of them.
            told: is told of each batch.

        Raises:
            InputError: not enough memory, or a process that reads was killed.
        """
        crop_pct = self._model.config.crop_pct
        dataset = ListedPictures(source, listed, self._image_size, crop_pct)
        vectors = np.empty((len(listed), self._model.embedding_dim), np.float32)
        rows = EmbeddedPictures(vectors=vectors, sha256s=[], statuses=[], errors=[])
        batch_size, workers = self._config.batch_size, min(self._config.workers, len(listed))
        with self._running(self._config.precision):
            for batch in load_batches(dataset, batch_size=batch_size, workers=workers):
                start, count = len(rows.statuses), len(batch.status)
                found = self._model(batch.pixels.to(self._place)).float().cpu().numpy()
                vectors[start : start + count] = found
                statuses, errors = _checked(found, batch)
                rows.sha256s.extend(batch.sha256)
                rows.statuses.extend(statuses)
                rows.errors.extend(errors)
                told(count, count - statuses.count(OK))
        return rows

    @contextlib.contextmanager
    def _running(self, precision: Precision) -> Iterator[None]:
        memory = enough_memory(self._place, self._config.batch_size, self._image_size)
        with torch.inference_mode(), memory, autocast(self._place, precision):
            yield


def _checked(vectors: NDArray[np.float32], batch: PictureRow) -> tuple[list[str], list[str]]:
    """Returns status and error of each picture of a batch, whose vector has to be finite."""
    statuses, errors = list(batch.status), list(batch.error)
    for row in np.flatnonzero(~np.isfinite(vectors).all(axis=1)):
        if statuses[row] == OK:
            statuses[row], errors[row] = BAD, "becomes no finite vector in this model"
    return statuses, errors
