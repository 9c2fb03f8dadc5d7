"""Proposals that are scored again after each decision, in a process of its own.

Scoring takes from 10 ms to a second of one core, and the page answers meanwhile. What is proposed
depends on the decisions in force alone, so that a process that ends is replaced by another.
"""

import contextlib
import logging
import math
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import NamedTuple

from hgld.engine.workspace import Workspace
from hgld.errors import HgldError
from hgld.labels.proposing.knowledge import Ruling
from hgld.labels.proposing.learning import OpenProposals
from hgld.labels.proposing.proposals import Proposal, proposals_of
from hgld.labels.proposing.stage import ProposeConfig, read_inputs
from hgld.tables import CLUSTERS, PROPOSALS

logger = logging.getLogger(__name__)

_RESTARTS = 3
_PATIENCE_S = 2.0
_NICENESS = 5  # the page and the browser come first
# On a machine of few cores the page comes first: that of the decision is shown before, and those of
# the next ones, where they come without a pause. They are waited for, though not for long.
_PAUSE_S, _HURRIED_PAUSE_S, _MOST_PAUSE_S = 0.25, 1.0, 3.0
_HURRY_S = 0.5  # between two decisions


class Scored(NamedTuple):
    """What became of the proposals."""

    version: int
    """Of the decisions that they rest on."""
    proposals: list[Proposal]
    """Those that are others than before."""
    problem: str = ""
    """Why there are none any more."""


class _Job(NamedTuple):
    version: int
    rulings: dict[str, Ruling | None]
    pause_s: float = 0.0
    """How long to wait for another one."""


class Scorer:
    """Scores the open classes again, beside the page."""

    def __init__(
        self,
        root: Path,
        config: ProposeConfig,
        tell: Callable[[Scored], None],
        *,
        is_apart: bool = True,
    ) -> None:
        """Has the build read, beside what its caller does; `start` has it scored.

        Args:
            root: the build.
            config: has the taxonomy.
            tell: called in another thread with what has changed.
            is_apart: whether a process of its own does it, not a thread.
        """
        self._root, self._config, self._tell, self._is_apart = root, config, tell, is_apart
        self._rulings: dict[str, Ruling] = {}
        self._lock = threading.Lock()
        self._version = self._restarts = 0
        self._decided_s = -math.inf
        self._is_closed = False
        self._reader: threading.Thread | None = None
        self._start_worker(is_first=True)

    def start(self, rulings: Mapping[str, Ruling]) -> None:
        """Starts with the decisions in force; tells of what is not as the table has it."""
        with self._lock:
            self._rulings = dict(rulings)
            self._ask_all()

    def decide(self, rulings: Mapping[str, Ruling | None]) -> int:
        """Takes up decisions.

        Args:
            rulings: class to what it was decided to be; None takes that back.

        Returns:
            The version of the proposals that will rest on them.
        """
        with self._lock:
            for qid, ruling in rulings.items():
                if ruling is None:
                    self._rulings.pop(qid, None)
                else:
                    self._rulings[qid] = ruling
            self._version += 1
            self._send(_Job(self._version, dict(rulings), self._pause_s()))
            return self._version

    def close(self) -> None:
        """Ends it."""
        with self._lock:
            self._is_closed = True
            self._send(None)
            worker, reader = self._worker, self._reader
        if reader is not None:
            worker.join(timeout=_PATIENCE_S)
        if isinstance(worker, multiprocessing.process.BaseProcess) and worker.is_alive():
            worker.terminate()
            worker.join(timeout=_PATIENCE_S)
        if reader is not None:
            reader.join(timeout=_PATIENCE_S)

    def _pause_s(self) -> float:
        """Returns how long scoring waits for the next decision after one that is made now."""
        before, self._decided_s = self._decided_s, time.monotonic()
        if not self._is_apart:
            return 0.0
        return _HURRIED_PAUSE_S if self._decided_s - before < _HURRY_S else _PAUSE_S

    def _start_worker(self, *, is_first: bool) -> None:
        here, there = Pipe()
        arguments = (there, self._root, self._config, is_first)
        self._worker: multiprocessing.process.BaseProcess | threading.Thread
        if self._is_apart:
            context = multiprocessing.get_context("spawn")
            self._worker = context.Process(
                target=serve_proposals, args=arguments, name="hgld-scoring", daemon=True
            )
            # Ctrl-C goes to all processes of a terminal, and the page ends this one. The tracker is
            # started before, or `start` would do so, which unblocks the signal.
            resource_tracker.ensure_running()
            mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            self._worker.start()
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            there.close()  # or its end would not be seen
        else:
            self._worker = threading.Thread(target=_serve, args=arguments, daemon=True)
            self._worker.start()
        self._connection = here

    def _ask_all(self) -> None:
        self._send(_Job(self._version, dict(self._rulings)))
        self._reader = threading.Thread(target=self._read, args=(self._connection,), daemon=True)
        self._reader.start()

    def _send(self, job: _Job | None) -> None:
        with contextlib.suppress(OSError):  # its end is seen by who reads
            self._connection.send(job)

    def _read(self, connection: Connection) -> None:
        while True:
            try:
                scored: Scored = connection.recv()
            except (EOFError, OSError):
                break
            self._tell(scored)
            if scored.problem:
                return
        with self._lock:
            if self._is_closed:
                return
            self._restarts += 1
            if self._restarts <= _RESTARTS:
                logger.warning("review: the process that scores proposals ended; it is restarted")
                self._start_worker(is_first=False)
                self._ask_all()
                return
        self._tell(Scored(self._version, [], "the process that scores proposals ended again"))


def serve_proposals(
    connection: Connection, root: Path, config: ProposeConfig, is_first: bool
) -> None:
    """Scores what comes over a connection until it is closed: a process's whole work."""
    os.nice(_NICENESS)
    _serve(connection, root, config, is_first)


def _serve(connection: Connection, root: Path, config: ProposeConfig, is_first: bool) -> None:
    with connection, contextlib.suppress(EOFError, OSError):
        version = 0
        try:
            workspace = Workspace(root)
            inputs = read_inputs(workspace, workspace.read(CLUSTERS), config.taxonomy)
            open_proposals = OpenProposals(inputs)
            job = _jobs(connection)
            if job is None:
                return
            version = job.version
            open_proposals.decide(job.rulings)
            # The page has those of the table, unless a process before this one has told it others.
            known = proposals_of(workspace.read(PROPOSALS)) if is_first else ()
            connection.send(Scored(version, open_proposals.others_than(known)))
            while (job := _jobs(connection)) is not None:
                version = job.version
                changed = open_proposals.decide(job.rulings)
                scored = [open_proposals.proposal(qid) for qid in changed]
                connection.send(Scored(version, scored))
        except HgldError as error:
            connection.send(Scored(version, [], str(error)))


def _jobs(connection: Connection) -> _Job | None:
    """Waits for a job, and for what comes soon after; makes one of them. None: it is to end."""
    job: _Job | None = connection.recv()
    until = time.monotonic() + _MOST_PAUSE_S
    while job is not None and connection.poll(max(min(job.pause_s, until - time.monotonic()), 0)):
        later: _Job | None = connection.recv()
        job = later and later._replace(rulings=job.rulings | later.rulings)
    return job
