"""The images that are shown of each landmark, their pictures, and who made them."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from hgld.annotations.release.released import relative_to_release
from hgld.errors import DamagedError, MissingInputError
from hgld.pages.browse.folder import BrowsedFolder
from hgld.pages.browse.landmarks import BrowsedLandmarks
from hgld.pictures import PictureFile
from hgld.tables import CREDITS, IMAGE_FILES

logger = logging.getLogger(__name__)

MOST_SHOWN = 48
"""Images of a landmark."""
PICTURE_FOLDER = "pictures"
_FILE_COLUMNS = ["image_id", "status", "path", "size_bytes", "sha256"]
_CREDIT_COLUMNS = ["image_id", "status", "title", "author", "source", "license", "license_uri"]
_NONE = -1

Credit = dict[str, Any]
"""A row of CREDITS."""
_NO_CREDIT: Credit = dict.fromkeys(_CREDIT_COLUMNS)


class ShownImage(NamedTuple):
    """An image of a landmark."""

    image_id: str
    split: str
    picture: str
    """Path of its small picture in the site; empty: none."""
    credit: Credit


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowsedImages:
    """The labelled images of all splits; an image is known by its number, counted through them."""

    folder: BrowsedFolder
    ids: Mapping[str, pa.ChunkedArray]
    """Split to the ids of its images."""
    shown: NDArray[np.int64]
    """Numbers of the images that are shown, those of the first landmark first."""
    landmark: NDArray[np.int64]
    """Of each of these, the row of its landmark."""
    files: Mapping[str, pa.Table]
    """Split to rows of IMAGE_FILES, for the pictures that are there."""
    file_of: NDArray[np.int64]
    """Of each image, the row of its picture in `files`; -1: none."""
    credits: Mapping[int, Credit] | None = None
    """None: they are read when they are needed."""

    @property
    def has_pictures(self) -> bool:
        """Whether there is any picture."""
        return any(map(len, self.files.values()))

    def of(self, landmark: int) -> list[int]:
        """Returns the images of a landmark that are shown."""
        start, end = np.searchsorted(self.landmark, (landmark, landmark + 1))
        return [int(one) for one in self.shown[start : min(end, start + MOST_SHOWN)]]

    def pictured(self, landmark: int) -> int | None:
        """Returns the first image of a landmark that has a picture."""
        return next((one for one in self.of(landmark) if self.file_of[one] != _NONE), None)

    def covers(self, landmarks: Sequence[int]) -> list[ShownImage | None]:
        """Returns an image with a picture for each of some landmarks; None: it has none."""
        numbers = [self.pictured(one) for one in landmarks]
        views = iter(self.views([one for one in numbers if one is not None]))
        return [None if one is None else next(views) for one in numbers]

    def views(self, numbers: Sequence[int]) -> list[ShownImage]:
        """Returns images with their credits."""
        found = self.credits
        if found is None:
            found = read_credits(self.folder, np.array(numbers, np.int64))
        return [self._view(number, found.get(number, _NO_CREDIT)) for number in numbers]

    def _view(self, number: int, credit: Credit) -> ShownImage:
        split, row = self._split(number)
        image_id = str(self.ids[split][row].as_py())
        picture = picture_path(number) if self.file_of[number] != _NONE else ""
        # If credits are in another order than the images, they are of another image.
        is_own = credit["image_id"] == image_id
        return ShownImage(image_id, split, picture, credit if is_own else _NO_CREDIT)

    def _split(self, number: int) -> tuple[str, int]:
        """Returns the split of an image, and its row there."""
        for split, ids in self.ids.items():
            if number < len(ids):
                return split, number
            number -= len(ids)
        raise IndexError(number)

    def file(self, number: int) -> PictureFile | None:
        """Returns where the picture of an image lies; None: there is none."""
        workspace = self.folder.workspace
        if workspace is None or number >= len(self.file_of) or self.file_of[number] == _NONE:
            return None
        split, _ = self._split(number)
        (file,) = self.files[split].slice(int(self.file_of[number]), 1).to_pylist()
        return PictureFile(
            path=workspace.path(file["path"]),
            size_bytes=file["size_bytes"],
            sha256=file["sha256"],
            mend=f"run {workspace.command(f'images --split {split}')}",
        )

    def drop_picture(self, number: int) -> None:
        """Takes away a picture that cannot be shown, if there is one."""
        self.file_of[number : number + 1] = _NONE

    def limited(self, landmarks: BrowsedLandmarks, most: int, most_each: int) -> "BrowsedImages":
        """Returns the same with fewer images shown, and their credits read at once.

        The first image of each landmark is taken before the second of any. In each turn every
        label gives one of its landmark with most images, then all give one of the next. So a low
        limit cuts the rear of large labels, and not the small labels.

        Args:
            landmarks: the owners of the images.
            most: images of all landmarks together.
            most_each: images of a landmark.
        """
        turn = np.arange(len(self.shown)) - np.searchsorted(self.landmark, self.landmark)
        starts = np.array([group.start for group in landmarks.groups], np.int64)
        place = self.landmark - starts[landmarks.group_of[self.landmark]]
        order = np.lexsort((self.landmark, place, turn))
        chosen = np.sort(order[turn[order] < most_each][:most])
        shown, landmark = self.shown[chosen], self.landmark[chosen]
        makers = read_credits(self.folder, shown)
        return replace(self, shown=shown, landmark=landmark, credits=makers)


def picture_path(number: int) -> str:
    """Returns the path of a small picture in the site: a thousand in a folder."""
    return f"{PICTURE_FOLDER}/{number // 1000}/{number}.jpg"


def read_images(folder: BrowsedFolder, landmarks: BrowsedLandmarks) -> BrowsedImages:
    """Reads which images have pictures; if any has, only those are shown."""
    files = {split: _files(folder, split) for split in landmarks.image_ids}
    places = (
        pc.fill_null(pc.index_in(ids, value_set=files[split]["image_id"]), _NONE).to_numpy()
        for split, ids in landmarks.image_ids.items()
    )
    file_of = np.concatenate(list(places)).astype(np.int64)
    shown, landmark = landmarks.image_order, landmarks.image_landmark
    if any(map(len, files.values())):
        has_picture = file_of[shown] != _NONE
        shown, landmark = shown[has_picture], landmark[has_picture]
    return BrowsedImages(
        folder=folder,
        ids=landmarks.image_ids,
        shown=shown,
        landmark=landmark,
        files=files,
        file_of=file_of,
    )


def _files(folder: BrowsedFolder, split: str) -> pa.Table:
    """Returns the pictures of a split; none without a build, or if their records are damaged."""
    fields = [IMAGE_FILES[split].schema.field(name) for name in _FILE_COLUMNS]
    files = pa.schema(fields).empty_table()
    if folder.workspace is not None:
        try:
            files = folder.workspace.read(IMAGE_FILES[split], _FILE_COLUMNS)
        except MissingInputError:
            pass
        except DamagedError as error:
            logger.warning("browse: no pictures of %s are shown: %s", split, error)
    return files.filter(pc.equal(files["status"], "ok"))


def read_credits(folder: BrowsedFolder, numbers: NDArray[np.int64]) -> dict[int, Credit]:
    """Reads the credits of images, only from the row groups that have any of them.

    Args:
        folder: the data set.
        numbers: of the images. Credits are in their order, of train images only, which come first.

    Returns:
        Number to credit; empty if the release has no credits, or they cannot be read.
    """
    found: dict[int, Credit] = {}
    wanted, first = np.unique(numbers), 0
    for path in sorted(folder.folder.glob(relative_to_release(CREDITS.path))):
        try:
            with pq.ParquetFile(path) as file:
                for group in range(file.num_row_groups):
                    end = first + file.metadata.row_group(group).num_rows
                    here = wanted[(wanted >= first) & (wanted < end)]
                    if len(here):
                        table = file.read_row_group(group, columns=_CREDIT_COLUMNS)
                        read = table.take(pa.array(here - first)).to_pylist()
                        found.update(zip(here.tolist(), read, strict=True))
                    first = end
        except (pa.ArrowInvalid, pa.ArrowKeyError, OSError, ValueError) as error:
            logger.warning("browse: %s has no readable credits: %s", path, error)
            return {}
    return found
