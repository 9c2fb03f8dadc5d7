"""What became of each picture."""

import pyarrow as pa

from hgld.engine.dataset import Dataset
from hgld.tables.fields import required, schema


def _image_files(split: str) -> Dataset:
    return Dataset(
        path=f"images/records/{split}",
        stage=f"images-{split}",
        schema=schema(
            # empty where a row stands for a whole tar, or a file in it that is no image
            required("image_id", pa.string()),
            # where it came from: images_000.tar, or the address of the picture itself
            required("tar", pa.string()),
            pa.field("tar_md5", pa.string()),  # null: unknown
            # ok | failed. bad: it cannot be decoded, and no file was made of it. gone: it is
            # not at its address any more
            required("status", pa.string()),
            pa.field("path", pa.string()),  # relative to the workspace
            pa.field("size_bytes", pa.int64()),  # this and the next: null unless ok
            pa.field("sha256", pa.string()),  # of the file
            # width x height; of the bad ones only those with too many
            pa.field("pixels", pa.int64()),
            pa.field("error", pa.string()),
        ),
    )


IMAGE_FILES = {split: _image_files(split) for split in ("train", "index", "test")}


# Where in its tar each picture is, also one that is bad or was not wanted: a shard for each tar
# that came whole, `images/tar_index/<split>/<tar>.parquet`. With it one picture of a tar is one
# Range request. It is of the published tars, whatever a build makes of them, and no output of a
# stage.
TAR_INDEX_SCHEMA = schema(
    required("image_id", pa.string()),
    required("tar", pa.string()),
    required("offset", pa.int64()),  # of the picture's bytes, from the tar's start
    required("size", pa.int64()),
    required("sha256", pa.string()),  # of these bytes
    required("tar_md5", pa.string()),  # the publisher's
    required("tar_sha256", pa.string()),  # our own, of the tar under that MD5
)

# How pictures became smaller on the way: `images/resized/<split>/`, beside the records of their
# tar, and not there where they stay as they were published. A picture that was small enough stays,
# byte for byte, and has its row too.
RESIZED_SCHEMA = schema(
    required("image_id", pa.string()),
    required("sha256", pa.string()),  # of the file, as in IMAGE_FILES
    required("source_pixels", pa.int64()),  # width x height as it was published
    required("longest_side", pa.int32()),  # the setting, not the picture's
    required("quality", pa.int32()),  # of JPEG, 1 to 95
)


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


# The rows of IMAGE_FILES whose status is bad or gone, so that nobody has to look for them.
BAD_IMAGES = {split: _bad_images(split) for split in IMAGE_FILES}
