"""What proposals are made of: the classes, their vectors, and what is known of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from hgld.labels.proposing.calibration import Calibration, shipped_calibration
from hgld.labels.proposing.knowledge import Knowledge
from hgld.labels.proposing.opinions import IGNORE
from hgld.labels.proposing.vectors import Phrases, unit_grid
from hgld.tables import SUPERCLASSES

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLASS_COLUMNS = ("class_qid", "class_label", "landmarks", "cluster_id", "similarity")


def _no_evidence() -> pa.Table:
    columns = ("class_qid", "property", "value")
    return pa.table({name: pa.array([], pa.string()) for name in columns})


class Ruling(NamedTuple):
    """What a person decided a class to be."""

    hierarchical_label: str
    """A super-category of the taxonomy or a new one; IGNORE where the class says nothing of looks.
    """
    natural_or_human_made: str | None = None
    """The side; None takes the taxonomy's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalInputs:
    """What proposals are made of, wherever it comes from: a build, or a list."""

    classes: pa.Table
    """Rows of CLUSTERS: class_qid, class_label, landmarks, cluster_id, similarity. A class without
    a Q-id has any other unique name as `class_qid`."""
    vectors: "NDArray[np.float32]"
    """(n, D) of the classes' labels."""
    words: pa.Table
    """Of WORDS: phrase, hierarchical_label (null: to be ignored), kind, embedding."""
    knowledge: Knowledge
    superclasses: pa.Table = field(default_factory=SUPERCLASSES.schema.empty_table)
    """Rows of SUPERCLASSES."""
    class_evidence: pa.Table = field(default_factory=_no_evidence)
    """Rows of CLASS_EVIDENCE."""
    calibration: Calibration = field(default_factory=shipped_calibration)

    def on_grid(self) -> "tuple[NDArray[np.float32], Phrases]":
        """Returns the vectors of the classes and of the words as the methods compare them.

        Raises:
            ValueError: the words have vectors of another width.
        """
        vectors = list_vectors(self.words["embedding"], self.vectors.shape[1])
        labels: list[str | None] = self.words["hierarchical_label"].to_pylist()
        kinds = self.words["kind"].to_numpy(zero_copy_only=False)
        phrases = Phrases(
            texts=self.words["phrase"].to_pylist(),
            targets=[IGNORE if label is None else label for label in labels],
            is_name=kinds == "name",
            is_alias=kinds == "alias",
            vectors=unit_grid(vectors),
        )
        return unit_grid(self.vectors), phrases

    def identifiers(self) -> Mapping[str, Sequence[tuple[str, str]]]:
        """Returns class to its (property, value) pairs elsewhere, in order."""
        found: dict[str, list[tuple[str, str]]] = {}
        columns = (self.class_evidence[name] for name in ("class_qid", "property", "value"))
        for qid, kind, value in zip(*(each.to_pylist() for each in columns), strict=True):
            if value is not None:  # of a row that failed
                found.setdefault(qid, []).append((kind, value))
        return found


def list_vectors(lists: pa.ChunkedArray, width: int) -> "NDArray[np.float32]":
    """Returns a column of lists as float32 (n, width).

    Raises:
        ValueError: a list of another length.
    """
    flat = lists.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    if len(flat) != len(lists) * width:
        raise ValueError(
            f"words must have vectors of {width} numbers as the classes have, got "
            f"{len(flat)} numbers for {len(lists)} words; encode both with one encoder"
        )
    return np.asarray(flat.reshape(-1, width), dtype=np.float32)
