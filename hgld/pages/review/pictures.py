"""A picture of each landmark, where the build has any; and who made it."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

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


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureIndex:
    """One train picture of each landmark that has one."""

    image_of: Mapping[int, str] = field(default_factory=dict)
    """`landmark_keys` of a landmark to an image_id."""
    files: Mapping[str, PictureFile] = field(default_factory=dict)
    """image_id to where it lies."""
    credits: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)
    """image_id to author, licence and source, each empty where it is not known."""

    def thumbnail(self, landmark: LandmarkLink, key: int) -> Thumbnail:
        """Returns the picture of a landmark as it is shown."""
        image_id = self.image_of[key]
        return Thumbnail(image_id, landmark, *self.credits.get(image_id, ("", "", "")))


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
    files = files.filter(pc.field("status") == "ok")
    images = images.filter(pc.field("split") == "train")
    images = images.append_column("key", landmark_keys(images["split"], images["landmark_id"]))
    for column, wanted in (("key", pa.array(landmarks)), ("image_id", files["image_id"])):
        images = images.filter(pc.is_in(images[column], value_set=wanted))
    images = images.sort_by([("key", "ascending"), ("in_clean", "descending")])
    keys, first = np.unique(images["key"].to_numpy(), return_index=True)
    ids = images["image_id"].take(first)
    rows = files.take(pc.index_in(ids, value_set=files["image_id"])).to_pylist()
    return PictureIndex(
        image_of={key: row["image_id"] for key, row in zip(keys.tolist(), rows, strict=True)},
        files={
            row["image_id"]: PictureFile(
                path=workspace.path(row["path"]),
                size_bytes=row["size_bytes"],
                sha256=row["sha256"],
                mend=f"run {workspace.command('images --split train')}",
            )
            for row in rows
        },
        credits=_read_credits(workspace, ids) if rows else {},
    )


def _read_credits(workspace: Workspace, ids: pa.ChunkedArray) -> dict[str, tuple[str, str, str]]:
    try:
        workspace.finished(ATTRIBUTIONS)
    except (MissingInputError, DamagedError) as error:
        logger.warning("review: pictures have no author: %s", error)
        return {}
    rows = pq.read_table(
        workspace.shards(ATTRIBUTIONS),
        columns=["image_id", "author", "license", "url"],
        filters=pc.field("image_id").isin(ids.combine_chunks()),
        partitioning=None,
    )
    found = {}
    for image_id, author, terms, url in zip(*rows.to_pydict().values(), strict=True):
        licence = license_name(terms or "") or terms
        found[image_id] = (author or "", licence or "", url or "")
    return found
