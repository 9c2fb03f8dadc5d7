"""What the review page shows, as plain typed rows: `panes` makes them, the templates write them.

A *group* is what stands together in the list: a cluster (`c12`), or classes that a person merged or
split off (`e45`, by the number of that event). A group is a way to look; decisions are on classes.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from hgld.pages.review.counting import Facet
from hgld.pages.review.names import KnownName
from hgld.pages.review.requests import Place
from hgld.review.log.events import Event
from hgld.review.status import share_of

ClassState = Literal["open", "assigned", "ignored"]


class Remark(NamedTuple):
    """A comment on a class, or why it is doubtful."""

    reviewer: str
    text: str


class LandmarkLink(NamedTuple):
    """A landmark of a class."""

    name: str
    """Its Commons category, without `Category:` and underscores."""
    url: str
    """Of that category; empty where it is not known."""
    split: str
    landmark_id: int


class Thumbnail(NamedTuple):
    """A picture; each of a class's is of another landmark."""

    image_id: str
    landmark: LandmarkLink
    author: str
    """Empty where the attribution file is not there."""
    licence: str
    source_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRow:
    """A class in the open group."""

    class_qid: str
    class_label: str
    landmarks: int
    state: ClassState
    is_sure: bool
    """Whether it is open and one key accepts it with the others of its group."""
    answer: KnownName
    """Empty: to be ignored."""
    confidence: float
    """0 to 1; 1 where it is decided."""
    evidence: str
    """In words; of a decided class who decided."""
    runner_up: str
    """Super-category or `ignore`, with the confidence in percent; empty below 1%."""
    doubt: Remark | None = None
    """Who finds it doubtful, and why."""
    comments: tuple[Remark, ...] = ()
    is_outlier: bool = False
    is_new: bool = False
    """Whether no earlier taxonomy of this build had it."""
    wikidata_url: str = ""
    """Empty for a label without a Q-id."""
    group: str = ""
    """Where classes of several groups are shown: its group."""
    examples: tuple[LandmarkLink, ...] = ()
    thumbnails: tuple[Thumbnail, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    """A line of the list."""

    group: str
    name: str
    """What distinguishes it."""
    classes: int
    open: int
    unsure: int
    landmarks: int
    answer: KnownName
    share: float = 0.0
    """Of its landmarks that have this answer, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """The open group."""

    row: GroupRow
    rows: tuple[ClassRow, ...]
    """Unsure ones first, then sure ones, then decided ones; of each most landmarks first."""
    matching: int
    """How many would be shown if there were room."""
    sure: int
    """Classes that Enter accepts, shown or not."""
    choices: tuple[KnownName, ...]
    """What keys 1 to 9 give."""
    near: tuple[GroupRow, ...]
    """Groups whose classes have the nearest labels."""


class NameRow(NamedTuple):
    """A super-category of the taxonomy."""

    hierarchical_label: str
    natural_or_human_made: str
    classes: int
    """Decided."""
    landmarks: int
    """Of these."""
    proposed: int
    """Open classes for which it is proposed."""
    is_own: bool
    """Whether the shipped taxonomy does not have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the review is."""

    classes: int
    decided: int
    groups: int
    groups_done: int
    landmarks: int
    settled: int
    """Landmarks of which every class is decided."""

    @property
    def settled_share(self) -> str:
        """In percent, as `hgld review --status` has it."""
        return share_of(self.settled, self.landmarks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the page says of what was just done."""

    text: str
    """One sentence: `Accepted 12 classes (340 landmarks) of castles. u takes it back.`"""
    kind: Literal["done", "nothing"] = "done"
    number: int = 0
    """Of the event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictRow:
    """A class that somebody else has changed since the page showed it."""

    class_qid: str
    class_label: str
    before: str
    """What it was when the page showed it, in words."""
    theirs: str
    their_reviewer: str
    their_at: str
    mine: str
    """What would be decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Classes that somebody else has changed since the page showed them."""

    rows: tuple[ConflictRow, ...]
    line: int
    """The last line of the log that is in it."""
    rest: int
    """Classes that the action is about besides."""


class Becomes(NamedTuple):
    """Classes that would go from one answer to another."""

    before: str
    after: str
    classes: int
    landmarks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What an action would do, before it is done."""

    text: str
    """What it is: `Ignore 412 classes (1,930 landmarks)`."""
    classes: int
    sight: int | None
    """Of the classes, those that the window shows; None: it is not told."""
    changes: tuple[Becomes, ...]
    """Most classes first."""
    fingerprint: str
    """Of which classes, and what becomes of each; who agrees sends it back."""


class Found(NamedTuple):
    """A class or a landmark that a search found."""

    title: str
    about: str
    group: str
    class_qid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """All three panes, and what is said around them."""

    place: Place
    groups: tuple[GroupRow, ...]
    view: GroupView | None
    """None: there is no class, or none matches."""
    names: tuple[NameRow, ...]
    suggestions: tuple[KnownName, ...]
    """All names that a class can be given, the taxonomy's own and new ones."""
    facets: tuple[Facet, ...]
    found: int
    """Classes that the filter selects, over all groups."""
    read_as: str
    """The word that a filter was read as, where what was typed is no word; or empty."""
    progress: Progress
    line: int
    """The last line of the log that is in it."""
    scored: int
    """The version of the proposals that are shown; an action sends it back."""
    reviewer: str
    title: str
    """The build's folder."""
    outcome: Outcome | None = None
    undo: Event | None = None
    """The edit that undo would take back."""
    redo: Event | None = None
    read_only: bool = False
