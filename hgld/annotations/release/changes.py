"""What changed between two releases: the one before with these rows is the other."""

import functools
import itertools
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hgld.annotations.release.released import IMAGE_COLUMNS, LANDMARK_COLUMNS, ReleaseTables
from hgld.tables import LABEL_CHANGES, TOLD_OF_LANDMARK

_WHEN = ("before", "after")
_LABEL = ("hierarchical_label", "natural_or_human_made")
# Columns of landmarks that say nothing which others do not; Arrow compares no lists and structs.
_NESTED = ("classes", "provenance")
_COMPARED = [name for name in LANDMARK_COLUMNS if name not in {"split", "landmark_id", *_NESTED}]
_STRUCT = LABEL_CHANGES.schema.field("landmark").type
# What a change is called by the columns in which it is; in all others it is "evidence".
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
    "relabelled": _LABEL,  # and the class that decides is the same one
    "reason": ("reason",),
}


def label_changes(old: ReleaseTables, new: ReleaseTables) -> pa.Table:
    """Compares two releases.

    Args:
        old: the release before.
        new: the release.

    Returns:
        The rows of LABEL_CHANGES: first landmarks, then images, each by split and id. What did not
        change has none.
    """
    landmarks = _landmark_changes(old.landmarks, new.landmarks)
    images = _image_changes(old.images, new.images)
    return pa.concat_tables([landmarks, images])


def change_counts(new: ReleaseTables, changes: pa.Table) -> dict[str, dict[str, int]]:
    """Counts what changed, and what did not. Fills count as labels of landmarks, not of images.

    Args:
        new: the release.
        changes: rows of LABEL_CHANGES, those from the release before to it.

    Returns:
        Of landmarks: added, removed, changed, unchanged; of the labels of those that are in both:
        label_added, label_removed, label_changed; and labels_gone, those of removed landmarks. Of
        images: added, removed, moved, changed, unchanged; label_added and label_removed: that came
        into data or left it; label_changed: that stay in data, and their landmark was relabelled
        or is another one.
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
    # A relabelled landmark relabels its images, which have no rows of their own: of all that it
    # has in data now, only those that came, and those counted as of another landmark, are no such.
    relabelled = _keys(landmarks.filter(is_relabelled), "landmark_id")
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
    """Counts changes by kind, and what of a release did not change."""
    found = count_by(rows["change"])
    counts = {name: found.get(name, 0) for name in names}
    return counts | {"unchanged": of_release - sum(counts.values()) + counts["removed"]}


def count_by(column: pa.ChunkedArray) -> dict[str, int]:
    """Returns how often each value of a column stands there, in the order of the values."""
    found = {row["values"]: row["counts"] for row in pc.value_counts(column).to_pylist()}
    return dict(sorted(found.items()))


def _count(*facts: pa.ChunkedArray) -> int:
    """Returns for how many rows all of some facts hold."""
    return int(pc.sum(functools.reduce(pc.and_, facts), min_count=0).as_py())


def landmark_keys(images: pa.Table) -> pa.ChunkedArray:
    """Returns the landmark of each image with its label space: that of test images is the index."""
    space = pc.if_else(pc.equal(images["split"], "train"), "train", "index")
    number = images["landmark_id"].cast(pa.string())
    return pc.binary_join_element_wise(space, number, "\x1f")


def _landmark_changes(old: pa.Table, new: pa.Table) -> pa.Table:
    ours, before, after = _paired(old, new, "landmark_id")
    differs = {name: _differs(before[name], after[name]) for name in _COMPARED}
    is_added, is_removed = pc.is_null(before["split"]), pc.is_null(after["split"])
    is_both = pc.invert(pc.or_(is_added, is_removed))
    changed = pc.and_(_any(list(differs.values())), is_both)
    reasons = {word: _any([differs[name] for name in names]) for word, names in _WORDS.items()}
    reasons["relabelled"] = pc.and_not(reasons["label"], differs["class_qid"])
    told = {*itertools.chain.from_iterable(_WORDS.values())}
    reasons["evidence"] = _any([differs[name] for name in _COMPARED if name not in told])
    reasons = {word: pc.and_(is_so, is_both) for word, is_so in reasons.items()}
    reasons |= {"added": is_added, "removed": is_removed}
    columns: dict[str, Any] = {
        "kind": pa.repeat("landmark", len(ours)),
        "change": _named(is_added, is_removed, "changed"),
        "split": ours["split"],
        "landmark_id": ours["landmark_id"],
        "why": _joined_words(reasons),
        "landmark": _as_struct(after),
    }
    for name in TOLD_OF_LANDMARK:
        columns |= {f"{name}_before": before[name], f"{name}_after": after[name]}
    told = _as_changes(columns).filter(_any([changed, is_added, is_removed]))
    return told.sort_by([("split", "ascending"), ("landmark_id", "ascending")])


def _image_changes(old: pa.Table, new: pa.Table) -> pa.Table:
    ours, before, after = _paired(old, new, "image_id")
    differs = {name: _differs(before[name], after[name]) for name in IMAGE_COLUMNS[2:]}
    is_added, is_removed = pc.is_null(before["split"]), pc.is_null(after["split"])
    is_both = pc.invert(pc.or_(is_added, is_removed))
    chosen = _any([is_added, is_removed, *differs.values()])
    ours, before, after = (table.filter(chosen) for table in (ours, before, after))
    is_added, is_removed, is_both = (
        each.filter(chosen) for each in (is_added, is_removed, is_both)
    )
    moved, other = (differs[name].filter(chosen) for name in ("table", "landmark_id"))
    stood = pc.if_else(is_added, "added", _state(before))
    stands = pc.if_else(is_removed, "removed", _state(after))
    way = pc.binary_join_element_wise(stood, stands, " -> ")
    another = pc.if_else(pc.and_(other, is_both), "other_landmark ", "")
    columns: dict[str, Any] = {
        "kind": pa.repeat("image", len(ours)),
        "change": pc.if_else(
            pc.and_(moved, is_both), "moved", _named(is_added, is_removed, "changed")
        ),
        "split": ours["split"],
        "landmark_id": pc.if_else(is_removed, before["landmark_id"], after["landmark_id"]),
        "image_id": ours["image_id"],
        "why": pc.binary_join_element_wise(another, way, ""),
        "in_clean": after["in_clean"],
    }
    for name in ("table", "reason"):
        columns |= {f"{name}_before": before[name], f"{name}_after": after[name]}
    return _as_changes(columns).sort_by([("split", "ascending"), ("image_id", "ascending")])


def _as_changes(columns: dict[str, Any]) -> pa.Table:
    """Returns rows of LABEL_CHANGES, null in the columns that are not given."""
    nothing = pa.nulls(len(columns["kind"]))
    schema = LABEL_CHANGES.schema
    table = pa.table({name: columns.get(name, nothing) for name in schema.names})
    return table.cast(schema)


def _state(images: pa.Table) -> pa.ChunkedArray:
    """Returns what an image is: labelled, filled, or the reason why it is neither."""
    is_filled = pc.fill_null(pc.equal(images["table"], "filled"), fill_value=False)
    return pc.if_else(is_filled, "filled", pc.coalesce(images["reason"], "labelled"))


def _paired(old: pa.Table, new: pa.Table, name: str) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Puts the rows of two tables side by side.

    Args:
        old: rows, each key once.
        new: the same later.
        name: of the column that is the key, with the split.

    Returns:
        The keys of both; and for each of them its row of either, nulls where it has none.
    """
    # Texts are looked up once, which takes most of the time of four million of them.
    place = pc.index_in(_keys(new, name), value_set=_keys(old, name)).cast(pa.int64())
    numbers = pc.indices_nonzero(pa.repeat(True, len(old))).cast(pa.int64())
    gone = pc.filter(numbers, pc.invert(pc.is_in(numbers, value_set=pc.drop_null(place))))
    lacking = pa.table([pa.nulls(len(gone), field.type) for field in new.schema], schema=new.schema)
    columns = ["split", name]
    keys = pa.concat_tables([new.select(columns), old.select(columns).take(gone)])
    before = old.take(pa.chunked_array([*place.chunks, gone], pa.int64()))
    return keys, before, pa.concat_tables([new, lacking])


