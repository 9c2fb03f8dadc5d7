"""Which labels of the annotations a reader wants, by how they came to be."""

from dataclasses import dataclass
from typing import Literal, get_args

import pyarrow as pa
import pyarrow.compute as pc

LabelOrigin = Literal["classes", "reviewed", "all"]
"""classes: of ANNOTATIONS, those that a class gives, as published. reviewed: of ANNOTATIONS and
FILLED, those that a person decided. all: of both, all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginChoice:
    """A choice of labels; by default the published ones."""

    labels: LabelOrigin = "classes"
    min_confidence: float = 0.0
    """Least confidence of a label, 0 to 1. One that has none was decided by a person, and stays."""

    def __post_init__(self) -> None:
        """Refuses what chooses nothing.

        Raises:
            ValueError: no such labels, or a confidence that is none.
        """
        if self.labels not in get_args(LabelOrigin):
            known = ", ".join(map(repr, get_args(LabelOrigin)))
            raise ValueError(f"labels must be one of {known}, got {self.labels!r}")
        if not 0 <= self.min_confidence <= 1:
            raise ValueError(f"min_confidence must be from 0 to 1, got {self.min_confidence}")

    @property
    def takes_fills(self) -> bool:
        """Whether rows of FILLED may be among the chosen ones."""
        return self.labels != "classes"

    @property
    def columns(self) -> tuple[str, ...]:
        """What the condition reads of ANNOTATIONS or FILLED."""
        origin = ("decision", "method") if self.labels == "reviewed" else ()
        return (*origin, *(("confidence",) if self.min_confidence else ()))

    @property
    def condition(self) -> pc.Expression | None:
        """What a row of ANNOTATIONS or FILLED must fulfil; None: nothing."""
        found = None
        if self.labels == "reviewed":
            found = (pc.field("decision") == "assigned") | (pc.field("method") == "reviewed")
        if not self.min_confidence:
            return found
        confidence = pc.field("confidence")
        # As the column has it: 0.95 there is less than the 0.95 of Python.
        least = pa.scalar(self.min_confidence, pa.float32())
        is_sure = confidence.is_null() | (confidence >= least)
        return is_sure if found is None else found & is_sure
