"""Read and append to the decision log, `review/decisions.jsonl`, and its copy.

Each line is an event (`hgld.review.log.events`), flushed to the disk and never changed. The last
active edit on a class is in force (`hgld.review.log.history`). A class that disappears from the
scrape keeps its decision, because it may come back. Decisions cannot be recomputed, so each line
has a checksum of everything before it (`hgld.review.log.chain`), the log has a copy, and a damaged
log is not read.
"""

import contextlib
import fcntl
import logging
import os
import shlex
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from hgld.engine.files import atomic_file, flush_folder, writing
from hgld.engine.workspace import Damage, Workspace
from hgld.errors import DamagedError, InputError, WorkspaceBusyError
from hgld.review.log.chain import Chain, Scan, scan
from hgld.review.log.events import Change, Event, event_content, harmless, parse_event
from hgld.review.log.history import Decision, Standing, standing_of
from hgld.tables import TAXONOMY

logger = logging.getLogger(__name__)

DECISIONS_FILE = "review/decisions.jsonl"
DECISIONS_COPY = "review/decisions.backup.jsonl"
"""All complete lines of the log; updated with each append."""

_GONE = "is gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionLog:
    """An intact log, as it was read."""

    found: Scan
    events: tuple[Event, ...]
    """In the order of their numbers, which are their line numbers."""

    def standing(self, line: int | None = None) -> Standing:
        """Returns the state that the active edits add up to.

        Args:
            line: the state after this line; None: after the last one.
        """
        return standing_of(self.events, line)

    def in_force(self) -> dict[str, Decision]:
        """Returns the decision in force on each class, by `class_qid`."""
        return self.standing().decisions()


class OpenLog:
    """The events of a log, read once and then appended to; not thread-safe.

    A page appends thousands of events. Reading, checking and copying the whole file takes 0.5 s at
    10,000 lines, so it happens only after another process has written to the log.
    """

    def __init__(
        self, workspace: Workspace, *, mend: bool = True, holds_lock: bool = False
    ) -> None:
        """Reads the log.

        Args:
            workspace: a build.
            mend: whether to remove an incomplete last line. False writes nothing, for a caller that
                only shows the build.
            holds_lock: whether the caller already holds `log_lock`, which mending needs.

        Raises:
            DamagedError: the log does not match its checksums or its copy; the text says what to
                do.
            InputError: a line is not an event.
            WorkspaceBusyError: another process kept the log locked.
        """
        self._workspace, self._path = workspace, workspace.path(DECISIONS_FILE)
        self._copy_path = workspace.path(DECISIONS_COPY)
        self.events: list[Event] = []
        self._chain, self._size, self._mark = Chain(), 0, _Mark()
        takes_lock = mend and not holds_lock
        with log_lock(workspace) if takes_lock else contextlib.nullcontext():
            self._read_anew(mend=mend)

    @property
    def line(self) -> int:
        """Number of the last line."""
        return self._chain.count

    def sync(self) -> list[Event]:
        """Reads and returns what others added since. Writes nothing and does not wait for locks.

        Raises:
            DamagedError: earlier lines have changed, or new lines are damaged.
            InputError: a line is not an event.
        """
        before = len(self.events)
        if _mark_of(self._path) != self._mark:
            self._read_anew(mend=False)
        return self.events[before:]

    def append(self, event: Event) -> Event:
        """Appends an event, after those that others added since, and flushes it to the disk.

        Args:
            event: its number is replaced by that of its line.

        Returns:
            The numbered event. `events` now also holds what others added before it.

        Raises:
            DamagedError: the log does not match its checksums or its copy; nothing is appended.
            InputError: the write failed, for example on a full disk; nothing is appended.
            WorkspaceBusyError: another process kept the log locked.
        """
        with log_lock(self._workspace):
            return self.append_locked(event)

    def append_locked(self, *events: Event) -> Event:
        """Appends events, all or none, for a caller that holds `log_lock`; returns the last one."""
        self.sync()
        # A crash left an incomplete line, or the copy differs from the log. Check both again before
        # adding anything, because the copy may be the intact one.
        if {self._mark.size, _mark_of(self._copy_path).size} != {self._size}:
            self._read_anew(mend=True)
        chain = self._chain.copy()
        lines = b"".join(chain.extend(event_content(event)) for event in events)
        append_lines(self._path, lines)
        self.events += [event.numbered(self.line + place) for place, event in enumerate(events, 1)]
        before, self._chain, self._size = self._size, chain, self._size + len(lines)
        self._mark = _mark_of(self._path)
        if _mark_of(self._copy_path).size == before:  # otherwise mending failed, with a warning
            with _failure_is_told():
                # No flush, because it takes as long as everything else: after a power cut the copy
                # may be shorter than the log, and is rewritten.
                append_lines(self._copy_path, lines, flush=False)
        return self.events[-1]

    def _read_anew(self, *, mend: bool) -> None:
        """Reads the whole log; mending requires that the caller holds the lock."""
        mark = _mark_of(self._path)
        log = read_log(self._workspace, mend=mend)
        if list(log.events[: len(self.events)]) != self.events:
            raise DamagedError(
                f"earlier lines of {self._path} have changed; stop the program that writes to it "
                f"and open the review again"
            )
        self.events[:] = log.events
        data = log.found.data
        self._chain, self._size = Chain(data, len(log.found.lines)), len(data)
        self._mark = _mark_of(self._path) if mend else mark


