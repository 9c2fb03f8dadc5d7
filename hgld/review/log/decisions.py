"""The log of what persons decided, and its copy: `review/decisions.jsonl`, read and appended to.

A line is an event (`hgld.review.log.events`), appended and flushed to the disk, and never changed.
The last edit on a class that counts is in force (`hgld.review.log.history`); a class that no scrape
knows any more keeps its decision, since it may come back. What a person decided cannot be made
again: each line has a checksum of all before it (`hgld.review.log.chain`), a copy of the log lies
beside it, and nothing is read from a log that is not as it was written.
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
"""Every whole line of the log; it is brought up to date each time that lines are added."""

_GONE = "is gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionLog:
    """The log as it was read: whole."""

    found: Scan
    events: tuple[Event, ...]
    """In the order of their numbers, which are those of their lines."""

    def standing(self, line: int | None = None) -> Standing:
        """Returns what the edits that count come to.

        Args:
            line: as of this line; None: now.
        """
        return standing_of(self.events, line)

    def in_force(self) -> dict[str, Decision]:
        """Returns the decision in force on each class, by `class_qid`."""
        return self.standing().decisions()


class OpenLog:
    """The events of a log, read once and then added to; not to be shared by threads.

    A page appends thousands of events. To read, check and copy the whole file for each would take
    half a second at 10,000 lines: that is done only where another process has written to it.
    """

    def __init__(
        self, workspace: Workspace, *, mend: bool = True, holds_lock: bool = False
    ) -> None:
        """Reads the log.

        Args:
            workspace: a build.
            mend: whether what a crash left of a line is taken away. Without, nothing is written:
                for a build that is only shown, to which the caller appends nothing.
            holds_lock: whether the caller holds `log_lock`, which is taken to mend.

        Raises:
            DamagedError: the log is not as it was written; the text says what to do.
            InputError: a line is not an event.
            WorkspaceBusyError: another process writes to it all the while.
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
        """The number of the last line."""
        return self._chain.count

    def sync(self) -> list[Event]:
        """Reads what others have added since; returns that. Writes nothing, and waits for nobody.

        Raises:
            DamagedError: what was read before is gone, or what is new is damaged.
            InputError: a line is not an event.
        """
        before = len(self.events)
        if _mark_of(self._path) != self._mark:
            self._read_anew(mend=False)
        return self.events[before:]

    def append(self, event: Event) -> Event:
        """Appends an event and flushes it to the disk, after what others have added meanwhile.

        Args:
            event: any number; it gets that of its line.

        Returns:
            The event with its number. What others added before it is in `events` too.

        Raises:
            DamagedError: the log is not as it was written; nothing is appended.
            InputError: the disk is full, or refuses; nothing is appended.
            WorkspaceBusyError: another process writes to it all the while.
        """
        with log_lock(self._workspace):
            return self.append_locked(event)

    def append_locked(self, *events: Event) -> Event:
        """Appends events, all or none, for a caller that holds `log_lock`; returns the last one."""
        self.sync()
        # A crash left something behind the last line, or the copy is not what the log is. Both are
        # checked anew before anything is added: of the two it may be the copy that is whole.
        if {self._mark.size, _mark_of(self._copy_path).size} != {self._size}:
            self._read_anew(mend=True)
        chain = self._chain.copy()
        lines = b"".join(chain.extend(event_content(event)) for event in events)
        append_lines(self._path, lines)
        self.events += [event.numbered(self.line + place) for place, event in enumerate(events, 1)]
        before, self._chain, self._size = self._size, chain, self._size + len(lines)
        self._mark = _mark_of(self._path)
        if _mark_of(self._copy_path).size == before:  # else it could not be mended, which was said
            with _failure_is_told():
                # Not flushed, which takes as long as all else: after a power cut the copy may end
                # before the log, and is made again.
                append_lines(self._copy_path, lines, flush=False)
        return self.events[-1]

    def _read_anew(self, *, mend: bool) -> None:
        """Reads the whole log; to mend it the caller holds the lock, so that nobody else writes."""
        mark = _mark_of(self._path)
        log = read_log(self._workspace, mend=mend)
        if list(log.events[: len(self.events)]) != self.events:
            raise DamagedError(
                f"{self._path} has other lines than it had a moment ago; stop whoever writes to "
                f"it, and open the review again"
            )
        self.events[:] = log.events
        data = log.found.data
        self._chain, self._size = Chain(data, len(log.found.lines)), len(data)
        self._mark = _mark_of(self._path) if mend else mark


