"""Official labels that look wrong in a comparison with ours."""

import pyarrow as pa

from hgld.engine.dataset import Dataset
from hgld.tables.fields import required, schema

# Official rows that look wrong, in one file that can be sent; the folder also has the report.
SUSPECTS = Dataset(
    path="benchmarks/agreement",
    stage="agree",
    schema=schema(
        required("split", pa.string()),
        required("landmark_id", pa.int64()),
        required("category", pa.string()),
        # peers: landmarks of the same class have another official label, which is also ours.
        # side: landmarks of the same official label have the other natural_or_human_made.
        required("reason", pa.string()),
        required("official_label", pa.string()),
        pa.field("official_natural_or_human_made", pa.string()),
        pa.field("our_label", pa.string()),
        pa.field("our_natural_or_human_made", pa.string()),
        # the deciding class; the Q-id is null if only a published file was compared, which has no
        # Q-ids
        pa.field("class_qid", pa.string()),
        pa.field("class_label", pa.string()),
        pa.field("decision", pa.string()),  # on that class, as in TAXONOMY; null in the same case
        # number of the landmark's classes with our label, and with another; null in the same case
        pa.field("votes", pa.int64()),
        pa.field("votes_against", pa.int64()),
        # other officially labelled landmarks of the same class, or of the same official label
        required("peers", pa.int64()),
        required("peers_as_official", pa.int64()),  # peers that agree with the official row
        # peers that have our label, or the other side
        required("peers_otherwise", pa.int64()),
        required("evidence", pa.string()),  # all of this in a sentence
    ),
)
