"""Versions of a release, what is counted of each, and the list of them all."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from hgld.annotations.release.released import (
    LABELLED_TABLES,
    ReleaseTables,
    relative_to_release,
)
from hgld.errors import InputError
from hgld.tables import (
    ANNOTATIONS,
    BAD_ANNOTATIONS,
    CREDITS,
    EXCLUDED,
    FILLED,
    FILLED_RULE,
    HIERARCHY,
    LABEL_CHANGES,
    LANDMARK_LABELS,
)

FIRST_VERSION = "1.0.0"
SCHEMA_VERSION = 2
"""Of the tables. Raised when a column goes or means something else, so that readers break. Since 2
`method` says of labels of classes, too, how they came to be."""

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_TABLES = (
    *ANNOTATIONS.values(),
    *FILLED.values(),
    *(EXCLUDED, BAD_ANNOTATIONS, LANDMARK_LABELS, HIERARCHY, CREDITS, LABEL_CHANGES),
)

Release = dict[str, Any]
"""What releases.json says of one release."""


class ReleaseSchema(NamedTuple):
    """Which columns the tables have."""

    version: int
    digest: str
    """Of the names and types of all columns."""


def release_schema() -> ReleaseSchema:
    """Returns the schema that this version of the program writes."""
    lines = [
        f"{relative_to_release(dataset.path)} {field.name} {field.type} {field.nullable}"
        for dataset in _TABLES
        for field in dataset.schema
    ]
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return ReleaseSchema(SCHEMA_VERSION, digest)


def release_counts(tables: ReleaseTables, credited: int) -> dict[str, Any]:
    """Counts what a release holds, of which some train images are credited.

    Labels of classes and fills are counted apart.
    """
    images, landmarks = tables.images, tables.landmarks
    of_table = {
        name: _counted(images.filter(pc.equal(images["table"], name)), "split")
        for name in LABELLED_TABLES
    }
    labelled = landmarks.filter(pc.is_valid(landmarks["hierarchical_label"]))
    is_filled = pc.equal(labelled["decision"], FILLED_RULE)
    by_class, filled = labelled.filter(pc.invert(is_filled)), labelled.filter(is_filled)
    of_space = _counted(landmarks, "split")
    train = sum(each.get("train", 0) for each in of_table.values())
    return {
        "images": {split: of_table["data"].get(split, 0) for split in ANNOTATIONS},
        "filled": {split: of_table["filled"].get(split, 0) for split in ANNOTATIONS},
        "filled_by": _filled_by(images, filled),
        "excluded": _counted(images.filter(pc.equal(images["table"], "excluded")), "reason"),
        "bad": _counted(images.filter(pc.equal(images["table"], "bad")), "reason"),
        "landmarks": {space: of_space.get(space, 0) for space in ("train", "index")},
        "landmarks_with_label": len(by_class),
        "landmarks_filled": len(filled),
        "labels": pc.count_distinct(by_class["hierarchical_label"]).as_py(),
        "credits_missing": train - credited,
    }


def _filled_by(images: pa.Table, filled: pa.Table) -> dict[str, dict[str, int]]:
    """Counts fills by their method: landmarks, and images."""
    images = images.filter(pc.equal(images["table"], "filled"))
    space = pc.if_else(pc.equal(images["split"], "train"), "train", "index")
    keys, wanted = (
        pc.binary_join_element_wise(spaces, rows["landmark_id"].cast(pa.string()), " ")
        for spaces, rows in ((filled["split"], filled), (space, images))
    )
    methods = pc.coalesce(filled["method"], "unknown")
    of_images = pa.table({"method": methods.take(pc.index_in(wanted, value_set=keys))})
    counted = _counted(of_images, "method")
    return {
        method: {"landmarks": count, "images": counted.get(method, 0)}
        for method, count in _counted(pa.table({"method": methods}), "method").items()
    }


def change_counts(new: ReleaseTables, changes: pa.Table) -> dict[str, Any]:
    """Counts what changed, and what did not. Fills count as labels of landmarks, not of images.

    Args:
        new: the release.
        changes: rows of LABEL_CHANGES, those from the release before to it.

    Returns:
        Of landmarks: added, removed, changed, unchanged; of the labels of those that are in both:
        label_added, label_removed, label_changed; and labels_gone, those of removed landmarks. Of
        images: added, removed, moved, changed, unchanged; label_added, label_removed,
        label_changed: that came into data, left it, or are of another landmark there.
    """
    landmarks, images = (
        changes.filter(pc.equal(changes["kind"], kind)) for kind in ("landmark", "image")
    )
    is_both = pc.equal(landmarks["change"], "changed")
    had, has = (pc.is_valid(landmarks[f"hierarchical_label_{when}"]) for when in _WHEN)
    relabelled = pc.match_substring_regex(landmarks["why"], r"\blabel\b")
    was_data, is_data = (
        pc.fill_null(pc.equal(images[f"table_{when}"], "data"), fill_value=False) for when in _WHEN
    )
    was_other = pc.starts_with(images["why"], "other_landmark")
    return {
        "landmarks": {
            **_kinds(landmarks, ("added", "removed", "changed")),
            "unchanged": len(new.landmarks) - _count(pc.is_in(landmarks["change"], _STILL_THERE)),
            "label_added": _count(pc.and_not(has, had), is_both),
            "label_removed": _count(pc.and_not(had, has), is_both),
            "label_changed": _count(pc.and_(had, has), relabelled, is_both),
            "labels_gone": _count(had, pc.equal(landmarks["change"], "removed")),
        },
        "images": {
            **_kinds(images, ("added", "removed", "moved", "changed")),
            "unchanged": len(new.images) - _count(pc.is_in(images["change"], _STILL_THERE)),
            "label_added": _count(pc.and_not(is_data, was_data)),
            "label_removed": _count(pc.and_not(was_data, is_data)),
            "label_changed": _count(pc.and_(was_data, is_data), was_other),
        },
    }


def next_version(before: Release, counts: Mapping[str, Any], schema: ReleaseSchema) -> str:
    """Returns the version of a release.

    Args:
        before: the release before it.
        counts: what changed since (`change_counts`).
        schema: of the release.

    Returns:
        A major one where a label was changed or removed, or readers of the tables break; a minor
        one where rows or columns were added or tell more; a patch where the rows are the same.

    Raises:
        InputError: the release before has no version.
    """
    match = _VERSION.fullmatch(str(before["version"]))
    if match is None:
        raise InputError(
            f"[release] previous has the version {before['version']!r}, which must be three "
            f"numbers such as 1.0.0; name the folder of another release"
        )
    major, minor, patch = map(int, match.groups())
    was = ReleaseSchema(**before["schema"])
    losses = ("label_removed", "label_changed", "labels_gone")
    if was.version != schema.version or any(
        kind.get(loss, 0) for kind in counts.values() for loss in losses
    ):
        return f"{major + 1}.0.0"
    rows = ("added", "removed", "moved", "changed")
    if was.digest != schema.digest or any(
        kind.get(row, 0) for kind in counts.values() for row in rows
    ):
        return f"{major}.{minor + 1}.0"
    return f"{major}.{minor}.{patch + 1}"


def read_releases(path: Path) -> list[Release]:
    """Reads the list of a release and those before it, the newest first.

    Raises:
        InputError: it is not such a list.
    """
    try:
        releases = json.loads(path.read_text(encoding="utf-8"))
        for release in releases:
            ReleaseSchema(**release["schema"])
            release["version"], release["date"], release["files"]
        releases[0]
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise InputError(f"{path} is no list of releases ({error!r}); fetch it again") from error
    return list(releases)


_WHEN = ("before", "after")
_STILL_THERE = pa.array(["added", "moved", "changed"])


def _counted(table: pa.Table, name: str) -> dict[str, int]:
    """Returns how many rows have which value, by value."""
    found = {row["values"]: row["counts"] for row in pc.value_counts(table[name]).to_pylist()}
    return dict(sorted(found.items()))


def _kinds(rows: pa.Table, names: tuple[str, ...]) -> dict[str, int]:
    found = _counted(rows, "change")
    return {name: found.get(name, 0) for name in names}


def _count(*facts: pa.ChunkedArray) -> int:
    """Returns for how many rows all of some facts hold."""
    both = facts[0]
    for fact in facts[1:]:
        both = pc.and_(both, fact)
    return int(pc.sum(both, min_count=0).as_py())
