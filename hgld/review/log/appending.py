"""How lines get onto the end of a log: flushed, and all of them or none."""

import contextlib
import os
from io import FileIO
from pathlib import Path

from hgld.engine.files import flush_folder, writing


def append_lines(path: Path, lines: bytes, *, flush: bool = True) -> None:
    """Appends lines to a file, made where it is missing, and flushes it to the disk.

    A process killed meanwhile may leave a part of the lines. One that is refused or interrupted
    takes back what it wrote: what a person was told is not done must not count later.

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
