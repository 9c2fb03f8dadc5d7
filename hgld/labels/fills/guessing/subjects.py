"""What speaks of landmarks: the names of their categories, their parents, their pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

EvidenceOrigin = Literal["words", "parents", "pictures"]


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
