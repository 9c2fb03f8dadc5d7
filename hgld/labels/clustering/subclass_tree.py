"""Wikidata's subclass tree (P279): as a clustering of its own, and as a prior for others.

What is called a tree is a graph: a class has several superclasses, edits close cycles in it, and
metaclasses ("type of building") and the all-embracing ("entity") lie above almost everything. The
rules here need no tree: a superclass counts by how few steps it is away, at most so many.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from hgld.engine.dataset import read_csv
from hgld.tables import qid_number

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Ancestors = Mapping[str, Mapping[str, int]]
"""Class to what lies above it, with the steps to there; a class that is not in it has nothing."""

_MOST_FEATURES = 256
_COMMON = 0.25
"""Share of all classes above which a superclass tells nothing: "entity", a metaclass."""


def ancestors_of(superclasses: pa.Table, depth: int) -> dict[str, dict[str, int]]:
    """Reads what lies above each class.

    Args:
        superclasses: SUPERCLASSES, in any order, with repeated rows and cycles.
        depth: how many steps up count.

    Returns:
        Class to superclass to the fewest steps; a class that lies above itself (a cycle) is left
        out there.
    """
    above: dict[str, dict[str, int]] = {}
    columns = [superclasses[name].to_pylist() for name in ("class_qid", "superclass_qid", "depth")]
    for qid, superclass, steps in zip(*columns, strict=True):
        if steps <= depth and superclass != qid:
            known = above.setdefault(qid, {})
            known[superclass] = min(steps, known.get(superclass, steps))
    return above


def read_cut_points(path: Path) -> dict[str, str]:
    """Reads a table of cut points: where in the tree a cluster ends.

    Args:
        path: CSV in UTF-8 with the columns superclass_qid, superclass_label and
            hierarchical_label; others are not read.

    Returns:
        Q-id to the name of its cluster: the super-category, which several may have, or, where
        none is given, as for what has no look of its own, the superclass's own label.

    Raises:
        InputError: no such file, other columns, or a Q-id twice.
    """
    names = ("superclass_qid", "superclass_label", "hierarchical_label")
    table = read_csv(path, dict.fromkeys(names, pa.string()), unique="superclass_qid")
    return {
        qid: name or label or qid
        for qid, label, name in zip(*(table[column].to_pylist() for column in names), strict=True)
    }


def cut_points_digest(cut_points: Mapping[str, str]) -> str:
    """Returns the SHA-256 of cut points, as hex, whatever their order."""
    text = "\n".join(f"{qid}\t{name}" for qid, name in sorted(cut_points.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def nearest_cut(qid: str, ancestors: Ancestors, cut_points: Mapping[str, str]) -> str:
    """Returns the name of the cut point that a class belongs under; empty for none.

    That is the nearest above it, or itself. So a state, which Wikidata has under "territory" and
    that under "landform", is no landform: "territory" is nearer. Of cut points as near, one that
    lies below another is taken (the more special), and else the oldest item.

    Args:
        qid: the class.
        ancestors: what lies above classes (`ancestors_of`).
        cut_points: Q-id to name.

    Source:
        Suchanek et al., YAGO 4.5: A Large and Clean Knowledge Base with a Rich Taxonomy, SIGIR
        2024: Wikidata's classes under some 40 chosen ones.
    """
    path = {qid: 0} | dict(ancestors.get(qid, {}))
    cuts = [one for one in path if one in cut_points]
    if not cuts:
        return ""
    least = min(path[one] for one in cuts)
    nearest = {one for one in cuts if path[one] == least}
    # One that lies above another of them is the more general; in a cycle all of them are.
    general = {above for one in nearest for above in ancestors.get(one, {}) if above in nearest}
    return cut_points[min(nearest - general or nearest, key=qid_number)]


def cut_groups(
    classes: Sequence[str], ancestors: Ancestors, cut_points: Mapping[str, str]
) -> "NDArray[np.int64]":
    """Groups classes by the nearest cut point above them, or that they are themselves.

    Args:
        classes: Q-ids.
        ancestors: what lies above them.
        cut_points: Q-id to the name of a group.

    Returns:
        int64 (n,), groups from 0 in the order of their names; -1 for no cut point above.
    """
    import numpy as np

    names = [nearest_cut(qid, ancestors, cut_points) for qid in classes]
    number = {name: place for place, name in enumerate(sorted({one for one in names if one}))}
    return np.array([number[name] if name else -1 for name in names], dtype=np.int64)


def superclass_features(classes: Sequence[str], ancestors: Ancestors) -> "NDArray[np.float32]":
    """Returns vectors of classes whose cosine says how much of what lies above them they share.

    Features are the superclasses that two classes or more have, and at most a quarter of all; of
    these the 256 that most have. A class counts as one above itself. The value is
    log(n / classes that have it) / (1 + steps).

    Args:
        classes: n Q-ids.
        ancestors: what lies above them.

    Returns:
        float32 (n, F), rows of unit norm; zero for a class with no feature.
    """
    import numpy as np

    paths = [{qid: 0} | dict(ancestors.get(qid, {})) for qid in classes]
    counts: dict[str, int] = {}
    for path in paths:
        for superclass in path:
            counts[superclass] = counts.get(superclass, 0) + 1
    most = max(2, _COMMON * len(classes))
    shared = [qid for qid, count in counts.items() if 1 < count <= most]
    shared.sort(key=lambda qid: (-counts[qid], qid_number(qid)))
    column = {qid: place for place, qid in enumerate(shared[:_MOST_FEATURES])}
    features = np.zeros((len(classes), len(column)))
    for row, path in enumerate(paths):
        for superclass, steps in path.items():
            if superclass in column:
                value = math.log(len(classes) / counts[superclass]) / (1 + steps)
                features[row, column[superclass]] = value
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    unit = np.divide(features, norms, out=features, where=norms > 0)
    return np.asarray(unit, dtype=np.float32)
