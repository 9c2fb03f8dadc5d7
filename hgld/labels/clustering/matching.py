"""Clusters of one run and the next: ids that stay, and what became of each cluster."""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pyarrow as pa

from hgld.tables import CLUSTER_CHANGES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def canonical_clusters(
    groups: "NDArray[np.int64]", landmarks: "NDArray[np.int64]", numbers: "NDArray[np.int64]"
) -> "NDArray[np.int32]":
    """Numbers groups by descending landmarks, then by the smallest Q-id in them.

    Args:
        groups: int64 (n,), any numbers that tell the groups apart.
        landmarks: int64 (n,), landmarks of each class; a group has the sum of its classes.
        numbers: int64 (n,), the number of each class's Q-id.

    Returns:
        int32 (n,), 0 for the group with most landmarks.

    Example:
        >>> import numpy as np
        >>> canonical_clusters(np.array([7, 3, 7]), np.array([1, 5, 2]), np.array([10, 20, 30]))
        array([1, 0, 1], dtype=int32)
    """
    import numpy as np

    names, row = np.unique(groups, return_inverse=True)
    total = np.zeros(len(names), dtype=np.int64)
    np.add.at(total, row, landmarks)
    smallest = np.full(len(names), np.iinfo(np.int64).max)
    np.minimum.at(smallest, row, numbers)
    place = np.empty(len(names), dtype=np.int32)
    place[np.lexsort((smallest, -total))] = np.arange(len(names), dtype=np.int32)
    return np.asarray(place[row], dtype=np.int32)


def matched_ids(
    before: "NDArray[np.int64]", groups: "NDArray[np.int32]", unused: int
) -> "NDArray[np.int32]":
    """Gives clusters the ids of those of the run before, one to one.

    Pairs are chosen so that as many classes as possible stay under their id. A cluster that is left
    over, or shares no class with the one left for it, gets an id that none had.

    Args:
        before: int64 (n,), a class's id in the run before, or -1: it was not there.
        groups: int32 (n,), its cluster now, as `canonical_clusters` numbers them; of choices that
            keep as many classes, that order decides.
        unused: the first id that none had.

    Returns:
        int32 (n,), ids.

    Example:
        >>> import numpy as np
        >>> matched_ids(np.array([4, 4, 4, 9, -1]), np.array([1, 1, 0, 1, 2]), unused=10)
        array([ 4,  4, 10,  4, 11], dtype=int32)

    Source:
        Kuhn, The Hungarian method for the assignment problem, 1955; by SciPy.
    """
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    count = int(groups.max(initial=-1)) + 1
    known = before >= 0
    old, column = np.unique(before[known], return_inverse=True)
    shared = np.zeros((count, len(old)), dtype=np.int64)
    np.add.at(shared, (groups[known], column), 1)
    rows, columns = linear_sum_assignment(shared, maximize=True)
    ids = np.full(count, -1, dtype=np.int64)
    is_real = shared[rows, columns] > 0
    ids[rows[is_real]] = old[columns[is_real]]
    new = ids < 0
    ids[new] = unused + np.arange(new.sum())
    return np.asarray(ids[groups], dtype=np.int32)


def cluster_changes(before: Mapping[str, int], after: Mapping[str, int]) -> pa.Table:
    """Says where the classes of each cluster went, and from where those of each came.

    Args:
        before: class_qid to the id of its cluster in the run before.
        after: the same now; an id that both have is one cluster.

    Returns:
        A CLUSTER_CHANGES table, by cluster now and then before, the gone last. The rows of a
        cluster before sum up to its classes before, and those of a cluster now to its classes now.
    """
    flows = Counter((before.get(qid), after.get(qid)) for qid in before.keys() | after.keys())
    sizes_before, sizes_after = Counter(before.values()), Counter(after.values())
    rows = []
    for (old, new), classes in sorted(flows.items(), key=lambda flow: _place(*flow[0])):
        classes_before = 0 if old is None else sizes_before[old]
        classes_after = 0 if new is None else sizes_after[new]
        either = classes_before + classes_after - classes
        rows.append(
            {
                "change": _change(old, new, stands=old in sizes_after),
                "cluster_id_before": old,
                "cluster_id_after": new,
                "classes": classes,
                "classes_before": classes_before,
                "classes_after": classes_after,
                "jaccard": None if old is None or new is None else classes / either,
            }
        )
    return pa.Table.from_pylist(rows, schema=CLUSTER_CHANGES.schema)


def _place(old: int | None, new: int | None) -> tuple[bool, int, bool, int]:
    return (new is None, new or 0, old is None, old or 0)


def _change(old: int | None, new: int | None, *, stands: bool) -> str:
    """Names a flow of classes; `stands` says whether the cluster before is still there."""
    if old is None:
        return "new"
    if new is None:
        return "gone"
    if old == new:
        return "kept"
    return "split" if stands else "merged"
