"""How files get onto the disk: whole or not at all, flushed, and told apart by their digest."""

import contextlib
import errno
import hashlib
import itertools
import json
import logging
import os
from collections.abc import Iterator, Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple

from hgld.errors import DamagedError, InputError

logger = logging.getLogger(__name__)

GONE = "is gone"

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_IN_THE_WAY = frozenset({errno.EISDIR, errno.ENOTDIR, errno.EEXIST})


class FileRecord(NamedTuple):
    """What a file was when it was written, so that any later change of it is noticed."""

    size: int
    """In bytes."""
    sha256: str


@contextlib.contextmanager
def writing(path: Path, *, if_full: bool = False) -> Iterator[None]:
    """Turns any failure of the file system within the block into one to write `path`.

    Args:
        path: what is written.
        if_full: only where the disk is full; other failures may be of another file.

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
            mend = "make room and rerun, what was finished before is kept"
        elif error.errno in _IN_THE_WAY:
            mend = f"move {error.filename2 or error.filename or path} out of the way, then rerun"
        # Not the error's own text: Arrow's is a long one.
        why = os.strerror(error.errno) if error.errno else error
        raise InputError(f"cannot write {path}: {why}; {mend}") from error


@contextlib.contextmanager
def atomic_file(path: Path, *, flush: bool = True) -> Iterator[Path]:
    """Gives a temporary path beside `path`; on success flushes it and renames it to `path`.

    A process killed at any moment leaves the old file or the new one, never a part of one.

    Args:
        path: the file; its folder is made where it is missing.
        flush: whether the file and its new name are on the disk when the block is left. Without,
            a power cut may take them, so that the caller has to call `os.sync` at its end.

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
    """Renames a file to `path`; a folder that is there is set aside."""
    if path.is_dir():
        set_aside(path)
    file.replace(path)


def set_aside(path: Path) -> None:
    """Renames what somebody else put where an output belongs: `.aside`, which no reader takes."""
    names = (f"{path.name}.aside{number or ''}" for number in itertools.count())
    aside = next(place for place in map(path.with_name, names) if not place.exists())
    path.replace(aside)
    logger.warning("%s is in the way of an output of this build; renamed to %s", path, aside.name)


def remove_unless_changed(path: Path, record: FileRecord) -> None:
    """Removes a file that is still as it was written, and its folder if that is empty then."""
    if not file_damage(path, *record):
        path.unlink()
        with contextlib.suppress(OSError):  # other files are in it
            path.parent.rmdir()


def write_text(path: Path, text: str) -> None:
    """Writes a whole UTF-8 text file, atomically."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_sealed(path: Path, values: Mapping[str, object]) -> None:
    """Writes values as JSON with a digest of themselves, atomically."""
    write_text(path, json.dumps({"sha256": _digest(values), **values}, indent=1) + "\n")


def read_sealed(path: Path) -> dict[str, Any]:
    """Reads what `write_sealed` wrote.

    Raises:
        DamagedError: it is not what was written, or is not there.
    """
    try:
        with open_file(path) as file:
            values = json.loads(file.read())
        if values.pop("sha256") == _digest(values):
            return dict(values)
    except OSError as error:
        raise DamagedError(f"{path} cannot be read: {error.strerror}") from error
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise DamagedError(f"{path} is not what was written: {error}") from error
    raise DamagedError(f"{path} is not what was written: its digest is another one")


def _digest(values: Mapping[str, object]) -> str:
    """Returns the SHA-256 of JSON values, as hex, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def append_bytes(path: Path, data: bytes) -> None:
    """Appends to a file, made where it is missing, and flushes it to the disk.

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
    """Opens a file to read it.

    Raises:
        OSError: it cannot be read. A FIFO is refused too: its reader waits for a writer.
    """
    if path.is_fifo():
        raise OSError(errno.EINVAL, "it is a FIFO, not a file", str(path))
    return path.open("rb")


def file_digest(path: Path) -> str:
    """Returns the SHA-256 of a file's bytes, as hex."""
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_damage(path: Path, size: int | None, sha256: str) -> str:
    """Returns what is wrong with a file of so many bytes (None: any), or an empty string."""
    try:
        if not path.is_file():
            return "is not a file" if path.exists() else GONE
        if size is not None and (found := path.stat().st_size) != size:
            return f"has {found:,} bytes, not the {size:,} that were written"
        is_same = file_digest(path) == sha256
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return "" if is_same else "has other bytes than were written"


def flush_folder(folder: Path) -> None:
    """Has the names of a folder's files on the disk: those that came, and those that went.

    A folder that is not there has none.
    """
    if not folder.exists():
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
