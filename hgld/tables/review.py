"""The decisions on classes and guesses."""

import pyarrow as pa

from hgld.engine.dataset import Dataset
from hgld.tables.fields import required, schema

TAXONOMY = Dataset(
    path="review/taxonomy",
    stage="review",
    schema=schema(
        required("class_qid", pa.string()),
        required("class_label", pa.string()),
        required("landmarks", pa.int64()),
        # assigned | ignored: a person's decision. proposed | proposed_ignore: a proposal that was
        # accepted unseen. undecided: a person has to decide; not used for annotations.
        required("decision", pa.string()),
        pa.field("hierarchical_label", pa.string()),
        pa.field("natural_or_human_made", pa.string()),
        pa.field("reviewer", pa.string()),
        # of a proposal that was accepted unseen, and the least confidence required, 0 if none;
        # null if a person decided or has to decide
        pa.field("confidence", pa.float32()),
        pa.field("accepted_above", pa.float64()),
    ),
)

# The decisions in force, for stages that do not read the log: one row for each class that a person
# decided, even if the scrape no longer has it.
DECIDED = Dataset(
    path="review/decided",
    stage="decided",
    schema=schema(
        required("class_qid", pa.string()),
        required("class_label", pa.string()),  # at the time of the decision
        required("action", pa.string()),  # assign | ignore
        pa.field("hierarchical_label", pa.string()),  # this and the next: null if ignored
        pa.field("natural_or_human_made", pa.string()),
    ),
)

# The decisions on guesses, for stages that do not read the log: a row per category and label.
FILL_DECISIONS = Dataset(
    path="review/fill_decisions",
    stage="decided",
    schema=schema(
        required("category", pa.string()),  # Commons category URL, as in LANDMARKS
        # accept: its landmarks have this label; at most one such row per category. refuse: they
        # do not have it
        required("action", pa.string()),
        required("hierarchical_label", pa.string()),
        required("natural_or_human_made", pa.string()),
        required("reviewer", pa.string()),
    ),
)
