"""Which landmarks have which classes: what is settled, examples, and names to search."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hgld.engine.dataset import Dataset
from hgld.engine.workspace import Workspace
from hgld.errors import MissingInputError
from hgld.pages.review.views import LandmarkLink
from hgld.pages.serving.wikimedia import category_url, landmark_name
from hgld.tables import CATEGORIES, CLASSES

_SPLITS = ("train", "index", "list")
_WIDTH = 2**48  # landmark ids are smaller
_OF_LIST = _SPLITS.index("list") * _WIDTH


@dataclass(frozen=True, slots=True, kw_only=True)
class LandmarkIndex:
    """The landmarks of a build that have a class, and the pairs of a landmark and a class."""

    keys: NDArray[np.int64]
    """(L,) split and number of each, ascending."""
    classes: NDArray[np.int64]
    """(P,) the class of each pair, ascending."""
    landmarks: NDArray[np.int64]
    """(P,) the landmark of each pair; ascending among those of a class."""
    starts: NDArray[np.int64]
    """(n + 1,) where the pairs of each class begin."""
    categories: pa.Array
    """Commons category of each landmark; null where it is not known."""

    def __len__(self) -> int:
        """The number of landmarks."""
        return len(self.keys)

    def of(self, row: int) -> NDArray[np.int64]:
        """Returns the landmarks of a class."""
        return self.landmarks[self.starts[row] : self.starts[row + 1]]

    def first_class(self, landmark: int) -> int:
        """Returns the first class of a landmark."""
        return int(self.classes[np.argmax(self.landmarks == landmark)])

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
        return tuple(map(self.link, found[self.keys[found] < _OF_LIST].tolist()))

    def settled(self, is_decided: NDArray[np.bool_]) -> int:
        """Counts the landmarks of which all classes are decided.

        Args:
            is_decided: of each class.
        """
        has_open = np.zeros(len(self), np.bool_)
        has_open[self.landmarks[~is_decided[self.classes]]] = True
        return len(self) - int(has_open.sum())


def read_landmark_index(workspace: Workspace, qids: list[str]) -> LandmarkIndex:
    """Reads which landmarks have which classes.

    Args:
        workspace: a build; without a scrape there are no landmarks.
        qids: the classes.

    Raises:
        DamagedError: a table is not as it was written.
    """
    table = _read(workspace, CLASSES, ["split", "landmark_id", "class_qid"])
    row = pc.index_in(table["class_qid"], value_set=pa.array(qids, pa.string()))
    found = landmark_keys(table["split"], table["landmark_id"]).filter(row.is_valid())
    keys, landmark = np.unique(found.to_numpy(), return_inverse=True)
    # A landmark may have a class by two statements.
    pairs = np.unique(row.drop_null().to_numpy() * np.int64(len(keys)) + landmark)
    classes, landmarks = np.divmod(pairs, max(len(keys), 1))
    there = _read(workspace, CATEGORIES, ["split", "landmark_id", "category"])
    known = landmark_keys(there["split"], there["landmark_id"])
    return LandmarkIndex(
        keys=keys,
        classes=classes,
        landmarks=landmarks,
        starts=np.searchsorted(classes, np.arange(len(qids) + 1)),
        categories=there["category"].combine_chunks().take(pc.index_in(keys, value_set=known)),
    )


def landmark_keys(splits: pa.ChunkedArray, ids: pa.ChunkedArray) -> pa.ChunkedArray:
    """Returns split and landmark number as one number; null of a split without landmarks."""
    split = pc.index_in(splits, value_set=pa.array(_SPLITS)).cast(pa.int64())
    return pc.add(pc.multiply(split, _WIDTH), ids)


def _read(workspace: Workspace, dataset: Dataset, columns: list[str]) -> pa.Table:
    try:
        return workspace.read(dataset, columns)
    except MissingInputError:
        return dataset.schema.empty_table()
