"""What is decided of each class."""

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
        # assigned | ignored: a person's decision. proposed | proposed_ignore: what was
        # proposed, accepted unseen. undecided: a person has to be asked; no part in annotation.
        required("decision", pa.string()),
        pa.field("hierarchical_label", pa.string()),
        pa.field("natural_or_human_made", pa.string()),
        pa.field("reviewer", pa.string()),
        # of the proposal, where it was accepted unseen, and the least confidence that was asked
        # for, 0 where any would do; null where a person decided or has to
        pa.field("confidence", pa.float32()),
        pa.field("accepted_above", pa.float64()),
    ),
)

# The decisions in force, for stages that know of no log: one row for each class that a person
# decided, whether or not a scrape still has it.
DECIDED = Dataset(
    path="review/decided",
    stage="decided",
    schema=schema(
        required("class_qid", pa.string()),
        required("class_label", pa.string()),  # as it was when it was decided
        required("action", pa.string()),  # assign | ignore
        pa.field("hierarchical_label", pa.string()),  # null where it is ignored, and the next
        pa.field("natural_or_human_made", pa.string()),
    ),
)

# What persons said of guesses, for stages that know of no log: a row for each category and label.
FILL_DECISIONS = Dataset(
    path="review/fill_decisions",
    stage="decided",
    schema=schema(
        required("category", pa.string()),  # Commons category URL, as LANDMARKS has it
        # accept: its landmarks have this label, and there is one such row of a category at
        # most. refuse: they do not
        required("action", pa.string()),
        required("hierarchical_label", pa.string()),
        required("natural_or_human_made", pa.string()),
        required("reviewer", pa.string()),
    ),
)
