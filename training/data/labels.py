"""The images a model is trained and measured on: from tables and files to tensors."""

import logging
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms import v2

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.tables import ANNOTATIONS, IMAGE_FILES
from hgld.training.data.loading import random_numbers, read_image

logger = logging.getLogger(__name__)

LEVELS = ("landmark", "hierarchical_label", "natural_or_human_made")
"""Names of the label columns, finest first."""

_COLUMNS = ("landmark_id", "hierarchical_label", "natural_or_human_made")
# Sides of a crop of 16% to 100% of the image, as published for HAPPIER.
_CROP_SCALE = (0.16, 1.0)
# The usual 256 : 224 of shorter side to centre crop.
_RESIZE_RATIO = 8 / 7


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledImages:
    """The images of one split that have a label at every level and a file, by image id."""

    split: str
    root: Path
    """Folder of the workspace."""
    image_ids: pa.StringArray
    """(N,)"""
    paths: pa.StringArray
    """(N,), relative to the root."""
    labels: Tensor
    """(N, L) int64, finest level first; an id is the position of a name in `names[level]`."""
    names: tuple[tuple[str, ...], ...]
    """Name of each label, by level: landmark ids as text, super-categories, top level."""

    def __len__(self) -> int:
        """Returns N."""
        return len(self.paths)

    def path(self, index: int) -> Path:
        """Returns where the file of an image lies."""
        return self.root / str(self.paths[index])


def training_images(workspace: Workspace) -> LabelledImages:
    """Returns the training images; every label of every level is carried by some image.

    Raises:
        MissingInputError: the annotations or the images are not there yet.
        InputError: no image has both a label and a file.
    """
    rows = _labelled_rows(workspace, "train")
    return _encode(workspace, "train", rows, _names(rows))


def query_and_index_images(workspace: Workspace) -> tuple[LabelledImages, LabelledImages]:
    """Returns the test and the index images, labelled in one encoding.

    The landmark ids of both are of one space (training ids are of another). A query whose
    landmark has no image in the index keeps a label of its own.

    Raises:
        MissingInputError: the annotations or the images are not there yet.
        InputError: no image of a split has both a label and a file.
    """
    query_rows = _labelled_rows(workspace, "test")
    index_rows = _labelled_rows(workspace, "index")
    names = _names(pa.concat_tables([query_rows, index_rows]))
    return (
        _encode(workspace, "test", query_rows, names),
        _encode(workspace, "index", index_rows, names),
    )


def encode_labels(annotations: pa.Table) -> Tensor:
    """Turns annotations into the labels that losses and metrics take.

    Args:
        annotations: N rows with `landmark_id`, `hierarchical_label`, `natural_or_human_made`.

    Returns:
        (N, L) int64, finest level first, the ids of a level contiguous in the order of its values.

    Raises:
        ValueError: a row has no label.

    Example:
        >>> encode_labels(
        ...     pa.table(
        ...         {
        ...             "landmark_id": [9, 10, 9],
        ...             "hierarchical_label": ["lake", "church", "lake"],
        ...             "natural_or_human_made": ["natural", "human-made", "natural"],
        ...         }
        ...     )
        ... ).tolist()
        [[0, 1, 1], [1, 0, 0], [0, 1, 1]]
    """
    rows = annotations.select(list(_COLUMNS))
    without = len(rows) - len(rows.drop_null())
    if without:
        raise ValueError(
            f"every row must have a label at each level, got {without} of {len(rows)} without; "
            f"keep the labelled ones: table.filter(pc.field('hierarchical_label').is_valid())"
        )
    return _label_ids(rows, _names(rows))


