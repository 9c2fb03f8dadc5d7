"""Proposals that are scored again after each decision, in a thread beside the page.

Scoring takes from 10 ms to a second of one core, and the page answers meanwhile. What is proposed
depends on the decisions in force alone.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import reduce
from operator import or_
from typing import cast

from hgld.engine.workspace import Workspace
from hgld.errors import HgldError
from hgld.labels.proposing.knowledge import Ruling
from hgld.labels.proposing.learning import OpenProposals
from hgld.labels.proposing.proposals import Proposal, proposals_of
from hgld.labels.proposing.stage import read_inputs
from hgld.labels.taxonomy.rows import TaxonomyTables
from hgld.tables import CLUSTERS, PROPOSALS

logger = logging.getLogger(__name__)

Rulings = dict[str, Ruling | None]
"""Class to what it was decided to be; None takes that back."""

_PAUSE_S = 0.15  # what is decided in one go is scored at once


class Scorer:
    """Scores the open classes again, beside the page."""

    def __init__(
        self,
        workspace: Workspace,
        taxonomy: TaxonomyTables,
        rulings: Rulings,
        tell: Callable[[int, list[Proposal]], None],
        answering: AbstractContextManager[object],
    ) -> None:
        """Starts its thread, which reads the build; then tells of what is not as its table has it.

        Args:
            workspace: the build.
            taxonomy: its tables.
            rulings: the decisions in force.
            tell: called in the thread with how many `decide` had given when it was scored, and the
                proposals that are others than before.
            answering: held while an answer is made, for whose end each proposal waits: of two
                threads that compute, Python has each take twice as long.
        """
        self._workspace, self._taxonomy, self._tell = workspace, taxonomy, tell
        self._answering = answering
        self._waiting: queue.SimpleQueue[Rulings | None] = queue.SimpleQueue()
        self._asked = 0
        self._is_idle = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(rulings,), daemon=True)
        self._thread.start()

    def decide(self, rulings: Rulings) -> None:
        """Takes up decisions; the proposals that rest on them have the next version."""
        if self._thread.is_alive():
            self._asked += 1
            self._is_idle.clear()
            self._waiting.put(rulings)

    def wait(self, timeout_s: float) -> bool:
        """Waits until the proposals rest on all decisions; says whether they do."""
        return self._is_idle.wait(timeout_s)

    def close(self) -> None:
        """Ends it, after what is being scored.

        A thread that is in the middle of Arrow when Python ends takes the process down.
        """
        self._waiting.put(None)
        self._thread.join()

    def _run(self, rulings: Rulings) -> None:
        try:
            for version, changed in self._scored(rulings):
                self._tell(version, changed)
                if version == self._asked:
                    self._is_idle.set()
        except HgldError as error:
            logger.warning("review: proposals are scored no more: %s", error)
        finally:
            self._is_idle.set()

    def _scored(self, rulings: Rulings) -> Iterator[tuple[int, list[Proposal]]]:
        workspace, version = self._workspace, 0
        inputs = read_inputs(workspace, workspace.read(CLUSTERS), self._taxonomy)
        proposals = OpenProposals(inputs)
        proposals.decide(rulings)
        yield version, proposals.others_than(proposals_of(workspace.read(PROPOSALS)))
        while new := self._next():
            version += len(new)
            made = []
            for qid in proposals.decide(reduce(or_, new)):
                with self._answering:
                    pass
                made.append(proposals.proposal(qid))
            yield version, made

    def _next(self) -> list[Rulings]:
        """Waits for decisions, and for what comes soon after; nothing: it is to end."""
        new = [self._waiting.get()]
        time.sleep(_PAUSE_S)
        while not self._waiting.empty():
            new.append(self._waiting.get())
        return [] if None in new else cast("list[Rulings]", new)
