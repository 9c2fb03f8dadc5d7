"""What the annotations of a build say of pictures: the labels of each, the finest first."""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote

import pyarrow.parquet as pq

from hgld.engine.dataset import Dataset
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, MissingInputError
from hgld.tables import ANNOTATIONS, FILLED

logger = logging.getLogger(__name__)

_LEVELS = ANNOTATIONS["index"].levels
LEVEL_TITLES = tuple(level.title for level in _LEVELS)
"""Of the levels, the finest first, as a reader sees them."""
_CATEGORY = "Category:"


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureLabels:
    """The labels of a picture."""

    names: tuple[str, ...]
    """Of each level, the finest first; a landmark by the name of its category where it has one."""
    landmark_id: int
    split: str

    def shared_with(self, other: "PictureLabels") -> str:
        """Returns in words the finest level at which both are the same; nothing where none is."""
        # Landmark ids of train are of a space of their own.
        is_one_space = (self.split == "train") == (other.split == "train")
        same = [
            is_one_space and self.landmark_id == other.landmark_id,
            *(one == two for one, two in zip(self.names[1:], other.names[1:], strict=True)),
        ]
        return next(
            (level.shared for level, is_same in zip(_LEVELS, same, strict=True) if is_same), ""
        )


def labels_of(
    workspace: Workspace, image_ids: Collection[str], split: str = ""
) -> dict[str, PictureLabels]:
    """Looks pictures up in the annotations of a build.

    Args:
        workspace: the build; one without annotations knows no picture.
        image_ids: of GLDv2, or paths of files that are named after them.
        split: where they are annotated; empty: wherever they are.

    Returns:
        Those of the ids or paths that are annotated, with their labels.
    """
    by_id: dict[str, list[str]] = {}
    for name in image_ids:
        by_id.setdefault(name if split else PurePosixPath(name).stem, []).append(name)
    found: dict[str, PictureLabels] = {}
    for tables in (ANNOTATIONS, FILLED):
        for part in (split,) if split else ANNOTATIONS:
            for row in _rows(workspace, tables[part], list(by_id)):
                labels = _labels(row, part)
                found.update(dict.fromkeys(by_id[str(row["image_id"])], labels))
    return found


def _rows(
    workspace: Workspace, dataset: Dataset, image_ids: Sequence[str]
) -> Sequence[Mapping[str, object]]:
    """Returns the annotations of images; of a data set that is damaged, none."""
    try:
        workspace.finished(dataset)
    except MissingInputError:
        return []
    except DamagedError as error:
        logger.warning("%s; its labels are left out", error)
        return []
    columns = ["image_id", "category", *(level.column for level in dataset.levels)]
    rows: list[Mapping[str, object]] = []
    for path in workspace.shards(dataset):
        wanted = [("image_id", "in", list(image_ids))]
        table = pq.read_table(path, columns=columns, filters=wanted, partitioning=None)
        rows += table.to_pylist()
    return rows


def _labels(row: Mapping[str, object], split: str) -> PictureLabels:
    landmark, *coarser = (str(row[level.column]) for level in _LEVELS)
    _, is_category, title = str(row["category"]).rpartition(_CATEGORY)
    name = unquote(title).replace("_", " ") if is_category else f"landmark {landmark}"
    return PictureLabels(names=(name, *coarser), landmark_id=int(landmark), split=split)
