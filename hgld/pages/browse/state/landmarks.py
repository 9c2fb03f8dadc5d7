"""All landmarks, those of a label side by side, and those without one by the reason."""

import hashlib
import itertools
import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hgld.errors import InputError
from hgld.pages.browse.state.images import SPLITS_OF, ImageRows
from hgld.pages.browse.state.source import BrowsedFolder
from hgld.tables import EXCLUDED, FILLED_RULE, HIERARCHY, LANDMARK_LABELS

_SPACES = ("train", "index")
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]*")
_LONGEST_SLUG = 100  # what file systems take of a name is 255 bytes
_TOLD = ("slug", "hierarchical_label", "natural_or_human_made")
_SIDES = ("natural", "human-made", "")


class LandmarkGroup(NamedTuple):
    """The landmarks of one label; or those that have none, for one reason."""

    slug: str
    """In addresses and file names."""
    label: str
    """Empty: none."""
    side: str
    """natural or human-made; empty: no label."""
    reason: str
    """Why they have none; empty where they have one."""
    start: int
    """The first of its rows in the table of landmarks."""
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowsedLandmarks:
    """All landmarks in the order in which they are shown: by group, the most images first."""

    table: pa.Table
    """Rows of LANDMARK_LABELS."""
    groups: tuple[LandmarkGroup, ...]
    """By side, then label; the reasons last."""
    images: NDArray[np.int64]
    """(L, 2): labelled images; of an index landmark index and test ones, else train and 0."""
    left_out: NDArray[np.int64]
    """(L,) images that are excluded."""
    group_of: NDArray[np.int64]
    """(L,) places in `groups`."""
    place: dict[tuple[str, int], int]
    """Space and number of each to its row."""

    def __len__(self) -> int:
        """The number of landmarks."""
        return len(self.table)

    def group(self, slug: str) -> LandmarkGroup | None:
        """Returns a group by its slug."""
        return next((one for one in self.groups if one.slug == slug), None)


def read_browsed_landmarks(folder: BrowsedFolder, images: ImageRows) -> BrowsedLandmarks:
    """Reads the landmarks and sorts them.

    Raises:
        InputError: a table is not there, has other columns, or is not of the same release.
        DamagedError: a table cannot be read.
    """
    table, tree = folder.read(LANDMARK_LABELS), folder.read(HIERARCHY)
    groups, place = _grouped(table, tree, folder)
    counts, left_out = _image_counts(table, images), _left_out(folder, table)
    ids = table["landmark_id"].to_numpy()
    space = pc.index_in(table["split"], value_set=pa.array(_SPACES)).to_numpy()
    order = np.lexsort((ids, space, -counts.sum(axis=1), place))
    sizes = np.bincount(place, minlength=len(groups))
    ends = np.cumsum(sizes)
    keys = zip(table["split"].to_pylist(), ids.tolist(), strict=True)
    rows = np.empty(len(order), np.int64)
    rows[order] = np.arange(len(order))
    return BrowsedLandmarks(
        table=table.take(pa.array(order)).combine_chunks(),
        groups=tuple(
            one._replace(start=start, end=end)
            for one, start, end in zip(groups, (ends - sizes).tolist(), ends.tolist(), strict=True)
        ),
        images=counts[order],
        left_out=left_out[order],
        group_of=place[order],
        place=dict(zip(keys, rows.tolist(), strict=True)),
    )


