"""How far the review is, and how long it will take."""

import itertools
import statistics
from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from hgld.pages.review.state.board import Board
from hgld.pages.review.state.landmarks import LandmarkIndex
from hgld.pages.review.state.namebook import OPEN
from hgld.pages.review.state.tallies import GroupTally
from hgld.pages.review.views import ReviewProgress
from hgld.review.log.events import Event
from hgld.review.log.history import standing_of

PAUSE_S = 300.0
"""A longer time between two events is a pause."""
_FEWEST = 5  # events, of fewer there is no pace
_APART = {"sample", "opinion", "fill", "refuse"}
_POINTS = 60  # of the plot


def progress_of(
    board: Board,
    landmarks: LandmarkIndex,
    tally: GroupTally,
    order: Sequence[int],
    pace: tuple[float, int] | None,
) -> ReviewProgress:
    """Returns how far the review is.

    Args:
        board: the state.
        landmarks: of the build.
        tally: of the groups.
        order: the numbers of the groups as they are listed.
        pace: seconds an event, and events, of the reviewer.
    """
    total, settled, to_90 = _settling(board, landmarks, tally, order)
    groups = int((tally.classes > 0).sum())
    done = int(((tally.classes > 0) & (tally.open == 0)).sum())
    left = None
    if pace is not None and done:
        seconds, events = pace
        left = seconds * max(events / done, 1.0) * (groups - done)
    return ReviewProgress(
        classes=len(board.classes),
        decided=int((board.decided != OPEN).sum()),
        groups=groups,
        groups_done=done,
        landmarks=total,
        settled=settled,
        groups_to_90=to_90,
        left_s=left,
    )


def pace_of(events: Sequence[Event], reviewer: str) -> tuple[float, int] | None:
    """Returns a reviewer's median seconds between two events, pauses left out, and their events.

    Second opinions and what is said of guesses are left out, which settle no group. None: too
    little was done.
    """
    mine = [event for event in events if event.reviewer == reviewer and event.event not in _APART]
    if len(mine) <= _FEWEST:
        return None
    times = [datetime.fromisoformat(event.decided_at).timestamp() for event in mine]
    gaps = [after - before for before, after in itertools.pairwise(times)]
    working = [gap for gap in gaps if 0 <= gap <= PAUSE_S]
    if len(working) < _FEWEST:
        return None
    return statistics.median(working), len(mine)


def progress_points(
    board: Board, landmarks: LandmarkIndex, events: Sequence[Event]
) -> list[tuple[float, int, int]]:
    """Returns seconds since 1970, classes decided and landmarks settled after some events.

    Args:
        board: for the classes.
        landmarks: of the build.
        events: of the whole log; at most 60 of them are told, among them the last.
    """
    picked = np.unique(np.linspace(0, len(events) - 1, _POINTS).round()) if events else ()
    points = []
    for place in (int(each) for each in picked):
        event = events[place]
        standing = standing_of(events, event.number)
        is_decided = np.zeros(len(board.classes), dtype=np.bool_)
        for qid, word in standing.rulings.items():
            row = board.classes.row.get(qid)
            if row is not None:
                is_decided[row] = word.change.effect != "clear"
        settled = int(landmarks.settled(is_decided).sum())
        time = datetime.fromisoformat(event.decided_at).timestamp()
        points.append((time, int(is_decided.sum()), settled))
    return points


def _settling(
    board: Board, landmarks: LandmarkIndex, tally: GroupTally, order: Sequence[int]
) -> tuple[int, int, int | None]:
    undone = [number for number in order if tally.open[number]]
    place = np.zeros(len(board.group_ids), dtype=np.int64)
    place[undone] = np.arange(1, len(undone) + 1)
    places: NDArray[np.int64] = np.where(board.is_open, place[board.group], 0)
    return landmarks.settling(places)
