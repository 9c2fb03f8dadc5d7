"""All landmarks of a data set, grouped by label, and those without one by the reason."""

import functools
import hashlib
import itertools
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hgld.errors import InputError
from hgld.pages.browse.folder import BrowsedFolder
from hgld.pages.browse.words import reason_words
from hgld.tables import ANNOTATIONS, EXCLUDED, FILLED, FILLED_RULE, HIERARCHY, LANDMARK_LABELS

SPLITS_OF = {"train": ("train",), "index": ("index", "test")}
"""Label space to the splits with images of its landmarks."""
SIDES = ("natural", "human-made", "")
MOST_SIMILAR = 6

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]*")
_LONGEST_SLUG = 100  # file systems take names of 255 bytes
_LABEL = ("hierarchical_label", "natural_or_human_made")


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
    start: int = 0
    """The first of its rows in the table of landmarks."""
    end: int = 0
    images: int = 0

    @property
    def size(self) -> int:
        """The number of its landmarks."""
        return self.end - self.start

    @property
    def title(self) -> str:
        """The label, or the reason in words."""
        words = reason_words(self.reason)
        return self.label or words[:1].upper() + words[1:]


@dataclass(frozen=True, kw_only=True)
class BrowsedLandmarks:
    """All landmarks in the order of the pages: by group, those with most images first."""

    table: pa.Table
    """Rows of LANDMARK_LABELS."""
    groups: tuple[LabelGroup, ...]
    """Natural labels, then human-made ones, then the reasons."""
    group_of: NDArray[np.int64]
    """(L,) places in `groups`."""
    counts: dict[str, NDArray[np.int64]]
    """Split to (L,) labelled images."""
    left_out: NDArray[np.int64]
    """(L,) excluded images."""
    image_ids: dict[str, pa.ChunkedArray]
    """Split to its labelled images, in the order of the release."""
    image_order: NDArray[np.int64]
    """Numbers of images, counted through all splits; those of the first landmark first."""
    image_landmark: NDArray[np.int64]
    """Of each of these, the row of its landmark."""

    def __len__(self) -> int:
        """The number of landmarks."""
        return len(self.table)

    def group(self, row: int) -> LabelGroup:
        """Returns the group of a landmark."""
        return self.groups[int(self.group_of[row])]

    @functools.cached_property
    def images(self) -> NDArray[np.int64]:
        """(L,) labelled images of all splits."""
        return sum(self.counts.values(), start=np.zeros(len(self), np.int64))

    @functools.cached_property
    def keys(self) -> list[tuple[str, int]]:
        """Label space and number of each landmark."""
        columns = (self.table[name].to_pylist() for name in ("split", "landmark_id"))
        return list(zip(*columns, strict=True))

    @functools.cached_property
    def rows(self) -> dict[tuple[str, int], int]:
        """Label space and number of each landmark to its row."""
        return dict(zip(self.keys, range(len(self)), strict=True))

    def similar(self, row: int) -> list[int]:
        """Returns other landmarks of the same label: of the same class, then those of most images.

        Empty for a landmark without a label.
        """
        group = self.group(row)
        if not group.label:
            return []
        key = int(self.group_of[row]), self.table["class_qid"][row].as_py()
        first = range(group.start, min(group.end, group.start + MOST_SIMILAR + 1))
        others = dict.fromkeys((*self._first_of_class[key], *first))
        return [one for one in others if one != row][:MOST_SIMILAR]

    @functools.cached_property
    def _first_of_class(self) -> dict[tuple[int, str | None], list[int]]:
        """Group and deciding class to its landmarks with most images, one more than is shown."""
        found: dict[tuple[int, str | None], list[int]] = defaultdict(list)
        keys = zip(self.group_of.tolist(), self.table["class_qid"].to_pylist(), strict=True)
        for row, key in enumerate(keys):
            if len(found[key]) <= MOST_SIMILAR:
                found[key].append(row)
        return found


def read_landmarks(folder: BrowsedFolder) -> BrowsedLandmarks:
    """Reads the landmarks, sorts them, and finds their images.

    Raises:
        InputError: a table is missing, has other columns, or is of another release.
        DamagedError: a table cannot be read.
    """
    table, tree = folder.read(LANDMARK_LABELS), folder.read(HIERARCHY)
    for column, known in (("split", tuple(SPLITS_OF)), ("natural_or_human_made", SIDES[:2])):
        unknown = set(pc.unique(table[column]).to_pylist()) - {*known, None}
        if unknown:
            raise _wrong(folder, f"every {column}", " or ".join(known), unknown.pop())
    groups, group_of = _grouped(table, tree, folder)
    columns = ["image_id", "landmark_id"]
    images = {
        split: pa.concat_tables(folder.read(one[split], columns) for one in (ANNOTATIONS, FILLED))
        for split in ANNOTATIONS
    }
    owners = {split: _owners(table, split, one["landmark_id"]) for split, one in images.items()}
    counts = {split: _counts(rows, len(table)) for split, rows in owners.items()}
    total = np.sum(list(counts.values()), axis=0)
    ids, is_index = table["landmark_id"].to_numpy(), pc.equal(table["split"], "index").to_numpy()
    order = np.lexsort((ids, is_index, -total, group_of))
    # The place of each row in that order; one more for -1, which is an image without a landmark.
    place = np.empty(len(order) + 1, np.int64)
    place[order], place[-1] = np.arange(len(order)), -1
    owner = place[np.concatenate(list(owners.values()))]
    by_landmark = np.argsort(owner, kind="stable")
    by_landmark = by_landmark[owner[by_landmark] >= 0]
    ends = np.cumsum(np.bincount(group_of, minlength=len(groups)))
    sums = np.bincount(group_of, total, minlength=len(groups)).astype(int)
    return BrowsedLandmarks(
        table=table.take(pa.array(order)).combine_chunks(),
        groups=tuple(
            one._replace(start=start, end=end, images=images)
            for one, start, end, images in zip(
                groups, [0, *ends.tolist()], ends.tolist(), sums.tolist(), strict=False
            )
        ),
        group_of=group_of[order],
        counts={split: one[order] for split, one in counts.items()},
        left_out=_left_out(folder, table)[order],
        image_ids={split: one["image_id"] for split, one in images.items()},
        image_order=by_landmark,
        image_landmark=owner[by_landmark],
    )


