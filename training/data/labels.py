"""Which images a model is trained and measured on, and their labels as numbers."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from hgld.engine.dataset import Level
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.tables import ANNOTATIONS, IMAGE_FILES

logger = logging.getLogger(__name__)


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
    levels: tuple[Level, ...]
    """L of them, finest first."""
    labels: Tensor
    """(N, L) int64; an id is the position of a name in the names of its level."""
    names: tuple[tuple[str, ...], ...]
    """Name of each label, by level; landmark ids as text."""

    def __len__(self) -> int:
        """Returns N."""
        return len(self.paths)

    def path(self, index: int) -> Path:
        """Returns where the file of an image lies."""
        return self.root / str(self.paths[index])

    def files(self) -> list[Path]:
        """Returns where all N files lie."""
        return [self.root / path for path in self.paths.to_pylist()]


def training_images(workspace: Workspace) -> LabelledImages:
    """Returns the training images; every label of every level is carried by some image.

    Raises:
        MissingInputError: the annotations or the images are not there yet.
        InputError: no image has both a label and a file.
    """
    levels = ANNOTATIONS["train"].levels
    rows = _labelled_rows(workspace, "train", levels)
    return _encode(workspace, "train", rows, levels, _names(rows, levels))


def query_and_index_images(workspace: Workspace) -> tuple[LabelledImages, LabelledImages]:
    """Returns the test and the index images, labelled in one encoding.

    The landmark ids of both are of one space (training ids are of another). A query whose
    landmark has no image in the index keeps a label of its own.

    Raises:
        MissingInputError: the annotations or the images are not there yet.
        InputError: no image of a split has both a label and a file.
    """
    levels = ANNOTATIONS["index"].levels
    query_rows = _labelled_rows(workspace, "test", levels)
    index_rows = _labelled_rows(workspace, "index", levels)
    names = _names(pa.concat_tables([query_rows, index_rows]), levels)
    return (
        _encode(workspace, "test", query_rows, levels, names),
        _encode(workspace, "index", index_rows, levels, names),
    )


def encode_labels(
    annotations: pa.Table, levels: Sequence[Level] = ANNOTATIONS["train"].levels
) -> Tensor:
    """Turns annotations into the labels that losses and metrics take.

    Args:
        annotations: N rows with the column of each level.
        levels: L of them, finest first; by default landmark, super-category, natural or
            human-made.

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
    rows = annotations.select([level.column for level in levels])
    without = len(rows) - len(rows.drop_null())
    if without:
        column = max(rows.column_names, key=lambda name: rows[name].null_count)
        raise ValueError(
            f"every row must have a label at each level, got {without} of {len(rows)} without; "
            f"keep the labelled ones: table.filter(pc.field({column!r}).is_valid())"
        )
    return _label_ids(rows, levels, _names(rows, levels))


def _labelled_rows(workspace: Workspace, split: str, levels: Sequence[Level]) -> pa.Table:
    """Returns image_id, path and the label columns of a split's usable images, by image id."""
    columns = ["image_id", *(level.column for level in levels)]
    annotations = workspace.read(ANNOTATIONS[split], columns)
    labelled = annotations.drop_null()
    files = workspace.read(IMAGE_FILES[split], ["image_id", "path", "status"])
    files = files.filter(pc.equal(files["status"], "ok")).drop_columns("status").drop_null()
    rows = labelled.join(files, keys="image_id", join_type="inner").sort_by("image_id")
    if not len(rows):
        raise InputError(
            f"no image of {split} has both a label and a file: {len(labelled)} of "
            f"{len(annotations)} are labelled, {len(files)} have a file; fetch the tars that "
            f"hold them with {workspace.command(f'images --split {split}')}"
        )
    logger.info(
        "%s: %d images have a label and a file (%d labelled, %d files)",
        split,
        len(rows),
        len(labelled),
        len(files),
    )
    return rows


def _names(rows: pa.Table, levels: Sequence[Level]) -> list[pa.Array]:
    """Returns the values of each level's column, sorted: landmark ids as numbers."""
    values = [pc.unique(rows[level.column]) for level in levels]
    return [column.take(pc.sort_indices(column)) for column in values]


def _encode(
    workspace: Workspace,
    split: str,
    rows: pa.Table,
    levels: tuple[Level, ...],
    names: list[pa.Array],
) -> LabelledImages:
    return LabelledImages(
        split=split,
        root=workspace.root,
        image_ids=rows["image_id"].combine_chunks(),
        paths=rows["path"].combine_chunks(),
        levels=levels,
        labels=_label_ids(rows, levels, names),
        names=tuple(tuple(str(value) for value in column.to_pylist()) for column in names),
    )


def _label_ids(rows: pa.Table, levels: Sequence[Level], names: list[pa.Array]) -> Tensor:
    """Returns the position of each label among the names of its level, (N, L) int64."""
    ids = [
        torch.from_numpy(
            pc.index_in(rows[level.column], value_set=values).to_numpy().astype("int64")
        )
        for level, values in zip(levels, names, strict=True)
    ]
    return torch.stack(ids, dim=1)
