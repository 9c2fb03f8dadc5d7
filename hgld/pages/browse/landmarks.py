"""All landmarks of a data set, grouped by label, and those without one by the reason."""

import bisect
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hgld.annotations.landmarks import unique_slugs
from hgld.errors import InputError
from hgld.pages.browse.folder import BrowsedFolder
from hgld.pages.browse.words import reason_words
from hgld.tables import ANNOTATIONS, EXCLUDED, LANDMARK_LABELS

SPLITS_OF = {"train": ("train",), "index": ("index", "test")}
"""Label space to the splits with images of its landmarks."""
SIDES = ("natural", "human-made", "")
MOST_SIMILAR = 6

_LABEL, _SIDE, _REASON = "hierarchical_label", "natural_or_human_made", "reason"
_GROUP = [_SIDE, _LABEL, _REASON]
# Natural labels, then human-made ones, then the reasons; in each, those with most images first.
_ORDER = [
    *((_SIDE, "descending"), (_LABEL, "ascending"), (_REASON, "ascending")),
    *(("images", "descending"), ("split", "descending"), ("landmark_id", "ascending")),
]


class LabelGroup(NamedTuple):
    """The landmarks of one label, or those that have none for one reason."""

    slug: str
    """For addresses and file names."""
    label: str
    """Empty: none."""
    side: str
    """natural or human-made; empty: no label."""
    reason: str
    """Why they have none; empty if they have one."""
    start: int
    """The first of its rows in the table of landmarks."""
    size: int
    """The number of its landmarks."""
    images: int

    @property
    def rows(self) -> range:
        """Its rows in the table of landmarks."""
        return range(self.start, self.start + self.size)

    @property
    def title(self) -> str:
        """The label, or the reason in words."""
        words = reason_words(self.reason)
        return self.label or words[:1].upper() + words[1:]


class BrowsedLandmarks:
    """All landmarks in the order of the pages: by group, those with most images first."""

    table: pa.Table
    """Rows of LANDMARK_LABELS, with `images`, the `train_images` and so on, and `left_out`."""
    groups: list[LabelGroup]
    rows: dict[tuple[str, int], int]
    """Label space and number of each landmark to its row."""

    def __init__(self, folder: BrowsedFolder) -> None:
        """Reads the landmarks, counts their images, and sorts them.

        Raises:
            InputError: a table is missing, or has other columns or values.
            DamagedError: a table cannot be read.
        """
        table = folder.read(LANDMARK_LABELS)
        for column, known in (("split", [*SPLITS_OF]), (_SIDE, [*SIDES[:2], None])):
            unknown = set(pc.unique(table[column]).to_pylist()).difference(known)
            if unknown:
                raise InputError(
                    f"{folder.folder}: every {column} must be {known[0]} or {known[1]}, got "
                    f"{unknown.pop()[:100]!r}; make or fetch it again"
                )
        excluded = folder.read(EXCLUDED, ["split", "landmark_id"])
        counts = dict.fromkeys(("images", "left_out"), np.zeros(len(table), np.int64))
        for split in ANNOTATIONS:
            left_out = excluded.filter(pc.equal(excluded["split"], split))
            of_split = _counts(table, split, folder.labelled(split, ["landmark_id"]))
            counts[f"{split}_images"] = of_split
            counts["images"] = counts["images"] + of_split
            counts["left_out"] = counts["left_out"] + _counts(table, split, left_out)
        for name, values in counts.items():
            table = table.append_column(name, pa.array(values))
        self.table = table.sort_by(_ORDER).combine_chunks()
        self.groups, self.rows = list(_groups(self.table)), numbered(self.table)
        self.keys = list(self.rows)

    def group(self, row: int) -> LabelGroup:
        """Returns the group of a landmark."""
        return self.groups[bisect.bisect(self.groups, row, key=lambda one: one.start) - 1]

    def similar(self, row: int) -> list[int]:
        """Returns other landmarks of the same label: of the same class, then those of most images.

        Empty for a landmark without a label.
        """
        group = self.group(row)
        if not group.label:
            return []
        classes = self.table["class_qid"]
        is_other = pc.not_equal(classes.slice(group.start, group.size), classes[row])
        order = np.argsort(np.asarray(pc.fill_null(is_other, True)), kind="stable")
        nearest = (group.start + order[: MOST_SIMILAR + 1]).tolist()
        return [one for one in nearest if one != row][:MOST_SIMILAR]


def numbered(table: pa.Table) -> dict[tuple[str, int], int]:
    """Returns the row of each landmark in a table, by its label space and number."""
    keys = zip(table["split"].to_pylist(), table["landmark_id"].to_pylist(), strict=True)
    return {key: row for row, key in enumerate(keys)}


def rows_of(landmarks: pa.Table, split: str, images: pa.Table) -> NDArray[np.int64]:
    """Returns the row of the landmark of each image of a split; -1: none."""
    space = "train" if split == "train" else "index"
    known = pc.if_else(pc.equal(landmarks["split"], space), landmarks["landmark_id"], None)
    rows = pc.index_in(images["landmark_id"], value_set=known, skip_nulls=True)
    return np.asarray(pc.fill_null(rows, -1), np.int64)


def _counts(landmarks: pa.Table, split: str, images: pa.Table) -> NDArray[np.int64]:
    """Returns the number of images of each landmark."""
    rows = rows_of(landmarks, split, images)
    return np.bincount(rows[rows >= 0], minlength=len(landmarks))


def _groups(table: pa.Table) -> Iterator[LabelGroup]:
    """Yields the groups of sorted landmarks, in their order."""
    found = table.group_by(_GROUP).aggregate([([], "count_all"), ("images", "sum")])
    rows = found.sort_by(_ORDER[: len(_GROUP)]).to_pylist()
    # In the order of the hierarchy, which has the same slugs.
    by_label = sorted(rows, key=lambda one: [one[name] or "" for name in reversed(_GROUP)])
    slugs = unique_slugs(one[_LABEL] or f"no label {one[_REASON]}" for one in by_label)
    for one, slug in zip(by_label, slugs, strict=True):
        one["slug"] = slug
    start = 0
    for one in rows:
        label, side, reason = (one[name] or "" for name in (_LABEL, _SIDE, _REASON))
        size = one["count_all"]
        yield LabelGroup(one["slug"], label, side, reason, start, size, one["images_sum"])
        start += size
