"""What the review page shows, as plain typed rows: `session` makes them, the templates write them.

A *group* is what stands together on the left: a cluster (`c12`), or classes that a person merged or
split off (`e45`, by the number of that event). A group is a way to look; decisions are on classes.
"""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from hgld.review.status import share_of

Show = Literal["all", "open", "doubtful", "new", "commented", "ignored"]
"""Which classes, and groups with such classes, are shown."""

ClassState = Literal["open", "assigned", "ignored"]


class Remark(NamedTuple):
    """A comment on a class, or why it is doubtful."""

    reviewer: str
    decided_at: str
    text: str
    number: int
    """Of the event."""


class LandmarkLink(NamedTuple):
    """A landmark of a class."""

    name: str
    """Its Commons category, without `Category:` and underscores."""
    url: str
    """Of that category; empty where it is not known."""
    split: str
    landmark_id: int


class Thumbnail(NamedTuple):
    """A picture; each of a group's is of another landmark."""

    image_id: str
    landmark: LandmarkLink
    author: str
    """Empty where the attribution file is not there."""
    licence: str
    source_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a class is, or is proposed to be."""

    hierarchical_label: str | None
    """None: to be ignored."""
    natural_or_human_made: str | None
    action: Literal["accept", "ignore", "ask"]
    """Of an open class: what is proposed to do. Of a decided one: accept or ignore."""
    confidence: float
    """0 to 1; 1 where it is decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRow:
    """A class in the open group."""

    class_qid: str
    class_label: str
    landmarks: int
    state: ClassState
    answer: Answer
    tier: str
    """decided, automatic, likely or doubtful."""
    evidence: str
    """In words."""
    runner_up: str | None
    """None: to ignore the class."""
    runner_up_confidence: float
    reviewer: str = ""
    """Who decided; empty while it is open."""
    decided_at: str = ""
    doubt: Remark | None = None
    """Who finds it doubtful, and why."""
    comments: tuple[Remark, ...] = ()
    is_outlier: bool = False
    is_new: bool = False
    """Whether no earlier taxonomy of this build had it."""
    wikidata_url: str = ""
    """Empty for a label without a Q-id."""
    examples: tuple[LandmarkLink, ...] = ()


class GroupAnswer(NamedTuple):
    """What most landmarks of a group are, or are proposed to be."""

    hierarchical_label: str | None
    """None: to be ignored."""
    natural_or_human_made: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    """A line of the list on the left."""

    group: str
    name: str
    classes: int
    open: int
    landmarks: int
    settles: float = field(compare=False)
    """Landmarks x uncertainty of its open classes: the mistakes to expect without a review. Not
    shown, so that lines that differ in it alone are the same."""
    answer: GroupAnswer
    share: float
    """Of its landmarks that have this answer, 0 to 1."""
    doubtful: int = 0
    new: int = 0
    matching: int = 0
    """Classes that the search and the filter select; all where there is neither."""


class NameChoice(NamedTuple):
    """A super-category that keys 1 to 9 give."""

    key: str
    hierarchical_label: str
    natural_or_human_made: str
    weight: float
    """The share of the group's landmarks for which it is proposed, or next best; 0 to 1."""


class GroupPart(NamedTuple):
    """A part into which the group could be split."""

    hierarchical_label: str | None
    classes: int
    landmarks: int


class NearGroup(NamedTuple):
    """A group near the open one."""

    group: str
    name: str
    similarity: float
    """Cosine of the two centres."""
    answer: str
    """Its super-category, or `ignored`."""


class NearClass(NamedTuple):
    """A class of another group, near to the open one."""

    class_qid: str
    class_label: str
    group: str
    similarity: float
    answer: str
    landmarks: int
    is_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NearView:
    """What is near the open group, nearest first."""

    name: str
    """Of the open group."""
    groups: tuple[NearGroup, ...]
    classes: tuple[NearClass, ...]
    """Of other groups."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """The open group, in the middle, and what is near it, on the right."""

    row: GroupRow
    members: tuple[MemberRow, ...]
    """Those that are shown, most landmarks first; open ones before decided ones."""
    coming: tuple[str, ...]
    """Open ones of those that come with the next answer: a decision on all is about them too."""
    matching: int
    """How many would be shown if there were room."""
    choices: tuple[NameChoice, ...]
    parts: tuple[GroupPart, ...]
    near: NearView | None
    """None: it comes with the next answer."""
    thumbnails: tuple[Thumbnail, ...]
    confident: int
    """Open members that `accept_confident` would accept."""
    next_group: str
    """What comes after it in the order of the list; empty at its end."""
    previous_group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NameRow:
    """A super-category of the taxonomy, on the right."""

    hierarchical_label: str
    natural_or_human_made: str
    classes: int
    """Decided."""
    landmarks: int
    """Of these."""
    proposed: int
    """Open classes for which it is proposed."""
    proposed_landmarks: int
    is_own: bool
    """Whether the shipped taxonomy does not have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewProgress:
    """How far the review is."""

    classes: int
    decided: int
    groups: int
    groups_done: int
    landmarks: int
    settled: int
    """Landmarks of which every class is decided."""
    groups_to_90: int | None
    """How many more groups, in order, settle 90% of the landmarks; None: they are."""
    left_s: float | None
    """Seconds until all groups are done at this reviewer's pace; None: too little was done."""

    @property
    def settled_share(self) -> str:
        """In percent, as `hgld review --status` has it."""
        return share_of(self.settled, self.landmarks)


