"""A small world to propose in: three super-categories, classes around them, a few superclasses."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hgld.labels.proposing.knowledge import Knowledge, ProposalInputs
from hgld.labels.proposing.opinions import IGNORE, Hint
from hgld.tables import CLUSTERS, SUPERCLASSES, WORDS
from tests.worlds.builders import table_of

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
    told = [(name, name, "name") for name in SIDES]
    told += [("kirk", "church", "wordnet"), ("loch", "lake", "alias")]
    columns = ("phrase", "hierarchical_label", "kind", "embedding")
    rows = [(*row, direction({row[1]: 1.0, "other": 0.1 * n})) for n, row in enumerate(told)]
    return table_of(WORDS, [dict(zip(columns, row, strict=True)) for row in rows])


def superclasses(rows: Sequence[tuple[str, int, str, str]]) -> pa.Table:
    """Returns SUPERCLASSES of (class_qid, depth, superclass_qid, superclass_label)."""
    columns = ("class_qid", "depth", "superclass_qid", "superclass_label")
    told = [dict(zip(columns, row, strict=True)) | {"status": "ok"} for row in rows]
    return table_of(SUPERCLASSES, told)


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
    columns = ("class_qid", "class_label", "landmarks", "cluster_id", "similarity")
    rows = [(qid, label, count, cluster, 0.9) for qid, label, _, count, cluster in classes]
    vectors = np.array([direction(each[2]) for each in classes], dtype=np.float32)
    return ProposalInputs(
        classes=table_of(CLUSTERS, [dict(zip(columns, row, strict=True)) for row in rows]),
        vectors=vectors.reshape(-1, WIDTH),
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