def _owners(table: pa.Table, split: str, landmark_ids: pa.ChunkedArray) -> NDArray[np.int64]:
    """Returns the row of the landmark of each image of a split; -1: none."""
    space = next(space for space, splits in SPLITS_OF.items() if split in splits)
    rows = np.flatnonzero(pc.equal(table["split"], space).to_numpy())
    known = table["landmark_id"].combine_chunks().take(pa.array(rows))
    place = pc.fill_null(pc.index_in(landmark_ids, value_set=known), -1).to_numpy()
    found: NDArray[np.int64] = np.append(rows, -1)[place]
    return found


def _counts(rows: NDArray[np.int64], landmarks: int) -> NDArray[np.int64]:
    return np.bincount(rows[rows >= 0], minlength=landmarks)


def _left_out(folder: BrowsedFolder, table: pa.Table) -> NDArray[np.int64]:
    """Returns the number of excluded images of each landmark; 0 if there is no such table."""
    if not folder.has(EXCLUDED):
        return np.zeros(len(table), np.int64)
    images = folder.read(EXCLUDED, ["split", "landmark_id"]).drop_null()
    by_split = (
        _owners(table, split, images.filter(pc.equal(images["split"], split))["landmark_id"])
        for split in ANNOTATIONS
    )
    return _counts(np.concatenate(list(by_split)), len(table))


def _grouped(
    table: pa.Table, tree: pa.Table, folder: BrowsedFolder
) -> tuple[list[LabelGroup], NDArray[np.int64]]:
    """Returns the groups, without their rows, and the place of each landmark's."""
    columns = (tree[name].to_pylist() for name in ("slug", *_LABEL))
    rows = zip(*columns, strict=True)
    groups = [LabelGroup(_short(slug), label, side, "") for slug, label, side in rows]
    groups += _filled_groups(table, groups)
    labels, sides = (pc.coalesce(table[name], "") for name in _LABEL)
    reasons = pc.if_else(pc.equal(labels, ""), pc.coalesce(table["reason"], "unknown"), "")
    found = sorted(set(pc.unique(reasons).to_pylist()) - {""})
    groups += [LabelGroup(f"no-label-{_plain(one)}", "", "", one) for one in found]
    groups.sort(key=lambda one: (SIDES.index(one.side) if one.side in SIDES else 0, one.label))
    _check(groups, folder)
    keys = ["\x1f".join((one.label, one.side, one.reason)) for one in groups]
    place = pc.index_in(
        pc.binary_join_element_wise(labels, sides, reasons, "\x1f"), value_set=pa.array(keys)
    )
    if place.null_count:
        label = labels.filter(pc.is_null(place))[0].as_py()
        raise InputError(
            f"{folder.folder}: hierarchy.parquet must have every label of landmarks.parquet, and "
            f"lacks {label!r}; all files must be of one release: make or fetch them again"
        )
    return groups, place.to_numpy().astype(np.int64)


def _filled_groups(table: pa.Table, known: list[LabelGroup]) -> list[LabelGroup]:
    """Returns groups for the labels that no class gives, which the hierarchy does not have."""
    filled = table.filter(pc.equal(table["rule"], FILLED_RULE))
    labels = {(one.label, one.side) for one in known}
    slugs = {one.slug for one in known}
    groups = []
    found = set(zip(*(filled[name].to_pylist() for name in _LABEL), strict=True))
    for label, side in sorted(found):
        if (label, side) not in labels:
            free = (f"{_plain(label)}-filled{number or ''}" for number in itertools.count())
            slug = _short(next(one for one in free if one not in slugs))
            groups.append(LabelGroup(slug, label, side, ""))
            slugs.add(slug)
    return groups


def _check(groups: list[LabelGroup], folder: BrowsedFolder) -> None:
    """Refuses slugs that are not names of files, or not unique: strangers may have made them."""
    slugs = [one.slug for one in groups]
    bad = [slug for slug in slugs if not _SLUG.fullmatch(slug) or slugs.count(slug) > 1]
    if bad:
        must = "lower case letters, digits and hyphens, and no other label's"
        raise _wrong(folder, "every slug", must, bad[0])


def _wrong(folder: BrowsedFolder, what: str, must: str, got: str) -> InputError:
    return InputError(
        f"{folder.folder}: {what} must be {must}, got {got[:100]!r}; make or fetch it again"
    )


def _short(slug: str) -> str:
    """Returns a slug that is not too long for the name of a folder."""
    if len(slug) <= _LONGEST_SLUG:
        return slug
    digest = hashlib.sha256(slug.encode()).hexdigest()[:12]
    return f"{slug[: _LONGEST_SLUG - 13]}-{digest}"


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "other"
