"""The labels of each image."""

import pyarrow as pa

from hgld.engine.dataset import Dataset, Level
from hgld.tables.fields import CLASS, required

# The one place that says which columns of the annotations are levels: training, benchmark and
# report take them from here, as many as there are.
_LEVELS = (
    Level(
        column="landmark_id",
        name="landmark",
        title="landmark",
        shared="same landmark",
    ),
    Level(
        column="hierarchical_label",
        name="hierarchical_label",
        title="super-category",
        shared="same super-category",
    ),
    Level(
        column="natural_or_human_made",
        name="natural_or_human_made",
        title="natural / human-made",
        shared="both natural, or both human-made",
    ),
)

# A super-category that classes of a landmark have voted for, and what ranks it among the others.
CANDIDATE = pa.struct(
    [
        pa.field("hierarchical_label", pa.string(), nullable=False),
        pa.field("votes", pa.int32(), nullable=False),  # classes of the landmark that are of it
        # the most specific of these, and how many landmarks have that one; of equal votes the
        # fewest win
        pa.field("class_qid", pa.string(), nullable=False),
        pa.field("landmarks", pa.int64(), nullable=False),
    ]
)


_OF_A_LANDMARK = (
    # text of the deciding class; as published, also where no label follows from it
    pa.field("supercategory", pa.string()),
    pa.field("hierarchical_label", pa.string()),
    pa.field("natural_or_human_made", pa.string()),
    pa.field("category", pa.string()),
    pa.field("qid", pa.string()),
    pa.field("classes", pa.list_(CLASS)),  # every class of the landmark, by Q-id
    pa.field(
        "provenance",
        pa.struct(
            [
                # ok: labelled. Else why not: a status of the scrape, "not_scraped", the decision on
                # the deciding class (no class of the landmark gives a label), or "no_landmark"
                pa.field("status", pa.string(), nullable=False),
                pa.field("revision_id", pa.int64()),
                pa.field("class_qid", pa.string()),  # the deciding class
                # on that class: assigned | ignored by a person; proposed | proposed_ignore, which
                # were accepted unseen; undecided. filled: no class gave a label, it is from FILLS
                pa.field("decision", pa.string()),
                pa.field("reviewer", pa.string()),
                pa.field("method", pa.string()),  # of FILLS; null unless filled
                # of FILLS, where filled; of the proposal, where that on the deciding class was
                # accepted unseen; else null
                pa.field("confidence", pa.float32()),
                # the least confidence that such a proposal had to have, 0 if any; null if none was
                pa.field("accepted_above", pa.float64()),
            ]
        ),
        nullable=False,
    ),
)


def _annotations(split: str) -> Dataset:
    return Dataset(
        path=f"annotations/{split}",
        stage="annotate",
        levels=_LEVELS,
        schema=pa.schema(
            [
                required("image_id", pa.string()),
                pa.field("landmark_id", pa.int64()),
                *_OF_A_LANDMARK,
            ]
        ),
    )


ANNOTATIONS = {split: _annotations(split) for split in ("train", "index", "test")}

# The same by landmark, with every label that its classes have voted for, the winner first. A table
# of its own: 203,094 landmarks of three classes take 2 MB here, and 27 MB as a column of their
# 4.1 million images.
LANDMARK_LABELS = Dataset(
    path="annotations/landmarks",
    stage="annotate",
    schema=pa.schema(
        [
            required("split", pa.string()),  # "train" or "index"
            required("landmark_id", pa.int64()),
            *_OF_A_LANDMARK,
            required("candidates", pa.list_(CANDIDATE)),
        ]
    ),
)
