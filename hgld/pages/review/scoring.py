"""Proposals that are scored again after each decision, in a thread beside the page.

Scoring takes from 10 ms to a second of one core, and the page answers meanwhile. What is proposed
depends on the decisions in force alone.
"""

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from typing import NamedTuple

from hgld.engine.workspace import Workspace
from hgld.errors import HgldError
from hgld.labels.proposing.knowledge import Ruling
from hgld.labels.proposing.learning import OpenProposals
from hgld.labels.proposing.proposals import Proposal, proposals_of
from hgld.labels.proposing.stage import ProposeConfig, read_inputs
from hgld.tables import CLUSTERS, PROPOSALS

logger = logging.getLogger(__name__)

Rulings = Mapping[str, Ruling | None]
"""Class to what it was decided to be; None takes that back."""

# The page comes first: scoring waits until the person pauses, though not for long.
_PAUSE_S, _MOST_PAUSE_S = 0.25, 3.0


class _Job(NamedTuple):
    version: int
    rulings: Rulings


class Scorer:
    """Scores the open classes again, beside the page."""

    def __init__(
        self,
        workspace: Workspace,
        config: ProposeConfig,
        tell: Callable[[int, list[Proposal]], None],
    ) -> None:
        """Has the build read in its thread; `start` has it scored.

        Args:
            workspace: the build.
            config: has the taxonomy.
            tell: called in the thread with a version of the decisions, and the proposals that are
                others than before.
        """
        self._workspace, self._config, self._tell = workspace, config, tell
        self._jobs: queue.Queue[_Job | None] = queue.Queue()
        self._asked = 0
        self._is_idle = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self, rulings: Rulings) -> None:
        """Starts with the decisions in force; tells of what is not as the table has it."""
        self._jobs.put(_Job(0, rulings))
        self._thread.start()

    def decide(self, rulings: Rulings) -> None:
        """Takes up decisions; the proposals that rest on them have the next version."""
        if not self._thread.is_alive():
            return
        self._asked += 1
        self._is_idle.clear()
        self._jobs.put(_Job(self._asked, rulings))

    def wait(self, timeout_s: float) -> bool:
        """Waits until the proposals rest on all decisions; says whether they do."""
        return self._is_idle.wait(timeout_s)

    def close(self) -> None:
        """Ends it, after what is being scored."""
        self._jobs.put(None)

    def _run(self) -> None:
        try:
            self._score()
        except HgldError as error:
            logger.warning("review: proposals are scored no more: %s", error)
        finally:
            self._is_idle.set()

    def _score(self) -> None:
        workspace = self._workspace
        inputs = read_inputs(workspace, workspace.read(CLUSTERS), self._config.taxonomy)
        proposals = OpenProposals(inputs)
        job = self._next()
        if job is None:
            return
        proposals.decide(job.rulings)
        changed = proposals.others_than(proposals_of(workspace.read(PROPOSALS)))
        while job is not None:
            self._tell(job.version, changed)
            if job.version == self._asked:
                self._is_idle.set()
            job = self._next()
            if job is not None:
                changed = [proposals.proposal(qid) for qid in proposals.decide(job.rulings)]

    def _next(self) -> _Job | None:
        """Waits for a job, and for what comes soon after; makes one of them. None: it is to end."""
        job = self._jobs.get()
        waited_s = 0.0
        while job is not None and job.version and waited_s < _MOST_PAUSE_S:
            try:
                later = self._jobs.get(timeout=_PAUSE_S)
            except queue.Empty:
                break
            job = later and later._replace(rulings={**job.rulings, **later.rulings})
            waited_s += _PAUSE_S
        return job
