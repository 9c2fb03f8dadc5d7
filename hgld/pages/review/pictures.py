"""A picture of each landmark, where the build has any; and who made it."""

import logging
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from hgld.annotations.images import license_name
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, MissingInputError
from hgld.pages.review.landmarks import LandmarkIndex, landmark_keys
from hgld.pages.review.views import LandmarkLink, Thumbnail
from hgld.pictures import PictureFile
from hgld.tables import ATTRIBUTIONS, IMAGE_FILES, IMAGES

logger = logging.getLogger(__name__)


class Credit(NamedTuple):
    """Who made a picture."""

    author: str
    licence: str
    source_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureIndex:
    """One train picture of each landmark that has one."""

    of_landmark: NDArray[np.int64]
    """(L,) place of its picture; -1: none."""
    image_ids: list[str] = field(default_factory=list)
    files: list[PictureFile] = field(default_factory=list)
    credits: dict[str, Credit] = field(default_factory=dict)
    place: dict[str, int] = field(default_factory=dict)
    """image_id to its place."""

    def of(self, landmarks: NDArray[np.int64]) -> list[tuple[int, int]]:
        """Returns those of some landmarks that have a picture, each with its place."""
        if not self.image_ids:
            return []
        pairs = zip(landmarks.tolist(), self.of_landmark[landmarks].tolist(), strict=True)
        return [pair for pair in pairs if pair[1] >= 0]

    def file_of(self, image_id: str) -> PictureFile | None:
        """Returns where a picture lies; None where none of that name is shown."""
        place = self.place.get(image_id)
        return None if place is None else self.files[place]

    def thumbnail(self, landmark: LandmarkLink, place: int) -> Thumbnail:
        """Returns a picture of a landmark as it is shown."""
        image_id = self.image_ids[place]
        return Thumbnail(image_id, landmark, *self.credits.get(image_id, Credit("", "", "")))


def read_picture_index(workspace: Workspace, landmarks: LandmarkIndex) -> PictureIndex:
    """Reads which landmark has which picture; none where the build has none.

    Raises:
        DamagedError: a table is not as it was written.
    """
    nothing = PictureIndex(of_landmark=np.full(len(landmarks), -1))
    try:
        files = workspace.read(
            IMAGE_FILES["train"], ["image_id", "status", "path", "size_bytes", "sha256"]
        )
        images = workspace.read(IMAGES, ["split", "image_id", "landmark_id", "in_clean"])
    except MissingInputError:
        return nothing
    files = files.filter(pc.equal(files["status"], "ok"))
    if not len(files) or not len(landmarks):
        return nothing
    images = images.filter(pc.equal(images["split"], "train"))
    images = images.filter(pc.is_in(images["image_id"], value_set=files["image_id"]))
    keys = landmark_keys(images["split"], images["landmark_id"])
    place = pc.fill_null(pc.index_in(keys, value_set=pa.array(landmarks.keys)), -1).to_numpy()
    unclean = pc.invert(pc.fill_null(images["in_clean"], fill_value=False)).to_numpy()
    order = np.lexsort((unclean, place))
    known, first = np.unique(place[order], return_index=True)
    chosen = order[first][known >= 0]
    ids = images["image_id"].take(pa.array(chosen))
    rows = files.take(pc.index_in(ids, value_set=files["image_id"]))
    return _indexed(workspace, len(landmarks), known[known >= 0], rows)


def _indexed(
    workspace: Workspace, total: int, landmarks: NDArray[np.int64], rows: pa.Table
) -> PictureIndex:
    of_landmark = np.full(total, -1)
    ids: list[str] = []
    files: list[PictureFile] = []
    mend = f"run {workspace.command('images --split train')}"
    for landmark, row in zip(landmarks.tolist(), rows.to_pylist(), strict=True):
        of_landmark[landmark] = len(ids)
        ids.append(row["image_id"])
        files.append(
            PictureFile(
                path=workspace.path(row["path"]),
                size_bytes=row["size_bytes"],
                sha256=row["sha256"],
                mend=mend,
            )
        )
    return PictureIndex(
        of_landmark=of_landmark,
        image_ids=ids,
        files=files,
        credits=read_credits(workspace, ids),
        place={image_id: number for number, image_id in enumerate(ids)},
    )


def read_credits(workspace: Workspace, image_ids: list[str]) -> dict[str, Credit]:
    """Returns who made which pictures, by image_id; none where GLDv2's file was not there."""
    if not image_ids:
        return {}
    try:
        workspace.finished(ATTRIBUTIONS)
    except (MissingInputError, DamagedError) as error:
        logger.warning("review: pictures have no author: %s", error)
        return {}
    wanted, found = pa.array(image_ids), dict[str, Credit]()
    columns = ["image_id", "author", "license", "url"]
    for path in workspace.shards(ATTRIBUTIONS):  # not all at once: they are of millions of images
        rows = pq.read_table(path, columns=columns, partitioning=None)
        for row in rows.filter(pc.is_in(rows["image_id"], value_set=wanted)).to_pylist():
            terms = row["license"] or ""
            texts = (row["author"], license_name(terms) or terms, row["url"])
            found[row["image_id"]] = Credit(*(text or "" for text in texts))
    return found
