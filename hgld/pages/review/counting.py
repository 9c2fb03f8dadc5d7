"""Groups, super-categories and facets in numbers: what the lists of the page say."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hgld.labels.proposing.proposals import SURE_WEIGHT, cluster_name, telling_words
from hgld.pages.review.board import Board
from hgld.pages.review.names import NO_NAME
from hgld.pages.review.requests import FACETS
from hgld.pages.review.wording import EVIDENCE_SOURCES


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTally:
    """Of each of G groups, in the order of their numbers."""

    classes: NDArray[np.int64]
    open: NDArray[np.int64]
    landmarks: NDArray[np.int64]
    settles: NDArray[np.float64]
    unsure: NDArray[np.int64]
    top: NDArray[np.int64]
    """The answer of most landmarks."""
    share: NDArray[np.float64]
    """Of the landmarks that have it."""
    names: dict[int, str]
    """Of those that have a class, by number."""


def tally_groups(board: Board, names: "GroupNames") -> GroupTally:
    """Counts what stands in each group, and names it."""
    group, total, landmarks = board.group, len(board.group_ids), board.classes.landmarks
    is_open, answer = board.is_open, board.answer
    doubt = np.where(is_open, 1 + SURE_WEIGHT - board.confidence, 0.0)

    def count(of: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(group[of], minlength=total)

    # (groups, names): a class without a landmark counts as one
    weight = np.maximum(landmarks, 1)
    labels = len(board.names)
    weights = _weighed(group * labels + answer, weight, total * labels).reshape(total, labels)
    top = weights.argmax(axis=1)
    classes = np.bincount(group, minlength=total)
    members = np.split(np.argsort(group, kind="stable"), np.cumsum(classes)[:-1])
    return GroupTally(
        classes=classes,
        open=count(is_open),
        landmarks=np.bincount(group, landmarks, minlength=total).astype(np.int64),
        settles=_weighed(group, landmarks * doubt, total),
        unsure=count(board.is_unsure),
        top=top,
        share=weights[np.arange(total), top] / np.maximum(weights.sum(axis=1), 1),
        names={
            number: names.of(number, rows, int(top[number]))
            for number, rows in enumerate(members)
            if len(rows)
        },
    )


class GroupNames:
    """What each group is called: by its answer, and a word that tells it from others."""

    def __init__(self, board: Board) -> None:
        """Counts the words of all labels."""
        self._board = board
        self._commonness = Counter(
            word for label in board.classes.labels for word in telling_words(label)
        )
        self._names: dict[tuple[int, int, int, str], str] = {}

    def of(self, number: int, members: NDArray[np.int64], top: int) -> str:
        """Returns what distinguishes a group.

        Args:
            number: of the group.
            members: its classes.
            top: the answer of most of its landmarks.
        """
        label = self._board.names.now(top).hierarchical_label
        key = (number, len(members), int(members.sum()), label)
        if key not in self._names:
            found = [self._board.proposals[row] for row in members.tolist()]
            named = None if top == NO_NAME else label
            name = cluster_name(found, named, self._commonness)
            # What distinguishes it first: its answer stands below.
            self._names[key] = name.partition(": ")[2] or name
        return self._names[key]


class Facet(NamedTuple):
    """A value by which classes are filtered, and how many would be selected."""

    kind: str
    value: str
    classes: int
    is_chosen: bool

    @property
    def key(self) -> str:
        """As it stands in an address."""
        return f"{self.kind}:{self.value}"


class Facets:
    """Filters the classes of a board by what is known of each."""

    def __init__(self, board: Board) -> None:
        """Takes the state, which it follows."""
        self._board = board
        self._masks: tuple[int, dict[str, NDArray[np.bool_]]] = (-1, {})

    def select(self, chosen: Iterable[str]) -> NDArray[np.bool_]:
        """Returns the classes of which one facet of each kind holds.

        Args:
            chosen: as `is:open`; one that nothing has selects nothing.
        """
        by_kind: dict[str, NDArray[np.bool_]] = {}
        nothing = np.zeros(len(self._board.classes), np.bool_)
        for key in chosen:
            kind = key.partition(":")[0]
            by_kind[kind] = by_kind.get(kind, nothing) | self._all().get(key, nothing)
        return np.asarray(np.logical_and.reduce([~nothing, *by_kind.values()]))

    def counts(self, chosen: Iterable[str], found: NDArray[np.bool_]) -> list[Facet]:
        """Returns all facets, each with the classes that it selects beside those of other kinds.

        Args:
            chosen: the facets that are chosen.
            found: the classes that a search selects.
        """
        chosen = list(chosen)
        facets = []
        for kind in FACETS:
            others = self.select(key for key in chosen if key.partition(":")[0] != kind) & found
            for key, mask in self._all().items():
                if key.partition(":")[0] == kind:
                    value = key.partition(":")[2]
                    facets.append(Facet(kind, value, int((mask & others).sum()), key in chosen))
        return [one for one in facets if one.classes or one.is_chosen]

    def _all(self) -> dict[str, NDArray[np.bool_]]:
        board = self._board
        if self._masks[0] != board.revision:
            ignored = board.decided == NO_NAME
            masks = {
                "is:open": board.is_open,
                "is:settled": ~board.is_open & ~ignored,
                "is:ignored": ignored,
                "sure:yes": board.is_sure,
                "sure:no": board.is_unsure,
                "new:since the last scrape": board.classes.is_new,
                "comment:has one": board.has_comment,
                "doubt:doubtful": board.is_doubted,
            }
            sources = enumerate(EVIDENCE_SOURCES)
            masks |= {f"evidence:{one}": board.source == place for place, one in sources}
            who = sorted({*board.reviewer} - {""})
            masks |= {f"by:{one}": board.reviewer == one for one in who}
            self._masks = (board.revision, masks)
        return self._masks[1]


def _weighed(
    numbers: NDArray[np.int64], weights: NDArray[np.generic], total: int
) -> NDArray[np.float64]:
    """Returns the sum of the weights of each number; float64 where there is none, too."""
    return np.bincount(numbers, weights, minlength=total).astype(np.float64)
