"""GLDv2's landmarks and images, and the authors of the images."""

import pyarrow as pa

from hgld.engine.dataset import Dataset, ParquetLayout
from hgld.tables.fields import required, schema

# `split` is also the label space: equal ids in train and index are different landmarks.
LANDMARKS = Dataset(
    path="metadata/landmarks",
    stage="metadata",
    schema=schema(
        required("split", pa.string()),  # "train" or "index"
        required("landmark_id", pa.int64()),
        required("category", pa.string()),  # Commons category URL, as in GLDv2, or a Q-id
    ),
)

IMAGES = Dataset(
    path="metadata/images",
    stage="metadata",
    schema=schema(
        required("split", pa.string()),  # "train", "index" or "test"
        required("image_id", pa.string()),  # 16 hex digits
        # train: in the train space. index, test: in the index space; null for a test image
        # without a relevant index image, as most are.
        pa.field("landmark_id", pa.int64()),
        pa.field("in_clean", pa.bool_()),  # train only: listed in train_clean.csv
        pa.field("usage", pa.string()),  # test only: Public, Private or Ignored
    ),
)

# Only train images; no row if GLDv2 has no credit, no shard if its file is missing.
ATTRIBUTIONS = Dataset(
    path="metadata/attributions",
    stage="metadata",
    schema=schema(
        required("image_id", pa.string()),
        pa.field("title", pa.string()),
        pa.field("author", pa.string()),
        pa.field("license", pa.string()),  # URL of its text
        pa.field("url", pa.string()),  # the page of the file on Commons
    ),
    layout=ParquetLayout(rows_per_group=100_000, plain=("image_id", "title", "url")),
)
