"""Compute the changes between two releases: the old one plus these rows gives the new one."""

import functools
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hgld.annotations.landmarks import landmark_keys
from hgld.annotations.release.released import IMAGE_COLUMNS, LANDMARK_COLUMNS, ReleaseTables
from hgld.tables import LABEL_CHANGES, TOLD_OF_LANDMARK

_WHEN = ("before", "after")
_LABEL = ("hierarchical_label", "natural_or_human_made")
# Arrow cannot compare lists and structs; these columns only repeat others.
_NESTED = ("classes", "provenance")
_COMPARED = [name for name in LANDMARK_COLUMNS if name not in {"split", "landmark_id", *_NESTED}]
_STRUCT = LABEL_CHANGES.schema.field("landmark").type
# Name of a change to the columns that it is in; a change in any other column is "evidence".
_WORDS = {
    "category": ("category",),
    "item": ("qid",),
    "page": ("revision_id",),
    "class": ("class_qid",),
    "classes": ("class_qids", "class_labels", "supercategory"),
    "decision": ("decision",),
    "reviewer": ("reviewer",),
    "method": ("method",),
    "label": _LABEL,
    "relabelled": _LABEL,  # with the same deciding class
    "reason": ("reason",),
}


def label_changes(old: ReleaseTables, new: ReleaseTables) -> pa.Table:
    """Compares two releases.

    Args:
        old: the previous release.
        new: the release.

    Returns:
        The rows of LABEL_CHANGES: landmarks, then images, each sorted by split and id. Unchanged
        ones have no row.
    """
    landmarks = _landmark_changes(old.landmarks, new.landmarks)
    images = _image_changes(old.images, new.images)
    return pa.concat_tables([landmarks, images])


def change_counts(new: ReleaseTables, changes: pa.Table) -> dict[str, dict[str, int]]:
    """Counts what changed and what did not. Fills count as labels of landmarks, not of images.

    Args:
        new: the release.
        changes: rows of LABEL_CHANGES from the previous release to this one.

    Returns:
        For landmarks: added, removed, changed, unchanged; label_added, label_removed and
        label_changed for landmarks in both releases; and labels_gone for removed landmarks. For
        images: added, removed, moved, changed, unchanged; label_added and label_removed if they
        entered or left data; label_changed if they stay in data, but their landmark was relabelled
        or replaced by another.
    """
    landmarks, images = (
        changes.filter(pc.equal(changes["kind"], kind)) for kind in ("landmark", "image")
    )
    is_both = pc.equal(landmarks["change"], "changed")
    had, has = (pc.is_valid(landmarks[f"hierarchical_label_{when}"]) for when in _WHEN)
    is_relabelled = pc.and_(pc.match_substring_regex(landmarks["why"], r"\blabel\b"), is_both)
    was_data, is_data = (
        pc.fill_null(pc.equal(images[f"table_{when}"], "data"), fill_value=False) for when in _WHEN
    )
    stays = pc.and_(was_data, is_data)
    is_other = pc.and_(stays, pc.starts_with(images["why"], "other_landmark"))
    # Images of a relabelled landmark have no rows of their own. They are its images now in data,
    # except new ones and those already counted for another landmark.
    relabelled = landmark_keys(landmarks.filter(is_relabelled))
    now = new.images.filter(pc.equal(new.images["table"], "data"))
    of_relabelled = pc.is_in(landmark_keys(now), value_set=relabelled)
    is_new = pc.and_(is_data, pc.or_(is_other, pc.invert(stays)))
    but_new = pc.and_(is_new, pc.is_in(landmark_keys(images), value_set=relabelled))
    return {
        "landmarks": {
            **_kinds(landmarks, len(new.landmarks), ("added", "removed", "changed")),
            "label_added": _count(pc.and_not(has, had), is_both),
            "label_removed": _count(pc.and_not(had, has), is_both),
            "label_changed": _count(pc.and_(had, has), is_relabelled),
            "labels_gone": _count(had, pc.equal(landmarks["change"], "removed")),
        },
        "images": {
            **_kinds(images, len(new.images), ("added", "removed", "moved", "changed")),
            "label_added": _count(pc.and_not(is_data, was_data)),
            "label_removed": _count(pc.and_not(was_data, is_data)),
            "label_changed": _count(is_other) + _count(of_relabelled) - _count(but_new),
        },
    }


def _kinds(rows: pa.Table, of_release: int, names: tuple[str, ...]) -> dict[str, int]:
    """Counts changes by kind, and the unchanged rows of a release."""
    found = count_by(rows["change"])
    counts = {name: found.get(name, 0) for name in names}
    return counts | {"unchanged": of_release - sum(counts.values()) + counts["removed"]}


def count_by(column: pa.ChunkedArray) -> dict[str, int]:
    """Counts the occurrences of each value of a column, sorted by value."""
    found = {row["values"]: row["counts"] for row in pc.value_counts(column).to_pylist()}
    return dict(sorted(found.items()))


def _count(*facts: pa.ChunkedArray) -> int:
    """Counts the rows for which all facts are true."""
    return int(pc.sum(functools.reduce(pc.and_, facts), min_count=0).as_py())


