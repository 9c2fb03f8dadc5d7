"""The outcome for each picture: its file, or why there is none."""

import pyarrow as pa

from hgld.engine.dataset import Dataset
from hgld.tables.fields import required, schema


def _image_files(split: str) -> Dataset:
    return Dataset(
        path=f"images/records/{split}",
        stage=f"images-{split}",
        schema=schema(
            # empty if the row is about a whole tar, or a file in it that is not an image
            required("image_id", pa.string()),
            # its origin: images_000.tar, or the address of the picture itself
            required("tar", pa.string()),
            pa.field("tar_md5", pa.string()),  # null: unknown
            # ok | failed. bad: it cannot be decoded, and no file was written. gone: its address
            # no longer has it
            required("status", pa.string()),
            pa.field("path", pa.string()),  # relative to the workspace
            pa.field("size_bytes", pa.int64()),  # this and the next: null unless ok
            pa.field("sha256", pa.string()),  # of the file
            pa.field("error", pa.string()),
        ),
    )


IMAGE_FILES = {split: _image_files(split) for split in ("train", "index", "test")}


def _bad_images(split: str) -> Dataset:
    return Dataset(
        path=f"images/bad_images/{split}",
        stage=f"images-{split}",
        schema=schema(
            required("image_id", pa.string()),
            required("tar", pa.string()),
            required("reason", pa.string()),
        ),
    )


# The rows of IMAGE_FILES whose status is bad or gone, so that nobody has to search for them.
BAD_IMAGES = {split: _bad_images(split) for split in IMAGE_FILES}
