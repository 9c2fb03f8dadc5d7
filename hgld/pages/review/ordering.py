"""The order of the list of groups: what settles most first, and still while a person works."""

import numpy as np

from hgld.pages.review.board import Board
from hgld.pages.review.counting import GroupTally


class GroupOrder:
    """The order of the groups for each reviewer.

    A list that jumps under one's hands is bad: the order is that of when they first looked. A group
    that is split off comes after the one it was split off.
    """

    def __init__(self) -> None:
        """Starts with no order."""
        self._orders: dict[str, list[int]] = {}

    def of(self, reviewer: str, board: Board, tally: GroupTally) -> list[int]:
        """Returns the numbers of the groups that have a class, in a reviewer's order."""
        order = self._orders.get(reviewer)
        if order is None:
            order = np.lexsort((-tally.landmarks, -tally.settles)).tolist()
        known = set(order)
        for number in range(len(board.group_ids)):
            if number not in known:
                order.insert(self._place(order, board, number), number)
        self._orders[reviewer] = order
        return [number for number in order if tally.classes[number]]

    @staticmethod
    def _place(order: list[int], board: Board, number: int) -> int:
        homes = board.homes_of(number)
        places = [place for place, each in enumerate(order) if each in homes]
        return places[-1] + 1 if places else len(order)
