"""Train landmarks that are also in the index, or among the buildings of Revisited Oxford and Paris.

Ids of train and index landmarks are of two spaces, and GLDv2 does not say which are of one thing. A
model that learnt a landmark is measured on it as if it had never seen it.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hgld.engine.dataset import read_csv
from hgld.globe import points_on_globe
from hgld.tables import OVERLAP, of_split

# Coordinates that are known less exactly are those of a town, and say nothing.
_MOST_DEGREES = 0.001  # 111 m
_METRES_A_DEGREE = 111_195
BUILDING_M = 150
"""How far from a building of Revisited a train landmark may lie, in metres."""
# From a cell to the next one in each direction; 2^18 cells are more than the globe is wide.
_STEPS = np.array([1 << 36, 1 << 18, 1])


def overlap_rows(landmarks: pa.Table) -> pa.Table:
    """Finds train landmarks that overlap with an index landmark or a building of Revisited.

    Args:
        landmarks: rows of LANDMARK_LABELS.

    Returns:
        The rows of OVERLAP, by train landmark, index landmark, building and reason.
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
    ids, others = (table["landmark_id"].to_pylist() for table in (train, index))
    rows = [
        *((ids[one], others[other], None, why, far) for (one, other, why), far in pairs.items()),
        *((ids[one], None, name, "same_place", far) for one, name, far in _at_buildings(train)),
    ]
    names = OVERLAP.schema.names
    told = [dict(zip(names, row, strict=True)) for row in rows]
    order = [(name, "ascending") for name in names[:4]]
    return pa.Table.from_pylist(told, schema=OVERLAP.schema).sort_by(order)


def revisited_buildings() -> pa.Table:
    """Returns what most queries of Revisited are named after, such as `all_souls`, and where it is.

    Columns `building`, `latitude` and `longitude`, written by hand to about 0.001 degrees.
    """
    columns = {"building": pa.string(), "latitude": pa.float64(), "longitude": pa.float64()}
    return read_csv(Path(__file__).with_name("buildings.csv"), columns)


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
    (rows, places, exact), (other_rows, others, other_exact) = map(_exact, (train, index))
    around = np.array(list(itertools.product((-1, 0, 1), repeat=3))) @ _STEPS
    cells = np.add.outer(_cells(places), around)  # (n, 27)
    in_cells = pa.table({"key": cells.ravel(), "row": np.arange(cells.size) // len(around)})
    pairs = _pairs(in_cells, pa.table({"key": _cells(others), "row": np.arange(len(others))}))
    one, other = np.array(pairs, np.int64).reshape(-1, 2).T
    apart = np.linalg.norm(places[one] - others[other], axis=1)
    is_near = apart <= np.maximum(exact[one], other_exact[other])
    one, other, metres = one[is_near], other[is_near], apart[is_near] * _METRES_A_DEGREE
    yield from zip(*(each.tolist() for each in (rows[one], other_rows[other], metres)), strict=True)


def _at_buildings(train: pa.Table) -> Iterator[tuple[int, str, float]]:
    """Yields train landmarks at a building of Revisited: row, building and metres apart."""
    buildings = revisited_buildings()
    names = buildings["building"].to_pylist()
    where = (np.asarray(buildings[name]) for name in ("latitude", "longitude"))
    rows, places, _ = _exact(train)
    apart = places[:, np.newaxis] - np.degrees(points_on_globe(*where))
    metres = np.linalg.norm(apart, axis=2) * _METRES_A_DEGREE  # (n, 22)
    for one, building in np.argwhere(metres <= BUILDING_M):
        yield int(rows[one]), names[building], float(metres[one, building])


def _cells(places: NDArray[np.float64]) -> NDArray[np.int64]:
    """Returns the cell of each place: what is near lies in the same one or beside it."""
    cells: NDArray[np.int64] = np.floor(places / _MOST_DEGREES).astype(np.int64) @ _STEPS
    return cells


def _exact(
    landmarks: pa.Table,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Returns the rows whose coordinates are exact, their (n, 3) points on a globe, and how exact.

    All in degrees of arc: over so short a way the chord is the arc, at the poles too.
    """
    is_exact = pc.less_equal(landmarks["coordinate_precision"], _MOST_DEGREES)
    rows = np.flatnonzero(np.asarray(pc.fill_null(is_exact, fill_value=False)))
    latitude, longitude, precision = (
        np.asarray(landmarks[name])[rows]
        for name in ("latitude", "longitude", "coordinate_precision")
    )
    return rows, np.degrees(points_on_globe(latitude, longitude)), precision
