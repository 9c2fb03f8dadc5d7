"""The images of each landmark: how many, which of them are shown, and where their pictures lie."""

import logging
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hgld.errors import DamagedError, MissingInputError
from hgld.pages.browse.state.source import BrowsedFolder
from hgld.pictures import PictureFile
from hgld.tables import ANNOTATIONS, FILLED, IMAGE_FILES

logger = logging.getLogger(__name__)

SPLITS_OF = {"train": ("train",), "index": ("index", "test")}
"""Label space to the splits whose images are of its landmarks."""
NOWHERE = -1
_COLUMNS = ["image_id", "status", "path", "size_bytes", "sha256"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitImageRows:
    """The labelled images of one split. An image is called by its row, from 0."""

    image_ids: pa.ChunkedArray
    order: NDArray[np.int64]
    """Rows, those of the first landmark first."""
    landmarks: NDArray[np.int64]
    """Numbers of the landmarks that have images, ascending."""
    starts: NDArray[np.int64]
    """Where those of each begin in `order`; one more at the end."""
    file_rows: NDArray[np.int64]
    """Of each row, that of its picture in `files`; -1: none."""
    files: pa.Table
    """Rows of IMAGE_FILES whose pictures are there."""

    def of(self, landmark_id: int) -> NDArray[np.int64]:
        """Returns the rows of a landmark."""
        place = int(np.searchsorted(self.landmarks, landmark_id))
        if place == len(self.landmarks) or self.landmarks[place] != landmark_id:
            return self.order[:0]
        return self.order[self.starts[place] : self.starts[place + 1]]

    def counts(self, landmark_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns how many images each of some landmarks has."""
        if not len(self.landmarks):
            return np.zeros(len(landmark_ids), np.int64)
        place = np.minimum(np.searchsorted(self.landmarks, landmark_ids), len(self.landmarks) - 1)
        found = np.diff(self.starts)[place]
        return np.where(self.landmarks[place] == landmark_ids, found, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRows:
    """The labelled images of all splits."""

    splits: dict[str, SplitImageRows]
    folder: BrowsedFolder

    @property
    def has_pictures(self) -> bool:
        """Whether any picture is there."""
        return any(len(one.files) for one in self.splits.values())

    def chosen(self, space: str, landmark_id: int, most: int) -> list[tuple[str, int]]:
        """Returns some images of a landmark as split and row, train or index ones first.

        Where there are pictures, only images that have one.
        """
        found: list[tuple[str, int]] = []
        for split in SPLITS_OF[space]:
            rows = self.splits[split].of(landmark_id)
            if self.has_pictures:
                rows = rows[self.splits[split].file_rows[rows] != NOWHERE]
            found += [(split, row) for row in rows[: most - len(found)].tolist()]
        return found

    def image_id(self, split: str, row: int) -> str:
        """Returns the id of an image."""
        return str(self.splits[split].image_ids[row].as_py())

    def file(self, split: str, row: int) -> PictureFile | None:
        """Returns where a picture lies; None where there is none."""
        rows = self.splits.get(split)
        workspace = self.folder.workspace
        if rows is None or workspace is None or not 0 <= row < len(rows.file_rows):
            return None
        place = int(rows.file_rows[row])
        if place == NOWHERE:
            return None
        file = rows.files.slice(place, 1).to_pylist()[0]
        return PictureFile(
            path=workspace.path(file["path"]),
            size_bytes=file["size_bytes"],
            sha256=file["sha256"],
            mend=f"run {workspace.command(f'images --split {split}')}",
        )


def read_image_rows(folder: BrowsedFolder) -> ImageRows:
    """Reads which images there are, and which pictures.

    Raises:
        InputError: a shard has other columns than this version knows.
        DamagedError: a shard cannot be read.
    """
    splits = {split: _split_rows(folder, split) for split in ANNOTATIONS}
    return ImageRows(splits=splits, folder=folder)


def _split_rows(folder: BrowsedFolder, split: str) -> SplitImageRows:
    columns = ["image_id", "landmark_id"]
    rows = pa.concat_tables(folder.read(one[split], columns) for one in (ANNOTATIONS, FILLED))
    numbers = rows["landmark_id"].to_numpy()
    order = np.argsort(numbers, kind="stable")
    landmarks, starts = np.unique(numbers[order], return_index=True)
    files = _files(folder, split)
    place = pc.index_in(rows["image_id"], value_set=files["image_id"])
    return SplitImageRows(
        image_ids=rows["image_id"],
        order=order,
        landmarks=landmarks,
        starts=np.append(starts, len(order)),
        file_rows=pc.fill_null(place, NOWHERE).to_numpy().astype(np.int64),
        files=files.drop_columns(["image_id", "status"]),
    )


def _files(folder: BrowsedFolder, split: str) -> pa.Table:
    nothing = pa.schema([IMAGE_FILES[split].schema.field(name) for name in _COLUMNS])
    if folder.workspace is None:
        return nothing.empty_table()
    try:
        files = folder.workspace.read(IMAGE_FILES[split], _COLUMNS)
    except MissingInputError:
        return nothing.empty_table()
    except DamagedError as error:
        logger.warning("browse: no pictures of %s are shown: %s", split, error)
        return nothing.empty_table()
    return files.filter(pc.equal(files["status"], "ok"))
