"""The log kept open: what is added by others is read as it comes, what is done here is appended.

A page appends thousands of events. Reading, checking and copying the whole file for each would take
50 ms at 10,000 lines; of an open log only what is new is read and checked, and the copy is added
to as the log is.
"""

import hashlib
from collections.abc import Sequence

from hgld.engine.files import append_bytes
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError
from hgld.review.log.chain import Chain
from hgld.review.log.decisions import (
    DECISIONS_COPY,
    DECISIONS_FILE,
    copy_log,
    log_lock,
    parse_event,
    read_log,
)
from hgld.review.log.events import Event, event_content


class OpenLog:
    """The events of a log, read once and followed from then on. Not to be shared by threads."""

    def __init__(self, workspace: Workspace, *, mend: bool = True) -> None:
        """Reads the log.

        Args:
            workspace: a build.
            mend: whether what a crash left unfinished is ended; not in a build that is only shown.

        Raises:
            DamagedError: the log is not as it was written; the text says what to do.
            InputError: a line is no event.
            WorkspaceBusyError: another process writes to it all the while.
        """
        self._workspace, self._mend = workspace, mend
        self._path = workspace.path(DECISIONS_FILE)
        self._copy_path = workspace.path(DECISIONS_COPY)
        self.events: list[Event] = []
        self._read_anew()

    @property
    def line(self) -> int:
        """The number of the last line."""
        return self._chain.count

    def sync(self) -> list[Event]:
        """Reads what others have added since; returns that.

        Raises:
            DamagedError: what was read before is not there any more, or what is new is damaged.
            InputError: a line is no event.
        """
        if self._size_on_disk() == self._size:
            return []
        before = len(self.events)
        new = self._new_bytes()
        *texts, tail = new.split(b"\n")
        for text in texts:
            if not self._chain.follows(text):
                tail = text
                break
            self._size += len(text) + 1
            self._take(text)
        if tail or not texts:
            # A crash's leftovers, lines of an earlier version, damage: told from the whole log.
            self._read_anew()
        return self.events[before:]

    def append(self, event: Event) -> Event:
        """Appends an event and flushes it to the disk, after what others have added meanwhile.

        Args:
            event: any number; it gets that of its line.

        Returns:
            The event with its number. What others added before it is in `events` too.

        Raises:
            DamagedError: the log is not as it was written; nothing is appended.
            InputError: the disk is full; nothing counts of what was written.
            WorkspaceBusyError: another process writes to it all the while.
        """
        with log_lock(self._workspace):
            self.sync()
            return self.append_locked(event)

    def append_locked(self, event: Event) -> Event:
        """Appends an event; for a caller that holds `log_lock` and has just called `sync`."""
        if self._needs_mending:
            self._read_anew_locked()
        line = self._chain.seal(event_content(event))
        size = self._size
        append_bytes(self._path, line)
        self._size += len(line)
        self._take(line[:-1])
        if self._copy_path.exists() and self._copy_path.stat().st_size == size:
            append_bytes(self._copy_path, line)
        else:
            copy_log(self._workspace, self._path.read_bytes())
        return self.events[-1]

    def _take(self, text: bytes) -> None:
        self._chain.add(text)
        number = self._chain.count
        self.events.append(parse_event(text, number, f"{self._path} line {number}"))

    def _size_on_disk(self) -> int:
        return self._path.stat().st_size if self._path.exists() else 0

    def _new_bytes(self) -> bytes:
        if self._size_on_disk() < self._size:
            return b""
        with self._path.open("rb") as file:
            file.seek(self._size)
            return file.read()

    def _read_anew(self) -> None:
        if not self._mend:
            self._read_anew_locked()
            return
        with log_lock(self._workspace):
            self._read_anew_locked()

    def _read_anew_locked(self) -> None:
        log = read_log(self._workspace, mend=self._mend)
        _check_grown(self.events, log.events, str(self._path))
        self.events[:] = log.events
        self._chain = Chain(hashlib.sha256(log.found.data), log.found.count)
        self._size = log.found.size
        self._needs_mending = bool(log.found.tail or log.found.missing)


def _check_grown(before: Sequence[Event], now: Sequence[Event], path: str) -> None:
    """Refuses a log that is not what was read before and more.

    Raises:
        DamagedError: it is another one.
    """
    if list(now[: len(before)]) != list(before):
        raise DamagedError(
            f"{path} has other lines than it had a moment ago; stop whoever writes to it, and open "
            f"the review again"
        )
