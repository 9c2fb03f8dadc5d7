"""Which images carry the label of their landmark, why the others do not, and who made them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from hgld.tables import ANNOTATIONS, BAD_ANNOTATIONS, CREDITS, EXCLUDED, FILLED_RULE

_CREATIVE_COMMONS = re.compile(
    r"(?:https?://)?(?:www\.)?creativecommons\.org/(licenses|publicdomain)/"
    r"([a-z+-]+)(?:/(\d\.\d))?(?:/([a-z]{2}))?(?:/.*)?",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"cc[ -](by(?:[ -](?:nc|nd|sa))*)(?:[ -](\d\.\d))?(?:[ -]([a-z]{2}))?", re.IGNORECASE
)
_PUBLIC_DOMAIN = {"zero": "CC0", "mark": "PDM"}


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


def license_name(text: str) -> str | None:
    """Returns the short name of a license, with its version and country where they are stated.

    Args:
        text: the address of a Creative Commons license, or its name.

    Returns:
        The name in the form of SPDX; None for any other text.

    Example:
        >>> license_name("https://creativecommons.org/licenses/by-sa/3.0/de/deed.en")
        'CC-BY-SA-3.0-DE'
        >>> license_name("http://creativecommons.org/publicdomain/zero/1.0/"), license_name("free")
        ('CC0-1.0', None)
    """
    if match := _CREATIVE_COMMONS.fullmatch(text):
        kind, name, version, country = match.groups()
        if kind.lower() == "publicdomain":
            name, country = _PUBLIC_DOMAIN.get(name.lower()), None
        else:
            name = f"CC-{name}"
    elif match := _NAMED.fullmatch(text):
        name, version, country = match.groups()
        name = f"CC-{name.replace(' ', '-')}"
    else:
        return None
    return None if name is None else "-".join(filter(None, (name, version, country))).upper()


def credit_tables(
    image_ids: pa.ChunkedArray, attributions: pa.Table, images_per_table: int
) -> Iterator[pa.Table]:
    """Finds the credit of each image.

    Args:
        image_ids: of train images.
        attributions: rows of ATTRIBUTIONS; of an image that has several, the first counts.
        images_per_table: of those that are yielded.

    Yields:
        The rows of CREDITS, one for each image, in their order.
    """
    place = pc.index_in(image_ids, value_set=attributions["image_id"])
    addresses = pc.unique(attributions["license"])
    names = pa.array([text and license_name(text) for text in addresses.to_pylist()], pa.string())
    for start in range(0, len(image_ids), images_per_table):
        here = place.slice(start, images_per_table)
        rows = attributions.take(here)
        yield pa.table(
            {
                "image_id": image_ids.slice(start, images_per_table),
                "status": pc.if_else(pc.is_valid(here), "ok", "missing"),
                "title": rows["title"],
                "author": rows["author"],
                "source": rows["url"],
                "license": names.take(pc.index_in(rows["license"], value_set=addresses)),
                "license_uri": rows["license"],
            },
            schema=CREDITS.schema,
        )


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
