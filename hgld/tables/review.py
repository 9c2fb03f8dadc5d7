"""What is decided of each class."""

import pyarrow as pa

from hgld.engine.dataset import Dataset
from hgld.tables.fields import required

TAXONOMY = Dataset(
    path="review/taxonomy",
    stage="review",
    schema=pa.schema(
        [
            required("class_qid", pa.string()),
            required("class_label", pa.string()),
            required("landmarks", pa.int64()),
            # assigned | ignored: a person's decision. proposed: the cluster's, accepted unseen.
            # undecided: no decision yet, takes no part in annotation.
            required("decision", pa.string()),
            pa.field("hierarchical_label", pa.string()),
            pa.field("natural_or_human_made", pa.string()),
            pa.field("reviewer", pa.string()),
        ]
    ),
)
