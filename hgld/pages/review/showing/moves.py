"""Where the classes of a group went that is empty now: who had it open is taken there."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hgld.pages.review.state.board import Board


class Move(NamedTuple):
    """Where most classes of a group went."""

    into: str
    reviewer: str
    """Who put them there; empty where that is not known."""


class Moves:
    """The groups that were emptied."""

    def __init__(self, board: Board) -> None:
        """Takes the state, which it follows."""
        self._board = board
        self._moves: dict[int, Move] = {}

    def take(self, before: NDArray[np.int64], reviewer: str) -> None:
        """Notes which groups are empty since some events.

        Args:
            before: the group of each class before them.
            reviewer: who made the last of them.
        """
        now = self._board.group
        most = len(self._board.group_ids)
        is_left = (np.bincount(before, minlength=most) > 0) & (
            np.bincount(now, minlength=most) == 0
        )
        for number in np.flatnonzero(is_left).tolist():
            into = int(np.bincount(now[before == number]).argmax())
            self._moves[number] = Move(self._board.group_ids[into], reviewer)

    def of(self, group: str) -> Move | None:
        """Returns where the classes of a group stand now; None where it has some, or is unknown."""
        board, move = self._board, None
        number, tried = board.group_number.get(group), set[int]()
        while number is not None and number not in tried and not (board.group == number).any():
            tried.add(number)
            move = self._moves.get(number) or self._natives(number)
            number = None if move is None else board.group_number[move.into]
        return move if number is not None and number not in tried else None

    def _natives(self, number: int) -> Move | None:
        """Returns where most classes of a cluster stand that was emptied before the page began."""
        rows = self._board.natives_of(number)
        if not len(rows):
            return None
        return Move(self._board.group_ids[int(np.bincount(self._board.group[rows]).argmax())], "")
