"""What the pages of the second opinion show, as plain typed rows."""

from dataclasses import dataclass
from typing import NamedTuple

from hgld.pages.review.names import KnownName
from hgld.pages.review.views import LandmarkLink, Outcome, Thumbnail
from hgld.review.second_opinion import CohensKappa, Judgement, KnownScore


class OtherReviewer(NamedTuple):
    """Somebody whose decisions can be looked at again."""

    reviewer: str
    classes: int
    """That they have decided and of which this reviewer was not asked yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindClass:
    """A class as a second reviewer sees it: nothing that was decided or proposed."""

    class_qid: str
    class_label: str
    landmarks: int
    wikidata_url: str
    """Empty for a label without a Q-id."""
    examples: tuple[LandmarkLink, ...]
    thumbnails: tuple[Thumbnail, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskView:
    """The page on which a second reviewer answers."""

    reviewer: str
    """Empty: nobody has said who they are."""
    title: str
    """The build's folder."""
    others: tuple[OtherReviewer, ...] = ()
    """Most classes first; none while a sample is being answered."""
    size: int = 0
    """Of a sample, where nobody says otherwise."""
    known: int = 0
    """Classes with a known answer of which they were not asked yet."""
    of_reviewer: str = ""
    """Whose decisions the last sample is of; empty: there was none."""
    asked: int = 0
    """Classes of it, the hidden ones among them."""
    place: int = 0
    """Of the class that is asked now, from 1; 0: all are answered."""
    unsure: int = 0
    """Answers that they could not tell."""
    current: BlindClass | None = None
    names: tuple[KnownName, ...] = ()
    """That a class can be given, in the order of the alphabet."""
    said: Outcome | None = None


class AgreementRow(NamedTuple):
    """How far two agree, on super-categories or on sides."""

    what: str
    kappa: CohensKappa
    by_landmarks: float
    """Share of the landmarks on which they agree; NaN without any."""


class WrongAnswer(NamedTuple):
    """A class of which a reviewer did not give the known answer."""

    class_label: str
    said: str | None
    known: str | None


class KnownRow(NamedTuple):
    """A reviewer on the classes with a known answer."""

    reviewer: str
    score: KnownScore
    wrong: tuple[WrongAnswer, ...]


class ConfusedPair(NamedTuple):
    """Two answers that the reviewers gave to the same classes."""

    first: Judgement
    second: Judgement
    classes: int
    landmarks: int


class DifferenceRow(NamedTuple):
    """A class that is to be settled."""

    class_qid: str
    class_label: str
    landmarks: int
    wikidata_url: str
    first: Judgement
    """What is decided now."""
    first_reviewer: str
    """By whom."""
    second: Judgement


class SampleLink(NamedTuple):
    """Another sample that has a report."""

    number: int
    reviewer: str
    of_reviewer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondReport:
    """How far two reviewers agree, how often each is right, and what they are to settle."""

    number: int
    """Of the sample; 0: there is none."""
    title: str
    reviewer: str = ""
    """The second."""
    of_reviewer: str = ""
    """The first."""
    asked: int = 0
    answered: int = 0
    unsure: int = 0
    hidden: int = 0
    """Asked because their answer is known; not among the classes that are compared."""
    is_withheld: bool = False
    """Whether nothing is shown, since the reader has yet to answer some blind."""
    rows: tuple[AgreementRow, ...] = ()
    known: tuple[KnownRow, ...] = ()
    known_classes: int = 0
    """Of the sample, with a known answer."""
    pairs: tuple[ConfusedPair, ...] = ()
    differences: tuple[DifferenceRow, ...] = ()
    settled: int = 0
    names: tuple[KnownName, ...] = ()
    others: tuple[SampleLink, ...] = ()
    line: int = 0
    """The last line of the log that is in it."""
    said: Outcome | None = None
