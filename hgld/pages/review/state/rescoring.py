"""Where the scoring of proposals stands, and what it has changed since the last decision."""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from hgld.labels.proposing.knowledge import Ruling
from hgld.labels.proposing.stage import ProposeConfig
from hgld.pages.review.state.board import Board, Outlook
from hgld.pages.review.state.scoring import Scored, Scorer


class Rescoring:
    """Keeps the proposals of a board to what is decided."""

    def __init__(
        self,
        root: Path,
        config: ProposeConfig,
        lock: threading.RLock,
        tell: Callable[[list[Outlook]], None],
        *,
        is_apart: bool,
    ) -> None:
        """Begins to read the build; `start` has it scored.

        Args:
            root: the build.
            config: the settings of the proposals.
            lock: that guards the board.
            tell: called, under the lock, with what has changed.
            is_apart: whether a process of its own does it, not a thread.
        """
        self._tell = tell
        self._changed_state = threading.Condition(lock)
        self._asked = 0
        self._is_first = True
        self._board: Board
        self.is_running = True
        self.problem = ""
        """Why proposals are scored no more; empty while they are."""
        self._scorer = Scorer(root, config, self._take_up, is_apart=is_apart)

    def start(self, board: Board) -> None:
        """Starts with the decisions in force on a board, whose proposals they are."""
        self._board = board
        self._scorer.start(board.rulings())

    def decide(self, rulings: Mapping[str, Ruling | None]) -> None:
        """Has proposals scored again after decisions, which are nothing where they are none."""
        if rulings and not self.problem:
            self.is_running = True
            self._asked = self._scorer.decide(rulings)

    def wait(self, timeout_s: float) -> bool:
        """Waits until the proposals rest on all decisions; says whether they do."""
        with self._changed_state:
            return self._changed_state.wait_for(lambda: not self.is_running, timeout_s)

    def close(self) -> None:
        """Ends it."""
        self._scorer.close()

    def _take_up(self, scored: Scored) -> None:
        with self._changed_state:
            self.problem = scored.problem
            changed = self._board.put(scored.version, scored.proposals)
            self.is_running = scored.version < self._asked and not scored.problem
            self._tell([] if self._is_first else changed)
            self._is_first = False
            self._changed_state.notify_all()
