"""What was done so far, as each reviewer looks back on it."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from hgld.engine.workspace import Workspace
from hgld.pages.review.showing.past import HistoryPage, Past
from hgld.pages.review.showing.progressing import progress_points
from hgld.pages.review.showing.visits import Visits
from hgld.pages.review.state.board import Board
from hgld.pages.review.state.landmarks import LandmarkIndex
from hgld.pages.review.views import HistoryRow
from hgld.review.log.decisions import OpenLog


class LookBack:
    """The history of a review. All methods may be called from any thread."""

    def __init__(
        self,
        workspace: Workspace,
        log: OpenLog,
        landmarks: LandmarkIndex,
        reading: Callable[[], AbstractContextManager[Board]],
    ) -> None:
        """Takes what it looks at.

        Args:
            workspace: the build, which keeps how far each reviewer has looked.
            log: of its decisions.
            landmarks: of the build.
            reading: holds log and state, with all that others have added, and gives the state.
        """
        self._log, self._landmarks, self._reading = log, landmarks, reading
        self._visits = Visits(workspace)
        self._points: tuple[int, list[tuple[float, int, int]]] = (-1, [])

    def seen_by(self, reviewer: str) -> int:
        """Returns the line up to which a reviewer has looked; 0 where they were never here."""
        return self._visits.of(reviewer)

    def mark_seen(self, reviewer: str) -> None:
        """Notes that a reviewer has seen all events."""
        with self._reading():
            self._visits.mark(reviewer, self._log.line)

    def history(self, reviewer: str, before: int = 0, only: str = "") -> HistoryPage:
        """Returns a page of the history; see `Past.page`."""
        with self._reading() as board:
            return self._past(board, reviewer).page(before, only)

    def dependents(self, reviewer: str, number: int) -> tuple[HistoryRow, tuple[HistoryRow, ...]]:
        """Returns an edit and what depends on it; see `Past.dependents`."""
        with self._reading() as board:
            return self._past(board, reviewer).dependents(number)

    def progress_points(self) -> list[tuple[float, int, int]]:
        """Returns how many classes and landmarks were settled when."""
        with self._reading() as board:
            events = list(self._log.events)
        if self._points[0] != len(events):  # not held: of 10,000 events it takes a while
            self._points = (len(events), progress_points(board, self._landmarks, events))
        return self._points[1]

    def _past(self, board: Board, reviewer: str) -> Past:
        active = frozenset(board.standing.active)
        seen = self.seen_by(reviewer)
        return Past(events=self._log.events, active=active, reviewer=reviewer, seen=seen)
