"""How far the review is, and how long it will take."""

import itertools
import statistics
from collections.abc import Sequence
from datetime import datetime

from hgld.pages.review.board import Board
from hgld.pages.review.counting import GroupTally
from hgld.pages.review.landmarks import LandmarkIndex
from hgld.pages.review.names import OPEN
from hgld.pages.review.views import Progress
from hgld.review.log.events import Event

PAUSE_S = 300.0
"""A longer time between two events is a pause."""
_FEWEST = 5  # events, of fewer there is no pace
_APART = {"sample", "opinion", "fill", "refuse"}


def progress_of(
    board: Board,
    landmarks: LandmarkIndex,
    tally: GroupTally,
    pace: tuple[float, int] | None,
) -> Progress:
    """Returns how far the review is.

    Args:
        board: the state.
        landmarks: of the build.
        tally: of the groups.
        pace: seconds an event, and events, of the reviewer.
    """
    groups = int((tally.classes > 0).sum())
    done = int(((tally.classes > 0) & (tally.open == 0)).sum())
    left = None
    if pace is not None and done:
        seconds, events = pace
        left = seconds * max(events / done, 1.0) * (groups - done)
    return Progress(
        classes=len(board.classes),
        decided=int((board.decided != OPEN).sum()),
        groups=groups,
        groups_done=done,
        landmarks=len(landmarks),
        settled=landmarks.settled(~board.is_open),
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