class TrainImages(Dataset[tuple[Tensor, Tensor]]):
    """Augmented images and labels of one epoch, in the epoch's order.

    Augmentation: a random crop of 16% to 100% of the area, resized to a square, and a flip with
    probability 1/2. The random numbers of the item at a position depend on the seed, the epoch
    and the position alone, so that a resumed epoch sees what an undisturbed one would have.
    """

    def __init__(self, images: LabelledImages, order: Tensor, image_size: int, stream: str) -> None:
        """Takes the images, and which of them comes at which position.

        Args:
            images: N images.
            order: (P,) int64, indices into the images; one may come several times.
            image_size: side of the square, in pixels.
            stream: names the random numbers, such as `seed 0, epoch 3`.
        """
        self._images = images
        self._order = order
        self._stream = stream
        self._augment = v2.Compose(
            [
                v2.RandomResizedCrop(image_size, scale=_CROP_SCALE, antialias=True),
                v2.RandomHorizontalFlip(),
                v2.PILToTensor(),
            ]
        )

    def __len__(self) -> int:
        """Returns P."""
        return len(self._order)

    def __getitem__(self, position: int) -> tuple[Tensor, Tensor]:
        """Returns the image (3, S, S) uint8 and the labels (L,) int64 at a position.

        Raises:
            InputError: the file cannot be read.
        """
        index = int(self._order[position])
        image = read_image(self._images.path(index))
        with random_numbers(f"augmentation, {self._stream}, position {position}"):
            pixels: Tensor = self._augment(image)
        return pixels, self._images.labels[index]


class EvalImages(Dataset[Tensor]):
    """Images as they are measured: shorter side resized to 8/7 of the size, centre cropped."""

    def __init__(self, images: LabelledImages, image_size: int) -> None:
        """Takes the images and the side of the square, in pixels."""
        self._images = images
        self._resize = v2.Compose(
            [
                v2.Resize(round(image_size * _RESIZE_RATIO), antialias=True),
                v2.CenterCrop(image_size),
                v2.PILToTensor(),
            ]
        )

    def __len__(self) -> int:
        """Returns N."""
        return len(self._images)

    def __getitem__(self, index: int) -> Tensor:
        """Returns an image, (3, S, S) uint8.

        Raises:
            InputError: the file cannot be read.
        """
        pixels: Tensor = self._resize(read_image(self._images.path(index)))
        return pixels


def _labelled_rows(workspace: Workspace, split: str) -> pa.Table:
    """Returns image_id, path and the label columns of a split's usable images, by image id."""
    annotations = workspace.read(ANNOTATIONS[split], ["image_id", *_COLUMNS])
    labelled = annotations.drop_null()
    files = workspace.read(IMAGE_FILES[split], ["image_id", "path", "status"])
    files = files.filter(pc.equal(files["status"], "ok")).drop_columns("status").drop_null()
    rows = labelled.join(files, keys="image_id", join_type="inner").sort_by("image_id")
    if not len(rows):
        raise InputError(
            f"no image of {split} has both a label and a file: {len(labelled)} of "
            f"{len(annotations)} are labelled, {len(files)} have a file; fetch the tars that "
            f"hold them with `hgld images --split {split}`"
        )
    logger.info(
        "%s: %d images have a label and a file (%d labelled, %d files)",
        split,
        len(rows),
        len(labelled),
        len(files),
    )
    return rows


def _names(rows: pa.Table) -> list[pa.Array]:
    """Returns the values of each label column, sorted: landmark ids as numbers."""
    values = [pc.unique(rows[column]) for column in _COLUMNS]
    return [column.take(pc.sort_indices(column)) for column in values]


def _encode(
    workspace: Workspace, split: str, rows: pa.Table, names: list[pa.Array]
) -> LabelledImages:
    return LabelledImages(
        split=split,
        root=workspace.root,
        image_ids=rows["image_id"].combine_chunks(),
        paths=rows["path"].combine_chunks(),
        labels=_label_ids(rows, names),
        names=tuple(tuple(str(value) for value in column.to_pylist()) for column in names),
    )


def _label_ids(rows: pa.Table, names: list[pa.Array]) -> Tensor:
    """Returns the position of each label among the names of its level, (N, L) int64."""
    ids = [
        torch.from_numpy(pc.index_in(rows[column], value_set=values).to_numpy().astype("int64"))
        for column, values in zip(_COLUMNS, names, strict=True)
    ]
    return torch.stack(ids, dim=1)
