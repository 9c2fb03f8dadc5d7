"""Which landmarks have which classes: what is settled, examples, and names to search."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hgld.engine.workspace import Workspace
from hgld.errors import MissingInputError
from hgld.pages.review.views import LandmarkLink
from hgld.pages.serving.wikimedia import category_url, landmark_name
from hgld.tables import CATEGORIES, CLASSES

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SPLITS = ("train", "index", "list")
_WIDTH = 2**48  # landmark ids are smaller


@dataclass(frozen=True, slots=True, kw_only=True)
class LandmarkIndex:
    """The landmarks of a build that have a class, and the pairs of a landmark and a class."""

    keys: "NDArray[np.int64]"
    """(L,) split and number of each, ascending."""
    of_class: "NDArray[np.int64]"
    """(P,) landmarks, those of the first class first."""
    class_starts: "NDArray[np.int64]"
    """(n + 1,) where those of each class begin in `of_class`."""
    classes: "NDArray[np.int64]"
    """(P,) classes, those of the first landmark first."""
    starts: "NDArray[np.int64]"
    """(L,) where those of each landmark begin in `classes`."""
    categories: Any
    """Commons category of each landmark, as an Arrow array; null where it is not known."""

    def __len__(self) -> int:
        """The number of landmarks."""
        return len(self.keys)

    def of(self, row: int) -> "NDArray[np.int64]":
        """Returns the landmarks of a class."""
        return self.of_class[self.class_starts[row] : self.class_starts[row + 1]]

    def first_class(self, landmark: int) -> int:
        """Returns the first class of a landmark."""
        return int(self.classes[self.starts[landmark]])

    def link(self, landmark: int) -> LandmarkLink:
        """Returns a landmark as it is shown."""
        split, number = divmod(int(self.keys[landmark]), _WIDTH)
        category = self.categories[landmark].as_py()
        name = landmark_name(category) if category else f"{_SPLITS[split]} {number}"
        return LandmarkLink(
            name, category_url(category) if category else "", _SPLITS[split], number
        )

    def examples(self, row: int, most: int = 3) -> tuple[LandmarkLink, ...]:
        """Returns some landmarks of a class; none of a bare list of labels, which has none."""
        found = self.of(row)[:most]
        if len(found) and self.keys[found[0]] >= _SPLITS.index("list") * _WIDTH:
            return ()
        return tuple(self.link(int(landmark)) for landmark in found)

    def settled(self, is_decided: "NDArray[np.bool_]") -> int:
        """Counts the landmarks of which all classes are decided.

        Args:
            is_decided: of each class.
        """
        if not len(self):
            return 0
        return int(np.logical_and.reduceat(is_decided[self.classes], self.starts).sum())


def read_landmark_index(workspace: Workspace, qids: list[str]) -> LandmarkIndex:
    """Reads which landmarks have which classes.

    Args:
        workspace: a build; without a scrape there are no landmarks.
        qids: the classes.

    Raises:
        DamagedError: a table is not as it was written.
    """
    try:
        table = workspace.read(CLASSES, ["split", "landmark_id", "class_qid"])
    except MissingInputError:
        table = CLASSES.schema.empty_table()
    rows = pc.index_in(table["class_qid"], value_set=pa.array(qids, pa.string()))
    known = rows.is_valid()
    keys = _keys(table).filter(known).to_numpy()
    of_row = rows.filter(known).to_numpy().astype(np.int64)
    landmarks, place = np.unique(keys, return_inverse=True)
    n = len(qids)
    # A landmark may have a class by two statements.
    pairs = np.unique(of_row * max(len(landmarks), 1) + place)  # by class, then landmark
    row, landmark = np.divmod(pairs, max(len(landmarks), 1))
    order = np.argsort(landmark, kind="stable")
    return LandmarkIndex(
        keys=landmarks,
        of_class=landmark,
        class_starts=np.searchsorted(row, np.arange(n + 1)),
        classes=row[order],
        starts=np.searchsorted(landmark[order], np.arange(len(landmarks))),
        categories=_categories(workspace, landmarks),
    )


def landmark_keys(splits: pa.ChunkedArray, ids: pa.ChunkedArray) -> pa.ChunkedArray:
    """Returns split and landmark number as one number; null of a split without landmarks."""
    split = pc.index_in(splits, value_set=pa.array(_SPLITS)).cast(pa.int64())
    return pc.add(pc.multiply(split, _WIDTH), ids)


def _keys(table: pa.Table) -> pa.ChunkedArray:
    keys = landmark_keys(table["split"], table["landmark_id"])
    return pc.fill_null(keys, len(_SPLITS) * _WIDTH)


def _categories(workspace: Workspace, keys: "NDArray[np.int64]") -> Any:  # noqa: ANN401 - Arrow
    try:
        table = workspace.read(CATEGORIES, ["split", "landmark_id", "category"])
    except MissingInputError:
        return pa.nulls(len(keys), pa.string())
    there = landmark_keys(table["split"], table["landmark_id"])
    places = pc.index_in(pa.array(keys), value_set=there)
    return table["category"].combine_chunks().take(places)
