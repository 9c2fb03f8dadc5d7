"""A small world to propose in: three super-categories, classes around them, a few superclasses."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hgld.labels.proposing.knowledge import Knowledge, ProposalInputs
from hgld.labels.proposing.opinions import IGNORE, Hint
from hgld.tables import SUPERCLASSES

SIDES = {"church": "human-made", "lake": "natural", "bridge": "human-made"}
AXES = {name: axis for axis, name in enumerate([*SIDES, "status", "other", "fort"])}
WIDTH = 8


def direction(parts: Mapping[str, float]) -> NDArray[np.float32]:
    """Returns a unit vector that points some way towards names."""
    vector = np.zeros(WIDTH, dtype=np.float32)
    for name, length in parts.items():
        vector[AXES[name]] = length
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def words() -> pa.Table:
    """Returns the names, and two more words."""
    rows = [(name, name, "name") for name in SIDES]
    rows += [("kirk", "church", "wordnet"), ("loch", "lake", "alias")]
    return pa.table(
        {
            "phrase": [row[0] for row in rows],
            "hierarchical_label": [row[1] for row in rows],
            "kind": [row[2] for row in rows],
            "embedding": pa.array(
                [direction({row[1]: 1.0, "other": 0.1 * n}) for n, row in enumerate(rows)],
                pa.list_(pa.float32()),
            ),
        }
    )


def superclasses(rows: Sequence[tuple[str, int, str, str]]) -> pa.Table:
    """Returns SUPERCLASSES of (class_qid, depth, superclass_qid, superclass_label)."""
    columns = ("class_qid", "depth", "superclass_qid", "superclass_label")
    told = [dict(zip(columns, row, strict=True)) | {"status": "ok"} for row in rows]
    return pa.Table.from_pylist(told, schema=SUPERCLASSES.schema)


def read(label: str) -> list[Hint]:
    """Reads a label as a taxonomy would that knows three words."""
    head = label.rsplit(maxsplit=1)[-1]
    if head in SIDES:
        return [Hint(head, "head", f"the head noun {head!r} is {head}")]
    if head == "site":
        return [Hint(IGNORE, "suffix", "a status")]
    if head == "place":
        return [Hint(IGNORE, "ask exact", "to look at")]
    return []


# Q-id, label, where its vector points, landmarks, cluster
CLASSES: list[tuple[str, str, dict[str, float], int, int]] = [
    ("Q1", "wooden church", {"church": 1, "other": 0.2}, 10, 0),
    ("Q2", "stone church", {"church": 1, "other": 0.3}, 8, 0),
    ("Q3", "chapel", {"church": 1, "other": 0.9}, 5, 0),
    ("Q4", "mountain lake", {"lake": 1, "other": 0.2}, 7, 1),
    ("Q5", "tarn", {"lake": 1, "other": 0.8}, 3, 1),
    ("Q6", "road bridge", {"bridge": 1, "other": 0.1}, 4, 1),
    ("Q7", "heritage site", {"status": 1}, 50, 2),
    ("Q8", "holy place", {"status": 1, "fort": 0.2}, 2, 2),
    ("Q9", "star fort", {"fort": 1, "other": 0.2}, 6, 3),
    ("Q10", "hill fort", {"fort": 1, "other": 0.3}, 6, 3),
    ("Q11", "bastion", {"fort": 1, "status": 0.3}, 1, 3),
    ("Q12", "chapel", {"church": 1, "other": 0.9}, 1, 3),
]


def small_inputs(classes: Sequence[tuple[str, str, dict[str, float], int, int]]) -> ProposalInputs:
    """Returns what is proposed of some of CLASSES; `chapel` has two Q-ids."""
    return ProposalInputs(
        classes=pa.table(
            {
                "class_qid": [each[0] for each in classes],
                "class_label": [each[1] for each in classes],
                "landmarks": pa.array([each[3] for each in classes], pa.int64()),
                "cluster_id": pa.array([each[4] for each in classes], pa.int32()),
                "similarity": pa.array([0.9] * len(classes), pa.float32()),
            }
        ),
        vectors=np.array([direction(each[2]) for each in classes], dtype=np.float32).reshape(
            -1, WIDTH
        ),
        words=words(),
        knowledge=Knowledge(sides=SIDES, read_label=read),
        superclasses=superclasses(
            [
                ("Q9", 1, "Q100", "fortification"),
                ("Q10", 1, "Q100", "fortification"),
                ("Q11", 1, "Q9", "star fort"),
                ("Q11", 2, "Q100", "fortification"),
                ("Q9", 1, "Q9", "star fort"),  # Wikidata has loops
            ]
        ),
    )
