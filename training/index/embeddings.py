"""Embeddings of a split, kept in blocks, so that a stopped run embeds no block again."""

import hashlib
import importlib.metadata
import json
import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from hgld.engine.files import atomic_file, writing
from hgld.training.data.labels import LabelledImages
from hgld.training.model.config import Precision, first_line
from hgld.training.model.embed import NUMERIC_PACKAGES, describe_numerics, embed_images
from hgld.training.model.embedding import EmbeddingModel
from hgld.training.model.saved import model_digest

logger = logging.getLogger(__name__)

BLOCK = 8192
"""Images of a block: minutes of work on a CPU, and 64 MB at 2,048 dimensions."""

_VERSION = 2
"""Raised when pictures are resized in another way, so that no older block is used."""
_ENTRY = "hgld"
"""Key of a file's metadata; its value is JSON."""
_NAME = re.compile(r"[0-9a-f]{32}\.safetensors")
_UNREADABLE = (OSError, SafetensorError, LookupError, TypeError, ValueError, AttributeError)


Environment = Mapping[str, str | int]
"""What `describe_numerics` returns."""


class KeptEmbeddings(NamedTuple):
    """Embeddings, and how long they took when they were made."""

    embeddings: Tensor
    """(N, D) float32 on the CPU, unit norm."""
    seconds: float | None
    """With reading the pictures; None if a block was kept from an earlier run."""
    made_with: Sequence[Environment]
    """Each environment that a part was made in (`describe_numerics`); {}: not recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingCache:
    """A folder of `<key>.safetensors`, each with `embeddings` (n, D).

    The key is the digest of everything the embeddings depend on: the model, the bytes of the
    pictures, the size, the precision, the packages. The metadata has the digest of the
    embeddings, so a damaged file is named and made again, and the environment that they were made
    in, on which their last bits depend. In the same one two runs write the same bytes.
    """

    folder: Path
    precision: Precision
    """This and what follows: see `embed_images`."""
    batch_size: int
    workers: int
    device: str
    _used: set[Path] = field(default_factory=set)

    def embed(
        self, model: EmbeddingModel, images: LabelledImages, image_size: int
    ) -> KeptEmbeddings:
        """Returns the embeddings of images, computing those that are not there yet.

        Args:
            model: what embeds them.
            images: N images.
            image_size: side of the square the model sees, in pixels.

        Returns:
            The embeddings, and the seconds if they were all made now.

        Raises:
            InputError: an image cannot be read, the device is not there, or there is no room.
            DamagedError: an image is not what was recorded.
        """
        weights = model_digest(model)
        every = range(len(images))
        parts = [images.at(every[at : at + BLOCK]) for at in every[::BLOCK]]
        blocks = [self._block(model, weights, part, image_size) for part in parts]
        spent = [one.seconds for one in blocks if one.seconds is not None]
        return KeptEmbeddings(
            torch.cat([one.embeddings for one in blocks]),
            sum(spent) if len(spent) == len(blocks) else None,
            distinct(each for one in blocks for each in one.made_with),
        )

    def prune(self) -> None:
        """Removes blocks that no call of `embed` has asked for; files with other names stay."""
        for path in self.folder.glob("*.safetensors"):
            if path not in self._used and _NAME.fullmatch(path.name):
                path.unlink()

    def _block(
        self, model: EmbeddingModel, weights: str, images: LabelledImages, image_size: int
    ) -> KeptEmbeddings:
        def made() -> Tensor:
            return embed_images(
                model,
                images.files(),
                image_size=image_size,
                batch_size=self.batch_size,
                precision=self.precision,
                workers=self.workers,
                device=self.device,
            )

        return self.keep([weights, image_size, self.precision, images.digest()], made)

    def keep(self, parts: Sequence[object], make: Callable[[], Tensor]) -> KeptEmbeddings:
        """Returns what is made of pictures, making it if it is not there yet.

        Args:
            parts: JSON values of everything it depends on, apart from the packages.
            make: makes it, float32 on the CPU.
        """
        versions = [importlib.metadata.version(name) for name in NUMERIC_PACKAGES]
        key = hashlib.sha256(json.dumps([_VERSION, versions, *parts]).encode()).hexdigest()
        path = self.folder / f"{key[:32]}.safetensors"
        self._used.add(path)
        if path.exists():
            try:
                return _read_block(path)
            except _UNREADABLE as error:
                why = first_line(error)
                logger.warning("%s is damaged (%s): making it again", path, why)
        started = time.perf_counter()
        values = make()
        seconds = round(time.perf_counter() - started, 3)
        here = {**describe_numerics(self.device), "batch_size": self.batch_size}
        made_with = dict(sorted(here.items()))  # as it is read back
        told = {"key": key, "sha256": _digest(values, made_with), "made_with": made_with}
        with writing(path), atomic_file(path) as temporary:
            # One entry: safetensors writes several in an order that changes from run to run.
            metadata = {_ENTRY: json.dumps(told, sort_keys=True)}
            temporary.write_bytes(save({"embeddings": values}, metadata))
        return KeptEmbeddings(values, seconds, (made_with,))


def distinct(environments: Iterable[Environment]) -> list[Environment]:
    """Returns each environment once, in the order in which they first come."""
    found: list[Environment] = []
    for one in environments:
        if one not in found:
            found.append(one)
    return found


def block_damages(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yields the blocks in the folder of a cache that changed since they were written, and how."""
    for path in sorted(folder.glob("*.safetensors")):
        if _NAME.fullmatch(path.name):
            try:
                _read_block(path)
            except _UNREADABLE as error:
                yield path, f"is damaged ({first_line(error)})"


def _read_block(path: Path) -> KeptEmbeddings:
    """Returns what a block holds, as it was written.

    Raises:
        ValueError: they changed, or the name is that of another (see `_UNREADABLE` for the rest).
    """
    with safe_open(path, "pt") as file:
        told: dict[str, Any] = json.loads((file.metadata() or {})[_ENTRY])
        embeddings: Tensor = file.get_tensor("embeddings")
    made_with = told["made_with"]
    if _digest(embeddings, made_with) != told["sha256"] or not told["key"].startswith(path.stem):
        raise ValueError("it has other values than were written")
    return KeptEmbeddings(embeddings, None, (made_with,))


def _digest(values: Tensor, made_with: Environment) -> str:
    hasher = hashlib.sha256(values.contiguous().numpy().tobytes())
    hasher.update(json.dumps(made_with, sort_keys=True).encode())
    return hasher.hexdigest()
