"""The images that are shown of each landmark, their pictures, and who made them."""

import logging
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from numpy.typing import NDArray

from hgld.annotations.release.released import relative_to_release
from hgld.pages.browse.folder import BrowsedFolder, Row
from hgld.pages.browse.landmarks import BrowsedLandmarks, rows_of
from hgld.pictures import PictureFile
from hgld.tables import ANNOTATIONS, CREDITS, IMAGE_FILES

logger = logging.getLogger(__name__)

MOST_SHOWN = 48
"""Images on the page of a landmark."""
MOST_LIMITED = 6
"""Images of a landmark, if their number is limited."""
PICTURE_FOLDER = "pictures"

_NO_CREDIT: Row = dict.fromkeys(CREDITS.schema.names)


class BrowsedImages:
    """The labelled images of all splits; an image is known by its number, counted through them."""

    shown: NDArray[np.int64]
    """Numbers of the images that are shown, those of the first landmark first."""

    def __init__(self, folder: BrowsedFolder, landmarks: BrowsedLandmarks) -> None:
        """Reads which images have pictures; if any has, only those are shown."""
        self._folder, self._landmarks = folder, landmarks
        parts, owners = [], []
        for split in ANNOTATIONS:
            images = folder.labelled(split, ["image_id", "landmark_id"])
            owners.append(rows_of(landmarks.table, split, images))
            files = folder.read_beside(IMAGE_FILES[split])
            files = files.filter(pc.equal(files["status"], "ok"))
            places = pc.index_in(images["image_id"], value_set=files["image_id"])
            part = files.select(["path", "size_bytes", "sha256"]).take(places)
            part = part.append_column("image_id", images["image_id"])
            parts.append(part.append_column("split", pa.repeat(split, len(part))))
        self._table = pa.concat_tables(parts)
        self._has_picture = pc.is_valid(self._table["path"]).to_numpy().copy()
        self.has_pictures = bool(self._has_picture.any())
        owner = np.concatenate(owners)
        shown = np.argsort(owner, kind="stable")
        is_shown = (owner >= 0) & (self._has_picture if self.has_pictures else True)
        self.shown = shown[is_shown[shown]]
        self._owner = owner[self.shown]
        self._credits: dict[int, Row] | None = None

    def of(self, landmarks: range) -> NDArray[np.int64]:
        """Returns the images of some landmarks that are shown."""
        start, end = np.searchsorted(self._owner, (landmarks.start, landmarks.stop))
        return self.shown[start:end]

    def pictured(self, landmarks: range) -> int | None:
        """Returns the first image of some landmarks that has a picture."""
        found = self.of(landmarks)
        return next(iter(found[self._has_picture[found]][:1].tolist()), None)

    def views(self, numbers: Sequence[int]) -> list[Row]:
        """Returns the credits of images, each with its `split` and the path of its `picture`."""
        found = self._credits
        if found is None:
            found = read_credits(self._folder, np.array(numbers, np.int64))
        return [self._view(number, found.get(number, _NO_CREDIT)) for number in numbers]

    def _view(self, number: int, credit: Row) -> Row:
        (image,) = self._table.slice(number, 1).to_pylist()
        picture = picture_path(number) if self._has_picture[number] else ""
        # If credits are in another order than the images, they are of another image.
        is_own = credit["image_id"] == image["image_id"]
        return {**(credit if is_own else _NO_CREDIT), **image, "picture": picture}

    def file(self, number: str) -> PictureFile | None:
        """Returns where the picture of an image lies; None: there is none."""
        workspace, row = self._folder.workspace, int(number)
        if workspace is None or not self._has_picture[row : row + 1].any():
            return None
        (file,) = self._table.slice(row, 1).to_pylist()
        mend = f"run {workspace.command('images --split ' + file.pop('split'))}"
        path = workspace.path(file["path"])
        return PictureFile(
            path=path, size_bytes=file["size_bytes"], sha256=file["sha256"], mend=mend
        )

    def drop_picture(self, number: str) -> None:
        """Takes away a picture that cannot be shown, if there is one."""
        self._has_picture[int(number) :][:1] = False

    def limit(self, most: int) -> None:
        """Shows fewer images, and reads their credits at once.

        The first image of each landmark is taken before the second of any. In each turn every
        label gives one of its landmark with most images, then all give one of the next. So a low
        limit cuts the rear of large labels, and not the small labels.

        Args:
            most: images of all landmarks together; each has at most `MOST_LIMITED`.
        """
        owner, groups = self._owner, self._landmarks.groups
        turn = np.arange(len(owner)) - np.searchsorted(owner, owner)
        starts = np.repeat([one.start for one in groups], [one.size for one in groups])
        order = np.lexsort((owner, owner - starts[owner], turn))
        chosen = np.sort(order[turn[order] < MOST_LIMITED][:most])
        self.shown, self._owner = self.shown[chosen], owner[chosen]
        self._credits = read_credits(self._folder, self.shown)


def picture_path(number: int) -> str:
    """Returns the path of a small picture in the site: a thousand in a folder."""
    return f"{PICTURE_FOLDER}/{number // 1000}/{number}.jpg"


def read_credits(folder: BrowsedFolder, numbers: NDArray[np.int64]) -> dict[int, Row]:
    """Reads the credits of images, only from the row groups that have any of them.

    Args:
        folder: the data set.
        numbers: of the images. Credits are in their order, of train images only, which come first.

    Returns:
        Number to credit; empty if the release has no credits, or they cannot be read.
    """
    found: dict[int, Row] = {}
    wanted, first = np.unique(numbers), 0
    paths = sorted(folder.folder.glob(relative_to_release(CREDITS.path)))
    try:
        files = ds.dataset(paths, CREDITS.schema, format="parquet").get_fragments()
        for part in (part for file in files for part in file.split_by_row_group()):
            end = first + part.row_groups[0].num_rows
            here = wanted[(wanted >= first) & (wanted < end)]
            if len(here):
                table = part.to_table(schema=CREDITS.schema)
                rows = table.take(pa.array(here - first)).to_pylist()
                found.update(zip(here.tolist(), rows, strict=True))
            first = end
    except (pa.ArrowInvalid, OSError) as error:
        logger.warning("browse: %s has no readable credits: %s", folder.folder, error)
        return {}
    return found
