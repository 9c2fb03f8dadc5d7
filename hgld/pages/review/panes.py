"""The panes of the page, made of the state; what has not changed is kept."""

import itertools
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from hgld.labels.clustering.kmeans import unit_rows
from hgld.pages.review.board import Board
from hgld.pages.review.counting import (
    Facets,
    GroupNames,
    GroupTally,
    tally_groups,
)
from hgld.pages.review.landmarks import LandmarkIndex
from hgld.pages.review.names import NO_NAME
from hgld.pages.review.pictures import PictureIndex
from hgld.pages.review.requests import EVERYTHING, ActRequest, Place
from hgld.pages.review.rows import (
    class_row,
    group_row,
    name_choices,
    outlying,
)
from hgld.pages.review.views import GroupRow, GroupView, Thumbnail

_PICTURES = 12  # of a class
_NEAR = 5  # groups
_GO_ON = {"accept", "accept_row", "name", "ignore"}

Rows = NDArray[np.int64]


class Panes:
    """Makes the list of groups and the open group."""

    def __init__(self, board: Board, landmarks: LandmarkIndex) -> None:
        """Takes the state, which it follows."""
        self._board, self._landmarks = board, landmarks
        self.facets = Facets(board)
        self.pictures = PictureIndex()
        self._names = GroupNames(board)
        self._tally: GroupTally | None = None
        self._revision = -1
        self._centres: tuple[int, NDArray[np.float32]] = (-1, np.zeros((0, 1), np.float32))
        self._orders: dict[str, list[int]] = {}

    def count(self) -> GroupTally:
        """Returns the groups in numbers."""
        board = self._board
        if self._tally is None or self._revision != board.revision:
            self._tally, self._revision = tally_groups(board, self._names), board.revision
        return self._tally

    def groups(
        self, reviewer: str, chosen: NDArray[np.bool_], *, is_filtered: bool
    ) -> tuple[GroupRow, ...]:
        """Returns the list: groups with a class that is chosen, in a reviewer's order.

        Args:
            reviewer: whose order counts.
            chosen: the classes that the filter selects.
            is_filtered: whether all that are chosen stand first as a group of their own.
        """
        board, tally = self._board, self.count()
        matching = set(board.group[chosen].tolist())
        order = self._order(reviewer, tally)
        rows = tuple(group_row(board, tally, each) for each in order if each in matching)
        return (self._everything(chosen), *rows) if is_filtered and rows else rows

    def members(self, place: Place, chosen: NDArray[np.bool_]) -> Rows:
        """Returns the classes that the middle pane shows, in its order.

        Args:
            place: what is open.
            chosen: the classes that the filter selects.
        """
        board = self._board
        rows = np.flatnonzero(chosen)
        if place.group != EVERYTHING:
            rows = rows[board.group[rows] == board.group_number.get(place.group, -1)]
        rank = np.where(board.is_unsure, 0, np.where(board.is_open, 1, 2))
        return rows[np.lexsort((-board.classes.landmarks[rows], rank[rows]))]

    def opened(self, group: str, listed: Sequence[GroupRow], done: ActRequest | None) -> str:
        """Returns the group to show: the one asked for, all that match, or the first open one.

        After an action it is that into which a group was merged, or else the next open one where
        nothing is left to decide in the group.
        """
        rows = {row.group: row for row in listed}
        if done and done.action == "merge":
            group = done.into
        elif done and done.action in _GO_ON and not (group in rows and rows[group].open):
            groups = list(rows)
            here = groups.index(group) if group in rows else -1
            ahead = [*listed[here + 1 :], *listed[: here + 1]]
            still = (row.group for row in ahead if row.open and row.group != EVERYTHING)
            group = next(still, group)
        if group in rows or not rows:
            return group if rows else ""
        if EVERYTHING in rows:
            return EVERYTHING
        return next((row.group for row in listed if row.open), listed[0].group)

    def view(self, place: Place, listed: Sequence[GroupRow], members: Rows) -> GroupView:
        """Returns the open group.

        Args:
            place: what is open, a group of the list.
            listed: the list.
            members: what `members` returns for it.
        """
        board, tally = self._board, self.count()
        of_all = place.group == EVERYTHING
        number = -1 if of_all else board.group_number[place.group]
        far = set() if of_all else outlying(board, members, int(tally.top[number]))
        return GroupView(
            row=next(row for row in listed if row.group == place.group),
            rows=tuple(
                class_row(
                    board,
                    self._landmarks,
                    row,
                    is_outlier=board.classes.qids[row] in far,
                    group=tally.names[int(board.group[row])] if of_all else "",
                    thumbnails=self.pictures_of(row, _PICTURES),
                )
                for row in members[: place.rows].tolist()
            ),
            matching=len(members),
            sure=int(board.is_sure[members].sum()),
            choices=name_choices(board, members),
            near=() if of_all else self._near(number, tally),
        )

    def group_of_most(self, qids: Iterable[str]) -> str:
        """Returns the group in which most of some classes stand; empty where the build has none."""
        board = self._board
        rows = [row for qid in qids if (row := board.classes.row.get(qid)) is not None]
        if not rows:
            return ""
        return board.group_ids[int(np.bincount(board.group[rows]).argmax())]

    def pictures_of(self, row: int, most: int) -> tuple[Thumbnail, ...]:
        """Returns pictures of a class, each of another landmark."""
        landmarks, pictures = self._landmarks.of(row), self.pictures
        if not pictures.files:
            return ()
        keys = self._landmarks.keys[landmarks].tolist()
        pairs = zip(landmarks.tolist(), keys, strict=True)
        found = (pair for pair in pairs if pair[1] in pictures.image_of)
        return tuple(
            pictures.thumbnail(self._landmarks.link(one), key)
            for one, key in itertools.islice(found, most)
        )

    def _everything(self, chosen: NDArray[np.bool_]) -> GroupRow:
        board = self._board
        landmarks = board.classes.landmarks
        return GroupRow(
            group=EVERYTHING,
            name="All that match",
            classes=int(chosen.sum()),
            open=int((board.is_open & chosen).sum()),
            unsure=int((board.is_unsure & chosen).sum()),
            landmarks=int(landmarks[chosen].sum()),
            answer=board.names.now(NO_NAME),
        )

    def _order(self, reviewer: str, tally: GroupTally) -> list[int]:
        """Returns the groups that have a class: what settles most first, when one first looked.

        A list that jumps under one's hands is bad. A group that is split off comes after the one it
        was split off.
        """
        if reviewer not in self._orders:
            self._orders[reviewer] = np.lexsort((-tally.landmarks, -tally.settles)).tolist()
        order = self._orders[reviewer]
        for number in range(len(order), len(tally.classes)):
            homes = self._board.homes_of(number)
            places = [place for place, each in enumerate(order) if each in homes]
            order.insert(places[-1] + 1 if places else len(order), number)
        return [number for number in order if tally.classes[number]]

    def _near(self, number: int, tally: GroupTally) -> tuple[GroupRow, ...]:
        """Returns the groups nearest to one, by the mean of their classes' vectors."""
        board = self._board
        if self._centres[0] != board.membership:
            vectors = board.classes.vectors
            sums = np.zeros((len(board.group_ids), vectors.shape[1]), np.float32)
            np.add.at(sums, board.group, vectors)
            self._centres = (board.membership, unit_rows(sums))
        centres = self._centres[1]
        # As quick as BLAS, whose threads wait for one another where others work: 20 ms, not 1.
        order = np.argsort(-np.einsum("ij,j->i", centres, centres[number]), kind="stable")
        near = [each for each in order.tolist() if each != number and each in tally.names]
        return tuple(group_row(board, tally, each) for each in near[:_NEAR])