def _landmark_changes(old: pa.Table, new: pa.Table) -> pa.Table:
    rows, before, after = _compared(old, new, "landmark_id", _COMPARED)
    reasons = {word: _any([rows[name] for name in names]) for word, names in _WORDS.items()}
    reasons["relabelled"] = pc.and_not(reasons["label"], rows["class_qid"])
    told = {*itertools.chain.from_iterable(_WORDS.values())}
    reasons["evidence"] = _any([rows[name] for name in _COMPARED if name not in told])
    # Join empty texts and not nulls: Arrow 26 drops a row that has only nulls.
    words = [pc.if_else(is_so, f"{word} ", "") for word, is_so in reasons.items()]
    why = pc.utf8_rtrim(pc.binary_join_element_wise(*words, ""), " ")
    landmark = after.select(_STRUCT.names).to_struct_array()
    columns: dict[str, Any] = {
        "kind": pa.repeat("landmark", len(rows)),
        "why": pc.if_else(pc.equal(rows["change"], "changed"), why, rows["change"]),
        "landmark": pc.if_else(pc.is_valid(after["split"]), landmark, None),
        **{name: rows[name] for name in ("change", "split", "landmark_id")},
    }
    for name in TOLD_OF_LANDMARK:
        columns |= {f"{name}_before": before[name], f"{name}_after": after[name]}
    return _as_changes(columns)


def _image_changes(old: pa.Table, new: pa.Table) -> pa.Table:
    rows, before, after = _compared(old, new, "image_id", IMAGE_COLUMNS[2:])
    is_both = pc.equal(rows["change"], "changed")
    stood, stands = (
        pc.if_else(pc.equal(rows["change"], gone), gone, _state(images))
        for gone, images in (("added", before), ("removed", after))
    )
    way = pc.binary_join_element_wise(stood, stands, " -> ")
    other = pc.if_else(pc.and_(rows["landmark_id"], is_both), "other_landmark ", "")
    columns: dict[str, Any] = {
        "kind": pa.repeat("image", len(rows)),
        "change": pc.if_else(pc.and_(rows["table"], is_both), "moved", rows["change"]),
        "split": rows["split"],
        "landmark_id": pc.if_else(
            pc.equal(rows["change"], "removed"), before["landmark_id"], after["landmark_id"]
        ),
        "image_id": rows["image_id"],
        "why": pc.binary_join_element_wise(other, way, ""),
        "in_clean": after["in_clean"],
    }
    for name in ("table", "reason"):
        columns |= {f"{name}_before": before[name], f"{name}_after": after[name]}
    return _as_changes(columns)


def _as_changes(columns: dict[str, Any]) -> pa.Table:
    """Returns rows of LABEL_CHANGES, with null in missing columns."""
    nothing = pa.nulls(len(columns["kind"]))
    schema = LABEL_CHANGES.schema
    table = pa.table({name: columns.get(name, nothing) for name in schema.names})
    return table.cast(schema)


def _state(images: pa.Table) -> pa.ChunkedArray:
    """Returns the state of each image: labelled, filled, or the reason why it is neither."""
    is_filled = pc.fill_null(pc.equal(images["table"], "filled"), fill_value=False)
    return pc.if_else(is_filled, "filled", pc.coalesce(images["reason"], "labelled"))


def _compared(
    old: pa.Table, new: pa.Table, name: str, columns: Sequence[str]
) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Pairs the rows of two tables that differ.

    Args:
        old: rows with unique keys.
        new: rows of the newer table, with unique keys.
        name: the column that is the key, together with the split.
        columns: the columns to compare.

    Returns:
        Three tables with the same order of keys. The first has the key, `change` (added, removed or
        changed), and for each compared column whether it differs. The others have the old and the
        new rows, null if missing.
    """
    key = ["split", name]
    was, now = (
        table.select(key).append_column(when, pa.array(np.arange(len(table))))
        for when, table in zip(_WHEN, (old, new), strict=True)
    )
    rows = now.join(was, key, join_type="full outer")
    removed = pc.if_else(pc.is_null(rows["after"]), "removed", "changed")
    rows = rows.append_column("change", pc.if_else(pc.is_null(rows["before"]), "added", removed))
    for column in columns:
        pair = old[column].take(rows["before"]), new[column].take(rows["after"])
        rows = rows.append_column(column, _differs(*pair))
    is_other = _any([pc.not_equal(rows["change"], "changed"), *(rows[one] for one in columns)])
    rows = rows.filter(is_other).sort_by([(one, "ascending") for one in key])
    return rows, old.take(rows["before"]), new.take(rows["after"])


def _differs(before: pa.ChunkedArray, after: pa.ChunkedArray) -> pa.ChunkedArray:
    """Says whether each pair differs; null equals only null."""
    other = pc.fill_null(pc.not_equal(before, after), fill_value=False)
    return pc.or_(other, pc.xor(pc.is_null(before), pc.is_null(after)))


def _any(facts: Sequence[pa.ChunkedArray]) -> pa.ChunkedArray:
    return functools.reduce(pc.or_, facts)
