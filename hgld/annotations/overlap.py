"""Train and index landmarks that are the same thing, or hardly to be told apart, by their items.

Ids of train and index landmarks are of two spaces, and GLDv2 does not say which are of one thing. A
model that learnt a landmark is measured on it as if it had never seen it.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hgld.tables import OVERLAP, of_split

# Coordinates that are known less exactly are those of a town, and say nothing.
_MOST_DEGREES = 0.001  # 111 m
_METRES_A_DEGREE = 111_195


def overlap_rows(landmarks: pa.Table) -> pa.Table:
    """Finds pairs of a train and an index landmark that overlap.

    Args:
        landmarks: rows of LANDMARK_LABELS.

    Returns:
        The rows of OVERLAP, by train landmark, index landmark and reason.
    """
    train, index = (of_split(landmarks, split) for split in ("train", "index"))
    same = _pairs(_keyed(train, "qid"), _keyed(index, "qid"))
    parts = [
        *_pairs(_keyed(train, "part_of"), _keyed(index, "qid")),
        *_pairs(_keyed(train, "qid"), _keyed(index, "part_of")),
    ]
    near = list(_near(train, index))
    pairs = {
        **{(one, other, "same_item"): None for one, other in same},
        **{(one, other, "part_of"): None for one, other in parts},
        **{(one, other, "same_place"): metres for one, other, metres in near},
    }
    ids = [table["landmark_id"].to_pylist() for table in (train, index)]
    rows = [
        {
            "train_landmark_id": ids[0][one],
            "index_landmark_id": ids[1][other],
            "why": why,
            "metres": metres,
        }
        for (one, other, why), metres in pairs.items()
    ]
    order = [(name, "ascending") for name in OVERLAP.schema.names[:3]]
    return pa.Table.from_pylist(rows, schema=OVERLAP.schema).sort_by(order)


def _keyed(landmarks: pa.Table, column: str) -> pa.Table:
    """Returns each Q-id of a column with its row."""
    rows = pa.array(np.arange(len(landmarks)))
    values = landmarks[column].combine_chunks()
    if pa.types.is_list(values.type):
        rows, values = rows.take(pc.list_parent_indices(values)), pc.list_flatten(values)
    return pa.table({"key": values, "row": rows}).filter(pc.is_valid(values))


def _pairs(one: pa.Table, other: pa.Table) -> list[tuple[int, int]]:
    """Returns the rows of two tables that have a key in common."""
    both = one.join(other, "key", join_type="inner", right_suffix="_of_other")
    return list(zip(both["row"].to_pylist(), both["row_of_other"].to_pylist(), strict=True))


def _near(train: pa.Table, index: pa.Table) -> Iterator[tuple[int, int, float]]:
    """Yields pairs whose coordinates are the same as far as they are known, with metres apart."""
    (rows, places), (other_rows, others) = map(_exact, (train, index))
    cells = [np.floor(one[:, :2] / _MOST_DEGREES).astype(np.int64) for one in (places, others)]
    found: dict[tuple[int, int], list[int]] = {}
    for place, cell in enumerate(map(tuple, cells[1].tolist())):
        found.setdefault(cell, []).append(place)
    around = [(north, east) for north in (-1, 0, 1) for east in (-1, 0, 1)]
    for one, (north, east) in enumerate(cells[0].tolist()):
        for by_north, by_east in around:
            for other in found.get((north + by_north, east + by_east), ()):
                degrees = places[one, :2] - others[other, :2]
                degrees[1] *= np.cos(np.radians(places[one, 0]))
                apart = float(np.hypot(*degrees))
                if apart <= max(places[one, 2], others[other, 2]):
                    yield int(rows[one]), int(other_rows[other]), apart * _METRES_A_DEGREE


def _exact(landmarks: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Returns the rows whose coordinates are exact, and (n, 3) latitude, longitude, precision."""
    precision = landmarks["coordinate_precision"]
    is_exact = pc.fill_null(pc.less_equal(precision, _MOST_DEGREES), fill_value=False)
    rows = np.flatnonzero(np.asarray(is_exact))
    names = ("latitude", "longitude", "coordinate_precision")
    return rows, np.stack([np.asarray(landmarks[name])[rows] for name in names], axis=1)
