"""Which images get the label of their landmark, why the others do not, and who made them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from hgld.tables import BAD_ANNOTATIONS, CREDITS, EXCLUDED, FILLED_RULE

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
    """The images of one split, each in exactly one table but for `partial`."""

    labelled: pa.Table
    """image_id, landmark_id, in_clean, and the row of the landmark, in the order of ANNOTATIONS."""
    filled: pa.Table
    """The same for images whose landmark has a filled label, which comes from no class."""
    excluded: pa.Table
    """Rows of EXCLUDED."""
    bad: pa.Table
    """Rows of BAD_ANNOTATIONS."""
    partial: pa.Table
    """The same as `labelled` for excluded images whose landmark is known but has no label."""


def divide_images(
    images: pa.Table, landmarks: pa.Table, guesses: pa.Table, bad: pa.Table, *, clean_only: bool
) -> SplitImages:
    """Divides the images of one split by the source of their label, or by why they have none.

    Args:
        images: rows of IMAGES of the split, with `row`, the row of their landmark.
        landmarks: rows of LANDMARK_LABELS.
        guesses: the result of `landmark_guesses` for these landmarks.
        bad: rows of BAD_IMAGES of the split.
        clean_only: whether to exclude train images that are not in train_clean.csv.

    Returns:
        Every image once, and some of `excluded` in `partial` too. If several reasons apply, `bad`
        comes before `not_clean`, and both come before all others.
    """
    row = images["row"]
    # no_landmark: the image has none. no_category: GLDv2 does not list its landmark.
    unknown = pc.if_else(pc.is_null(images["landmark_id"]), "no_landmark", "no_category")
    of_landmark = landmarks["reason"].take(row)
    reason = pc.if_else(pc.is_null(row), unknown, of_landmark)
    if clean_only:
        is_clean = pc.fill_null(images["in_clean"], fill_value=True)  # null: not a train image
        reason = pc.if_else(is_clean, reason, "not_clean")
    why_bad = bad["reason"].take(pc.index_in(images["image_id"], value_set=bad["image_id"]))
    is_bad = pc.is_valid(why_bad)
    is_excluded = pc.and_not(pc.is_valid(reason), is_bad)
    is_labelled = pc.invert(pc.or_(is_bad, is_excluded))
    is_partial = pc.and_(is_excluded, pc.fill_null(pc.equal(reason, of_landmark), fill_value=False))
    labelled, partial = (
        images.filter(chosen).select(["image_id", "landmark_id", "in_clean", "row"])
        for chosen in (is_labelled, is_partial)
    )
    is_filled = pc.equal(landmarks["rule"].take(labelled["row"]), FILLED_RULE)
    told = guesses.take(row)
    for name in guesses.column_names:
        images = images.append_column(name, told[name])
    return SplitImages(
        labelled=_sorted(labelled.filter(pc.invert(is_filled)), landmarks),
        filled=_sorted(labelled.filter(is_filled), landmarks),
        excluded=_with_reason(images, reason, is_excluded, EXCLUDED.schema),
        bad=_with_reason(images, why_bad, is_bad, BAD_ANNOTATIONS.schema),
        partial=_sorted(partial, landmarks),
    )


def annotated_shards(
    images: pa.Table, landmarks: pa.Table, schema: pa.Schema, size: int
) -> Iterator[tuple[str, pa.Table]]:
    """Joins images with their landmarks.

    Args:
        images: `SplitImages.labelled`, `filled` or `partial`.
        landmarks: rows of LANDMARK_LABELS; for `partial`, the result of `partial_labels`.
        schema: of the table of these images.
        size: number of images per shard.

    Yields:
        Name and rows of each shard, in the order of the images.
    """
    names = schema.names
    landmarks = landmarks.select([name for name in names if name not in images.column_names])
    for shard, here in _slices(images, size):
        table = landmarks.take(here["row"])
        for name in ("image_id", "landmark_id", "in_clean"):
            table = table.append_column(name, here[name])
        yield shard, table.select(names)


def license_name(text: str) -> str | None:
    """Returns the short name of a license, with its version and country if the text has them.

    Args:
        text: the URL or name of a Creative Commons license.

    Returns:
        The name in SPDX form; None for any other text.

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


def credit_shards(
    train: SplitImages, attributions: pa.Table, size: int
) -> Iterator[tuple[str, pa.Table]]:
    """Finds the credit of each train image.

    Args:
        train: the images.
        attributions: rows of ATTRIBUTIONS; if an image has several, the first counts.
        size: number of images per shard.

    Yields:
        Name and rows of each shard of CREDITS: one row for each image, in the order of the images,
        with filled labels last.
    """
    addresses = pc.unique(attributions["license"])
    names = pa.array([text and license_name(text) for text in addresses.to_pylist()], pa.string())
    # Shards are read in the order of their names, so the filled ones come last.
    for begin, images in (("", train.labelled), ("filled-", train.filled)):
        place = pc.index_in(images["image_id"], value_set=attributions["image_id"])
        for shard, here in _slices(images.append_column("place", place), size):
            rows = attributions.take(here["place"])
            columns = {
                "image_id": here["image_id"],
                "status": pc.if_else(pc.is_valid(here["place"]), "ok", "missing"),
                "title": rows["title"],
                "author": rows["author"],
                "source": rows["url"],
                "license": names.take(pc.index_in(rows["license"], value_set=addresses)),
                "license_uri": rows["license"],
            }
            yield f"{begin}{shard}", pa.table(columns, schema=CREDITS.schema)


def _slices(images: pa.Table, size: int) -> Iterator[tuple[str, pa.Table]]:
    """Yields up to `size` images at a time, with the name of their shard."""
    count = -(-len(images) // size)
    for number in range(count):
        yield f"{number:05d}-of-{count:05d}", images.slice(number * size, size)


def _sorted(images: pa.Table, landmarks: pa.Table) -> pa.Table:
    """Sorts images by label, landmark and id, the order of ANNOTATIONS."""
    labels = landmarks["hierarchical_label"]
    ranked = pc.unique(labels).sort()
    # By the rank of the label, because numbers sort faster than text.
    place = pc.index_in(labels, value_set=ranked).take(images["row"])
    table = images.append_column("place", place)
    order = [(name, "ascending") for name in ("place", "landmark_id", "image_id")]
    return images.take(pc.sort_indices(table, order))


def _with_reason(
    images: pa.Table, reason: pa.ChunkedArray, chosen: pa.ChunkedArray, schema: pa.Schema
) -> pa.Table:
    return images.append_column("reason", reason).filter(chosen).select(schema.names)
