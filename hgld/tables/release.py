"""What a release says of itself in tables: what changed since the one before."""

import pyarrow as pa

from hgld.engine.dataset import Dataset
from hgld.tables.annotations import LANDMARK_LABELS
from hgld.tables.fields import required, schema

# Of a landmark, what is told twice, before and after, to be read without `landmark`.
TOLD_OF_LANDMARK = (
    *("hierarchical_label", "natural_or_human_made", "reason"),
    *("category", "class_qid", "decision", "reviewer"),
)
# What no change is told of: when a page was asked for, and how the classes voted, which has numbers
# that every new landmark moves.
NOT_COMPARED = ("fetched_at", "candidates")
_KEY = ("split", "landmark_id")


def _nullable(field: pa.Field) -> pa.Field:
    """Returns a field that may be null with all its parts, as those of a removed row are."""
    if not pa.types.is_struct(field.type):
        return field.with_nullable(True)
    return pa.field(field.name, pa.struct([_nullable(part) for part in field.type]))


_OF_LANDMARK = [
    _nullable(field) for field in LANDMARK_LABELS.schema if field.name not in {*NOT_COMPARED, *_KEY}
]


def _before_and_after(name: str) -> list[pa.Field]:
    return [pa.field(f"{name}_{when}", pa.string()) for when in ("before", "after")]


# The release before with these rows is this release: `hgld.annotations.release.changes`. What did
# not change is counted in releases.json and not listed.
LABEL_CHANGES = Dataset(
    path="annotations/label_changes.parquet",
    stage="release",
    schema=schema(
        required("kind", pa.string()),  # landmark | image
        # added | removed | changed; moved: of an image, to another of the four tables
        required("change", pa.string()),
        required("split", pa.string()),  # of a landmark its label space
        pa.field("landmark_id", pa.int64()),  # as it is now; of a removed image as it was
        pa.field("image_id", pa.string()),  # null: of a landmark
        # Of a landmark, what is another one, separated by spaces: category, item, page, class
        # (the deciding one), classes (or their texts), decision, reviewer, method, label,
        # relabelled (the same class decides, and stands for another label), reason (why it has
        # none), evidence (all else). Of an image, why it had no label, or "labelled", or "filled",
        # and what it is now: "not_clean -> labelled"; before that "other_landmark" where it is.
        required("why", pa.string()),
        *(field for name in TOLD_OF_LANDMARK for field in _before_and_after(name)),
        # Of an image: data | filled | excluded | bad.
        *_before_and_after("table"),
        pa.field("in_clean", pa.bool_()),  # of an image of data, now
        # The whole row of LANDMARK_LABELS now; null: of an image, or removed.
        pa.field("landmark", pa.struct(_OF_LANDMARK)),
    ),
)