def _keys(table: pa.Table, name: str) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(table["split"], table[name].cast(pa.string()), "\x1f")


def _differs(before: pa.ChunkedArray, after: pa.ChunkedArray) -> pa.ChunkedArray:
    """Says of each pair whether it is two values, of which null is one."""
    other = pc.fill_null(pc.not_equal(before, after), fill_value=False)
    return pc.or_(other, pc.xor(pc.is_null(before), pc.is_null(after)))


def _any(facts: Sequence[pa.ChunkedArray]) -> pa.ChunkedArray:
    return functools.reduce(pc.or_, facts)


def _named(
    is_added: pa.ChunkedArray, is_removed: pa.ChunkedArray, otherwise: str
) -> pa.ChunkedArray:
    return pc.if_else(is_added, "added", pc.if_else(is_removed, "removed", otherwise))


def _joined_words(reasons: dict[str, pa.ChunkedArray]) -> pa.ChunkedArray:
    # No nulls to skip: Arrow 26 leaves out a row that has nothing else.
    words = [pc.if_else(is_so, f"{word} ", "") for word, is_so in reasons.items()]
    return pc.utf8_rtrim(pc.binary_join_element_wise(*words, ""), " ")


def _as_struct(rows: pa.Table) -> pa.StructArray:
    """Returns rows of landmarks as values of one column, null where there is none."""
    arrays = [rows[field.name].cast(field.type).combine_chunks() for field in _STRUCT]
    absent = pc.is_null(rows["split"]).combine_chunks()
    return pa.StructArray.from_arrays(arrays, fields=list(_STRUCT), mask=absent)