class _Mark(NamedTuple):
    """What tells a file that is as it was from one that was written to."""

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
    """Keeps every other process from adding to the log; waits for one that does.

    It is apart from the lock of the workspace, so that persons decide while a stage runs.

    Raises:
        WorkspaceBusyError: another process holds it all the while.
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
                        f"another process has been writing {log} for {wait_s:.0f} s; try again"
                    ) from error
                time.sleep(0.01)
        yield


def read_log(workspace: Workspace, *, mend: bool = False) -> DecisionLog:
    """Reads the log; one that never was holds no decision.

    A last line that a crash left unfinished is not counted. What is mended is logged as a warning;
    `check_decisions` reports it before.

    Args:
        workspace: a build.
        mend: whether an unfinished line is taken away, and a copy that is not whole made again; for
            a caller that holds `log_lock`.

    Raises:
        DamagedError: the log is not as it was written; the text says what to do.
        InputError: a line is not an event, or the disk is full.
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
            logger.warning("%s %s; it begins %s", path, _cut_off(found), start)
        size = path.stat().st_size
        if size < len(found.data):
            append_lines(path, b"\n")
        elif size > len(found.data):
            with writing(path):
                os.truncate(path, len(found.data))
        if copy_damage:
            logger.warning("%s %s; it is made again", copy, copy_damage)
            with _failure_is_told(), writing(copy), atomic_file(copy) as temporary:
                temporary.write_bytes(found.data)
    return DecisionLog(found=found, events=events)


def read_decisions(workspace: Workspace) -> dict[str, Decision]:
    """Returns the decision in force on each class, by `class_qid`; empty where there is no log.

    Raises:
        DamagedError: the log is not as it was written; the text says what to do.
        InputError: a line is not an event; the text gives its number.
    """
    return read_log(workspace).in_force()


def append_event(workspace: Workspace, *events: Event) -> None:
    """Appends events, flushes the log to the disk, and copies it: all of them, or none.

    Args:
        workspace: a build whose `log_lock` the caller holds, where another process may write to it.
        events: any numbers; they get those of their lines.

    Raises:
        DamagedError: the log is not as it was written; the text says what to do.
        InputError: a line is not an event, or the disk is full.
    """
    if events:
        OpenLog(workspace, holds_lock=True).append_locked(*events)


