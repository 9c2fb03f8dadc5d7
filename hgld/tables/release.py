"""The table of a release: what changed since the previous one."""

import pyarrow as pa

from hgld.engine.dataset import Dataset
from hgld.tables.annotations import LANDMARK_LABELS, PLACE_COLUMNS
from hgld.tables.fields import required, schema

# Columns of a landmark that are given before and after, to be read without `landmark`.
TOLD_OF_LANDMARK = (
    *("hierarchical_label", "natural_or_human_made", "reason"),
    *("category", "class_qid", "decision", "reviewer"),
)
# Columns whose changes do not count: the time of a fetch, the votes, whose counts change with every
# new landmark, and the place, which is no label.
NOT_COMPARED = (
    *("fetched_at", "candidates", "place"),
    *(field.name for field in PLACE_COLUMNS),
)
_KEY = ("split", "landmark_id")


def _nullable(field: pa.Field) -> pa.Field:
    """Returns a field that may be null with all its parts, as in a removed row."""
    if not pa.types.is_struct(field.type):
        return field.with_nullable(True)
    return pa.field(field.name, pa.struct([_nullable(part) for part in field.type]))


_OF_LANDMARK = [
    _nullable(field) for field in LANDMARK_LABELS.schema if field.name not in {*NOT_COMPARED, *_KEY}
]


def _before_and_after(name: str) -> list[pa.Field]:
    return [pa.field(f"{name}_{when}", pa.string()) for when in ("before", "after")]


# These changes turn the previous release into this one: `hgld.annotations.release.changes`.
# Unchanged rows are not listed; releases.json has their number.
LABEL_CHANGES = Dataset(
    path="annotations/label_changes.parquet",
    stage="release",
    schema=schema(
        required("kind", pa.string()),  # landmark | image
        # added | removed | changed; moved: an image, to another of the four tables
        required("change", pa.string()),
        required("split", pa.string()),  # for a landmark, its label space
        pa.field("landmark_id", pa.int64()),  # the new value; the old one for a removed image
        pa.field("image_id", pa.string()),  # null: a change of a landmark
        # For a landmark, what changed, separated by spaces: category, item, page, class (the
        # deciding one), classes (or their texts), decision, reviewer, method, label, relabelled
        # (the same class decides, but has another label), reason (why it has none), evidence
        # (anything else). For an image, why it had no label, or "labelled" or "filled", and its
        # new state: "not_clean -> labelled"; preceded by "other_landmark" if that changed.
        required("why", pa.string()),
        *(field for name in TOLD_OF_LANDMARK for field in _before_and_after(name)),
        # For an image: data | filled | excluded | bad.
        *_before_and_after("table"),
        pa.field("in_clean", pa.bool_()),  # for an image in data: the new value
        # The whole new row of LANDMARK_LABELS; null for an image or a removed landmark.
        pa.field("landmark", pa.struct(_OF_LANDMARK)),
    ),
)
