"""A picture of each landmark, where the build has any; and who made it."""

import logging
from collections.abc import Mapping
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
from hgld.pages.review.landmarks import landmark_keys
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

    image_of: Mapping[int, str] = field(default_factory=dict)
    """`landmark_keys` of a landmark to an image_id."""
    files: Mapping[str, PictureFile] = field(default_factory=dict)
    """image_id to where it lies."""
    credits: Mapping[str, Credit] = field(default_factory=dict)

    def thumbnail(self, landmark: LandmarkLink, key: int) -> Thumbnail:
        """Returns the picture of a landmark as it is shown."""
        image_id = self.image_of[key]
        return Thumbnail(image_id, landmark, *self.credits.get(image_id, Credit("", "", "")))


def read_picture_index(workspace: Workspace, landmarks: NDArray[np.int64]) -> PictureIndex:
    """Reads which landmark has which picture; none where the build has none.

    Args:
        workspace: a build.
        landmarks: `landmark_keys` of those that are asked for.

    Raises:
        DamagedError: a table is not as it was written.
    """
    try:
        files = workspace.read(
            IMAGE_FILES["train"], ["image_id", "status", "path", "size_bytes", "sha256"]
        )
        images = workspace.read(IMAGES, ["split", "image_id", "landmark_id", "in_clean"])
    except MissingInputError:
        return PictureIndex()
    files = files.filter(pc.equal(files["status"], "ok"))
    images = images.filter(pc.equal(images["split"], "train"))
    images = images.filter(pc.is_in(images["image_id"], value_set=files["image_id"]))
    keys = landmark_keys(images["split"], images["landmark_id"])
    is_asked = pc.is_in(keys, value_set=pa.array(landmarks))
    images, key = images.filter(is_asked), keys.filter(is_asked).to_numpy()
    unclean = pc.invert(pc.fill_null(images["in_clean"], fill_value=False)).to_numpy()
    order = np.lexsort((unclean, key))
    known, first = np.unique(key[order], return_index=True)
    ids = images["image_id"].take(pa.array(order[first]))
    mend = f"run {workspace.command('images --split train')}"
    found = {
        row["image_id"]: PictureFile(
            path=workspace.path(row["path"]),
            size_bytes=row["size_bytes"],
            sha256=row["sha256"],
            mend=mend,
        )
        for row in files.take(pc.index_in(ids, value_set=files["image_id"])).to_pylist()
    }
    image_of = dict(zip(known.tolist(), ids.to_pylist(), strict=True))
    return PictureIndex(image_of=image_of, files=found, credits=read_credits(workspace, [*found]))


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
