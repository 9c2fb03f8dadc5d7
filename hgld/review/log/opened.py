"""The log kept open: what is added by others is read as it comes, what is done here is appended.

A page appends thousands of events. Reading, checking and copying the whole file for each would take
half a second at 10,000 lines; of an open log only what is new is read and checked, and the copy is
added to as the log is.
"""

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError
from hgld.review.log.appending import append_lines
from hgld.review.log.chain import Chain, is_torn
from hgld.review.log.decisions import (
    DECISIONS_COPY,
    DECISIONS_FILE,
    log_lock,
    parse_event,
    read_log,
)
from hgld.review.log.events import Event, event_content

logger = logging.getLogger(__name__)


class _Mark(NamedTuple):
    """What tells a file that is as it was from one that was written to."""

    inode: int = 0
    size: int = 0
    modified_ns: int = 0


class OpenLog:
    """The events of a log, read once and followed from then on. Not to be shared by threads."""

    def __init__(self, workspace: Workspace, *, mend: bool = True) -> None:
        """Reads the log.

        Args:
            workspace: a build.
            mend: whether what a crash left unfinished is ended; not in a build that is only shown,
                in which nothing is written then, and nothing can be appended.

        Raises:
            DamagedError: the log is not as it was written; the text says what to do.
            InputError: a line is no event.
            WorkspaceBusyError: another process writes to it all the while.
        """
        self._workspace, self._mend = workspace, mend
        self._path = workspace.path(DECISIONS_FILE)
        self._copy_path = workspace.path(DECISIONS_COPY)
        self.events: list[Event] = []
        self._chain, self._size, self._mark = Chain(hashlib.sha256(), 0), 0, _Mark()
        if mend:
            with log_lock(workspace):
                self._read_anew(mend=True)
        else:
            self._read_anew(mend=False)

    @property
    def line(self) -> int:
        """The number of the last line, also where a crash left it torn, so that it is no event."""
        return self._chain.count

    def sync(self) -> list[Event]:
        """Reads what others have added since; returns that. Writes nothing, and waits for nobody.

        Raises:
            DamagedError: what was read before is not there any more, or what is new is damaged.
            InputError: a line is no event.
        """
        mark = _mark_of(self._path)
        if mark == self._mark:
            return []
        before = len(self.events)
        is_same_file = mark.inode == self._mark.inode or not self._mark.inode
        if not (is_same_file and mark.size > self._size and self._follow(mark)):
            # Shorter, another file, written over, with lines of an earlier version, or damaged.
            self._read_anew(mend=False)
        return self.events[before:]

    def append(self, event: Event) -> Event:
        """Appends an event and flushes it to the disk, after what others have added meanwhile.

        Args:
            event: any number; it gets that of its line.

        Returns:
            The event with its number. What others added before it is in `events` too.

        Raises:
            ValueError: the log was opened to be read only.
            DamagedError: the log is not as it was written; nothing is appended.
            InputError: the disk is full, or refuses; nothing counts of what was written, and the
                next append may go well.
            WorkspaceBusyError: another process writes to it all the while.
        """
        self._check_mends()
        with log_lock(self._workspace):
            return self.append_locked(event)

    def append_locked(self, event: Event) -> Event:
        """Appends an event; for a caller that holds `log_lock` and has just called `sync`."""
        self._check_mends()
        self.sync()
        if self._mark.size != self._size:  # a crash left something behind the last line
            self._read_anew(mend=True)
        self._copy_again()
        line = self._chain.seal(event_content(event))
        # Before it is written: a line that cannot be read back would close the log to all.
        written = self._parsed(line[:-1], self._chain.count + 1)
        size = self._size
        append_lines(self._path, line)
        self._chain.add(line[:-1])
        self._size += len(line)
        self._mark = _mark_of(self._path)
        self.events.append(written)
        self._copy(size, line)
        return written

    def _copy_again(self) -> None:
        """Makes the copy again where it is not what the log is, of the log read and checked anew.

        Before anything is appended: of the two it may be the copy that is whole.
        """
        if _mark_of(self._copy_path).size == self._size:
            return
        try:
            self._read_anew(mend=True)
        except InputError as error:
            logger.warning("%s; the log itself is whole, its copy is not", error)

    def _copy(self, size: int, line: bytes) -> None:
        """Adds a line to the copy; the event is safe in the log whatever becomes of that."""
        if _mark_of(self._copy_path).size != size:
            return  # that was said just now
        try:
            # Not flushed, which takes as long as all else: after a power cut the copy may end
            # before the log, and is made again.
            append_lines(self._copy_path, line, flush=False)
        except InputError as error:
            logger.warning("%s; the log itself is whole, and is copied with the next event", error)

    def _check_mends(self) -> None:
        if not self._mend:
            raise ValueError(
                f"{self._path} was opened to be read only; open it with mend=True to append"
            )

    def _follow(self, mark: _Mark) -> bool:
        """Takes up the lines that have come up to a mark; says whether they are what may come."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._size)
                data = file.read(mark.size - self._size)
        except FileNotFoundError:
            return False
        # What is behind the last line feed is being written, or a crash left it: it counts not yet.
        *texts, tail = data.split(b"\n")
        new, chain = list[Event](), self._chain.copy()
        for text in texts:
            if not is_torn(text):
                if not chain.follows(text):
                    return False
                new.append(self._parsed(text, chain.count + 1))
            chain.add(text)
        # At one stroke: where a line is refused, none before it is taken for known.
        self._chain, self._mark = chain, mark
        self._size += len(data) - len(tail)
        self.events += new
        return True

    def _parsed(self, text: bytes, number: int) -> Event:
        return parse_event(text, number, f"{self._path} line {number}")

    def _read_anew(self, *, mend: bool) -> None:
        """Reads the whole log; to mend it the caller holds the lock, so that nobody else writes."""
        mark = _mark_of(self._path)
        log = read_log(self._workspace, mend=mend)
        _check_grown(self.events, log.events, self._path)
        self.events[:] = log.events
        self._chain = Chain(hashlib.sha256(log.found.data), log.found.count)
        # With the line feed that a crash left out, which comes when the log is mended.
        self._size = len(log.found.data)
        self._mark = _mark_of(self._path) if mend else mark


def _mark_of(path: Path) -> _Mark:
    try:
        found = path.stat()
    except FileNotFoundError:
        return _Mark()
    return _Mark(found.st_ino, found.st_size, found.st_mtime_ns)


def _check_grown(before: Sequence[Event], now: Sequence[Event], path: Path) -> None:
    """Refuses a log that is not what was read before and more.

    Raises:
        DamagedError: it is another one.
    """
    if list(now[: len(before)]) != list(before):
        raise DamagedError(
            f"{path} has other lines than it had a moment ago; stop whoever writes to it, and open "
            f"the review again"
        )
