"""The classes of all landmarks: their vectors, groups and proposals."""

import pyarrow as pa

from hgld.engine.dataset import Dataset
from hgld.tables.fields import required

LABELS = Dataset(
    path="labels/classes",
    stage="embed",
    schema=pa.schema(
        [
            required("class_qid", pa.string()),
            required("class_label", pa.string()),
            pa.field("label_language", pa.string()),
            required("landmarks", pa.int64()),  # (split, landmark_id) pairs with this class
        ]
    ),
)

EMBEDDINGS = Dataset(
    path="labels/embeddings",
    stage="embed",
    schema=pa.schema(
        [
            required("class_qid", pa.string()),
            required("text", pa.string()),  # the prompt that was encoded
            required("embedding", pa.list_(pa.float32())),  # unit norm
        ]
    ),
)

# Words of which it is known whether they are natural or human-made, encoded like the labels: the
# cluster stage proposes a cluster's side by the nearest of them, and needs no encoder for it.
EXAMPLES = Dataset(
    path="labels/examples",
    stage="embed",
    schema=pa.schema(
        [
            required("text", pa.string()),  # the prompt that was encoded
            required("natural_or_human_made", pa.string()),
            required("embedding", pa.list_(pa.float32())),  # unit norm
        ]
    ),
)

CLUSTERS = Dataset(
    path="labels/clusters",
    stage="cluster",
    schema=pa.schema(
        [
            required("class_qid", pa.string()),
            required("class_label", pa.string()),
            required("landmarks", pa.int64()),
            # 0-based; clusters are numbered by descending landmarks, then smallest Q-id
            required("cluster_id", pa.int32()),
            required("similarity", pa.float32()),  # cosine to the cluster's centre
            required("proposed_label", pa.string()),  # one per cluster
            required("proposed_natural_or_human_made", pa.string()),
        ]
    ),
)
