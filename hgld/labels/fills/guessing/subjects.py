"""What speaks of landmarks, and what is known of them: names, parents, pictures, labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

EvidenceOrigin = Literal["words", "parents", "pictures"]

NONE = ""
"""The label of what is known to have none."""


class PictureVote(NamedTuple):
    """What a landmark's pictures say together."""

    label: str
    confidence: float
    """How sure those are that say so, from 0 to 1."""
    share: float
    """Of its pictures that say so."""
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Subjects:
    """Landmarks, and all that speaks of them; a name is always there."""

    names: Sequence[str]
    """(n,), of their categories."""
    parents: Sequence[Sequence[str]] = ()
    """(n,), the titles of the parents; empty of those that have none. Or nothing at all."""
    pictures: Sequence[PictureVote | None] = ()
    """(n,), or nothing at all."""

    def __len__(self) -> int:
        """Returns how many landmarks there are."""
        return len(self.names)

    def documents(self, kind: Literal["words", "parents"]) -> list[list[str]]:
        """Returns the titles of each landmark: its name, or its parents."""
        if kind == "words":
            return [[name] for name in self.names]
        return [list(titles) for titles in self.parents] or [[] for _ in self.names]

    def kinds(self, there: Sequence[EvidenceOrigin]) -> list[tuple[EvidenceOrigin, ...]]:
        """Returns which kinds of evidence each landmark has, of those that there are at all."""
        has_parents = [bool(titles) and "parents" in there for titles in self.documents("parents")]
        has_vote = [vote is not None and "pictures" in there for vote in self.pictures]
        found: list[tuple[EvidenceOrigin, ...]] = []
        for up, seen in zip(has_parents, has_vote or [False] * len(self), strict=True):
            found.append(("words", *(("parents",) if up else ()), *(("pictures",) if seen else ())))
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownLandmarks:
    """What is learned from."""

    subjects: Subjects
    truth: Sequence[str]
    """(n,), the label of each landmark; `NONE` of one that is known to have none."""
    labels: Sequence[str]
    """(L,), all labels that count, sorted; of some there may be no landmark."""
    refused: Mapping[int, frozenset[str]] = field(default_factory=dict)
    """Place of a landmark of which only that is known which labels it does not have, to these. Its
    truth is `NONE`, and does not say that it has none."""

    def truths(self) -> NDArray[np.str_]:
        """Returns the label of each landmark, (n,)."""
        return np.array(self.truth, np.str_) if self.truth else np.zeros(0, "U1")

    def is_refused(self) -> NDArray[np.bool_]:
        """Returns of which landmarks only refused labels are known, (n,)."""
        found = np.zeros(len(self.truth), bool)
        found[list(self.refused)] = True
        return found