class ProposalChange(NamedTuple):
    """A class of which the proposal is another one since a decision."""

    class_qid: str
    class_label: str
    before: str
    """Super-category or `ignore`, with the confidence in percent."""
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the page says of what was just done."""

    text: str
    """One sentence: `Accepted 12 classes (340 landmarks) of castles. u takes it back.`"""
    kind: Literal["done", "nothing", "refused"] = "done"
    number: int = 0
    """Of the event."""
    changed: tuple[ProposalChange, ...] = ()
    """Proposals that it made others; the first few, by landmarks."""
    changed_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRow:
    """An event, as the history tells it."""

    number: int
    event: str
    text: str
    """In words: `accepted 12 classes as castle / fort`."""
    reviewer: str
    decided_at: str
    why: str
    is_active: bool
    """Of an edit: whether it counts. Of a switch: True."""
    is_edit: bool
    is_mine: bool
    is_unseen: bool
    """By somebody else since this reviewer was last here."""
    classes: tuple[tuple[str, str], ...] = ()
    """Q-id and label of the first few; of an event that is about categories alone, these."""
    class_count: int = 0


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
    their_number: int
    mine: str
    """What would be decided."""


class PreviewClass(NamedTuple):
    """A class that an action would change."""

    class_qid: str
    class_label: str
    landmarks: int
    before: str
    """In words: `open, proposed castle / fort` or `church`."""
    after: str


class PreviewChange(NamedTuple):
    """Classes that would go from one answer to another."""

    before: str
    after: str
    classes: int
    landmarks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewView:
    """What an action would do, before it is done."""

    text: str
    """What it is: `Ignore 412 classes (1,930 landmarks)`."""
    classes: int
    landmarks: int
    unseen: int
    """Of the classes, those that the page does not show."""
    changes: tuple[PreviewChange, ...]
    """Most classes first."""
    first: tuple[PreviewClass, ...]
    """The first 20, most landmarks first."""
    fingerprint: str = ""
    """Of which classes, and what becomes of each; who then does it sends it back."""


class FoundClass(NamedTuple):
    """A class that a search found."""

    class_qid: str
    class_label: str
    group: str
    group_name: str
    landmarks: int
    answer: str
    is_open: bool


class FoundLandmark(NamedTuple):
    """A landmark that a search found."""

    landmark: LandmarkLink
    class_qid: str
    class_label: str
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundView:
    """What a search over everything found; at most 20 of a kind."""

    query: str
    classes: tuple[FoundClass, ...]
    landmarks: tuple[FoundLandmark, ...]


class SimilarRow(NamedTuple):
    """A class near to a selection, of any group."""

    member: MemberRow
    group: str
    group_name: str
    similarity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarView:
    """The classes near to a selection."""

    of: tuple[tuple[str, str], ...]
    """The selection: Q-id and label of each."""
    least: float
    """The least similarity that is shown, 0 to 1."""
    rows: tuple[SimilarRow, ...]
    """Nearest first."""
    matching: int
    """How many would be shown if there were room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workbench:
    """All three panes."""

    groups: tuple[GroupRow, ...]
    view: GroupView | None
    """None: there is no class, or none matches."""
    names: tuple[NameRow, ...]
    progress: ReviewProgress
    line: int
    """The last line of the log that is in it."""
    reviewer: str
    show: Show = "all"
    query: str = ""
    said: Said | None = None
    can_undo: bool = False
    can_redo: bool = False
    unseen: int = 0
    """Events by others since this reviewer was last here."""
    is_first_time: bool = False
    """Whether the log is empty: the three-step hint is shown."""
    read_only: bool = False
    title: str = ""
    """The build's folder."""
    scored: int = 0
    """The version of the proposals that are shown; an action sends it back."""
    is_scoring: bool = False
    """Whether proposals are being scored again."""
    rescored: Said | None = None
    """What the last decisions changed in what is proposed; None: nothing, or not known yet."""
    suggestions: tuple[str, ...] = field(default=())
    """All names a class can be given, the taxonomy's own and new ones, for the type-ahead."""
