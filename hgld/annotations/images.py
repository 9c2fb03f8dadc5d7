"""Which images carry the label of their landmark, in which order, and why the others do not."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from hgld.tables import ANNOTATIONS, BAD_ANNOTATIONS, EXCLUDED, FILLED_RULE


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitImages:
    """The images of one split: each is in one of these."""

    labelled: pa.Table
    """image_id, landmark_id, in_clean, and row: of the landmark. Sorted as ANNOTATIONS are."""
    filled: pa.Table
    """The same of images whose landmark has a label and not of its classes."""
    excluded: pa.Table
    """Rows of EXCLUDED."""
    bad: pa.Table
    """Rows of BAD_ANNOTATIONS."""


def divide_images(
    images: pa.Table, landmarks: pa.Table, guesses: pa.Table, bad: pa.Table, *, clean_only: bool
) -> SplitImages:
    """Divides the images of one split by where their label comes from, or why they have none.

    Args:
        images: rows of IMAGES of the split.
        landmarks: rows of LANDMARK_LABELS of its label space.
        guesses: of each of them, what `landmark_guesses` returns.
        bad: rows of BAD_IMAGES of the split.
        clean_only: whether train images that train_clean.csv lacks are excluded.

    Returns:
        Every image once. A bad one is bad whatever else could be said of it; of the others, one
        that is not clean is excluded for that first.
    """
    row = pc.index_in(images["landmark_id"], value_set=landmarks["landmark_id"])
    # Of no landmark at all, and of one that GLDv2 does not list.
    unknown = pc.if_else(pc.is_null(images["landmark_id"]), "no_landmark", "no_category")
    reason = pc.if_else(pc.is_null(row), unknown, landmarks["reason"].take(row))
    if clean_only:
        is_clean = pc.fill_null(images["in_clean"], fill_value=True)  # null: of no train image
        reason = pc.if_else(is_clean, reason, "not_clean")
    why_bad = bad["reason"].take(pc.index_in(images["image_id"], value_set=bad["image_id"]))
    images = images.append_column("row", row)
    is_bad = pc.is_valid(why_bad)
    is_excluded = pc.and_not(pc.is_valid(reason), is_bad)
    is_labelled = pc.invert(pc.or_(is_bad, is_excluded))
    labelled = images.filter(is_labelled).select(["image_id", "landmark_id", "in_clean", "row"])
    is_filled = pc.equal(landmarks["rule"].take(labelled["row"]), FILLED_RULE)
    told = guesses.take(row)
    for name in guesses.column_names:
        images = images.append_column(name, told[name])
    return SplitImages(
        labelled=_sorted(labelled.filter(pc.invert(is_filled)), landmarks),
        filled=_sorted(labelled.filter(is_filled), landmarks),
        excluded=_with_reason(images, reason, is_excluded, EXCLUDED.schema),
        bad=_with_reason(images, why_bad, is_bad, BAD_ANNOTATIONS.schema),
    )


def annotated_rows(images: pa.Table, landmarks: pa.Table) -> pa.Table:
    """Returns the rows of ANNOTATIONS for some images.

    Args:
        images: of `SplitImages.labelled`, or of `SplitImages.filled`.
        landmarks: rows of LANDMARK_LABELS of their label space.
    """
    schema = ANNOTATIONS["train"].schema
    names = [name for name in schema.names if name not in images.column_names]
    table = landmarks.select(names).take(images["row"])
    for name in ("image_id", "landmark_id", "in_clean"):
        table = table.append_column(name, images[name])
    return table.select(schema.names)


def _sorted(images: pa.Table, landmarks: pa.Table) -> pa.Table:
    """Sorts images by label, landmark and id, as ANNOTATIONS says."""
    labels = landmarks["hierarchical_label"]
    ranked = pc.unique(labels).sort()
    # By the place of a label among all, since numbers are sorted faster than texts.
    place = pc.index_in(labels, value_set=ranked).take(images["row"])
    table = images.append_column("place", place)
    order = [(name, "ascending") for name in ("place", "landmark_id", "image_id")]
    return images.take(pc.sort_indices(table, order))


def _with_reason(
    images: pa.Table, reason: pa.ChunkedArray, chosen: pa.ChunkedArray, schema: pa.Schema
) -> pa.Table:
    return images.append_column("reason", reason).filter(chosen).select(schema.names)
