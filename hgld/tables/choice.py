"""Selects labels of the annotations by their origin and confidence."""

from dataclasses import dataclass
from typing import Literal, get_args

import pyarrow as pa
import pyarrow.compute as pc

LabelOrigin = Literal["classes", "reviewed", "all"]
"""classes: ANNOTATIONS, whose labels come from a class, as published. reviewed: rows of ANNOTATIONS
and FILLED that a person decided. all: both tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginChoice:
    """A choice of labels; by default the published ones."""

    labels: LabelOrigin = "classes"
    min_confidence: float = 0.0
    """Least confidence of a label, 0 to 1. Labels without one, which people decided, stay."""

    def __post_init__(self) -> None:
        """Refuses invalid choices.

        Raises:
            ValueError: unknown labels, or a confidence out of range.
        """
        if self.labels not in get_args(LabelOrigin):
            known = ", ".join(map(repr, get_args(LabelOrigin)))
            raise ValueError(f"labels must be one of {known}, got {self.labels!r}")
        if not 0 <= self.min_confidence <= 1:
            raise ValueError(f"min_confidence must be from 0 to 1, got {self.min_confidence}")

    @property
    def takes_fills(self) -> bool:
        """Whether rows of FILLED may be chosen."""
        return self.labels != "classes"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of ANNOTATIONS or FILLED that the condition reads."""
        origin = ("decision", "method") if self.labels == "reviewed" else ()
        return (*origin, *(("confidence",) if self.min_confidence else ()))

    @property
    def condition(self) -> pc.Expression | None:
        """The condition for a row of ANNOTATIONS or FILLED; None: all rows."""
        found = None
        if self.labels == "reviewed":
            found = (pc.field("decision") == "assigned") | (pc.field("method") == "reviewed")
        if not self.min_confidence:
            return found
        confidence = pc.field("confidence")
        # As float32, like the column: its 0.95 is less than Python's 0.95.
        least = pa.scalar(self.min_confidence, pa.float32())
        is_sure = confidence.is_null() | (confidence >= least)
        return is_sure if found is None else found & is_sure