class _Mark(NamedTuple):
    """Identity, size and time of a file, which show whether it was written to."""

    inode: int = 0
    size: int = 0
    modified_ns: int = 0


def _mark_of(path: Path) -> _Mark:
    try:
        found = path.stat()
    except FileNotFoundError:
        return _Mark()
    return _Mark(found.st_ino, found.st_size, found.st_mtime_ns)


@contextlib.contextmanager
def log_lock(workspace: Workspace, *, wait_s: float = 30.0) -> Iterator[None]:
    """Keeps other processes from appending to the log; waits while one holds the lock.

    It is separate from the lock of the workspace, so that people can decide while a stage runs.

    Raises:
        WorkspaceBusyError: another process held the lock for `wait_s` seconds.
    """
    path = workspace.path("review/.log.lock")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab", buffering=0)
    with file:
        until = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > until:
                    log = workspace.path(DECISIONS_FILE)
                    raise WorkspaceBusyError(
                        f"another process has locked {log} for {wait_s:.0f} s; try again"
                    ) from error
                time.sleep(0.01)
        yield


def read_log(workspace: Workspace, *, mend: bool = False) -> DecisionLog:
    """Reads the log; without a file it is empty.

    An incomplete last line, as a crash leaves it, does not count. Repairs are logged as warnings;
    `check_decisions` reports them without repairing.

    Args:
        workspace: a build.
        mend: whether to remove an incomplete last line and rewrite a damaged copy; the caller then
            holds `log_lock`.

    Raises:
        DamagedError: the log does not match its checksums or its copy; the text says what to do.
        InputError: a line is not an event, or a repair cannot be written.
    """
    path, copy = workspace.path(DECISIONS_FILE), workspace.path(DECISIONS_COPY)
    found, log_damage, copy_damage = _examined(workspace)
    if log_damage:
        raise DamagedError(f"{path} {log_damage}")
    events = tuple(
        parse_event(text, f"{path} line {number}")
        for number, text in enumerate(found.lines, start=1)
    )
    if mend and (found.lines or found.tail):
        if found.tail:
            start = harmless(found.tail[:300].decode(errors="replace"))
            logger.warning("%s %s; it starts with %s", path, _cut_off(found), start)
        size = path.stat().st_size
        if size < len(found.data):
            append_lines(path, b"\n")
        elif size > len(found.data):
            with writing(path):
                os.truncate(path, len(found.data))
        if copy_damage:
            logger.warning("%s %s; it is rewritten", copy, copy_damage)
            with _failure_is_told(), writing(copy), atomic_file(copy) as temporary:
                temporary.write_bytes(found.data)
    return DecisionLog(found=found, events=events)


def read_decisions(workspace: Workspace) -> dict[str, Decision]:
    """Returns the decision in force on each class, by `class_qid`; empty without a log.

    Raises:
        DamagedError: the log does not match its checksums or its copy; the text says what to do.
        InputError: a line is not an event; the text gives its number.
    """
    return read_log(workspace).in_force()


def append_event(workspace: Workspace, *events: Event) -> None:
    """Appends all events or none, flushes the log to the disk, and updates its copy.

    Args:
        workspace: a build; the caller holds its `log_lock` if another process may write to it.
        events: their numbers are replaced by those of their lines.

    Raises:
        DamagedError: the log does not match its checksums or its copy; the text says what to do.
        InputError: a line is not an event, or the write failed.
    """
    if events:
        OpenLog(workspace, holds_lock=True).append_locked(*events)


def append_decisions(workspace: Workspace, decisions: Sequence[Decision]) -> None:
    """Appends decisions, one event each; see `append_event`."""
    events = []
    for one in decisions:
        change = Change(
            classes={one.class_qid: one.class_label},
            effect=one.action,
            hierarchical_label=one.hierarchical_label,
            natural_or_human_made=one.natural_or_human_made,
            note=one.note,
        )
        at, who = one.decided_at, one.reviewer
        events.append(Event(event="decision", decided_at=at, reviewer=who, changes=(change,)))
    append_event(workspace, *events)


