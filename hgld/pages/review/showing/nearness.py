"""What is near: groups by their centres, classes by their vectors, and all of them on a map."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from hgld.labels.clustering.kmeans import unit_rows
from hgld.pages.review.state.board import Board
from hgld.pages.review.state.namebook import OPEN
from hgld.pages.review.views import NearClass, NearGroup

if TYPE_CHECKING:
    from numpy.typing import NDArray

_GROUPS, _CLASSES = 6, 12


class Nearness:
    """The centres of the groups, kept up to date, and what is near to them."""

    def __init__(self, board: Board) -> None:
        """Computes all centres."""
        self._board = board
        self._membership = -1
        self._centres: NDArray[np.float32] = np.zeros((0, 1), np.float32)
        self._near: dict[int, tuple[NDArray[np.int64], NDArray[np.float32]]] = {}

    def groups(
        self, number: int, names: Mapping[int, str], tops: "NDArray[np.int64]"
    ) -> tuple[NearGroup, ...]:
        """Returns the groups near to one, nearest first.

        Args:
            number: of the group.
            names: of the groups that have a class.
            tops: the answer of each group.
        """
        self._refresh()
        cosines = self._centres @ self._centres[number]
        order = [each for each in np.argsort(-cosines, kind="stable").tolist() if each != number]
        return tuple(
            NearGroup(
                self._board.group_ids[each],
                names[each],
                float(cosines[each]),
                self._board.names.words(int(tops[each])),
            )
            for each in order
            if each in names
        )[:_GROUPS]

    def classes(self, number: int) -> tuple[NearClass, ...]:
        """Returns the classes of other groups near to a group's centre, nearest first."""
        self._refresh()
        if number not in self._near:
            # As quick as BLAS, whose threads wait for one another where others work: 20 ms, not 1.
            cosines = np.einsum("ij,j->i", self._board.classes.vectors, self._centres[number])
            cosines[self._board.group == number] = -1
            most = min(_CLASSES, len(cosines))
            rows = np.argpartition(-cosines, most - 1)[:most]
            rows = rows[np.argsort(-cosines[rows], kind="stable")]
            rows = rows[cosines[rows] > -1]
            self._near[number] = (rows, cosines[rows])
        rows, similarity = self._near[number]
        return tuple(
            near_class(self._board, row, cosine)
            for row, cosine in zip(rows.tolist(), similarity.tolist(), strict=True)
        )

    def _refresh(self) -> None:
        board = self._board
        if self._membership == board.membership and len(self._centres) == len(board.group_ids):
            return
        sums = np.zeros((len(board.group_ids), board.classes.vectors.shape[1]), np.float32)
        np.add.at(sums, board.group, board.classes.vectors)
        self._centres = unit_rows(sums)
        self._near.clear()
        self._membership = board.membership


def near_class(board: Board, row: int, similarity: float) -> NearClass:
    """Returns a class as one that is near."""
    return NearClass(
        board.classes.qids[row],
        board.classes.labels[row],
        board.group_of(row),
        float(similarity),
        board.names.words(board.answer_of(row)),
        int(board.classes.landmarks[row]),
        bool(board.decided[row] == OPEN),
    )
