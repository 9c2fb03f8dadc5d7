"""The labels that are in use, and the tree that they make."""

import re
import unicodedata
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from hgld.tables import HIERARCHY

_SIDES = ("human-made", "natural")


def hierarchy_rows(landmarks: pa.Table, images: Mapping[str, pa.Table]) -> pa.Table:
    """Returns the labels in use, with what hangs on each.

    Args:
        landmarks: rows of LANDMARK_LABELS, of both label spaces.
        images: split to the label of each of its images, in a column hierarchical_label.

    Returns:
        The rows of HIERARCHY. A label that landmarks have on both sides has a row for each.
    """
    keys = ["hierarchical_label", "natural_or_human_made"]
    labelled = landmarks.filter(pc.is_valid(landmarks["hierarchical_label"]))
    table = labelled.group_by(keys).aggregate([]).sort_by([(key, "ascending") for key in keys])
    for space in ("train", "index"):
        rows = labelled.filter(pc.equal(labelled["split"], space))
        table = table.append_column(f"{space}_landmarks", _counts(table, rows, keys))
    for split, rows in images.items():
        table = table.append_column(f"{split}_images", _counts(table, rows, keys))
    sides = pa.array(_SIDES)
    table = table.append_column(
        "natural_or_human_made_id", pc.index_in(table["natural_or_human_made"], value_set=sides)
    )
    table = table.append_column("slug", pa.array(_slugs(table)))
    table = table.append_column("hierarchical_label_id", pa.array(range(len(table)), pa.int32()))
    return table.select(HIERARCHY.schema.names)


def slug(label: str) -> str:
    """Returns a label as a part of a file name or address: lower case letters, digits, hyphens.

    Letters lose their accents; a label without any Latin letter or digit gives an empty text.

    Example:
        >>> slug("ocean area "), slug("castle / fort"), slug("Église")
        ('ocean-area', 'castle-fort', 'eglise')
    """
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode().lower()
    return "-".join(re.findall("[a-z0-9]+", plain))


def _slugs(table: pa.Table) -> list[str]:
    """Returns a slug for each row, all of them different."""
    found: list[str] = []
    for label in table["hierarchical_label"].to_pylist():
        first = slug(label) or "label"
        tried, number = first, 1
        while tried in found:
            number += 1
            tried = f"{first}-{number}"
        found.append(tried)
    return found


def _counts(table: pa.Table, rows: pa.Table, keys: list[str]) -> pa.ChunkedArray:
    """Returns how many rows have the keys of each row of a table."""
    counts = rows.group_by(keys).aggregate([([], "count_all")])
    both, ours = (_joined(each, keys) for each in (table, counts))
    place = pc.index_in(both, value_set=ours)
    return pc.fill_null(counts["count_all"].take(place), fill_value=0)


def _joined(table: pa.Table, keys: list[str]) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(*(table[key] for key in keys), "\x1f")
