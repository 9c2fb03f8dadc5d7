"""What GLDv2 says: landmarks and images."""

import pyarrow as pa

from hgld.engine.dataset import Dataset
from hgld.tables.fields import required

# `split` is the label space as well: train and index landmark ids are different spaces.
LANDMARKS = Dataset(
    path="metadata/landmarks",
    stage="metadata",
    schema=pa.schema(
        [
            required("split", pa.string()),  # "train" or "index"
            required("landmark_id", pa.int64()),
            required("category", pa.string()),  # Commons category URL, as GLDv2 gives it
        ]
    ),
)

IMAGES = Dataset(
    path="metadata/images",
    stage="metadata",
    schema=pa.schema(
        [
            required("split", pa.string()),  # "train", "index" or "test"
            required("image_id", pa.string()),  # 16 hex digits
            # train: in the train space. index, test: in the index space; null for a test image
            # with no relevant index image, which is most of them.
            pa.field("landmark_id", pa.int64()),
            pa.field("in_clean", pa.bool_()),  # train only: listed in train_clean.csv
            pa.field("usage", pa.string()),  # test only: Public, Private or Ignored
        ]
    ),
)