def _grouped(
    table: pa.Table, tree: pa.Table, folder: BrowsedFolder
) -> tuple[list[LandmarkGroup], NDArray[np.int64]]:
    """Returns the groups, without their rows, and the group of each landmark."""
    groups = [
        LandmarkGroup(_short(slug), label, side, "", 0, 0)
        for slug, label, side in zip(*(tree[name].to_pylist() for name in _TOLD), strict=True)
    ]
    labels, sides = (table[name] for name in _TOLD[1:])
    groups += _filled_groups(table, groups)
    reasons = pc.if_else(pc.is_valid(labels), "", pc.coalesce(table["reason"], "unknown"))
    found = sorted(set(pc.unique(reasons).to_pylist()) - {""})
    groups += [LandmarkGroup(f"no-label-{_plain(one)}", "", "", one, 0, 0) for one in found]
    groups.sort(key=lambda one: (_SIDES.index(one.side) if one.side in _SIDES else 0, one.label))
    _check(groups, folder)
    keys = pa.array(["\x1f".join((one.label, one.side, one.reason)) for one in groups], pa.string())
    mine = pc.binary_join_element_wise(
        pc.coalesce(labels, ""), pc.coalesce(sides, ""), reasons, "\x1f"
    )
    place = pc.index_in(mine, value_set=keys)
    if place.null_count:
        label = labels.filter(pc.is_null(place))[0].as_py()
        raise InputError(
            f"{folder.folder}: hierarchy.parquet must have every label of landmarks.parquet, and "
            f"lacks {label!r}; all files must be of one release: make or fetch them again"
        )
    return groups, place.to_numpy().astype(np.int64)


def _filled_groups(table: pa.Table, known: list[LandmarkGroup]) -> list[LandmarkGroup]:
    """Returns groups for the labels that no class gives, which the hierarchy has not."""
    filled = table.filter(pc.equal(table["rule"], FILLED_RULE)).select(_TOLD[1:])
    found = filled.group_by(_TOLD[1:]).aggregate([]).to_pylist()
    labels = {(one.label, one.side) for one in known}
    slugs = {one.slug for one in known}
    groups = []
    for label, side in sorted(tuple(row[name] for name in _TOLD[1:]) for row in found):
        if (label, side) not in labels:
            free = (f"{_plain(label)}-filled{number or ''}" for number in itertools.count())
            groups.append(
                LandmarkGroup(
                    _short(next(one for one in free if one not in slugs)), label, side, "", 0, 0
                )
            )
            slugs.add(groups[-1].slug)
    return groups


def _check(groups: list[LandmarkGroup], folder: BrowsedFolder) -> None:
    """Refuses slugs that are no names of files, or not different: others wrote them."""
    slugs = [one.slug for one in groups]
    bad = [slug for slug in slugs if not _SLUG.fullmatch(slug) or slugs.count(slug) > 1]
    if bad:
        raise InputError(
            f"{folder.folder}: the slugs of hierarchy.parquet must be lower case letters, digits "
            f"and hyphens, all different, got {bad[0][:100]!r}; make or fetch the release again"
        )


def _short(slug: str) -> str:
    """Returns a slug that is not too long for the name of a folder."""
    if len(slug) <= _LONGEST_SLUG:
        return slug
    digest = hashlib.sha256(slug.encode()).hexdigest()[:12]
    return f"{slug[: _LONGEST_SLUG - 13]}-{digest}"


def _plain(reason: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", reason.lower()).strip("-") or "other"


def _image_counts(table: pa.Table, images: ImageRows) -> NDArray[np.int64]:
    ids = table["landmark_id"].to_numpy()
    counts = np.zeros((len(table), 2), np.int64)
    for space, splits in SPLITS_OF.items():
        here = pc.equal(table["split"], space).to_numpy()
        for column, split in enumerate(splits):
            counts[here, column] = images.splits[split].counts(ids[here])
    return counts


def _left_out(folder: BrowsedFolder, table: pa.Table) -> NDArray[np.int64]:
    """Returns how many images of each landmark are excluded; 0 where nothing tells that."""
    counts = np.zeros(len(table), np.int64)
    if not folder.has(EXCLUDED):
        return counts
    rows = folder.read(EXCLUDED, ["split", "landmark_id"])
    ids = table["landmark_id"].to_numpy()
    for space, splits in SPLITS_OF.items():
        excluded = rows.filter(pc.is_in(rows["split"], value_set=pa.array(splits)))
        found = excluded["landmark_id"].drop_null().to_numpy()
        numbers, many = np.unique(found, return_counts=True)
        here = pc.equal(table["split"], space).to_numpy()
        if len(numbers):
            place = np.minimum(np.searchsorted(numbers, ids[here]), len(numbers) - 1)
            counts[here] = np.where(numbers[place] == ids[here], many[place], 0)
    return counts
