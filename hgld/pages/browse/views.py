"""What the pages show, as plain typed rows: `showing` makes them, the templates write them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple


class LandmarkAt(NamedTuple):
    """Which landmark, and where its page is."""

    space: str
    landmark_id: int
    slug: str
    """Of its group."""
    ordinal: int
    """Its place in the group, from 0."""

    @property
    def anchor(self) -> str:
        """Its name on a page of several."""
        return f"{self.space}-{self.landmark_id}"


class SightView(NamedTuple):
    """An image of a landmark, with who made it."""

    image_id: str
    split: str
    picture: str
    """The name of its picture; empty where there is none."""
    title: str
    author: str
    license: str
    license_url: str
    """Empty, or of the web."""
    source_url: str
    """Empty, or of the web."""
    has_credit: bool


class NodeView(NamedTuple):
    """A label in the tree, or a reason for none."""

    slug: str
    title: str
    """The label, or the reason in words."""
    side: str
    landmarks: int
    images: int
    cover: SightView | None


class SideView(NamedTuple):
    """Natural, or human-made."""

    side: str
    nodes: tuple[NodeView, ...]
    """Those with most landmarks first."""
    landmarks: int
    images: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeView:
    """The whole hierarchy."""

    sides: tuple[SideView, ...]
    reasons: tuple[NodeView, ...]
    """Of landmarks without a label."""
    landmarks: int
    images: int
    labels: int
    unlabelled: int


class LandmarkRow(NamedTuple):
    """A landmark in a list."""

    at: LandmarkAt
    name: str
    class_label: str
    """Text of the class that decided; empty: none."""
    images: int
    cover: SightView | None
    node: NodeView | None = None
    """Where the list is of several groups."""


class CountedClass(NamedTuple):
    """A class that gives landmarks their label."""

    class_qid: str
    class_label: str
    url: str
    landmarks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPage:
    """A page of the landmarks of a label."""

    node: NodeView
    reason: str
    """Why they have no label, as the tables have it; empty where they have one."""
    rows: tuple[LandmarkRow, ...]
    classes: tuple[CountedClass, ...]
    more_classes: int
    page: int
    pages: int
    first: int
    """The place of the first row among all, from 1."""


class ClassView(NamedTuple):
    """A class of a landmark, and what became of it."""

    class_qid: str
    class_label: str
    url: str
    is_deciding: bool
    cluster: str
    """Empty where the build is not there."""
    decision: str
    """In words; empty where nothing tells it."""
    label: str
    """The super-category it stands for; empty: none."""
    who: str
    """Empty: nobody, or not known."""
    when: str
    """YYYY-MM-DD; empty: not known."""
    note: str
    """What the reviewer wrote; or the evidence of the proposal."""


class CandidateView(NamedTuple):
    """A super-category that classes of a landmark voted for."""

    label: str
    slug: str
    """Empty where no page has it."""
    votes: int
    class_qid: str
    class_label: str
    landmarks: int
    """That have this class."""
    has_won: bool


class ChangeView(NamedTuple):
    """What a release changed of a landmark."""

    change: str
    why: str
    before: str
    after: str
    name: str
    at: LandmarkAt | None
    """None: it is there no more."""
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LandmarkView:
    """A landmark, and why it has the label that it has."""

    at: LandmarkAt
    name: str
    node: NodeView
    category_url: str
    category: str
    """As GLDv2 has it."""
    page_title: str
    """After redirects, where that is another page; empty: the same, or not known."""
    revision_url: str
    revision_id: int | None
    fetched: str
    qid: str
    item_url: str
    classes: tuple[ClassView, ...]
    cluster: str
    """Of the deciding class."""
    decision: str
    """In words."""
    who: str
    when: str
    note: str
    is_older: bool
    """Whether the build has another decision by now."""
    rule: str
    """In words; empty: none voted."""
    candidates: tuple[CandidateView, ...]
    reason: str
    """Why it has no label, in words; empty where it has one."""
    supercategory: str
    images: Mapping[str, int]
    """Split to labelled images."""
    left_out: int
    sights: tuple[SightView, ...]
    change: ChangeView | None = None
    """What this release changed of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LandmarksView:
    """A page of one landmark, or of some of one group."""

    landmarks: tuple[LandmarkView, ...]
    node: NodeView
    page: int
    pages: int
    first: int

    @property
    def is_single(self) -> bool:
        """Whether each landmark has a page of its own."""
        return self.page == 0

    def alone(self) -> "LandmarksView":
        """Returns the page of the only landmark as that landmark's own."""
        return replace(self, page=0, pages=0, first=1)


class FoundPages(NamedTuple):
    """What a search finds."""

    query: str
    nodes: tuple[NodeView, ...]
    landmarks: tuple[LandmarkRow, ...]
    total: int
    """Of landmarks; more than there are rows where not all are shown."""


class ReleaseView(NamedTuple):
    """A release in the list of them."""

    version: str
    date: str
    follows: str
    images: int
    landmarks: int
    labels: int


class MoveView(NamedTuple):
    """How many landmarks went from one label to another, for one cause."""

    before: str
    after: str
    why: str
    landmarks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangesView:
    """What is another one since the release before."""

    releases: tuple[ReleaseView, ...]
    counts: tuple[tuple[str, str, str], ...]
    """What, how many landmarks, how many images; empty for a first release."""
    moves: tuple[MoveView, ...]
    more_moves: int
    rows: tuple[ChangeView, ...]
    total: int
    shown: int
    page: int
    pages: int
    note: str
    """RELEASE_NOTE.md; empty where it is not there."""


class FileView(NamedTuple):
    """A file to download."""

    name: str
    size: int
    sha256: str
    """Empty where no list says it."""
    what: str
    can_fetch: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadsView:
    """The files of the release."""

    files: tuple[FileView, ...]
    total: int
    """Bytes."""
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameView:
    """What stands on every page."""

    title: str
    version: str
    date: str
    landmarks: int
    images: int
    has_pictures: bool
    description: str = ""
    license: str = ""
    """Of the labels."""
    license_url: str = ""
    citation: str = ""
