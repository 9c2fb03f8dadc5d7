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


def _annotations(split: str) -> Dataset:
    return Dataset(
        path=f"annotations/{split}",
        stage="annotate",
        levels=_LEVELS,
        schema=pa.schema(
            [
                required("image_id", pa.string()),
                pa.field("landmark_id", pa.int64()),
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
                            # ok: labelled. Else why not: a status of the scrape, "not_scraped",
                            # "ignored" or "undecided" (every class of the landmark is one of
                            # the two), or "no_landmark"
                            pa.field("status", pa.string(), nullable=False),
                            pa.field("revision_id", pa.int64()),
                            pa.field("class_qid", pa.string()),  # the deciding class
                            # on that class: assigned | proposed | ignored | undecided
                            pa.field("decision", pa.string()),
                            pa.field("reviewer", pa.string()),
                        ]
                    ),
                    nullable=False,
                ),
            ]
        ),
    )


ANNOTATIONS = {split: _annotations(split) for split in ("train", "index", "test")}
