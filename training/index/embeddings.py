"""Embeddings of a split, kept block by block, so that whoever was stopped embeds nothing twice."""

import dataclasses
import hashlib
import json
import logging
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from hgld.engine.files import atomic_file
from hgld.training.config import Precision
from hgld.training.data.labels import LabelledImages
from hgld.training.model.embedding import EmbeddingModel, embed_images

logger = logging.getLogger(__name__)

BLOCK = 8192
"""Images of a block: minutes of work on a CPU, and 64 MB at 2,048 dimensions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingCache:
    """A folder of `<digest>.safetensors`: `embeddings` (n, D), and `image_ids` in its metadata.

    The digest is that of everything the embeddings depend on, so a file is right or not there.
    """

    folder: Path
    precision: Precision
    """This and what follows: see `embed_images`."""
    batch_size: int
    workers: int
    device: str
    _used: set[Path] = field(default_factory=set)

    def embed(self, model: EmbeddingModel, images: LabelledImages, image_size: int) -> Tensor:
        """Returns the embeddings of images, computing those that are not there yet.

        Args:
            model: what embeds them.
            images: N images.
            image_size: side of the square the model sees, in pixels.

        Returns:
            (N, D) float32 on the CPU, unit norm.

        Raises:
            InputError: an image cannot be read, or the device is not there.
        """
        weights = model_digest(model)
        blocks = [
            self._block(model, weights, images.part(start, start + BLOCK), image_size)
            for start in range(0, len(images), BLOCK)
        ]
        return torch.cat(blocks)

    def prune(self) -> None:
        """Removes what no call of `embed` has asked for: embeddings of models that are gone."""
        for path in self.folder.glob("*.safetensors"):
            if path not in self._used:
                path.unlink()

    def _block(
        self, model: EmbeddingModel, weights: str, images: LabelledImages, image_size: int
    ) -> Tensor:
        image_ids = " ".join(images.image_ids.to_pylist())
        parts = [weights, image_size, self.precision, images.digest()]
        digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        path = self.folder / f"{digest[:32]}.safetensors"
        self._used.add(path)
        if path.exists():
            try:
                return load_file(path)["embeddings"]
            except (SafetensorError, KeyError) as error:
                logger.warning("%s is damaged (%s): embedding its images again", path, error)
        embeddings = embed_images(
            model,
            images.files(),
            image_size=image_size,
            batch_size=self.batch_size,
            precision=self.precision,
            workers=self.workers,
            device=self.device,
        )
        with atomic_file(path) as temporary:
            metadata = {"split": images.split, "image_ids": image_ids}
            temporary.write_bytes(save({"embeddings": embeddings}, metadata))
        return embeddings


def model_digest(model: EmbeddingModel) -> str:
    """Returns the SHA-256 of a model's settings and weights, as hex."""
    settings = json.dumps(dataclasses.asdict(model.config), sort_keys=True)
    hasher = hashlib.sha256(settings.encode())
    for name, value in model.state_dict().items():
        hasher.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        hasher.update(value.cpu().contiguous().numpy().tobytes())
    return hasher.hexdigest()
