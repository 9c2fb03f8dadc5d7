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
            required("text", pa.string()),  # what was encoded; of several prompts a line each
            required("embedding", pa.list_(pa.float32())),  # unit norm
        ]
    ),
)

# Phrases of the taxonomy, each an example of its super-category, encoded like the labels: proposals
# are made by the nearest of them, and need no encoder for it.
WORDS = Dataset(
    path="labels/words",
    stage="embed",
    schema=pa.schema(
        [
            required("text", pa.string()),  # what was encoded, as in EMBEDDINGS
            required("phrase", pa.string()),
            required("language", pa.string()),  # such as `en`
            required("hierarchical_label", pa.string()),
            required("natural_or_human_made", pa.string()),
            required("kind", pa.string()),  # name, alias, wordnet or openstreetmap
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

# What became of each landmark that no class gives a label: `hgld.labels.fills`.
FILLS = Dataset(
    path="labels/fills",
    stage="fill",
    schema=pa.schema(
        [
            required("split", pa.string()),
            required("landmark_id", pa.int64()),
            # ok: it has a label. Else why not: "no_picture" that can be decoded, "low_share" or
            # "low_confidence" of the label in front, or "failed": its pictures are not as they were
            # recorded, which fetching them again mends
            required("status", pa.string()),
            pa.field("hierarchical_label", pa.string()),  # this and the next: null unless ok
            pa.field("natural_or_human_made", pa.string()),
            # of the label in front: how sure its pictures are of it on average, 0 to 1, and which
            # share of all its pictures they are; null without pictures
            pa.field("confidence", pa.float32()),
            pa.field("share", pa.float32()),
            required("pictures", pa.int32()),  # that were looked at
            required("left_out", pa.int32()),  # damaged ones
            required("evidence", pa.string()),  # in words
            required("method", pa.string()),  # zero_shot
            # digest of all that the row was made from: a later run takes it over where that is
            # the same
            required("made_from", pa.string()),
        ]
    ),
)