def append_decisions(workspace: Workspace, decisions: Sequence[Decision]) -> None:
    """Appends decisions, an event each, as `append_event` does."""
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
    """Appends lines to a file, made where it is missing, and flushes it to the disk.

    A process that is killed meanwhile may leave part of the lines. One that is refused, or
    interrupted, takes back what it wrote, since the person is told that nothing was done.

    Args:
        path: the file; the caller holds the lock, so that nobody else writes to it.
        lines: with their line feeds.
        flush: whether they are on the disk when it returns. Without, a power cut may take them.

    Raises:
        InputError: the disk is full, or refuses.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not path.exists()
        with path.open("ab", buffering=0) as file:
            _write_whole(file, lines, flush=flush)
        if is_new:
            flush_folder(path.parent)


def _write_whole(file: FileIO, data: bytes, *, flush: bool) -> None:
    """Writes all of it, or takes back what was written."""
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
            with contextlib.suppress(OSError):  # a torn line then, which is mended
                os.ftruncate(file.fileno(), size)
                os.fsync(file.fileno())


def check_decisions(workspace: Workspace) -> list[Damage]:
    """Returns what is not as it was written, of the log and its copy, and changes nothing.

    Each text says what to do. `read_log` raises the same, where it is the log.
    """
    found, log_damage, copy_damage = _examined(workspace)
    damages = []
    if log_damage or found.tail:
        damages.append(Damage(DECISIONS_FILE, log_damage or _cut_off(found)))
    if copy_damage:
        damages.append(Damage(DECISIONS_COPY, f"{copy_damage}; {_AGAIN}"))
    return damages


_AGAIN = "the next `hgld review --settle` makes it again"


def _cut_off(found: Scan) -> str:
    return f"line {len(found.lines) + 1} was cut off by a crash and is not counted; do it again"


def _examined(workspace: Workspace) -> tuple[Scan, str, str]:
    """Reads the log, and returns what is wrong with it and with its copy.

    The log may be longer than its copy, since a process may be killed between the two writes; it is
    never shorter. It holds all that the last review read, whose digest is in that stage's manifest.
    """
    path, copy = workspace.path(DECISIONS_FILE), workspace.path(DECISIONS_COPY)
    copied, copy_damage = _bytes(copy)  # first, since the log may grow meanwhile
    data, log_damage = _bytes(path)
    found = scan(data)
    kept = found if copied == data else scan(copied)
    done = workspace.manifest(TAXONOMY.stage)
    read = done.inputs.get(DECISIONS_FILE, "absent") if done else "absent"
    is_missed = read not in {"absent", *found.digests}
    if not data and log_damage in {"", _GONE} and not copied and not is_missed:  # none yet
        return found, "", ""
    if not copy_damage and (kept.damaged_line or kept.tail):
        copy_damage = f"line {kept.damaged_line or len(kept.lines) + 1} is not as it was written"
    if not log_damage:
        log_damage = _damage(found, kept, len(copied))
    if not log_damage and is_missed:
        log_damage = f"ends after line {len(found.lines)} and lacks what the last review read"
    if log_damage:
        is_whole = bool(copied) and not copy_damage and read in {"absent", *kept.digests}
        is_restored = is_whole and copied.startswith(found.intact)
        return found, log_damage + _advice(workspace, found, is_restored=is_restored), copy_damage
    if not copy_damage and copied != found.data:
        copy_damage = f"ends after line {len(kept.lines)}, and the log does not"
    return found, "", copy_damage


def _bytes(path: Path) -> tuple[bytes, str]:
    """Returns what is in a file, and why that is not known."""
    try:
        return path.read_bytes(), ""
    except FileNotFoundError:
        return b"", _GONE
    except OSError as error:
        return b"", f"cannot be read ({error.strerror})"


def _damage(found: Scan, kept: Scan, copied: int) -> str:
    """Returns what is wrong with a log, compared with the whole lines of its copy.

    `copied` is the size of the copy, in bytes.
    """
    if found.damaged_line:
        return f"line {found.damaged_line} is not as it was written"
    goes_on = found.data.startswith(kept.intact)
    if goes_on and copied <= len(found.data):
        return ""
    if goes_on or kept.intact.startswith(found.data):
        return f"ends after line {len(found.lines)}, and its copy does not"
    both = zip(found.lines, kept.lines, strict=False)
    line = next(number for number, (one, other) in enumerate(both, start=1) if one != other)
    return f"line {line} is not what it is in its copy, and both files are whole"


def _advice(workspace: Workspace, found: Scan, *, is_restored: bool) -> str:
    path, copy = workspace.path(DECISIONS_FILE), workspace.path(DECISIONS_COPY)
    if is_restored:
        restore = shlex.join(["cp", str(copy), str(path)])
        advice = f"; its copy is whole: `{restore}` restores it"
    else:
        advice = f"; restore it from a backup of your own, or from what is whole in it and {copy}"
    if not found.damaged_line:
        remove = shlex.join(["rm", "-f", str(copy), str(workspace.manifest_path(TAXONOMY.stage))])
        advice += f"; if the log is right as it is, `{remove}` makes it count"
    return advice


@contextlib.contextmanager
def _failure_is_told() -> Iterator[None]:
    """Tells of a copy that could not be written: the log itself is whole."""
    try:
        yield
    except InputError as error:
        logger.warning("%s; the log is whole, and is copied with the next event", error)
