"""Embeddings of a split, kept block by block, so that whoever was stopped embeds nothing twice."""

import dataclasses
import hashlib
import importlib.metadata
import json
import logging
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from hgld.engine.files import atomic_file, writing
from hgld.training.data.labels import LabelledImages
from hgld.training.model.config import Precision
from hgld.training.model.embed import embed_images
from hgld.training.model.embedding import EmbeddingModel
from hgld.training.model.sealed import first_line

logger = logging.getLogger(__name__)

BLOCK = 8192
"""Images of a block: minutes of work on a CPU, and 64 MB at 2,048 dimensions."""


_VERSION = 1
"""Raised when pictures are cropped in another way, so that no older block is taken."""
# Of these the bits of an embedding depend as well.
_PACKAGES = ("torch", "torchvision", "timm", "pillow")
_ENTRY = "hgld"
"""Of a file's metadata: JSON."""
_NAME = re.compile(r"[0-9a-f]{32}\.safetensors")
# How a file that is no block, or a damaged one, shows.
_UNREADABLE = (OSError, SafetensorError, LookupError, TypeError, ValueError, AttributeError)
# Of a norm: bfloat16 has 8 bits, but vectors are normalised in float32.
_TOLERANCE = 1e-3


class KeptEmbeddings(NamedTuple):
    """Embeddings, and how long they took when they were made."""

    embeddings: Tensor
    """(N, D) float32 on the CPU, unit norm."""
    seconds: float | None
    """With reading the pictures; None where a block was kept from an earlier run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingCache:
    """A folder of `<key>.safetensors`: `embeddings` (n, D), and in the metadata of which images.

    The key is the digest of everything the embeddings depend on: the model, the bytes of the
    pictures, the size, the precision, the packages. Beside it the metadata has the digest of the
    embeddings, so a file is right or it is named and made again. Two runs write the same bytes.
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
        blocks = [
            self._block(model, weights, images.part(start, start + BLOCK), image_size)
            for start in range(0, len(images), BLOCK)
        ]
        spent = [one.seconds for one in blocks if one.seconds is not None]
        return KeptEmbeddings(
            torch.cat([one.embeddings for one in blocks]),
            sum(spent) if len(spent) == len(blocks) else None,
        )

    def prune(self) -> None:
        """Removes what no call of `embed` has asked for: embeddings of models that are gone.

        A file of another name than this class gives is somebody else's, and stays.
        """
        for path in self.folder.glob("*.safetensors"):
            if path not in self._used and _NAME.fullmatch(path.name):
                path.unlink()

    def _block(
        self, model: EmbeddingModel, weights: str, images: LabelledImages, image_size: int
    ) -> KeptEmbeddings:
        image_ids = " ".join(images.image_ids.to_pylist())
        versions = [importlib.metadata.version(name) for name in _PACKAGES]
        parts = [_VERSION, versions, weights, image_size, self.precision, images.digest()]
        key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        metadata = {"key": key, "split": images.split, "image_ids": image_ids}
        path = self.folder / f"{key[:32]}.safetensors"
        self._used.add(path)
        if path.exists():
            try:
                return _read_block(path, metadata, (len(images), model.embedding_dim))
            except _UNREADABLE as error:
                why = first_line(error)
                logger.warning("%s is damaged (%s): embedding its images again", path, why)
        started = time.perf_counter()
        embeddings = embed_images(
            model,
            images.files(),
            image_size=image_size,
            batch_size=self.batch_size,
            precision=self.precision,
            workers=self.workers,
            device=self.device,
        )
        seconds = round(time.perf_counter() - started, 3)
        with writing(path), atomic_file(path) as temporary:
            told = json.dumps(metadata | {"sha256": _digest(embeddings)}, sort_keys=True)
            # One entry: safetensors writes several in an order that changes from run to run.
            temporary.write_bytes(save({"embeddings": embeddings}, {_ENTRY: told}))
        return KeptEmbeddings(embeddings, seconds)


def block_damages(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yields the blocks in the folder of a cache that are not as they were written, and why."""
    for path in sorted(folder.glob("*.safetensors")):
        if _NAME.fullmatch(path.name):
            try:
                metadata, _ = _open_block(path)
                if not metadata["key"].startswith(path.stem):
                    raise ValueError("it has the name of another")
            except _UNREADABLE as error:
                yield path, f"is damaged ({first_line(error)})"


def _open_block(path: Path) -> tuple[dict[str, str], Tensor]:
    """Returns what a block says of itself, and its embeddings as they were written.

    Raises:
        ValueError: they are not, or it is no block (as are the others of `_UNREADABLE`).
    """
    with safe_open(path, "pt") as file:
        metadata: dict[str, str] = json.loads((file.metadata() or {})[_ENTRY])
        embeddings: Tensor = file.get_tensor("embeddings")
    if _digest(embeddings) != metadata.pop("sha256"):
        raise ValueError("it has other values than were written")
    return metadata, embeddings


def _read_block(path: Path, metadata: Mapping[str, str], shape: tuple[int, int]) -> KeptEmbeddings:
    """Reads a block that has to be of these images, and as it was written.

    Raises:
        ValueError: it is not; the text says what differs.
    """
    found, embeddings = _open_block(path)
    if found != metadata:
        raise ValueError("it is of other images or another model")
    if tuple(embeddings.shape) != shape or embeddings.dtype != torch.float32:
        raise ValueError(f"it has {tuple(embeddings.shape)} {embeddings.dtype}, not {shape}")
    if not ((embeddings.norm(dim=1) - 1).abs() < _TOLERANCE).all():  # of NaN neither
        raise ValueError("a vector is not of unit norm")
    return KeptEmbeddings(embeddings, None)


def _digest(values: Tensor) -> str:
    return hashlib.sha256(values.contiguous().numpy().tobytes()).hexdigest()


def model_digest(model: EmbeddingModel) -> str:
    """Returns the SHA-256 of a model's settings and weights, as hex."""
    settings = json.dumps(dataclasses.asdict(model.config), sort_keys=True)
    hasher = hashlib.sha256(settings.encode())
    for name, value in model.state_dict().items():
        hasher.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        hasher.update(value.cpu().contiguous().numpy().tobytes())
    return hasher.hexdigest()