def append_lines(path: Path, lines: bytes, *, flush: bool = True) -> None:
    """Appends lines to a file, which is created if missing, and flushes it to the disk.

    A killed process may leave part of the lines. A failed or interrupted write is rolled back,
    because the person is told that nothing was saved.

    Args:
        path: the file; the caller holds its lock.
        lines: with their line feeds.
        flush: whether to wait until they are on the disk. Without, a power cut may lose them.

    Raises:
        InputError: the write failed, for example on a full disk.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not path.exists()
        with path.open("ab", buffering=0) as file:
            _write_whole(file, lines, flush=flush)
        if is_new:
            flush_folder(path.parent)


def _write_whole(file: FileIO, data: bytes, *, flush: bool) -> None:
    """Writes all of it, or truncates the file to its old size."""
    size = os.fstat(file.fileno()).st_size
    is_done, left = False, memoryview(data)
    try:
        while left:
            left = left[file.write(left) :]
        if flush:
            os.fsync(file.fileno())
        is_done = True
    finally:
        if not is_done:
            with contextlib.suppress(OSError):  # leaves a torn line, which is mended later
                os.ftruncate(file.fileno(), size)
                os.fsync(file.fileno())


def check_decisions(workspace: Workspace) -> list[Damage]:
    """Returns the damages of the log and of its copy, without changing anything.

    Each text says what to do. For the log, `read_log` raises an error with the same text.
    """
    found, log_damage, copy_damage = _examined(workspace)
    damages = []
    if log_damage or found.tail:
        damages.append(Damage(DECISIONS_FILE, log_damage or _cut_off(found)))
    if copy_damage:
        damages.append(Damage(DECISIONS_COPY, f"{copy_damage}; {_AGAIN}"))
    return damages


_AGAIN = "the next `hgld review --settle` rewrites it"


def _cut_off(found: Scan) -> str:
    return f"line {len(found.lines) + 1} was cut off by a crash and does not count; decide it again"


def _examined(workspace: Workspace) -> tuple[Scan, str, str]:
    """Reads the log, and returns what is wrong with it and with its copy.

    An intact log may be longer than its copy, because a process can be killed between the two
    writes, but never shorter. It must also contain the log whose digest is in the manifest of the
    last review.
    """
    path, copy = workspace.path(DECISIONS_FILE), workspace.path(DECISIONS_COPY)
    copied, copy_damage = _bytes(copy)  # first, because the log may grow meanwhile
    data, log_damage = _bytes(path)
    found = scan(data)
    kept = found if copied == data else scan(copied)
    done = workspace.manifest(TAXONOMY.stage)
    read = done.inputs.get(DECISIONS_FILE, "absent") if done else "absent"
    is_missed = read not in {"absent", *found.digests}
    if not data and log_damage in {"", _GONE} and not copied and not is_missed:  # none yet
        return found, "", ""
    if not copy_damage and (kept.damaged_line or kept.tail):
        copy_damage = f"line {kept.damaged_line or len(kept.lines) + 1} is damaged"
    if not log_damage:
        log_damage = _damage(found, kept, len(copied))
    if not log_damage and is_missed:
        log_damage = f"ends after line {len(found.lines)} and lacks what the last review read"
    if log_damage:
        is_whole = bool(copied) and not copy_damage and read in {"absent", *kept.digests}
        is_restored = is_whole and copied.startswith(found.intact)
        return found, log_damage + _advice(workspace, found, is_restored=is_restored), copy_damage
    if not copy_damage and copied != found.data:
        copy_damage = f"ends after line {len(kept.lines)}, but the log does not"
    return found, "", copy_damage


def _bytes(path: Path) -> tuple[bytes, str]:
    """Returns the content of a file, and why it could not be read."""
    try:
        return path.read_bytes(), ""
    except FileNotFoundError:
        return b"", _GONE
    except OSError as error:
        return b"", f"cannot be read ({error.strerror})"


def _damage(found: Scan, kept: Scan, copied: int) -> str:
    """Returns what is wrong with a log, compared with the lines of its copy.

    `copied` is the size of the copy in bytes.
    """
    if found.damaged_line:
        return f"line {found.damaged_line} was changed after it was written"
    goes_on = found.data.startswith(kept.intact)
    if goes_on and copied <= len(found.data):
        return ""
    if goes_on or kept.intact.startswith(found.data):
        return f"ends after line {len(found.lines)}, but its copy does not"
    both = zip(found.lines, kept.lines, strict=False)
    line = next(number for number, (one, other) in enumerate(both, start=1) if one != other)
    return f"line {line} differs from its copy, and both files have valid checksums"


def _advice(workspace: Workspace, found: Scan, *, is_restored: bool) -> str:
    path, copy = workspace.path(DECISIONS_FILE), workspace.path(DECISIONS_COPY)
    if is_restored:
        restore = shlex.join(["cp", str(copy), str(path)])
        advice = f"; its copy is intact: `{restore}` restores it"
    else:
        advice = f"; restore it from your own backup, or from the intact lines of it and {copy}"
    if not found.damaged_line:
        remove = shlex.join(["rm", "-f", str(copy), str(workspace.manifest_path(TAXONOMY.stage))])
        advice += f"; if the log is correct, `{remove}` accepts it"
    return advice


@contextlib.contextmanager
def _failure_is_told() -> Iterator[None]:
    """Turns a failed write of the copy into a warning, because the log itself is intact."""
    try:
        yield
    except InputError as error:
        logger.warning("%s; the log is intact and is copied with the next event", error)
