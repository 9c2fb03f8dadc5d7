"""What the view of guesses shows, as plain typed rows.

A *guess* is what `hgld fill` says of a category. Guesses of one super-category stand in groups by a
word of their names, such as all `Kirche ...`: a group is a way to look, what is said is said of
categories.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from hgld.pages.review.views import Outcome, Thumbnail

GuessState = Literal["open", "accepted", "refused"]
GuessOrder = Literal["surest", "least"]


class GuessName(NamedTuple):
    """A super-category of which there are guesses."""

    hierarchical_label: str
    natural_or_human_made: str
    open: int
    accepted: int
    refused: int
    is_current: bool


class GuessGroup(NamedTuple):
    """Guesses of a super-category that share a word; of those that are in the shown state."""

    key: str
    """The word, folded; empty for all that share none."""
    title: str
    """`Kirche ...`, `... Tower`, or `Others`."""
    guesses: int
    landmarks: int
    confidence: float
    """Their mean."""
    is_current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GuessRow:
    """A category and what it is guessed to be."""

    category: str
    name: str
    url: str
    landmarks: int
    state: GuessState
    confidence: float
    """0 to 1."""
    evidence: str
    parents: tuple[str, ...]
    """On Commons; empty where they were not fetched."""
    thumbnails: tuple[Thumbnail, ...]
    reviewer: str = ""
    """Who accepted or refused it; empty while it is open."""
    decided_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FillsView:
    """The whole view."""

    names: tuple[GuessName, ...]
    name: GuessName | None
    """The super-category that is shown; None: there is no guess at all."""
    groups: tuple[GuessGroup, ...]
    group: GuessGroup | None
    """None: the super-category has no guess in the shown state."""
    rows: tuple[GuessRow, ...]
    """The first of the group."""
    shown: int
    """How many rows are shown at most."""
    place: int
    """Of the group among the groups, from 1."""
    order: GuessOrder
    show: GuessState
    line: int
    """The last line of the log that is in it."""
    unguessed: int = 0
    """Landmarks without a label of which nothing can be said here: they have no guess, or no
    category."""
    problem: str = ""
    """Why there is no guess, and what to do."""
    said: Outcome | None = None

    @property
    def rest(self) -> int:
        """Guesses of the group that are not shown."""
        return self.group.guesses - len(self.rows) if self.group else 0
