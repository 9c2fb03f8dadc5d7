"""Writes files atomically and flushed, and checks them by their digest."""

import contextlib
import errno
import fcntl
import hashlib
import itertools
import json
import logging
import os
from collections.abc import Iterator, Mapping
from io import BufferedReader, BufferedWriter
from pathlib import Path
from typing import Any, NamedTuple

from hgld.errors import DamagedError, InputError, WorkspaceBusyError

logger = logging.getLogger(__name__)

GONE = "is gone"

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_IN_THE_WAY = frozenset({errno.EISDIR, errno.ENOTDIR, errno.EEXIST})


class FileRecord(NamedTuple):
    """Size in bytes and SHA-256 of a file when it was written, to detect any later change."""

    size: int
    sha256: str


@contextlib.contextmanager
def writing(path: Path, *, if_full: bool = False) -> Iterator[None]:
    """Turns any `OSError` within the block into an error about writing `path`.

    Args:
        path: the file being written.
        if_full: only convert a full disk; other failures may concern another file.

    Raises:
        InputError: the disk is full, or the file system refused (no permission, no folder).
    """
    try:
        yield
    except OSError as error:
        if if_full and error.errno not in _FULL:
            raise
        mend = "choose another --root, then rerun"
        if error.errno in _FULL:
            mend = "free some space and rerun; finished work is kept"
        elif error.errno in _IN_THE_WAY:
            mend = f"move {error.filename2 or error.filename or path} out of the way, then rerun"
        # Not the error's own message: Arrow's is long.
        why = os.strerror(error.errno) if error.errno else error
        raise InputError(f"cannot write {path}: {why}; {mend}") from error


@contextlib.contextmanager
def atomic_file(path: Path, *, flush: bool = True) -> Iterator[Path]:
    """Gives a temporary path beside `path`; on success flushes it and renames it to `path`.

    A process killed at any moment leaves the old file or the new one, never a partial file.

    Args:
        path: the file; a missing folder is made.
        flush: whether to flush the file and its name to the disk at the end of the block. Without
            it, a power cut may lose them, so the caller must call `os.sync` at the end.

    Yields:
        The path to write to.

    Raises:
        InputError: the disk is full, or something else is in the file's place.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with writing(path, if_full=True):
            yield temporary
            if flush:
                with temporary.open("rb+") as file:
                    os.fsync(file.fileno())
        with writing(path):
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    if flush:
        flush_folder(path.parent)


def put_in_place(file: Path, path: Path) -> None:
    """Renames a file to `path`; a folder in its place is set aside."""
    if path.is_dir():
        set_aside(path)
    file.replace(path)


def set_aside(path: Path) -> None:
    """Renames a foreign file or folder in the place of an output to `NAME.aside`."""
    names = (f"{path.name}.aside{number or ''}" for number in itertools.count())
    aside = next(place for place in map(path.with_name, names) if not place.exists())
    path.replace(aside)
    logger.warning("%s is in the way of an output of this build; renamed to %s", path, aside.name)


def remove_unless_changed(path: Path, record: FileRecord) -> None:
    """Removes a file that did not change since it was written, and its folder if empty then."""
    if not file_damage(path, *record):
        path.unlink()
        with contextlib.suppress(OSError):  # not empty
            path.parent.rmdir()


def write_text(path: Path, text: str) -> None:
    """Writes a whole UTF-8 text file, atomically.

    Raises:
        InputError: it cannot be written.
    """
    with writing(path), atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_sealed(path: Path, values: Mapping[str, object]) -> None:
    """Writes values as JSON with a digest of themselves, atomically."""
    write_text(path, json.dumps({"sha256": _digest(values), **values}, indent=1) + "\n")


def read_sealed(path: Path) -> dict[str, Any]:
    """Reads what `write_sealed` wrote.

    Raises:
        DamagedError: the file is damaged or missing.
    """
    try:
        with open_file(path) as file:
            values = json.loads(file.read())
        if values.pop("sha256") == _digest(values):
            return dict(values)
    except OSError as error:
        raise DamagedError(f"{path} cannot be read: {error.strerror}") from error
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise DamagedError(f"{path} is damaged: {error}") from error
    raise DamagedError(f"{path} is damaged: its digest does not match")


def _digest(values: Mapping[str, object]) -> str:
    """Returns the SHA-256 of JSON values, as hex, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def append_bytes(path: Path, data: bytes) -> None:
    """Appends to a file, which is made if missing, and flushes it to the disk.

    A process killed meanwhile may leave a part of `data` at the end of the file.

    Raises:
        InputError: the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with writing(path, if_full=True), path.open("ab") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    flush_folder(path.parent)


def record_file(path: Path) -> FileRecord:
    """Returns the size and the SHA-256 of a file."""
    return FileRecord(path.stat().st_size, file_digest(path))


def open_file(path: Path) -> BufferedReader:
    """Opens a file for reading.

    Raises:
        OSError: it cannot be read, or is a FIFO, whose reader would wait for a writer.
    """
    if path.is_fifo():
        raise OSError(errno.EINVAL, "it is a FIFO, not a file", str(path))
    return path.open("rb")


def file_digest(path: Path) -> str:
    """Returns the SHA-256 of a file's bytes, as hex."""
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_damage(path: Path, size: int | None, sha256: str) -> str:
    """Returns how a file differs from its size (None: any) and digest, or an empty string."""
    try:
        if not path.is_file():
            return "is not a file" if path.exists() else GONE
        if size is not None and (found := path.stat().st_size) != size:
            return f"has {found:,} bytes, not the {size:,} that were written"
        is_same = file_digest(path) == sha256
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return "" if is_same else "has other bytes than were written"


def lock_alone(file: int | BufferedWriter, busy: str) -> None:
    """Locks an open file or folder, until it is closed.

    Raises:
        WorkspaceBusyError: another process holds the lock; its message is `busy`.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise WorkspaceBusyError(busy) from error


def flush_folder(folder: Path) -> None:
    """Flushes new and removed names of a folder to the disk; a missing folder has none."""
    if not folder.exists():
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
