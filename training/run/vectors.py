"""The vectors that a frozen run learns from: made or read once, then mapped from a file.

They are rows of float16, whichever way they came: what the backbone gives each training image at
all scales, or embeddings of a file. Neither memory nor time of an epoch depends on pictures.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from hgld.engine.files import atomic_file, writing
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.training.config import TrainConfig
from hgld.training.data.images import RunPlace
from hgld.training.data.labels import LabelledImages
from hgld.training.index.embedding_files import (
    IdsAndVectors,
    embedding_blocks,
    unit_vectors,
)
from hgld.training.index.embeddings import BLOCK, EmbeddingCache
from hgld.training.model.config import VECTORS_NAME, ModelConfig
from hgld.training.model.embed import choose_device, native_precision
from hgld.training.model.embedding import EmbeddingModel, build_model
from hgld.training.model.layer import VectorLayer
from hgld.training.run.fitting import MOST_FITTED, whiten_layer
from hgld.training.run.validation import images_at

logger = logging.getLogger(__name__)

CACHE_FOLDER = "runs/_vectors"
"""Blocks of vectors, which runs of one backbone share; no run can have this name."""
_AT_ONCE = 64


class FrozenVectors:
    """The model of a frozen run, whose layer is trained, and the vectors that this is given."""

    def __init__(
        self, model: EmbeddingModel, image_ids: pa.StringArray, vectors: NDArray[np.float16]
    ) -> None:
        """Takes the model and N vectors (N, C), of unit norm, with their image ids (N,)."""
        self._model, self._ids, self._vectors = model, image_ids, vectors

    @property
    def layer(self) -> VectorLayer:
        """What is trained."""
        return cast("VectorLayer", self._model.projection)

    def rows(self, images: LabelledImages) -> NDArray[np.int64]:
        """Returns the row of each image (n,), which all have one."""
        found: NDArray[np.int64] = pc.index_in(images.image_ids, value_set=self._ids).to_numpy()
        return found

    def of(self, images: LabelledImages, *, most: int | None = None) -> Tensor:
        """Returns the vectors of images (n, C) float32; of more than `most`, evenly spaced ones."""
        every = 1 if most is None else -(-len(images) // most)
        return torch.from_numpy(self._vectors[self.rows(images)[::every]].astype(np.float32))

    def items(self, images: LabelledImages) -> "VectorItems":
        """Returns vectors and labels of images, as a run asks for them."""
        return VectorItems(self._vectors, self.rows(images), images.labels)

    def start(self, images: LabelledImages) -> None:
        """Fits the layer as it starts to the vectors of images, as the settings have it.

        A whitening takes their mean away. So does a centre, and the layer goes on from there: taken
        away once all is learned, as of a whole model, it gains a third of a point less.

        Raises:
            InputError: they are too few, or too alike.
        """
        config, layer = self._model.config, self.layer
        if config.whitening:
            whiten_layer(layer, self.of(images, most=MOST_FITTED))
        elif config.centring:
            mean = self.of(images, most=MOST_FITTED).double().mean(dim=0).to(layer.bias)
            with torch.no_grad():
                layer.bias.sub_(layer.weight @ mean)

    def embed(self, layer: nn.Module, images: LabelledImages) -> Tensor:
        """Embeds images as the whole model would, with a layer as it is now: (n, D) on the CPU."""
        with torch.no_grad():
            found: Tensor = layer(self.of(images).to(next(layer.parameters()).device))
        return found.cpu()

    def with_layer(self, layer: nn.Module) -> EmbeddingModel:
        """Returns the whole model, with a layer that was trained."""
        self._model.projection = cast("VectorLayer", layer)
        return self._model


class VectorItems(Dataset[tuple[Tensor, Tensor]]):
    """Vectors and labels of images, asked for by their place in a run."""

    def __init__(
        self, vectors: NDArray[np.float16], rows: NDArray[np.int64], labels: Tensor
    ) -> None:
        """Takes vectors (N, C), and of n images their rows (n,) and labels (n, L)."""
        self._vectors, self._rows, self._labels = vectors, rows, labels

    def __getitem__(self, place: RunPlace) -> tuple[Tensor, Tensor]:
        """Returns the vector (C,) float32 and the labels (L,) int64 at a place."""
        vector = self._vectors[self._rows[place.image]].astype(np.float32)
        return torch.from_numpy(vector), self._labels[place.image]


def load_vectors(
    workspace: Workspace, config: TrainConfig, images: LabelledImages, path: Path
) -> tuple[FrozenVectors, LabelledImages]:
    """Embeds images, or reads their embeddings, into a file that is then mapped.

    Embedding goes on where a stopped run was, block by block.

    Args:
        workspace: of the build.
        config: of a frozen run.
        images: to train on or to hold out.
        path: the file, written anew: raw float16.

    Returns:
        The vectors, and the images that have one.

    Raises:
        InputError: an image, the embeddings or a backbone cannot be had, a vector is zero or not
            finite, no image or one twice has one, or there is no room.
        DamagedError: an image is not what was recorded.
        FetchError: weights cannot be fetched.
    """
    if config.embeddings is None:
        model = build_model(config.model, seed=config.seed)
        blocks = _embedded(workspace, config, model.without_layer(), images)
        source = "the backbone"
    else:
        source = str(config.embeddings)
        _, first = next(embedding_blocks(config.embeddings), (None, np.zeros((0, 1))))
        model = build_model(vectors_only(config.model, first.shape[1]), seed=config.seed)
        blocks = embedding_blocks(config.embeddings)
    ids = [pa.array([], pa.string())]
    with writing(path), atomic_file(path) as temporary, temporary.open("wb") as file:
        for block_ids, block in blocks:
            is_wanted = pc.is_in(block_ids, value_set=images.image_ids)
            ids.append(block_ids.filter(is_wanted))
            wanted = block[is_wanted.to_numpy(zero_copy_only=False)]
            vectors, _ = unit_vectors(wanted, ids[-1], source)
            file.write(vectors.astype(np.float16).tobytes())
    known = pa.concat_arrays(ids)
    images = _having(images, known, source)
    width = cast("nn.Linear", model.projection).in_features
    mapped: Any = np.memmap(path, np.float16, "r", shape=(len(known), width))
    return FrozenVectors(model, known, mapped), images


def vectors_only(config: ModelConfig, width: int) -> ModelConfig:
    """Returns the settings of a model of vectors, which has the layer of another.

    Args:
        config: of the other; what it says of pictures and a backbone is nothing of these vectors.
        width: numbers of a vector.
    """
    kept = ("embedding_dim", "whitening", "frozen", "hidden_dim", "centring")
    layer = {name: getattr(config, name) for name in kept}
    return ModelConfig(backbone=VECTORS_NAME.format(width), weights="random", **layer)


def _embedded(
    workspace: Workspace, config: TrainConfig, base: EmbeddingModel, images: LabelledImages
) -> Iterator[IdsAndVectors]:
    place = choose_device(config.device)
    cache = EmbeddingCache(
        folder=workspace.path(CACHE_FOLDER),
        precision=native_precision(place) if config.precision == "auto" else config.precision,
        batch_size=_AT_ONCE,
        workers=config.workers,
        device=config.device,
    )
    every = range(len(images))
    for at in every[::BLOCK]:
        part = images.at(every[at : at + BLOCK])
        yield part.image_ids, cache.embed(base, part, config.image_size).embeddings.numpy()


def _having(images: LabelledImages, ids: pa.StringArray, source: str) -> LabelledImages:
    """Returns the images that have a vector.

    Raises:
        InputError: none has, or one has several.
    """
    there = pc.is_in(images.image_ids, value_set=ids).to_numpy(zero_copy_only=False)
    count = int(there.sum())
    if not count or count < len(ids):
        raise InputError(
            f"[train] embeddings must have one row an image, by its id, got {len(ids):,} rows for "
            f"{count:,} of the {len(images):,} labelled images of train, such as "
            f"{images.image_ids[0]}, in {source}; write each image once"
        )
    if count < len(images):
        logger.warning(
            "train: %s of %s labelled images have no vector in %s, and take no part",
            *(f"{len(images) - count:,}", f"{len(images):,}", source),
        )
    return images_at(images, torch.from_numpy(np.flatnonzero(there)))
